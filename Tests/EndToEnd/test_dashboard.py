"""The dashboard of Examples and docs/tutorial.md, in a browser, with its feed, over a kill of the server."""

import asyncio
import base64
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from apus_e2e import PATIENCE, Server, until
from chromium import Page
from sites import site

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "Examples/dashboard"
TUTORIAL = ROOT / "docs/tutorial.md"
# Waits in the page until the expression is true.
UNTIL = "(async () => { while (!(%s)) await new Promise(next => setTimeout(next, 50)); return %s; })()"
SEEN = """Number([...document.querySelectorAll("article")]
    .find(one => one.textContent.startsWith("%s"))?.dataset.count ?? 0)"""
STATE = 'document.querySelector("#state").dataset.state %s "open"'
SAID = 'document.querySelector("#notices").textContent.includes("%s")'
NOTICES = 'Promise.resolve(document.querySelectorAll("#notices li").length)'
# The pixels that a chart has in the colour of the first machine.
INK = """(() => {
    const canvas = document.querySelector("#%s");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
        if (data[at] === 0x3e && data[at + 1] === 0x63 && data[at + 2] === 0xdd && data[at + 3] === 255) count += 1;
    }
    return count;
})()"""

pytestmark = [pytest.mark.plain("the page and its feed name an http server"),
              pytest.mark.one_server("it is about pages that name one server")]


@contextmanager
def feed(server, name):
    """The feed of a machine of this name."""
    with subprocess.Popen([sys.executable, FOLDER / "feed.py", server.url, name], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            process.published = lambda: process.stdout.readline()
            yield process
        finally:
            process.kill()


def published(server):
    return server.rest("GET", "/topics/machines").json["last"]


async def test_the_dashboard_shows_each_sample_once_over_a_kill_of_the_server(tmp_path):
    flags = ("--data", str(tmp_path / "data"))
    async with asyncio.timeout(60 * PATIENCE):
        with site(FOLDER) as port:
            with Server(*flags, exit_code=None) as server:
                assert server.create("machines").status == 201
                # Of another time, so that there is something to draw at once.
                for cpu in range(20, 80, 5):
                    sample = {"host": "first", "cpu": cpu, "memory": 100 - cpu}
                    assert server.rest("POST", "/topics/machines/messages", sample).status == 201
                async with Page.open(f"http://localhost:{port}/?server=http://localhost:{server.port}") as page:
                    await page.ask("Emulation.setDeviceMetricsOverride", width=1000, height=760, deviceScaleFactor=1,
                                   mobile=False)
                    await seen(page, "first", 12)
                    with feed(server, "second"):
                        await seen(page, "second", 2)
                        server.kill()
                        await page.evaluate(UNTIL % (STATE % "!==", 1))
                        with Server(*flags, "--port", str(server.port)) as again:
                            # Whoever publishes before the page is back does so for the page as well.
                            before = published(again)
                            await until(lambda: published(again) >= before + 2, "the feed goes on")
                            await page.evaluate(UNTIL % (STATE % "===", 1))
                            assert await page.evaluate(f"Promise.resolve({INK % 'cpu'})") > 20
                            await seen(page, "second", before - 12 + 2)
                            await keep(page, "dashboard")
                            first = await page.evaluate(f"Promise.resolve({SEEN % 'first'})")
                            second = await page.evaluate(f"Promise.resolve({SEEN % 'second'})")
                            assert first == 12 and second <= published(again) - 12
                            assert await page.evaluate(NOTICES) == 0


async def test_the_dashboard_shows_where_samples_are_missing_after_a_restart_in_memory():
    async with asyncio.timeout(60 * PATIENCE):
        with site(FOLDER) as port:
            with Server(exit_code=None) as server:
                server.create("machines")
                server.rest("POST", "/topics/machines/messages", {"host": "first", "cpu": 1, "memory": 1})
                async with Page.open(f"http://localhost:{port}/?server=http://localhost:{server.port}") as page:
                    await seen(page, "first", 1)
                    server.kill()
                    with Server("--port", str(server.port)) as again:
                        await page.evaluate(UNTIL % (SAID % "Nobody has published yet", 1))
                        assert again.create("machines").status == 201
                        await page.evaluate(UNTIL % (SAID % "Samples are missing here", 1))
                        again.rest("POST", "/topics/machines/messages", {"host": "first", "cpu": 2, "memory": 1})
                        await seen(page, "first", 2)


async def test_the_smallest_page_of_the_tutorial_shows_the_newest_of_each_machine(tmp_path):
    text = re.search(r"^```html\n(.*?)^```", TUTORIAL.read_text(), re.M | re.S)[1]
    with Server() as server, site(tmp_path) as port:
        (tmp_path / "first.html").write_text(text.replace("localhost:8080", f"localhost:{server.port}"))
        server.create("machines")
        for cpu in (1, 2):
            assert server.rest("POST", "/topics/machines/messages", {"host": "a", "cpu": cpu}).status == 201
        async with Page.open(f"http://localhost:{port}/first.html") as page, asyncio.timeout(20 * PATIENCE):
            await page.evaluate(UNTIL % ('document.querySelector("pre").textContent.includes("\\"a\\": 2")', 1))


async def seen(page, name, count):
    """Waits until the page has shown so many samples of the machine."""
    await page.evaluate(UNTIL % (f"{SEEN % name} >= {count}", 1))


async def keep(page, name):
    """A picture for people, where they want one: APUS_PICTURES=DIR."""
    if folder := os.environ.get("APUS_PICTURES"):
        picture = await page.ask("Page.captureScreenshot", format="png")
        (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))
