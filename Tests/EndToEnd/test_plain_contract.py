"""A client of the plain contract sees not one byte more, whatever others use: byte for byte."""

import asyncio
import json
import re

import pytest

from apus_e2e import BASE, V1, Client, Server
from event_stream import EventStream, events_path
from extensions import PLENTY, configure, new_message, pour, subscribe, topic_path
from flood import TINY_WINDOW
from raw_websocket import CLOSE, PING, TEXT, RawWebSocket, frame

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Plain:
    """A plain client that compares every byte of what it is sent."""

    def __init__(self, server, dialect, **options):
        self.raw = RawWebSocket.open(server, f"{dialect.prefix}/ws", **options)
        self.time_key = dialect.time_key

    def expect(self, text, **members):
        """The next frame must be `text` with its time; members are put in as JSON where their names stand."""
        while (received := self.raw.read_frame()).opcode == PING:
            pass
        assert received.opcode == TEXT and received.fin
        for name, value in members.items():
            text = text.replace(f"<{name}>", value if isinstance(value, str) else json.dumps(value))
        expected = re.escape(text.removesuffix("}").encode()) + rf',"{self.time_key}":"{STAMP}"\}}'.encode()
        assert re.fullmatch(expected, received.payload), f"{received.payload!r} is not {text}"

    def expect_nothing(self):
        self.raw.command(type="ping", request_id="barrier")
        self.expect('{"type":"pong","request_id":"barrier"}')

    def subscribe(self, topic, client_id="c", **fields):
        self.raw.command(type="subscribe", topic=topic, client_id=client_id, **fields)
        self.expect('{"type":"ack","topic":"<t>","status":"ok"}', t=topic)

    def expect_event(self, topic, message):
        self.expect('{"type":"event","topic":"<t>","message":<m>}', t=topic, m=message)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.abort()


async def extended_crowd(server, topic):
    """Subscribers of every extension on the topic, none of which the plain ones may notice."""
    clients = []
    for dialect in (BASE, V1):
        for number, fields in enumerate([
            {"positions": True}, {"since": "all"}, {"overflow": "latest", "queue": 5}, {"echo": False},
            {"presence": True}, {"overflow": "disconnect", "queue": 100_000},
            {"positions": True, "presence": True, "echo": False, "overflow": "drop-newest", "queue": 3},
        ]):
            clients.append(await Client.open(server, dialect))
            await subscribe(clients[-1], topic, f"crowd {number}", **fields)
        clients.append(await Client.open(server, dialect))
        await clients[-1].subscribe(">", presence=True)
    stream = await EventStream.open(server, events_path(topic_path(topic), presence="true"))
    await stream.start()
    return clients, stream


MESSAGES = [
    '{"id":"550e8400-e29b-41d4-a716-446655440000","payload":1}',
    '{"id":"550e8400e29b41d4a716446655440001","payload":{"a" : [ 1.0, -0, 1e5 ],"ü":"\\u00fc"},"more":null}',
    '{ "payload":null , "id":"550e8400-e29b-41d4-a716-446655440002" }',
]
EXTRAS = ['"key":"k"', '"ttl":"1h"', '"outcome":true', '"key":"k","ttl":60,"outcome":true', '"ttl":null',
          '"positions":true', '"since":7,"overflow":[],"queue":"x","echo":0,"presence":{}']


async def test_events_are_the_same_bytes_however_they_were_published(server, topic, dialect):
    clients, stream = await extended_crowd(server, topic)
    with Plain(server, dialect) as plain, Plain(server, dialect) as publisher:
        plain.subscribe(topic)
        for extra in EXTRAS:
            for message in MESSAGES:
                publisher.raw.send(text(f'{{"type":"publish","topic":"{topic}",{extra},"message":{message}}}'))
                assert publisher.raw.read_message()["type"] == "ack"
                plain.expect_event(topic, message)
        batch = ",".join(MESSAGES)
        publisher.raw.send(text(f'{{"type":"publish","topic":"{topic}","key":"k","messages":[{batch}]}}'))
        assert publisher.raw.read_message()["count"] == 3
        for message in MESSAGES:
            plain.expect_event(topic, message.strip())
        told = server.rest("POST", topic_path(topic, "/messages?key=k&ttl=60"), b'{"a" : 1.50}',
                           {"Content-Type": "application/json"}).json
        plain.expect_event(topic, f'{{"id":"{told["id"]}","payload":{{"a" : 1.50}}}}')
        plain.expect_nothing()
    await leave(clients, stream)


def text(command):
    return frame(TEXT, command)


async def leave(clients, stream):
    stream.abort()
    for client in clients:
        client.connection.transport.abort()
        await client.connection.wait_closed()


async def test_a_plain_publisher_is_acked_in_the_same_bytes(server, topic, dialect):
    configure(server, topic, dedupe_window="2m", ttl="1h", history_age="1h", overflow="throttle")
    clients, stream = await extended_crowd(server, topic)
    with Plain(server, dialect) as plain:
        for message in MESSAGES + MESSAGES:
            plain.raw.send(text(f'{{"type":"publish","topic":"{topic}","message":{message}}}'))
            plain.expect('{"type":"ack","topic":"<t>","status":"ok"}', t=topic)
        plain.raw.send(text(f'{{"type":"publish","request_id":7,"topic":"{topic}","message":{MESSAGES[0]}}}'))
        plain.expect('{"type":"ack","request_id":7,"topic":"<t>","status":"ok"}', t=topic)
        plain.expect_nothing()
    await leave(clients, stream)


