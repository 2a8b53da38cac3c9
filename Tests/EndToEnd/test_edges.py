"""Where extensions meet each other and the rest: payloads with line ends, races, limits, what is left behind."""

import asyncio
import json
import random
import uuid
from contextlib import suppress

import pytest

from apus_e2e import V1, Client, Server, until
from event_stream import EventStream, events_path, several_path
from extensions import (PLENTY, acked, configure, describe, head, new_message, numbered, offsets, pour, publish, put,
                        read, receive_events, stalled, subscribe, topic_path)
from flood import TINY_WINDOW, UUID
from prometheus import balanced, scrape
from raw_websocket import TEXT, RawWebSocket, frame

PRETTY = ['{\n  "a": 1,\n  "b": [\n  ]\n}',
          '{\r\n"a":\r\n1}', '{\r"a"\r:\r1\r}', '[1,\n\n\n2]', '{"a":1}\n', '\n\r\n\r[\r\r]']


@pytest.mark.parametrize("payload", PRETTY)
@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_payload_with_line_ends_is_one_event_of_a_stream(server, topic, payload, transport):
    async with (await EventStream.open(server, events_path(topic_path(topic))) as stream,
                await Client.open(server) as client):
        await stream.start()
        await client.subscribe(topic)
        if transport == "http":
            response = server.rest("POST", topic_path(topic, "/messages"), payload.encode(),
                                   {"Content-Type": "application/json"})
            assert response.status == 201
        else:
            await client.send(f'{{"type":"publish","topic":"{topic}","message":{{"id":"{UUID}","payload":{payload}}}}}')
            assert acked(await client.receive(), topic) == {}
        event = await client.receive()
        assert event["message"]["payload"] == json.loads(payload)
        part = await stream.next()
        assert part.json["message"] == event["message"] and part.offset == 1
        await publish(client, topic, "next")
        assert (await stream.next()).offset == 2
    told = server.rest("GET", topic_path(topic, "/messages")).json
    assert told["messages"][0]["message"] == event["message"]


@pytest.mark.parametrize("key", ["a\nb", "a\r\nb", "\u0000", '"', "\u2028"])
async def test_a_key_with_any_characters_reaches_every_transport(server, topic, key):
    async with (await EventStream.open(server, events_path(topic_path(topic))) as stream,
                await Client.open(server) as client):
        await stream.start()
        await subscribe(client, topic, positions=True)
        await client.publish(topic, 1, key=key)
        assert (await client.receive())["key"] == (await stream.next()).json["key"] == key
    assert server.rest("GET", topic_path(topic, "/messages")).json["messages"][0]["key"] == key


async def test_of_many_publishers_of_one_id_exactly_one_is_first(server, topic):
    configure(server, topic, dedupe_window="2m")
    clients = [await Client.open(server, dialect) for dialect in [V1] * 10]
    async with await Client.open(server) as reader:
        await subscribe(reader, topic, positions=True)
        for offset in range(1, 21):
            message = new_message(offset)

            async def offer(client):
                await client.send(type="publish", topic=topic, message=message, outcome=True)
                return acked(await client.receive(), topic)
            outcomes = await asyncio.gather(*(offer(client) for client in clients))
            assert sorted(outcome["duplicate"] for outcome in outcomes) == [False] + [True] * 9
            assert {outcome["offset"] for outcome in outcomes} == {offset}
            await reader.expect(type="event", topic=topic, message=message, offset=offset)
    for client in clients:
        await client.connection.close()


async def test_the_window_of_ids_is_bounded_by_count_too():
    with Server("--max-dedupe", "100") as server:
        configure(server, "t", dedupe_window="1h")
        async with await Client.open(server) as client:
            messages = [new_message(number) for number in range(201)]
            for message in messages:
                await client.send(type="publish", topic="t", message=message)
                assert acked(await client.receive(), "t") == {}
            # The newest are known, the oldest are forgotten.
            for message, duplicate in [(messages[-1], True), (messages[-90], True), (messages[0], False)]:
                await client.send(type="publish", topic="t", message=message, outcome=True)
                assert acked(await client.receive(), "t")["duplicate"] is duplicate


