"""The console for everybody: names, roles, contrast, focus, widths; each view, dark and light, small and large."""

from pathlib import Path

import pytest

from apus_e2e import Client
from console_page import Console

pytestmark = pytest.mark.one_server("the console shows one server")

AUDIT = (Path(__file__).parent / "page_audit.js").read_text()
PLACES = {
    "overview": "document.querySelectorAll('.loops .meter').length > 0",
    "topics": "document.querySelector('.rows-space .row')",
    "topics?tree=1": "document.querySelector('.tokens a')",
    "topic/audit.a?start=20&message=1": "document.querySelector('aside pre')?.checkVisibility()",
    "topic/audit.a?tab=publish": "document.querySelector('textarea')",
    "topic/audit.a?tab=settings": "document.querySelector('.fields input')",
    "subscribers": "document.querySelector('.rows-space .row') && document.querySelector('.gone table')",
    "try": "document.querySelector('textarea')",
    "access": "document.querySelector('.access .facts')",
    "log": "document.querySelector('[role=status]').innerText",
}
# Where the focus is, as something that can be told from others.
FOCUS = """(() => {
    const node = document.activeElement;
    const all = [...document.querySelectorAll("*")];
    const style = getComputedStyle(node);
    return [all.indexOf(node), node.tagName, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
})()"""


@pytest.mark.limit(300)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [(360, 740), (1280, 900), (3840, 2160)], ids=["small", "middle", "large"])
async def test_each_view_is_for_everybody(server, size, dark):
    for name in ("audit.a", "audit.b"):
        server.create(name)
    server.rest("POST", "/topics/audit.a/messages?key=k", {"text": "x", "n": 1, "b": True})
    async with await Client.open(server) as client, await Client.open(server) as leaving:
        await client.subscribe("audit.a", "reader")
        await leaving.subscribe("audit.a", "gone")
        await leaving.unsubscribe("audit.a", "gone")
        async with Console.open(server, size=size, dark=dark) as console:
            for place, ready in PLACES.items():
                await console.page.evaluate(f"location.hash = '#/{place}'")
                await console.until(f"location.hash.endsWith({place!r}) && {ready}", place)
                assert await console.page.evaluate(AUDIT) == [], place
            for button in ("#saved", "#credential", "#help"):
                await console.click(button)
                await console.until("document.querySelector('dialog[open]')")
                assert await console.page.evaluate(AUDIT) == [], button
                await console.press("Escape")
                await console.until("!document.querySelector('dialog')")
                assert await console.page.evaluate(f"document.activeElement === document.querySelector('{button}')"), \
                    "the focus is where it was before"


@pytest.mark.limit(120)
async def test_the_tab_key_goes_through_the_page_in_its_order_and_shows_where_it_is(server, topic):
    async with Console.open(server, "#/topics") as console:
        await console.shows(topic, ".rows")
        stops = []
        for _ in range(60):
            await console.press("Tab")
            stop = await console.page.evaluate(FOCUS)
            if stop[1] == "BODY" or stop[0] in [each[0] for each in stops]:
                break
            stops.append(stop)
        places = [place for place, *_ in stops]
        assert len(places) > 15 and places == sorted(places), stops
        assert all(visible for *_, visible in stops), stops
        # The list is one stop, and is moved in with the arrows.
        await console.page.evaluate("document.querySelector('.rows').focus()")
        await console.press("ArrowDown")
        await console.until("document.getElementById(document.querySelector('.rows')"
                            ".getAttribute('aria-activedescendant'))?.ariaSelected === 'true'")


@pytest.mark.limit(120)
async def test_the_first_tab_skips_to_the_view(server):
    async with Console.open(server) as console:
        await console.until("document.querySelector('#view > *')")
        await console.press("Tab")
        assert await console.page.evaluate("document.activeElement.id") == "skip"
        await console.press("Enter")
        await console.until("document.activeElement.id === 'view'")
        assert await console.hash == "#/overview"