async def test_the_comings_and_goings_of_others_are_not_seen(server, topic, dialect):
    with Plain(server, dialect) as plain:
        plain.subscribe(topic)
        for _ in range(3):
            await leave(*await extended_crowd(server, topic))
        configure(server, topic, history=5, queue=50)
        plain.expect_nothing()


async def test_a_replay_is_the_same_bytes(server, topic, dialect):
    messages = [new_message(number) for number in range(5)]
    async with await Client.open(server) as publisher:
        for message in messages:
            await publisher.send(type="publish", topic=topic, message=message, key="k", ttl="1h")
            await publisher.expect(type="ack", topic=topic, status="ok")
    with Plain(server, dialect) as plain:
        plain.subscribe(topic, last_n=3)
        for message in messages[2:]:
            plain.expect_event(topic, json.dumps(message))
        plain.raw.command(type="subscribe", topic=topic, client_id="c", last_n="1", request_id="r")
        plain.expect('{"type":"ack","request_id":"r","topic":"<t>","status":"ok"}', t=topic)
        plain.expect_event(topic, json.dumps(messages[4]))
        plain.raw.command(type="unsubscribe", topic=topic, client_id="c")
        plain.expect('{"type":"ack","topic":"<t>","status":"ok"}', t=topic)
        plain.expect_nothing()


async def test_a_deletion_is_told_in_the_same_bytes(server, topic, dialect):
    clients, stream = await extended_crowd(server, topic)
    with Plain(server, dialect) as plain:
        plain.subscribe(topic)
        server.delete(topic)
        plain.expect('{"type":"info","topic":"<t>","msg":"topic_deleted"}', t=topic)
        plain.expect_nothing()
    await leave(clients, stream)


@pytest.mark.parametrize("dialect", [BASE, V1], ids=["base", "v1"])
@pytest.mark.parametrize("overflow", ["drop-oldest", "drop-newest"])
async def test_a_gap_is_told_in_the_same_bytes_also_under_a_topics_policy(server, topic, dialect, overflow):
    configure(server, topic, overflow=overflow, queue=20)
    with Plain(server, dialect, receive_buffer=TINY_WINDOW) as plain:
        plain.subscribe(topic)
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(PLENTY), keys=str)
        seen = 0
        while seen < PLENTY:
            received = await asyncio.to_thread(plain.raw.read_frame)
            message = received.json
            if message["type"] == "event":
                seen += 1
                assert list(message) == ["type", "topic", "message", plain.time_key]
            else:
                seen += message["dropped"]
                assert list(message) == ["type", "topic", "msg", "dropped", plain.time_key]
                start = f'{{"type":"info","topic":"{topic}","msg":"messages_dropped","dropped":{message["dropped"]},'
                assert received.payload.startswith(start.encode())


async def test_a_cut_for_being_slow_is_told_in_the_same_bytes(server, topic, dialect):
    configure(server, topic, overflow="disconnect", queue=20)
    with Plain(server, dialect, receive_buffer=TINY_WINDOW) as plain:
        plain.subscribe(topic)
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(PLENTY))
        kinds = []
        while (received := await asyncio.to_thread(plain.raw.read_frame)).opcode != CLOSE:
            kinds.append(received.json["type"])
        assert kinds == ["event"] * (len(kinds) - 1) + ["error"]
        assert received.close == (1008, "SLOW_CONSUMER")


@pytest.mark.parametrize("dialect", [BASE, V1], ids=["base", "v1"])
async def test_a_shutdown_is_a_close_and_nothing_before_it(dialect):
    with Server() as server:
        server.create("t")
        clients, stream = await extended_crowd(server, "t")
        with Plain(server, dialect) as plain:
            plain.subscribe("t")
            server.stop()
            received = await asyncio.to_thread(plain.raw.read_frame)
            assert (received.opcode, received.close) == (CLOSE, (1001, "SHUTDOWN"))
        await leave(clients, stream)


async def test_errors_are_the_same_bytes(server, dialect):
    with Plain(server, dialect) as plain:
        for command in ({"type": "subscribe", "topic": "nowhere", "client_id": "c"}, {"type": "what"}, {}):
            plain.raw.command(**command, request_id=1)
            message = plain.raw.read_message()
            assert list(message) == ["type", "request_id", "error", plain.time_key]
            assert list(message["error"]) == ["code", "message"]


def test_management_is_the_same_bytes():
    with Server() as server:
        assert server.create("t").body == b'{"status":"created","topic":"t"}'
        configure(server, "t", history=5)
        assert server.rest("GET", "/topics").body == b'{"topics":[{"name":"t","subscribers":0}]}'
        assert server.delete("t").body == b'{"status":"deleted","topic":"t"}'