async def test_latest_with_more_keys_than_its_queue_drops_the_oldest_and_says_so(server, topic):
    raw, _ = stalled(server, topic, overflow="latest", queue=20, positions=True)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1), keys=str)
        seen = await asyncio.to_thread(read, raw, lambda seen: seen.accounted == PLENTY)
    assert seen.dropped > 0 and seen.numbers[-1] == PLENTY
    assert offsets(seen.events) == sorted(set(offsets(seen.events)))


@pytest.mark.limit(90)
async def test_a_stalled_reader_under_latest_costs_no_memory_for_its_keys(topic):
    with Server("--queue", "100") as server:
        server.create(topic)
        raw, _ = stalled(server, topic, overflow="latest")
        with raw:
            async with await Client.open(server) as publisher:
                await pour(publisher, topic, range(1500), 16_384, keys=lambda number: f"{number}" * 20)
                before = server.rss
                await pour(publisher, topic, range(1500, 4000), 16_384, keys=lambda number: f"{number}" * 20)
                assert server.rss - before < 24 << 20


@pytest.mark.parametrize("queue", [1, 10])
async def test_latest_under_publishers_of_several_threads_collapses_and_drops_in_order(queue):
    with Server("--threads", "2") as server:
        server.create("t")
        raws = [stalled(server, "t", f"s{number}", overflow="latest", queue=queue)[0] for number in range(12)]
        clients = [await Client.open(server) for _ in range(6)]

        async def run(number):
            chance = random.Random(number)
            for turn in range(60):
                for _ in range(10):
                    await clients[number].send(numbered("t", turn, 4000, key=f"k{chance.randint(0, 300)}"))
                for _ in range(10):
                    assert acked(await clients[number].receive(), "t") == {}
        await asyncio.gather(*(run(number) for number in range(6)))
        for raw in raws:
            raw.abort()
        for client in clients:
            await client.connection.close()
        await until(lambda: balanced(scrape(server)), "the books add up")


async def test_throttle_does_not_wait_for_what_echo_leaves_out(server, topic):
    raw, _ = stalled(server, topic, overflow="throttle", queue=10, echo=False)
    with raw:
        for number in range(PLENTY):
            raw.send(frame(TEXT, numbered(topic, number)))
            assert raw.read_message()["type"] == "ack"


async def test_throttle_of_an_event_stream_and_of_a_pattern_holds_publishers_as_any_other(server, topic):
    name = f"{topic}.x"
    server.create(name)
    slow, _ = stalled(server, f"{topic}.*", overflow="throttle", queue=20)
    stream = RawWebSocket(server, receive_buffer=TINY_WINDOW)
    path = events_path(topic_path(name), overflow="throttle", queue=20)
    assert stream.request(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())[0] == 200
    async with await Client.open(server) as publisher:
        publishing = asyncio.create_task(pour(publisher, name, range(PLENTY)))
        for reader in (slow, stream):
            await asyncio.sleep(0.3)
            assert not publishing.done() and describe(server, name)["last"] < PLENTY
            if reader is slow:
                reading = asyncio.create_task(asyncio.to_thread(read, slow, lambda seen: len(seen.events) == PLENTY))
            else:
                stream.abort()
        await publishing
        assert (await reading).numbers == list(range(PLENTY))
    slow.abort()


async def test_requests_that_are_given_up_leave_nothing_behind():
    with Server() as server:
        server.create("t")
        for _ in range(100):
            for path in ("/topics/t/messages?wait=30s&after=0", "/topics/t/events", "/events?topic=t&topic=*"):
                raw = RawWebSocket(server)
                raw.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                if path != "/topics/t/messages?wait=30s&after=0":
                    raw.read_some()
                raw.abort()
        await until(lambda: server.subscribers("t") == 0, "all streams are gone")
        await until(lambda: scrape(server).labelled("apus_connections", "transport")["sse"] == 0, "no stream is left")
        async with await Client.open(server) as client:
            assert (await publish(client, "t", 1))[1]["subscribers"] == 0


