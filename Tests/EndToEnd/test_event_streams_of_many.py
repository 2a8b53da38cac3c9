"""Event streams of several topics, slow ones, and the policies they share with WebSockets: extensions.md section 6."""

import asyncio
import json
import socket

import pytest

from apus_e2e import V1, Client, Server, until
from event_stream import EventStream, events_path, parse, several_path
from extensions import (PLENTY, configure, describe, lag, listing, new_message, pour, publish, publish_batch,
                        topic_path)
from flood import TINY_WINDOW
from raw_websocket import RawWebSocket


async def test_a_stream_of_topics_and_patterns_has_events_without_a_position(server, topic, dialect):
    names = [f"{topic} one", f"{topic}.a", f"{topic}.b"]
    for name in names:
        server.create(name)
    path = several_path(names[0], f"{topic}.*", prefix=dialect.prefix)
    async with await EventStream.open(server, path) as stream, await Client.open(server) as client:
        start = await stream.start()
        assert start.identifier is None
        for name in names:
            message, outcome = await publish(client, name, name, key="k")
            assert outcome["subscribers"] == 1
            part = await stream.next()
            told = part.json
            told.pop("offset", None)
            assert part.event == "message" and part.identifier is None
            assert told == {"type": "event", "topic": name, "message": message, "key": "k"}
        await client.publish(topic, "not asked for")
        await client.publish(names[0], "last")
        assert (await stream.next()).json["message"]["payload"] == "last"


async def test_one_topic_asked_for_in_the_query_has_positions_too(server, topic, dialect):
    async with await Client.open(server) as client:
        _, outcome = await publish(client, topic, 1)
        await publish(client, topic, 2)
    epoch = outcome["epoch"]
    path = several_path(topic, prefix=dialect.prefix)
    async with await EventStream.open(server, path, {"Last-Event-ID": f"{epoch}:1"}) as stream:
        assert (await stream.start()).identifier == f"{epoch}:1"
        part, = await stream.messages(1)
        assert part.identifier == f"{epoch}:2" and part.json["message"]["payload"] == 2


async def test_last_n_of_a_stream_of_several_applies_to_each(server, topic):
    names = [f"{topic}.{number}" for number in range(3)]
    async with await Client.open(server) as client:
        for name in names:
            server.create(name)
            await publish_batch(client, name, list(range(5)))
    async with await EventStream.open(server, several_path(names[0], f"{topic}.>", last_n=2)) as stream:
        await stream.start()
        parts = await stream.messages(8)
    seen = sorted((part.json["topic"], part.json["message"]["payload"]) for part in parts)
    assert seen == sorted([(name, number) for name in names for number in (3, 4)] + [(names[0], 3), (names[0], 4)])


async def test_topics_created_later_come_to_a_stream_too(server, topic):
    path = several_path(f"{topic}.>")
    async with await EventStream.open(server, path) as stream, await Client.open(server) as client:
        await stream.start()
        for number in range(3):
            server.create(f"{topic}.{number}")
            message = await client.publish(f"{topic}.{number}", number)
            assert (await stream.next()).json["message"] == message


async def test_a_deleted_topic_of_several_is_told_and_the_stream_goes_on(server, topic):
    names = [f"{topic}.{number}" for number in range(2)]
    for name in names:
        server.create(name)
    async with await EventStream.open(server, several_path(*names)) as stream, await Client.open(server) as client:
        await stream.start()
        server.delete(names[0])
        await stream.expect("info", type="info", topic=names[0], msg="topic_deleted")
        message = await client.publish(names[1], 1)
        assert (await stream.next()).json["message"] == message


@pytest.mark.parametrize(("path", "status", "named"), [
    ("/events", 400, "topic"), ("/events?topic=", 400, "topic"), ("/events?topic=a*", 400, "topic"),
    ("/events?topic=a.%3E.b", 400, "topic"), ("/events?topic=nowhere", 404, "nowhere"),
    ("/events?topic=x.*&since=all", 400, "since"), ("/events?topic=x.*&last_event_id=e:1", 400, "last_event_id"),
    ("/events?topic=" + "*." * 10_000 + "*", 400, "topic"),
])
async def test_a_stream_of_several_that_makes_no_sense_is_refused(server, path, status, named):
    async with await EventStream.open(server, path) as stream:
        assert stream.status == status
        assert named in json.loads(await stream.body())["detail"]


async def test_one_missing_topic_of_several_takes_none(server, topic):
    async with await EventStream.open(server, several_path(topic, "nowhere")) as stream:
        assert stream.status == 404
    assert server.subscribers(topic) == 0


