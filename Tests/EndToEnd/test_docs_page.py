"""The page at /docs in a browser: its policy allows what it does and nothing else."""

import re

import pytest

from apus_e2e import Server
from chromium import Page

pytestmark = pytest.mark.one_server("it is about pages that name one server")

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
    with Server("--base-path", "/apus") as server:
        async with Page.open(f"{server.url}/apus/docs") as page:
            colour = await page.evaluate(SCRIPT)
            assert page.complaints == []
            # The style sheet is in force: a button has no such colour by itself.
            assert colour in ("rgb(10, 126, 164)", "rgb(79, 184, 221)")
