"""docs/internet.md, followed word for word with curl and a browser, and what each of its steps is said to stop."""

import asyncio

import pytest

from apus_e2e import PATIENCE, eventually
from guide import Guide

pytestmark = [pytest.mark.plain("the guide says when its servers speak TLS"),
              pytest.mark.one_server("it is about pages that name one server")]
SHOWN = """new Promise(done => setInterval(() => {
    const orders = [...document.querySelectorAll("li")].map(item => item.textContent);
    if (orders.includes("%s")) done(orders);
}, 20))"""

WITHOUT_TOKEN = """(async () => {
    const { Apus } = await import("%(server)s/apus.js");
    const client = new Apus("%(server)s");
    const waits = new Promise(done => client.on("state", ({ state }) => state === "waiting" && done(state)));
    const ends = client.subscribe("orders")[Symbol.asyncIterator]().next().then(() => "an order", error => error.code);
    return Promise.race([waits, ends]);
})()"""


async def shows(page, order):
    """What the page shows when it shows this one."""
    return await asyncio.wait_for(page.evaluate(SHOWN % order), 20 * PATIENCE)


@pytest.mark.limit(120)
async def test_each_step_of_the_guide_prints_shows_and_stops_what_it_promises(tmp_path):
    with Guide(tmp_path) as guide:
        async def follow(until):
            await asyncio.to_thread(guide.follow, until)

        async def publish(order, url, options=""):
            command = f"""curl {options} {url}/topics/orders/messages -d '{{"order":"{order}"}}'"""
            printed, _ = await asyncio.to_thread(guide.run, command)
            assert '"published"' in printed, printed

        # 1: a page that shows what there is, and what comes.
        await follow("Open <http://localhost:8000>")
        async with guide.page("http://localhost:8000") as page:
            assert await shows(page, "ORD-1") == ["ORD-1"]
            await publish("ORD-1b", "localhost:8080")
            assert await shows(page, "ORD-1b") == ["ORD-1", "ORD-1b"]
        await follow("## 2. ")
        assert guide.server.wait_for_log("listening").endswith(f"address=http://127.0.0.1:{guide.server.port}")

        # 2: the page has a token, and without it gets nothing.
        key = '-H "X-API-Key: $(cat shop.key)"'
        await follow("Reload the page")
        async with guide.page("http://localhost:8000") as page:
            assert await shows(page, "ORD-2") == ["ORD-2"]
            assert await page.evaluate(WITHOUT_TOKEN % {"server": "http://localhost:8080"}) == "UNAUTHORIZED"
        await follow("## 3. ")

        # 3: over TLS, and a new certificate closes nothing.
        await follow("A new certificate needs")
        async with guide.page("http://localhost:8000") as page:
            assert await shows(page, "ORD-3") == ["ORD-3"]
            await follow("**Stopped:**")
            await asyncio.to_thread(guide.server.wait_for_log, "certificates reloaded")
            await publish("ORD-4", "https://localhost:8443", f"--cacert ca.pem {key}")
            assert await shows(page, "ORD-4") == ["ORD-3", "ORD-4"]
        await follow("## 4. ")

        # 4: the page on its own site, and nowhere else.
        await follow("**Stopped:**")
        async with guide.page("https://app.example.com") as page:
            assert await shows(page, "ORD-5") == ["ORD-5"]
            await page.go("http://localhost:8000")
            assert await page.evaluate(WITHOUT_TOKEN % {"server": "https://apus.example.com:8443"}) == "waiting"
            assert await page.evaluate('document.querySelectorAll("li").length') == 0
        await asyncio.to_thread(guide.server.wait_for_log, "Pages of http://localhost:8000 may not use this server")
        await follow("## 5. ")

        # 5: the page gets over a restart by itself.
        await follow("**A new key.**")
        await publish("ORD-6", "https://apus.example.com", key)
        async with guide.page("https://app.example.com") as page:
            assert await shows(page, "ORD-6") == ["ORD-6"]
            await follow("**An update**")
            assert await shows(page, "ORD-7") == ["ORD-6", "ORD-7"]
            await follow("**What to watch.**")
            await publish("ORD-8", "https://apus.example.com", key.replace("shop", "shop-2"))
            assert await shows(page, "ORD-8") == ["ORD-6", "ORD-7", "ORD-8"]
        await follow("In place of systemd there")
