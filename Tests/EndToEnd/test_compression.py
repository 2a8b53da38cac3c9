"""permessage-deflate (RFC 7692): what is negotiated, what is compressed, and what a client cannot do with it."""

import json
import os
import time
import uuid
import zlib

import pytest

from apus_e2e import BASE, PATIENCE, V1, Client, Server
from compressed_websocket import RSV1, CompressedWebSocket, compressed_command, deflate
from prometheus import scrape
from raw_websocket import BINARY, CONTINUATION, PING, PONG, TEXT, RawWebSocket, command, frame, upgrade_request

ANSWER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
MIB = 1 << 20
# The default of `compression_min_size`.
MINIMUM = 512
WORDS = "the quick brown fox jumps over the lazy dog and publishes it to all of its subscribers ".encode()
PING_TEXT = b'{"type":"ping"}'


def message(size=2000):
    """A message whose event has about so many bytes, most of them easily compressed."""
    return {"id": str(uuid.uuid4()), "payload": (WORDS * (size // len(WORDS) + 1))[:size].decode()}


def publish(server, topic, *messages):
    with RawWebSocket.open(server) as publisher:
        for each in messages:
            publisher.command(type="publish", topic=topic, message=each)
            assert publisher.read_message()["type"] == "ack"


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.fixture
def raw(server):
    with CompressedWebSocket.open(server) as connection:
        yield connection
    # Whatever a test did to its connection, the server serves the next one.
    with CompressedWebSocket.open(server) as other:
        other.send(compressed_command(type="ping"))
        assert other.read_message()["type"] == "pong"


# Negotiation

TAKEN = {
    "permessage-deflate": "",
    # Chromium, Firefox, websockets, ws.
    "permessage-deflate; client_max_window_bits": "",
    "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12": "; server_max_window_bits=12",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover": "",
    "permessage-deflate; server_max_window_bits=15": "; server_max_window_bits=12",
    "permessage-deflate; server_max_window_bits=9": "; server_max_window_bits=9",
    "permessage-deflate; server_max_window_bits=8": "; server_max_window_bits=8",
    'permessage-deflate; server_max_window_bits="10"': "; server_max_window_bits=10",
    "permessage-deflate; nonsense, permessage-deflate; server_max_window_bits=11": "; server_max_window_bits=11",
    "x-webkit-deflate-frame, permessage-deflate": "",
}
DECLINED = ["permessage-deflate; nonsense", "permessage-deflate; server_max_window_bits=7", "permessage-bzip2",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover", "x-webkit-deflate-frame",
            "permessage-deflate; client_max_window_bits=16", "permessage-deflate; server_max_window_bits", ";;", '"',
            "permessage-deflate; server_max_window_bits=", "permessage-deflate; server_no_context_takeover=1"]


@pytest.mark.parametrize("path", ["/ws", "/v1/ws"])
@pytest.mark.parametrize("offer", TAKEN)
def test_an_offer_is_taken(server, path, offer):
    with CompressedWebSocket.open(server, path, offer) as raw:
        assert raw.extension == ANSWER + TAKEN[offer]
        raw.send(compressed_command(type="ping", request_id="r" * 200))
        assert raw.read_message()["type"] == "pong"


def test_offers_may_be_in_several_headers(server):
    with CompressedWebSocket(server) as raw:
        request = upgrade_request(Sec_WebSocket_Extensions="permessage-deflate; nonsense")
        request = request.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        assert raw.request(request)[1]["sec-websocket-extensions"] == ANSWER


@pytest.mark.parametrize("offer", DECLINED)
def test_an_offer_is_declined_and_the_connection_is_one_without(server, topic, offer):
    with CompressedWebSocket.open(server, offer=offer) as raw:
        assert raw.extension is None
        raw.subscribe(topic)
        publish(server, topic, message())
        assert raw.read_data().rsv == 0
        raw.expect_pong(1)
        raw.send(compressed_command(type="ping"))
        raw.expect_close(1002)


def test_who_offers_nothing_gets_nothing(server, topic):
    with RawWebSocket(server) as raw:
        assert "sec-websocket-extensions" not in raw.request(upgrade_request())[1]
        raw.subscribe(topic)
        publish(server, topic, message())
        assert raw.read_message()["type"] == "event"
        raw.send(compressed_command(type="ping"))
        raw.expect_close(1002, reason="PROTOCOL_ERROR")


def test_it_can_be_switched_off(topic):
    with Server("--compression", "off") as server:
        server.create(topic)
        with CompressedWebSocket.open(server) as raw:
            assert raw.extension is None
            raw.subscribe(topic)
            publish(server, topic, message())
            assert raw.read_data().rsv == 0


def test_keys_and_compression_go_together():
    with Server("--api-key", "secret") as server:
        for query, authorized in (("?api_key=secret", True), ("", False)):
            with CompressedWebSocket.open(server, f"/ws{query}") as raw:
                assert raw.extension == ANSWER
                if not authorized:
                    raw.send(compressed_command(type="auth", api_key="secret"))
                    assert raw.read_message()["type"] == "ack"
                raw.send(compressed_command(type="ping"))
                assert raw.read_message()["type"] == "pong"


# What the server compresses

def test_events_are_compressed_from_the_minimum_on(server, topic, raw):
    raw.subscribe(topic)
    for size, rsv in ((MINIMUM - 200, 0), (MINIMUM, RSV1), (100_000, RSV1)):
        sent = message(size)
        publish(server, topic, sent)
        received = raw.read_data()
        assert received.rsv == rsv
        assert json.loads(raw.text(received))["message"] == sent
        if rsv:
            assert len(received.payload) < size // 2


def test_the_minimum_is_the_size_of_the_event(server, topic, raw):
    raw.subscribe(topic)
    publish(server, topic, message(0))
    around = len(raw.text(raw.read_data()))
    for size, rsv in ((MINIMUM - 1, 0), (MINIMUM, RSV1)):
        publish(server, topic, message(size - around))
        received = raw.read_data()
        assert received.rsv == rsv and len(raw.text(received)) == size


def test_what_is_no_event_is_not_compressed(server, raw):
    raw.command(type="ping", request_id="r" * 250)
    assert raw.read_data().rsv == 0
    raw.command(type="subscribe", topic="no such topic " * 18, client_id="c")
    assert raw.read_data().rsv == 0
    raw.send(frame(PING, b"x" * 125))
    received = raw.read_frame()
    assert received.opcode == PONG and received.rsv == 0


@pytest.mark.parametrize("level", [1, 9])
def test_the_minimum_and_the_level_can_be_set(level):
    with Server("--compression-min-size", "0", "--compression-level", str(level)) as server:
        server.create("t")
        with CompressedWebSocket.open(server) as raw:
            raw.subscribe("t")
            publish(server, "t", {"id": str(uuid.uuid4()), "payload": "a" * 50})
            assert raw.read_data().rsv == RSV1


def test_two_subscribers_get_the_same_bytes_whenever_they_came(server, topic):
    with CompressedWebSocket.open(server) as first, CompressedWebSocket.open(server) as second:
        first.subscribe(topic)
        publish(server, topic, *[message(n * 100) for n in range(6, 12)])
        earlier = [first.read_data() for _ in range(6)]
        second.subscribe(topic)
        sent = [message(n * 1000) for n in range(1, 10)]
        publish(server, topic, *sent)
        frames = [(first.read_data(), second.read_data()) for _ in sent]
        assert all(one == other and one.rsv == RSV1 for one, other in frames)
        assert [json.loads(first.text(one))["message"] for one, _ in frames] == sent
        # No message refers to an earlier one: the same again is the same bytes but for its id and time.
        assert all(received.rsv == RSV1 for received in earlier)


@pytest.mark.parametrize("window", [8, 9, 10, 11, 12, 15])
def test_no_more_is_needed_to_read_it_than_the_client_offered(server, topic, window):
    offer = f"permessage-deflate; server_max_window_bits={window}"
    with CompressedWebSocket.open(server, offer=offer, window=min(window, 12)) as raw:
        raw.subscribe(topic)
        sent = [message(20_000), {"id": str(uuid.uuid4()), "payload": [n % 700 for n in range(9000)]}]
        publish(server, topic, *sent)
        assert [raw.read_message()["message"] for _ in sent] == sent


FIELDS = {"plain": {}, "keyed": {"overflow": "drop-oldest"}, "positioned": {"positions": True}}


async def test_subscribers_with_and_without_are_told_the_same(server, topic):
    """All event details, in both dialects, compressed and not, live and replayed."""
    clients = {}
    for dialect in (BASE, V1):
        for compression in (None, "deflate"):
            client = await Client.open(server, dialect, compression=compression)
            for name, fields in FIELDS.items():
                await client.send(type="subscribe", topic=topic, client_id=name, **fields)
                assert (await client.receive())["type"] == "ack"
            clients[dialect, compression] = client
    publisher = await Client.open(server)
    sent = []
    for number in range(12):
        each = message(200 * number)
        sent.append(each)
        key = {"key": f"k{number % 3}"} if number % 2 else {}
        await publisher.send(type="publish", topic=topic, message=each, **key)
        assert (await publisher.receive())["type"] == "ack"
    told = {}
    for (dialect, compression), client in clients.items():
        events = sorted([await client.receive_text() for _ in range(3 * len(sent))])
        told[dialect, compression] = events
        assert sum('"offset":' in event for event in events) == len(sent)
        await client.send(type="subscribe", topic=topic, client_id="late", last_n=100, positions=True)
        assert (await client.receive())["type"] == "ack"
        replayed = [await client.receive() for _ in sent]
        assert [event["message"] for event in replayed] == sent
        assert [event["offset"] for event in replayed] == list(range(1, len(sent) + 1))
        await client.connection.close()
    await publisher.connection.close()
    for dialect in (BASE, V1):
        assert told[dialect, None] == told[dialect, "deflate"]


def test_history_is_replayed_compressed(server, topic):
    sent = [message(3000) for _ in range(20)]
    publish(server, topic, *sent)
    replays = []
    for _ in range(3):
        with CompressedWebSocket.open(server) as raw:
            raw.subscribe(topic, last_n=20)
            frames = [raw.read_data() for _ in sent]
            assert [json.loads(raw.text(received))["message"] for received in frames] == sent
            assert all(received.rsv == RSV1 for received in frames)
            replays.append(frames)
    assert replays[0] == replays[1] == replays[2]


# What a client compresses

def test_commands_are_read_compressed_or_not(server, topic, raw):
    for number, send in enumerate((command, compressed_command, command, compressed_command)):
        raw.send(send(type="ping", request_id=number))
        assert raw.read_message()["request_id"] == number
    raw.subscribe(topic)
    sent = message(50_000)
    raw.send(compressed_command(type="publish", topic=topic, message=sent))
    assert raw.read_message()["type"] == "ack"
    assert raw.read_message()["message"] == sent
    raw.send(frame(BINARY, deflate(PING_TEXT), rsv=RSV1))
    assert raw.read_message()["type"] == "pong"


def test_a_compressed_message_may_be_fragmented(server, topic, raw):
    data = deflate(json.dumps({"type": "publish", "topic": topic, "message": message(5000)}))
    raw.subscribe(topic)
    for size in (1, 7, len(data) // 2, len(data)):
        parts = [data[start:start + size] for start in range(0, len(data), size)] + [b""]
        for index, part in enumerate(parts):
            opcode, rsv = (TEXT, RSV1) if index == 0 else (CONTINUATION, 0)
            raw.send(frame(opcode, part, fin=index == len(parts) - 1, rsv=rsv))
            if index == 0:
                raw.send(frame(PING, b"between"))
        assert raw.read_frame().opcode == PONG
        assert sorted(raw.read_message()["type"] for _ in range(2)) == ["ack", "event"]


# Section 7.2.3, with a ping in place of the word.
STORED = bytes([0, len(PING_TEXT), 0, 0xFF - len(PING_TEXT), 0xFF]) + PING_TEXT


@pytest.mark.parametrize("data", [
    deflate(PING_TEXT, level=0), deflate(PING_TEXT, level=1), deflate(PING_TEXT, window=9), STORED + b"\0",
    # Two blocks, and one that says it is the last.
    deflate(PING_TEXT[:5]) + b"\0\0\xff\xff" + deflate(PING_TEXT[5:]),
    zlib.compress(PING_TEXT, wbits=-15) + b"\0", b"\2\0\0\0\xff\xff" * 1000 + deflate(PING_TEXT),
], ids=["level 0", "level 1", "window", "stored", "two blocks", "last block", "empty blocks"])
def test_any_deflate_data_is_read(raw, data):
    raw.send(frame(TEXT, data, rsv=RSV1))
    assert raw.read_message()["type"] == "pong"


def test_an_empty_message_is_one(raw):
    for data in (deflate(b""), b""):
        raw.send(frame(TEXT, data, rsv=RSV1))
        raw.expect_error("BAD_REQUEST")


@pytest.mark.parametrize("data", [
    b"\xff" * 10, b"\x06", deflate(PING_TEXT)[:-3], deflate(PING_TEXT)[1:], zlib.compress(PING_TEXT), PING_TEXT,
    # Refers to what was before its beginning: the server keeps no earlier message.
    b"\xf2\x00\x11\x00\x00",
], ids=["block type", "truncated head", "truncated", "beheaded", "zlib header", "plain", "context"])
def test_broken_data_closes_with_1007(raw, data):
    raw.send(frame(TEXT, data, rsv=RSV1))
    raw.expect_close(1007, reason="INVALID_COMPRESSION")


@pytest.mark.parametrize("text", [b'"\xff"', b'"\xc3', b"\xed\xa0\x80"])
def test_compressed_text_that_is_not_utf8_closes_with_1007(raw, text):
    raw.send(frame(TEXT, deflate(text), rsv=RSV1))
    raw.expect_close(1007, reason="INVALID_UTF8")


BROKEN = {
    "on a ping": frame(PING, rsv=RSV1), "on a pong": frame(PONG, b"x", rsv=RSV1), "on a close": frame(8, rsv=RSV1),
    "on a continuation": frame(TEXT, deflate(PING_TEXT)[:3], fin=False, rsv=RSV1)
    + frame(CONTINUATION, deflate(PING_TEXT)[3:], rsv=RSV1),
    "on a continuation only": frame(TEXT, b"{", fin=False) + frame(CONTINUATION, b"}", rsv=RSV1),
    "RSV2": frame(TEXT, PING_TEXT, rsv=2), "RSV3": frame(TEXT, PING_TEXT, rsv=1), "all": frame(TEXT, PING_TEXT, rsv=7),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_the_bit_stands_at_a_messages_start_only(raw, data):
    raw.send(data)
    raw.expect_close(1002, reason="PROTOCOL_ERROR")


def test_the_largest_message_is_taken_and_one_byte_more_is_not(server):
    with CompressedWebSocket.open(server) as raw:
        text = PING_TEXT + b" " * (MIB - len(PING_TEXT))
        raw.send(frame(TEXT, deflate(text), rsv=RSV1))
        assert raw.read_message()["type"] == "pong"
        raw.send(frame(TEXT, deflate(text + b" "), rsv=RSV1))
        raw.expect_close(1009, reason="MESSAGE_TOO_BIG")


def test_a_bomb_costs_the_server_nothing():
    """Ten kilobytes that are ten megabytes, and nearly one that is a gigabyte."""
    # Blocks that refer to nothing before them can follow each other as often as one likes.
    block = zlib.compressobj(9, zlib.DEFLATED, -15)
    gigabyte = (block.compress(bytes(16 * MIB)) + block.flush(zlib.Z_FULL_FLUSH)) * 64
    assert len(gigabyte) < MIB
    with Server() as server:
        with CompressedWebSocket.open(server) as raw:
            raw.send(frame(TEXT, deflate(PING_TEXT + b" " * (MIB - 100)), rsv=RSV1))
            assert raw.read_message()["type"] == "pong"
        before = server.rss
        start = time.monotonic()
        for bomb in [deflate(bytes(10 * MIB)), gigabyte[:-4]] * 20:
            with CompressedWebSocket.open(server) as raw:
                raw.send(frame(TEXT, bomb, rsv=RSV1))
                raw.expect_close(1009, reason="MESSAGE_TOO_BIG")
        assert server.rss < before + 8 * MIB
        assert time.monotonic() - start < 20 * PATIENCE


def test_a_bomb_in_fragments_is_one_too(raw):
    data = deflate(bytes(10 * MIB))
    raw.send(frame(TEXT, data[:5000], fin=False, rsv=RSV1) + frame(CONTINUATION, data[5000:]))
    raw.expect_close(1009, reason="MESSAGE_TOO_BIG")


def test_compressed_fragments_are_bounded_as_they_come(raw):
    raw.send(frame(TEXT, os.urandom(MIB // 2), fin=False, rsv=RSV1))
    raw.send(frame(CONTINUATION, os.urandom(MIB // 2 + 1), fin=False))
    raw.expect_close(1009, reason="MESSAGE_TOO_BIG")


def test_random_bytes_end_in_a_close(server):
    for size in (1, 2, 5, 20, 100, 1000, 10_000) * 10:
        with CompressedWebSocket.open(server) as raw:
            raw.send(frame(TEXT, os.urandom(size), rsv=RSV1))
            received = raw.read_data()
            # A few bytes may well be a message, but none that is JSON.
            assert received.opcode == TEXT or received.close[0] in (1007, 1009), received


# Metrics

def test_the_metrics_say_what_was_compressed():
    names = ["connections_compressed_total", "compressed_messages_total", "compression_input_bytes_total",
             "compression_output_bytes_total", "decompression_input_bytes_total", "decompression_output_bytes_total"]

    def told():
        samples = scrape(server)
        return [samples[f"apus_{name}"] for name in names]

    with Server() as server:
        server.create("t")
        assert told() == [0] * 6
        connections = [CompressedWebSocket.open(server) for _ in range(3)] + [RawWebSocket.open(server)]
        for connection in connections:
            connection.subscribe("t")
        publish(server, "t", message(100), message(2000), message(3000))
        events = [[raw.read_data() for _ in range(3)] for raw in connections[:3]]
        texts = [connections[0].text(received) for received in events[0]]
        assert told() == [3, 2, sum(map(len, texts[1:])), sum(len(each.payload) for each in events[0][1:]), 0, 0]
        data = deflate(json.dumps({"type": "ping", "request_id": "x" * 200}))
        connections[0].send(frame(TEXT, data, rsv=RSV1))
        assert connections[0].read_message()["type"] == "pong"
        assert told()[4:] == [len(data), len(json.dumps({"type": "ping", "request_id": "x" * 200}))]
        for connection in connections:
            connection.socket.close()
