"""The console's live messages: filters, pause, one message in detail, and back in time."""

import pytest

from console_page import Console, rows

pytestmark = pytest.mark.one_server("the console shows one server")

LIVE = "document.querySelector('.status-line').innerText.startsWith('Live')"
EVIL = '<img src=x onerror="document.title=1"><b>bold</b>'


def publish(server, topic, *payloads, key=None):
    for payload in payloads:
        answer = server.rest("POST", f"/topics/{topic}/messages{f'?key={key}' if key else ''}", payload)
        assert answer.status == 201
    return answer.json


@pytest.mark.limit(120)
async def test_messages_come_live_and_are_text_whatever_they_are(server, topic):
    async with Console.open(server, f"#/topic/{topic}") as console:
        await console.until(LIVE)
        publish(server, topic, EVIL, {"amount": 5})
        await console.until(f"{rows()}.length === 2")
        await console.until(f"{rows()}[0].includes('onerror')")
        await console.click(".row[data-index='0']")
        await console.shows("onerror", "aside pre")
        assert await console.page.evaluate("document.querySelectorAll('main img, main b b').length") == 0
        assert topic in await console.page.evaluate("document.title")


@pytest.mark.limit(120)
async def test_messages_are_filtered_by_path_text_key_and_id(server, topic):
    publish(server, topic, {"amount": 50, "who": "Ann"}, {"amount": 150, "who": "Bob"}, key="a")
    last = publish(server, topic, {"amount": 250, "who": "Cid"}, key="b")
    async with Console.open(server, f"#/topic/{topic}?start=20") as console:
        await console.until(f"{rows()}.length === 3")
        await console.write("[aria-label='Filter by JSON path']", "payload.amount > 100")
        await console.until(f"{rows()}.length === 2")
        await console.shows("2 of 3 match", ".status-line")
        await console.write("[aria-label='Filter by JSON path']", 'payload.amount > 100 and key == "b"')
        await console.until(f"{rows()}.length === 1 && {rows()}[0].includes('Cid')")
        await console.write("[aria-label='Filter by JSON path']", "payload.amount >")
        await console.shows("A value is missing after", ".messages")
        await console.write("[aria-label='Filter by JSON path']", 'payload.who matches "(a+)+$"')
        await console.shows("could take too long", ".messages")
        await console.write("[aria-label='Filter by JSON path']", "")
        await console.write("[data-search]", "bob")
        await console.until(f"{rows()}.length === 1 && {rows()}[0].includes('Bob')")
        await console.choose("[aria-label='Where to search']", "key")
        await console.until("document.querySelector('.split .empty').innerText === 'No message matches the filter.'")
        await console.choose("[aria-label='Where to search']", "id")
        await console.write("[data-search]", last["id"][:13])
        await console.until(f"{rows()}.length === 1 && {rows()}[0].includes('Cid')")
        await console.reload()
        await console.until(f"{rows()}.length === 1 && {rows()}[0].includes('Cid')", "the same after a reload")


@pytest.mark.limit(120)
async def test_a_pause_holds_messages_back_and_loses_none(server, topic):
    async with Console.open(server, f"#/topic/{topic}") as console:
        await console.until(LIVE)
        publish(server, topic, 1)
        await console.until(f"{rows()}.length === 1")
        await console.press("p")
        await console.shows("Paused", ".status-line")
        publish(server, topic, 2, 3)
        await console.shows("Paused, 2 messages waiting", ".status-line")
        assert await console.page.evaluate(f"{rows()}.length") == 1
        await console.click("button", "Go on")
        await console.until(f"{rows()}.length === 3")


@pytest.mark.limit(120)
async def test_one_message_in_detail_is_json_raw_and_bytes(server, topic):
    publish(server, topic, {"n": 1, "text": "grün"}, key="k1")
    async with Console.open(server, f"#/topic/{topic}?start=20") as console:
        await console.click(".row[data-index='0']")
        await console.shows('"text": "grün"', "aside pre")
        await console.until("document.querySelector('aside .json-number').innerText === '1'")
        await console.click("aside .choice button", "Raw")
        await console.shows('{"type":"event"', "aside pre")
        await console.click("aside .choice button", "Bytes")
        await console.shows("000000  7b 22", "aside pre")
        assert (await console.hash).endswith("&message=1")
        await console.reload()
        await console.shows("Message 1", "aside")
        await console.click("aside button", "Only this key")
        await console.until("document.querySelector('.code').value === 'key == \"k1\"'")


@pytest.mark.limit(120)
async def test_back_in_time_by_offset_by_time_and_page_by_page(server, topic):
    server.rest("PUT", f"/topics/{topic}", {"history": 3000})
    lines = "\n".join(f'{{"n":{number}}}' for number in range(1, 2501)).encode()
    server.rest("POST", f"/topics/{topic}/messages", lines, {"Content-Type": "application/x-ndjson"})
    async with Console.open(server, f"#/topic/{topic}") as console:
        await console.click(".choice button", "Back in time")
        await console.shows("Offsets 1,501 to 2,500; kept are 1 to 2,500", ".status-line")
        await console.write("input[placeholder^='10m']", "all")
        await console.press("Enter")
        await console.shows("Offsets 1 to 1,000", ".status-line")
        await console.until(f"{rows()}[0].includes('{{\"n\":1}}')")
        await console.click("button", "Next page")
        await console.shows("Offsets 1 to 2,000", ".status-line")
        await console.write("input[placeholder^='10m']", "2400")
        await console.press("Enter")
        await console.shows("Offsets 2,400 to 2,500", ".status-line")
        await console.write("input[placeholder^='10m']", "1h")
        await console.press("Enter")
        await console.shows("Offsets 1 to 1,000", ".status-line")
        await console.write("input[placeholder^='10m']", "yesterday")
        await console.press("Enter")
        await console.shows("since", ".status-line")
        # The browser's own word about the answer 400.
        console.page.complaints.clear()
        assert await console.hash == f"#/topic/{topic}?mode=history&from=yesterday"


@pytest.mark.limit(120)
async def test_a_pattern_shows_the_messages_of_all_its_topics(server):
    for name in ("wild.a", "wild.b"):
        server.create(name)
    async with Console.open(server, "#/topic/wild.*") as console:
        await console.until(LIVE)
        publish(server, "wild.a", 1)
        publish(server, "wild.b", 2)
        await console.until(f"{rows()}.length === 2 && {rows()}[1].includes('wild.b')")