async def test_a_stream_for_http_1_0_is_not_chunked(server, topic):
    with RawWebSocket(server) as raw:
        status, headers = raw.request(f"GET {events_path(topic_path(topic))} HTTP/1.0\r\n\r\n".encode())
        assert status == 200 and "transfer-encoding" not in headers and "content-length" not in headers
        assert raw.read_some().startswith(b"retry: 2000\n")


@pytest.mark.parametrize(("method", "path"), [("POST", "/topics/{}/events"), ("PUT", "/topics/{}/messages"),
                                              ("POST", "/topics/{}/subscribers"), ("POST", "/events"),
                                              ("PUT", "/subscribers"), ("POST", "/metrics")])
def test_a_wrong_method_is_told_the_right_ones(server, topic, method, path):
    response = server.rest(method, path.format(topic))
    assert response.status == 405 and "GET" in response.headers["Allow"]


async def one_life(server, seed):
    """A client that uses everything at random for a while."""
    chance = random.Random(seed)
    async with await Client.open(server, close_timeout=0.1) as client:
        for turn in range(40):
            topic = f"t.{chance.randint(0, 3)}"
            match chance.randint(0, 9):
                case 0:
                    server.delete(topic)
                case 1 | 2:
                    put(server, topic, history=chance.choice([0, 5, 100]), queue=chance.choice([1, 10, 1000]),
                        overflow=chance.choice(["drop-oldest", "drop-newest", "latest"]))
                case 3 | 4:
                    fields = chance.choice([{"positions": True}, {"since": "all"}, {"last_n": 5, "presence": True}, {},
                                            {"echo": False, "presence": True}, {"overflow": "latest", "queue": 3}])
                    await client.send(type="subscribe", topic=topic, client_id=f"c{turn % 3}", **fields)
                case 5:
                    await client.send(type="subscribe", topic=chance.choice(["t.*", ">", "*.1"]), client_id="c",
                                      presence=chance.choice([None, True]), last_n=chance.choice([0, 3]))
                case 6:
                    await client.send(type="unsubscribe", topic=chance.choice([topic, "t.*", ">"]), client_id="c")
                case _:
                    messages = [new_message("x" * chance.choice([1, 5000])) for _ in range(chance.randint(1, 20))]
                    await client.send(type="publish", topic=topic, messages=messages,
                                      key=chance.choice(["a", "b", None]), ttl=chance.choice([None, 0.01, 60]))
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    while True:
                        await client.receive()


@pytest.mark.limit(120)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_after_a_storm_of_everything_the_books_add_up_and_nothing_is_left(seed):
    with Server("--threads", "2") as server:
        for number in range(4):
            server.create(f"t.{number}")
        stream = await EventStream.open(server, several_path("t.>", presence="true", overflow="drop-newest", queue=2))
        await asyncio.gather(*(one_life(server, seed * 1000 + number) for number in range(8)))
        await until(lambda: balanced(scrape(server)), "the books add up")
        stream.abort()
        for number in range(4):
            server.delete(f"t.{number}")
        await until(lambda: scrape(server)["apus_subscriptions"] == 0, "no subscription is left")
        told = scrape(server)
        assert balanced(told) and told["apus_messages_pending"] == 0 and told["apus_topics"] == 0
        # It works as on its first day.
        server.create("t.0")
        async with await Client.open(server) as client:
            await subscribe(client, "t.0", positions=True, presence=True)
            identifier = str(uuid.uuid4())
            await client.send(type="publish", topic="t.0", message={"id": identifier, "payload": 1})
            assert acked(await client.receive(), "t.0") == {}
            assert offsets(await receive_events(client, "t.0", 1)) == [1]
        assert await head(server, "t.0") == 1
