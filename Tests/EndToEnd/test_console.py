"""The console's frame and overview: views, addresses, keys, themes, saved views."""

import pytest

from apus_e2e import Server
from console_page import Console

pytestmark = pytest.mark.one_server("the console shows one server")

VIEWS = {"Overview": "o", "Topics": "t", "Subscribers": "s", "Try": "y", "Access": "a", "Log": "l"}
LIVE = "document.querySelector('#state').textContent === 'live'"


@pytest.mark.limit(120)
async def test_each_view_opens_by_a_click_and_by_its_keys(server):
    async with Console.open(server) as console:
        await console.until(LIVE)
        for name in VIEWS:
            await console.click("#nav a", name)
            await console.until(f"document.querySelector('#nav [aria-current]').innerText.trim() === '{name}'")
            await console.until(f"document.title === '{name} · Apus' && document.querySelector('#view > *')")
        for name, key in VIEWS.items():
            await console.press("g")
            await console.press(key)
            await console.until(f"document.title === '{name} · Apus'")
        await console.press("?")
        await console.shows("Back to the view before", "dialog")
        await console.press("Escape")
        await console.until("!document.querySelector('dialog')")


@pytest.mark.limit(120)
async def test_the_overview_shows_what_was_and_what_is(server):
    server.create("figures")
    for number in range(20):
        server.rest("POST", "/topics/figures/messages", {"n": number})
    async with Console.open(server) as console:
        # A line of at least two points: the server's history, and what came since.
        await console.until("[...document.querySelectorAll('.plot .stroke')].slice(0, 6)"
                            ".every(line => /M.*L/.test(line.getAttribute('d')))", "lines in all plots")
        await console.shows("Topics", ".tiles")
        await console.shows(" of ", ".usage")
        await console.until("document.querySelectorAll('.loops .meter').length > 0")
        await console.hover(".plot-canvas")
        await console.until("[...document.querySelectorAll('.plot-time')]"
                            ".filter(each => each.textContent.includes(':')).length > 5",
                            "the time under the pointer, in all plots")
        label = await console.until("document.querySelector('.plot svg').getAttribute('aria-label')")
        assert label.startswith("Messages: delivered is ")


@pytest.mark.limit(120)
async def test_the_address_has_the_state_and_back_goes_back(server):
    server.create("address.one")
    async with Console.open(server, "#/topics?search=address&sort=rate&order=desc") as console:
        await console.shows("address.one")
        state = "[document.querySelector('[data-search]').value, document.querySelector('select').value].join()"
        assert await console.page.evaluate(state) == "address,rate"
        await console.reload()
        await console.shows("address.one")
        assert await console.page.evaluate(state) == "address,rate"
        await console.click(".rows-space a", "address.one")
        await console.shows("address.one", "h1")
        await console.page.evaluate("history.back()")
        await console.until("location.hash.startsWith('#/topics?search=address')")
        await console.shows("address.one", ".rows")


@pytest.mark.limit(120)
async def test_a_view_is_saved_under_a_name_and_found_again(server):
    server.create("saved.one")
    async with Console.open(server, "#/topics?search=saved") as console:
        await console.click("#saved")
        await console.write("dialog input", "My topics")
        await console.click("dialog button.primary")
        await console.until("location.hash.includes('saved=My+topics') && document.title.startsWith('My topics')")
        await console.click("#nav a", "Log")
        await console.click("#saved")
        await console.click("dialog .saved a", "My topics")
        await console.shows("saved.one", ".rows")
        assert await console.page.evaluate("document.querySelector('[data-search]').value") == "saved"
        await console.click("#saved")
        await console.click("dialog .saved button", "Remove")
        await console.shows("None yet", "dialog")


@pytest.mark.limit(120)
async def test_colours_follow_the_system_or_the_reader(server):
    dark = "getComputedStyle(document.body).backgroundColor === 'rgb(15, 21, 26)'"
    async with Console.open(server, dark=True) as console:
        await console.until(dark, "dark, as the system")
        await console.click("#theme")
        await console.until(f"!({dark})", "light, as the reader said")
        await console.reload()
        await console.until(f"!({dark}) && document.querySelector('#theme').ariaLabel === 'Colours: light'")
        await console.colours(False)
        await console.click("#theme")
        await console.until(dark, "dark, as the reader said")


@pytest.mark.limit(120)
async def test_the_console_works_below_a_path():
    with Server("--base-path", "/apus") as server:
        server.rest("POST", "/apus/topics", {"name": "below"})
        async with Console.open(server, "#/topics", base="/apus") as console:
            await console.click(".rows-space a", "below")
            await console.until("document.querySelector('.status-line').innerText.startsWith('Live')")
            server.rest("POST", "/apus/topics/below/messages", {"n": 1})
            await console.shows('{"n":1}', ".rows")
            await console.click("#nav a", "Try")
            await console.find("a[href='docs']")


@pytest.mark.limit(120)
async def test_the_page_says_when_the_server_is_away_and_goes_on_when_it_is_back():
    with Server() as server:
        async with Console.open(server) as console:
            await console.until(LIVE)
            # As a browser without network sees it.
            network = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
            await console.page.ask("Network.emulateNetworkConditions", offline=True, **network)
            await console.page.evaluate("dispatchEvent(new Event('pagehide'))")
            await console.page.evaluate("dispatchEvent(new Event('pageshow'))")
            await console.until("document.querySelector('#state').textContent === 'coming back'")
            assert await console.text(".tiles")
            await console.page.ask("Network.emulateNetworkConditions", offline=False, **network)
            await console.until(LIVE)
            console.page.complaints.clear()
