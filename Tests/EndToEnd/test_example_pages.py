"""The pages and scripts of docs/javascript.md, docs/protocol.md and Examples in a browser, as their texts say."""

import asyncio
import re
import tempfile
from pathlib import Path

import pytest

from apus_e2e import PATIENCE, Server
from chromium import Page
from sites import site

ROOT = Path(__file__).parents[2]
SAY = """(async () => {
    const until = async (condition) => { while (!condition()) await new Promise(next => setTimeout(next, 20)); };
    await until(() => document.querySelector("#state").textContent.startsWith("open"));
    const form = document.querySelector("form");
    form.elements.text.value = "hello";
    form.requestSubmit();
    await until(() => document.querySelector("li")?.textContent.endsWith("hello"));
    return "shown";
})()"""

# A script of a page, and a promise of the first message that it hands on.
SCRIPT = """new Promise(resolve => {
    const handle = message => resolve(message.message.payload);
    console.log = handle;
    %s
    if (typeof follow === "function") follow();
})"""

pytestmark = [pytest.mark.plain("the pages name an http server"),
              pytest.mark.one_server("it is about pages that name one server")]


def guide():
    return re.search(r"^```html\n(.*?)^```", (ROOT / "docs/javascript.md").read_text(), re.M | re.S)[1]


def example():
    return (ROOT / "Examples/browser/index.html").read_text()


@pytest.mark.parametrize("page", [guide, example])
async def test_a_page_shows_what_is_published_in_it(page):
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        assert server.create("chat").status == 201
        (Path(folder) / "index.html").write_text(page().replace("localhost:8080", f"localhost:{server.port}"))
        with site(folder) as port:
            async with Page.open(f"http://localhost:{port}/") as opened:
                assert await asyncio.wait_for(opened.evaluate(SAY), 20 * PATIENCE) == "shown"


async def test_the_scripts_of_the_protocol_follow_a_topic_in_a_page_of_the_server():
    scripts = re.findall(r"^```js\n(.*?)^```", (ROOT / "docs/protocol.md").read_text(), re.M | re.S)
    assert len(scripts) == 2
    with Server() as server:
        assert server.create("orders").status == 201
        assert server.rest("POST", "/topics/orders/messages", "hello").status == 201
        async with Page.open(f"http://localhost:{server.port}/docs") as page:
            for script in scripts:
                assert await asyncio.wait_for(page.evaluate(SCRIPT % script), 20 * PATIENCE) == "hello"
                await page.go(f"http://localhost:{server.port}/docs")
