"""The page at /docs in a browser: its policy allows what it does and nothing else."""

import asyncio
import json
import re
import shutil
import tempfile
import urllib.request
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from apus_e2e import TIMEOUT, Server

POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:",
    "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
}


def test_the_page_is_sent_with_a_strict_policy():
    with Server() as server:
        page = server.rest("GET", "/docs")
        for headers in ({}, {"If-None-Match": page.headers["ETag"]}):
            answer = server.rest("GET", "/docs", headers=headers)
            assert set(answer.headers["Content-Security-Policy"].split("; ")) == POLICY
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
        text = page.body.decode()
        assert not re.search(r"<style|<script(?! src)| on[a-z]+=| style=|javascript:", text)
        for path, kind in (("/docs.js", "text/javascript"), ("/docs.css", "text/css")):
            part = server.rest("GET", path)
            assert (part.status, part.content_type) == (200, kind) and path[1:] in text
            assert part.headers["X-Content-Type-Options"] == "nosniff"


async def devtools(profile):
    """The address of the page's debugger."""
    file = Path(profile) / "DevToolsActivePort"
    for _ in range(int(TIMEOUT * 20)):
        if file.exists() and (lines := file.read_text().split()) and len(lines) > 1:
            with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json") as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
            if pages:
                return pages[0]["webSocketDebuggerUrl"]
        await asyncio.sleep(0.05)
    raise AssertionError("the browser did not start")


# Subscribes to a topic and publishes to it in the page's own console, and tries a REST operation.
SCRIPT = """(async () => {
    const until = async (what, condition) => {
        for (let turn = 0; turn < 400; turn++) {
            if (condition()) return;
            await new Promise(next => setTimeout(next, 50));
        }
        throw new Error("not in time: " + what);
    };
    const $ = selector => document.querySelector(selector);
    const log = () => $("#log").textContent;
    await until("operations", () => document.querySelectorAll("details.operation").length > 20);
    $("#connect").click();
    await until("connected", () => $("#state").textContent === "connected");
    $("#create").click();
    await until("created", () => log().includes("201"));
    $("[data-command=subscribe]").click();
    await until("subscribed", () => log().includes('"type":"ack"'));
    $("[data-command=publish]").click();
    await until("event", () => log().includes('"type":"event"'));
    const card = [...document.querySelectorAll("details.operation")].find(card => card.textContent.includes("List topics"));
    card.open = true;
    card.querySelector("form button.primary").click();
    await until("answer", () => card.querySelector("pre").textContent.includes('"orders"'));
    return getComputedStyle($("#connect")).backgroundColor;
})()"""


@pytest.mark.limit(120)
async def test_a_browser_runs_the_page_without_a_complaint():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "needs a browser: apt-get install chromium (dev/install does)"
    with Server("--base-path", "/apus") as server, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
            "--remote-debugging-port=0", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        try:
            async with connect(await devtools(profile), max_size=None, proxy=None) as page:
                complaints, answers = [], {}

                async def receive():
                    message = json.loads(await page.recv())
                    name, parameters = message.get("method"), message.get("params")
                    if "id" in message:
                        answers[message["id"]] = message
                    elif name == "Runtime.exceptionThrown":
                        complaints.append(parameters)
                    elif name == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                        complaints.append(parameters)
                    elif name == "Page.loadEventFired":
                        answers["loaded"] = message

                async def ask(number, method, **parameters):
                    await page.send(json.dumps({"id": number, "method": method, "params": parameters}))
                    while number not in answers:
                        await receive()
                    return answers[number].get("result", answers[number])

                for number, domain in enumerate(("Log", "Runtime", "Page")):
                    await ask(number, f"{domain}.enable")
                await ask(10, "Page.navigate", url=f"{server.url}/apus/docs")
                while "loaded" not in answers:
                    await receive()
                done = await ask(20, "Runtime.evaluate", expression=SCRIPT, awaitPromise=True, returnByValue=True)
                assert complaints == []
                # The style sheet is in force: a button has no such colour by itself.
                assert done["result"].get("value") in ("rgb(10, 126, 164)", "rgb(79, 184, 221)"), done
        finally:
            browser.kill()
            await browser.wait()
