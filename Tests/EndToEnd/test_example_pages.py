"""The pages that show the JavaScript client, in a browser as their texts say: served from this machine."""

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

pytestmark = pytest.mark.plain("the pages name an http server")


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