def stalled_stream(server, path):
    """A stream whose head is read, and nothing after it."""
    raw = RawWebSocket(server, receive_buffer=TINY_WINDOW)
    status, headers = raw.request(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert status == 200
    return raw, headers.get("transfer-encoding") == "chunked"


def read_parts(raw, chunked, enough):
    """Reads the blocks of a stalled stream until `enough(parts)` holds, or its end."""
    parts, text = [], b""
    while not enough(parts):
        try:
            text += read_chunk(raw) if chunked else raw.read_some()
        except EOFError:
            break
        while (end := text.find(b"\n\n")) >= 0:
            part = parse(text[:end].decode())
            text = text[end + 2:]
            if part.data:
                parts.append(part)
    return parts


def read_chunk(raw):
    line = b""
    while not line.endswith(b"\r\n"):
        line += raw.take(1)
    size = int(line.split(b";")[0], 16)
    data = raw.take(size + 2)[:-2]
    if not size:
        raise EOFError
    return data


def accounted(parts):
    return sum(1 if part.event == "message" else part.json.get("dropped", 0) for part in parts)


@pytest.mark.parametrize("overflow", ["drop-oldest", "drop-newest"])
async def test_a_slow_stream_is_told_what_was_dropped_where_it_is_missing(server, topic, overflow):
    path = events_path(topic_path(topic), overflow=overflow, queue=20, client_id="stalled")
    raw, chunked = stalled_stream(server, path)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1))
        # What came at once counts when the socket has taken nothing of it for a while.
        await until(lambda: lag(server, topic) <= 20, "no more is pending than the queue holds")
        parts = await asyncio.to_thread(read_parts, raw, chunked, lambda parts: accounted(parts) >= PLENTY)
    expected = 1
    for part in parts:
        told = part.json
        if part.event == "message":
            assert (told["offset"], part.offset) == (expected, expected)
            expected += 1
        else:
            assert (part.event, told["msg"], told["from"]) == ("info", "messages_dropped", expected)
            assert told["dropped"] == told["to"] - told["from"] + 1
            expected = told["to"] + 1
    assert expected == PLENTY + 1 and any(part.event == "info" for part in parts)


async def test_a_slow_stream_under_latest_gets_the_newest_of_each_key(server, topic):
    raw, chunked = stalled_stream(server, events_path(topic_path(topic), overflow="latest", queue=20))
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1), keys=lambda number: f"k{number % 3}")
        last = list(range(PLENTY - 2, PLENTY + 1))
        parts = await asyncio.to_thread(
            read_parts, raw, chunked, lambda parts: [part.offset for part in parts[-3:]] == last)
    assert {part.event for part in parts} == {"message"} and len(parts) < PLENTY - 100


async def test_a_slow_stream_under_disconnect_is_ended(server, topic):
    path = events_path(topic_path(topic), overflow="disconnect", queue=20, client_id="stalled")
    raw, chunked = stalled_stream(server, path)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1))
        await until(lambda: server.subscribers(topic) == 0, "the slow stream is gone")
        entry, = [entry for entry in listing(server, topic)["gone"] if entry["client_id"] == "stalled"]
        assert entry["reason"] == "SLOW_CONSUMER"
        parts = await asyncio.to_thread(read_parts, raw, chunked, lambda _: False)
    offsets = [part.offset for part in parts if part.event == "message"]
    assert offsets == list(range(1, len(offsets) + 1)) and len(offsets) < PLENTY


async def test_a_stream_is_held_to_the_topics_own_settings(server, topic):
    configure(server, topic, overflow="latest", queue=17)
    async with await EventStream.open(server, events_path(topic_path(topic), client_id="s")) as stream:
        await stream.start()
        entry, = listing(server, topic)["subscribers"]
        assert (entry["policy"], entry["queue"]) == ("latest", 17)


async def test_a_hundred_streams_and_sockets_see_the_same(server, topic):
    count = 30
    streams = [await EventStream.open(server, events_path(topic_path(topic))) for _ in range(50)]
    clients = [await Client.open(server, V1) for _ in range(50)]
    for stream in streams:
        await stream.start()
    for client in clients:
        await client.subscribe(topic)
    async with await Client.open(server) as publisher:
        messages = [new_message(number) for number in range(count)]
        await publisher.send(type="publish", topic=topic, messages=messages, outcome=True)
        assert (await publisher.receive())["subscribers"] == 100
    epoch = describe(server, topic)["epoch"]
    for stream in streams:
        parts = await stream.messages(count)
        assert [part.json["message"] for part in parts] == messages
        assert [part.identifier for part in parts] == [f"{epoch}:{offset}" for offset in range(1, count + 1)]
        stream.abort()
    for client in clients:
        for message in messages:
            await client.expect_event(topic, message)
        await client.connection.close()


async def test_streams_and_sockets_share_the_limit_of_connections():
    with Server("--max-connections", "2") as server:
        server.create("t")
        path = events_path(topic_path("t"))
        async with await EventStream.open(server, path) as stream, await Client.open(server):
            await stream.start()
            refused = server.rest("GET", path)
            assert refused.status == 503 and refused.headers["retry-after"]
            async with await EventStream.open(server, path) as third:
                assert third.status == 200 and (await third.part()).retry >= 2000 and await third.part() is None
            stream.abort()
            await until(lambda: server.subscribers("t") == 0, "the stream is gone")
            async with await EventStream.open(server, path) as again:
                assert again.status == 200


async def test_a_stream_has_no_more_subscriptions_and_matches_than_a_connection_may():
    with Server("--max-subscriptions", "2", "--max-matches", "3") as server:
        for name in "abcd":
            server.create(name)
        for path in (several_path("a", "b", "c"), several_path(">")):
            async with await EventStream.open(server, path) as stream:
                assert stream.status in (400, 503)
        assert [server.subscribers(name) for name in "abcd"] == [0, 0, 0, 0]
        server.delete("d")
        async with await EventStream.open(server, several_path(">")) as stream:
            await stream.start()
            server.create("e")
            assert await stream.next() is None
        assert {entry["reason"] for entry in listing(server)["gone"]} >= {"OVERLOADED"}


async def test_a_client_that_sends_more_on_an_event_stream_disturbs_nothing(server, topic):
    raw, _ = stalled_stream(server, events_path(topic_path(topic)))
    with raw:
        raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10)
        raw.socket.shutdown(socket.SHUT_WR)
    async with await Client.open(server) as client:
        await client.publish(topic, 1)
    await until(lambda: server.subscribers(topic) == 0, "the stream is gone")
