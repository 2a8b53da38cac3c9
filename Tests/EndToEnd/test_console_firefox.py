"""The console in Firefox: each view opens, and messages come live."""

import json

import pytest

from console_page import TURNS, UNTIL, address_of
from firefox import Firefox

pytestmark = pytest.mark.one_server("the console shows one server")

VIEWS = ("Topics", "Subscribers", "Try", "Access", "Log", "Overview")


async def until(page, condition):
    return await page.evaluate(UNTIL % (TURNS, condition, json.dumps(condition)))


@pytest.mark.plain("Firefox trusts the certificates of its own profile only")
@pytest.mark.limit(240)
async def test_firefox_shows_each_view_and_live_messages(server):
    server.create("in.firefox")
    async with Firefox.open(f"{address_of(server)}/") as page:
        await until(page, "document.querySelector('#state').textContent === 'live'")
        for name in VIEWS:
            place = await until(page, f"""(() => {{
                const link = [...document.querySelectorAll("#nav a")].find(each => each.innerText.trim() === "{name}");
                const {{ x, y, width, height }} = link.getBoundingClientRect();
                return JSON.stringify([x + width / 2, y + height / 2]);
            }})()""")
            await page.click(*json.loads(place))
            await until(page, f"document.title === '{name} · Apus' && document.querySelector('#view > *')")
        await until(page, "document.querySelector('.plot .stroke').getAttribute('d')?.startsWith('M')")
        # The colours of the style sheet: Firefox knows `light-dark()`.
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(244, 246, 248)"
        await page.evaluate("location.hash = '#/topic/in.firefox?where=payload.n+%3E+1'")
        await until(page, "document.querySelector('.status-line').innerText.startsWith('Live')")
        for number in (1, 2):
            server.rest("POST", "/topics/in.firefox/messages", {"n": number})
        await until(page, "document.querySelectorAll('.rows-space .row').length === 1")
        await until(page, "document.querySelector('.rows-space .row').innerText.includes('{\"n\":2}')")
        assert page.complaints == []
