"""How connections end, and what is said before: extensions.md section 7."""

import asyncio
import http.client
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed

from apus_e2e import PATIENCE, V1, Client, Server
from event_stream import EventStream, events_path, several_path
from extensions import new_message, pour, publish, publish_batch, read, stalled, subscribe, topic_path
from raw_websocket import CONTINUATION, TEXT, RawWebSocket, frame

pytestmark = pytest.mark.over_tls


async def subscribed(client, **fields):
    await subscribe(client, "t", **fields)


async def published(client, **fields):
    await client.send(type="publish", topic="t", message=new_message(1), **fields)
    assert (await client.receive())["type"] == "ack"


async def batched(client):
    await publish_batch(client, "t", [1, 2])

EXTENDED = {
    "positions": lambda client: subscribed(client, positions=True),
    "since": lambda client: subscribed(client, since="1ms"),
    "overflow": lambda client: subscribed(client, overflow="latest"),
    "queue": lambda client: subscribed(client, queue=5),
    "echo": lambda client: subscribed(client, echo=False),
    "presence": lambda client: subscribed(client, presence=True),
    "pattern": lambda client: subscribe(client, "t.*"),
    "outcome": lambda client: published(client, outcome=True),
    "key": lambda client: published(client, key="k"),
    "ttl": lambda client: published(client, ttl="1h"),
    "batch": batched,
}


@pytest.mark.limit(60)
@pytest.mark.one_server("it stops the one server")
async def test_clients_with_extensions_are_told_when_to_come_back_and_plain_ones_see_the_close_only(dialect):
    with Server() as server:
        server.create("t")
        clients = {}
        for name, use in EXTENDED.items():
            clients[name] = await Client.open(server, dialect)
            await use(clients[name])
        plain = await Client.open(server, dialect)
        await plain.subscribe("t", last_n=0)
        await plain.send(type="ping")
        await plain.expect(type="pong")
        server.stop()
        assert await plain.expect_close(1001, "SHUTDOWN") == []
        for name, client in clients.items():
            messages = await client.expect_close(1001, "SHUTDOWN")
            told = [message for message in messages if message["type"] == "info" and message["msg"] == "shutdown"]
            assert len(told) == 1, (name, messages)
            assert set(told[0]) == {"type", "msg", "reconnect_after_ms"}
            assert type(told[0]["reconnect_after_ms"]) is int and told[0]["reconnect_after_ms"] >= 0
            assert messages[-1] == told[0]


@pytest.mark.one_server("it stops the one server")
async def test_the_times_to_come_back_are_spread_over_clients():
    with Server() as server:
        server.create("t")
        clients = [await Client.open(server) for _ in range(60)]
        for client in clients:
            await subscribed(client, positions=True)
        server.stop()
        delays = [(await client.expect_close(1001, "SHUTDOWN"))[-1]["reconnect_after_ms"] for client in clients]
    assert len(set(delays)) > 20
    # Neither all at once nor in a part of the time only.
    middle = (min(delays) + max(delays)) / 2
    assert 10 <= sum(delay < middle for delay in delays) <= 50


async def test_an_event_stream_is_told_and_ends_in_order(dialect):
    with Server() as server:
        server.create("t")
        paths = [events_path(topic_path("t", dialect=dialect)), several_path("t", "x.*", prefix=dialect.prefix)]
        streams = [await EventStream.open(server, path) for path in paths]
        for stream in streams:
            await stream.start()
        async with await Client.open(server) as client:
            message = await client.publish("t", "last")
        server.stop()
        for stream in streams:
            assert (await stream.next()).json["message"] == message
            part = await stream.next()
            told = part.json
            assert (part.event, told["type"], told["msg"]) == ("info", "info", "shutdown")
            # What a browser waits before it comes back.
            assert (await stream.part()).retry == told["reconnect_after_ms"]
            assert await stream.part() is None
            stream.abort()


async def test_a_long_poll_is_answered_at_the_end():
    with Server() as server:
        server.create("t")
        with ThreadPoolExecutor(1) as pool:
            poll = pool.submit(server.rest, "GET", "/topics/t/messages?after=0&wait=20s")
            await asyncio.sleep(0.1)
            server.stop()
            try:
                assert poll.result(5 * PATIENCE).status in (200, 503)
            except (http.client.HTTPException, ConnectionError) as error:
                pytest.fail(f"the request was cut off: {error!r}")


def probe(connection, path):
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


