"""The console and credentials: giving one, what it may do, others, revocations, and its end."""

import json

import pytest

from apus_e2e import Server, apus
from console_page import Console

pytestmark = pytest.mark.one_server("the console shows one server")

BOSS, READER = "boss-key-0123456789", "reader-key-0123456789"
KEYS = [{"id": "boss", "key": BOSS, "rights": [{"actions": ["*"], "topics": [">"]}]},
        {"id": "reader", "key": READER, "label": "reads news",
         "rights": [{"actions": ["subscribe", "history", "stats"], "topics": ["news.*"]}]}]
LIVE = "document.querySelector('#state').textContent === 'live'"


@pytest.fixture
def guarded(tmp_path):
    """A server with keys and tokens, and the file of the tokens' secret."""
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret of at least thirty-two bytes")
    with Server("--keys", json.dumps(KEYS), "--tokens-keys", json.dumps([{"alg": "HS256", "file": str(secret)}]),
                "--token-grace", "0s") as server:
        for name in ("news.eu", "private"):
            server.create(name, headers={"X-API-Key": BOSS})
        yield server, secret


def token(secret, *arguments):
    done = apus("token", "mint", "--key-file", str(secret), "--alg", "HS256", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def give(console, credential):
    await console.click("#credential")
    await console.write("dialog input", credential)
    await console.press("Enter")


@pytest.mark.limit(120)
async def test_a_key_is_asked_for_and_kept_out_of_every_address(guarded):
    server, _ = guarded
    async with Console.open(server) as console:
        await console.shows("This server asks for a key or a token.", "#banner")
        await console.click("#banner button")
        await console.write("dialog input", BOSS)
        await console.press("Enter")
        await console.until(LIVE)
        await console.until("document.querySelector('#banner').hidden")
        await console.click("#nav a", "Topics")
        await console.click(".rows-space a", "private")
        await console.until("document.querySelector('.status-line').innerText.startsWith('Live')")
        await console.reload()
        await console.until(LIVE)
        assert not [url for url in console.page.requests if BOSS in url]
        assert await console.page.evaluate("JSON.stringify(localStorage).includes('boss-key')") is False
        # The browser's own word about the first answer, 401.
        console.page.complaints.clear()


@pytest.mark.limit(120)
async def test_a_credential_sees_what_it_may_and_is_told_what_it_may_not(guarded):
    server, _ = guarded
    async with Console.open(server, "#/access") as console:
        await give(console, READER)
        await console.shows("news.*", ".access")
        await console.shows("reader", ".access")
        assert "Keys" not in await console.text(".access")
        await console.click("#nav a", "Overview")
        await console.shows("not for this credential")
        await console.click("#view a", "Topics")
        await console.shows("news.eu", ".rows")
        assert "private" not in await console.text(".rows")
        await console.click("#nav a", "Log")
        await console.shows("The log is for administrators")
        await console.click("#nav a", "Subscribers")
        await console.shows("Nobody subscribes")
        # A search that the server refuses, and then one that it does not.
        await console.page.evaluate("location.hash = '#/topics?search=' + 'x'.repeat(300)")
        await console.until("document.querySelector('#state').textContent === 'no access'")
        await console.page.evaluate("location.hash = '#/topics?search=eu'")
        await console.shows("news.eu", ".rows")
        await console.until(LIVE)
        console.page.complaints.clear()


@pytest.mark.limit(120)
async def test_a_view_that_is_refused_leaves_the_others_working(guarded):
    server, _ = guarded
    async with Console.open(server, "#/log") as console:
        await give(console, READER)
        await console.shows("This credential may not see this.", "#banner")
        await console.click("#nav a", "Topics")
        await console.shows("news.eu", ".rows")
        await console.until(LIVE)
        await console.until("document.querySelector('#banner').hidden")
        await console.click("#nav a", "Log")
        await console.shows("The log is for administrators")
        console.page.complaints.clear()


@pytest.mark.limit(120)
async def test_others_are_tested_keys_listed_and_revoked(guarded):
    server, secret = guarded
    async with Console.open(server, "#/access") as console:
        await give(console, BOSS)
        await console.shows("reads news", ".access")
        assert READER not in await console.text("body")
        ann = token(secret, "--sub", "ann", "--allow", "publish:orders.>")
        await console.write("[placeholder='empty: my own']", ann)
        await console.choose("select", "publish")
        await console.write("[placeholder^='orders.eu']", "orders.new")
        await console.click("button.primary", "Ask")
        await console.until("document.querySelector('.answer .badge')?.innerText === 'yes'")
        await console.choose("select", "subscribe")
        await console.click("button.primary", "Ask")
        await console.until("document.querySelector('.answer .badge')?.innerText === 'no'")
        await console.write("[placeholder='empty: my own']", "wrong")
        await console.click("button.primary", "Ask")
        await console.until("document.querySelector('.answer .badge')?.innerText === 'not valid'")
        await console.write("section[aria-label=Revocations] input", "reader")
        await console.click("button.primary", "Revoke")
        await console.click("dialog button.danger", "Revoke")
        await console.shows("reader", "section[aria-label=Revocations] table")
        await console.reload()
        await console.shows("revoked", "section[aria-label=Keys] table")
        assert server.rest("GET", "/topics", headers={"X-API-Key": READER}).status == 401
        await console.click("button", "Accept again")
        await console.shows("Nothing is revoked.", "section[aria-label=Revocations]")
        assert server.rest("GET", "/topics", headers={"X-API-Key": READER}).status == 200
        console.page.complaints.clear()


@pytest.mark.limit(120)
async def test_the_end_of_a_credential_is_told_once_and_nothing_flickers(guarded):
    server, secret = guarded
    async with Console.open(server) as console:
        await give(console, token(secret, "--sub", "ann", "--expires", "6s", "--allow", "*:>"))
        await console.until(LIVE)
        await console.shows("Published", ".tiles")
        await console.page.evaluate("""(() => {
            window.told = 0;
            new MutationObserver(() => told++)
                .observe(document.querySelector('#banner'), { subtree: true, childList: true });
            document.querySelector('.overview').dataset.same = "yes";
        })()""")
        await console.shows("The credential has ended. What you see is what was last known.", "#banner")
        assert await console.page.evaluate("document.querySelector('.overview').dataset.same") == "yes"
        assert "Published" in await console.text(".tiles")
        await console.until("document.querySelector('#state').textContent === 'ended'")
        asked = len(console.page.requests)
        # Longer than it waits before it would come back.
        await console.page.evaluate("new Promise(next => setTimeout(next, 3000))")
        assert (await console.page.evaluate("told"), len(console.page.requests)) == (1, asked)
        await give(console, BOSS)
        await console.until(LIVE)
        await console.until("document.querySelector('#banner').hidden")
        console.page.complaints.clear()
