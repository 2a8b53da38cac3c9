"""The console's page for trying the protocol."""

import pytest

from console_page import Console, rows

pytestmark = pytest.mark.one_server("the console shows one server")


@pytest.mark.limit(120)
async def test_commands_are_sent_and_answered(server):
    server.create("orders")
    async with Console.open(server, "#/try") as console:
        await console.click("button.primary", "Send")
        await console.until(f"{rows()}.some(row => row.includes('\"status\":\"ok\"'))", "sent and acknowledged")
        await console.click(".choice button", "publish")
        await console.shows("message.payload")
        await console.click("button", "New ids")
        await console.click("button.primary", "Send")
        await console.until(f"{rows()}.filter(row => row.includes('\"ack\"')).length === 2")
        await console.until(f"{rows()}.some(row => row.includes('event'))", "the event")
        await console.click(".rows-space .row", "")
        await console.press("Escape")
        await console.shows('"type":"subscribe"', ".sent")
        await console.click(".choice button", "ping")
        await console.click("button.primary", "Send")
        await console.until(f"{rows()}.some(row => row.includes('pong'))")
        await console.write("textarea", '{"type":"subscribe"}')
        await console.press("Enter", control=True)
        await console.until(f"{rows()}.some(row => row.includes('BAD_REQUEST'))", "the refusal")
        await console.until("location.hash.includes('command=ping') && location.hash.includes('text=')")
        await console.click("button", "Disconnect")
        await console.until(f"{rows()}.some(row => row.includes('closed:'))")
        await console.click("button", "Messages of the server")
        await console.shows("slow_consumer_warning", "dialog")


@pytest.mark.limit(120)
async def test_a_command_in_the_address_is_there_to_be_sent(server):
    async with Console.open(server, "#/try?command=ping&path=v1%2Fws&text=%7B%22type%22%3A%22ping%22%7D") as console:
        await console.until("document.querySelector('textarea').value === '{\"type\":\"ping\"}'")
        await console.click("button.primary", "Send")
        await console.until(f"{rows()}.some(row => row.includes('\"timestamp\"'))", "an answer of /v1/ws")


@pytest.mark.limit(120)
async def test_a_credential_that_is_typed_is_in_no_address_and_no_list(server):
    async with Console.open(server, "#/try?command=ping") as console:
        seen = "window.hashes ??= []; addEventListener('hashchange', () => hashes.push(location.hash))"
        await console.page.evaluate(f"{{ {seen} }}")
        await console.write("textarea", '{"type":"ping","request_id":"r7"}')
        await console.until("location.hash.includes('r7')", "what is no secret is in the address")
        for text in ('{"type":"auth","api_key":"typed-secr', '{"type":"auth","api_key":"typed-secret"}'):
            await console.write("textarea", text)
            await console.until("!location.hash.includes('text=')")
        await console.click("button.primary", "Send")
        await console.until(f"{rows()}.some(row => row.includes('auth') && row.includes('\"api_key\":\"…\"'))")
        await console.until("document.querySelector('textarea').value.includes('typed-secret')", "it stays in the field")
        assert "typed-secret" not in await console.text("main")
        assert await console.page.evaluate("hashes.some(hash => hash.includes('typed-secr'))") is False
        link = "#/try?command=auth&text=%7B%22type%22:%22auth%22,%22token%22:%22linked%22%7D"
        await console.page.evaluate(f"document.activeElement.blur(), location.hash = '{link}'")
        await console.until("document.querySelector('textarea').value.includes('linked')")
        await console.until("!location.hash.includes('linked')", "a link's is taken out")


@pytest.mark.limit(120)
async def test_what_is_no_json_is_sent_and_can_be_chosen_again(server):
    async with Console.open(server, "#/try?command=ping") as console:
        await console.write("textarea", '{"type":"ping"')
        await console.click("button.primary", "Send")
        await console.until(f"{rows()}.some(row => row.includes('BAD_REQUEST'))", "the refusal")
        await console.write("textarea", '{"type":"ping"}')
        await console.click(".recent button.code", '{"type":"ping"')
        await console.until("document.querySelector('textarea').value === '{\"type\":\"ping\"'", "it is chosen")


@pytest.mark.limit(120)
async def test_what_is_sent_before_the_connection_is_open_goes_out_once_when_it_is(server):
    async with Console.open(server, "#/try?command=ping") as console:
        # A socket of this page is not open before the test says so.
        await console.page.evaluate("""{
            const Real = WebSocket;
            window.WebSocket = class extends Real {
                set onopen(listener) { super.onopen = () => { window.letOpen = listener; }; }
                get readyState() { return window.isHeld ? Real.CONNECTING : super.readyState; }
            };
            window.isHeld = true;
        }""")
        await console.click("button.primary", "Send")
        await console.click("button.primary", "Send")
        await console.until("window.letOpen", "it could be open")
        assert await console.page.evaluate(f"{rows()}.filter(row => row.includes('ping')).length") == 0
        await console.page.evaluate("{ window.isHeld = false; window.letOpen(); }")
        await console.until(f"{rows()}.some(row => row.includes('pong'))", "it is answered")
        await console.click("button.primary", "Send")
        await console.until(f"{rows()}.filter(row => row.includes('pong')).length === 2", "and what comes next, too")
        sent = f"{rows()}.filter(row => row.includes('→')).length"
        assert await console.page.evaluate(sent) == 2