async def test_a_server_that_drains_is_alive_and_not_ready():
    with Server("--drain-timeout", "3s", "--queue", "100000") as server:
        server.create("t")
        ready, live = (server.http() for _ in range(2))
        assert probe(ready, "/readyz") == (200, {"status": "ready"})
        assert probe(live, "/livez") == (200, {"status": "alive"})
        raw, _ = stalled(server, "t")
        with raw:
            async with await Client.open(server) as publisher, await Client.open(server) as watcher:
                await subscribe(watcher, "t", presence=True)
                flooding = asyncio.create_task(pour(publisher, "t", range(300)))
                for _ in range(300):
                    await watcher.receive()
                await flooding
                server.stop()
                # The drain has begun when its message is there; the stalled reader holds it up.
                assert (await watcher.receive())["msg"] == "shutdown"
                assert probe(ready, "/readyz") == (503, {"status": "draining"})
                assert probe(live, "/livez") == (200, {"status": "alive"})
                # A browser that is refused a stream with 503 never comes back.
                ready.request("GET", "/topics/t/events", headers={"Accept": "text/event-stream"})
                stream = ready.getresponse()
                assert stream.status == 200 and b"\nretry: " in stream.read()
        ready.close()
        live.close()


@pytest.mark.one_server("it stops the one server")
async def test_what_was_acked_with_its_outcome_before_the_end_is_delivered_before_the_shutdown():
    with Server("--queue", "100000") as server:
        server.create("t")
        async with await Client.open(server) as reader, await Client.open(server) as publisher:
            await subscribe(reader, "t", positions=True)
            last = 0

            async def storm():
                nonlocal last
                while True:
                    _, outcome = await publish(publisher, "t", last)
                    last = outcome["offset"]
            task = asyncio.create_task(storm())
            first = await reader.receive()
            server.stop()
            messages = [first, *await reader.expect_close(1001, "SHUTDOWN")]
            with pytest.raises((ConnectionClosed, AssertionError)):
                await task
        offsets = [message["offset"] for message in messages if message["type"] == "event"]
        assert offsets == list(range(1, len(offsets) + 1)) and len(offsets) >= last
        assert (messages[-1]["type"], messages[-1]["msg"]) == ("info", "shutdown")


@pytest.mark.parametrize("fields", [{}, {"positions": True}])
async def test_where_deletion_disconnects_the_close_says_so(dialect, fields):
    with Server("--topics-on-delete", "disconnect") as server:
        server.create("t")
        async with await Client.open(server, dialect) as client:
            await subscribe(client, "t", **fields)
            message = await client.publish("t", 1)
            server.delete("t")
            messages = await client.expect_close(1000, "TOPIC_DELETED")
            assert messages[0]["message"] == message
            assert messages[1:] == [{"type": "info", "topic": "t", "msg": "topic_deleted"}]


async def test_where_deletion_disconnects_the_topics_stream_ends_and_patterns_go_on():
    deleted = {"type": "info", "topic": "t.a", "msg": "topic_deleted"}
    with Server("--topics-on-delete", "disconnect") as server:
        server.create("t.a")
        async with (await EventStream.open(server, events_path(topic_path("t.a"))) as one,
                    await EventStream.open(server, several_path("t.*")) as several,
                    await Client.open(server) as client):
            await client.subscribe("t.*")
            server.delete("t.a")
            await one.expect("info", **deleted)
            assert await one.next() is None
            await several.expect("info", **deleted)
            await client.expect(**deleted)
            server.create("t.a")
            message = await client.publish("t.a", 1)
            await client.expect_event("t.a", message)
            assert (await several.next()).json["message"] == message


@pytest.fixture(scope="module")
def open_server():
    with Server("--max-message", "4096", "--ping-interval", "300ms", "--pong-timeout", "300ms") as running:
        running.create("t")
        yield running


@pytest.mark.parametrize(("data", "code", "reason"), [
    (frame(TEXT, "{}", rsv=4), 1002, None), (frame(CONTINUATION, "x"), 1002, None), (frame(3, "x"), 1002, None),
    (frame(TEXT, "{}", mask=False), 1002, None), (frame(TEXT, b'"\xff"'), 1007, None),
    (frame(TEXT, "x" * 5000), 1009, "MESSAGE_TOO_BIG"), (None, 1008, "NO_PONG"),
])
def test_an_extended_connection_is_closed_as_any_other(open_server, data, code, reason):
    with RawWebSocket.open(open_server) as raw:
        raw.command(type="subscribe", topic="t", client_id="c", positions=True, presence=True, overflow="latest")
        if data is not None:
            raw.send(data)
        seen = read(raw)
        assert seen.close[0] == code and reason in (None, seen.close[1])
        assert seen.messages[0]["type"] == "ack"


async def test_v1_is_told_in_its_own_dialect():
    with Server() as server:
        server.create("t")
        async with await Client.open(server, V1) as client:
            await subscribed(client, positions=True)
            server.stop()
            text = await client.receive_text()
            assert list(json.loads(text)) == ["type", "msg", "reconnect_after_ms", "timestamp"]
            assert await client.expect_close(1001, "SHUTDOWN") == []
