"""RFC 6455 from the side of a peer that breaks it, or uses all of it."""

import json
import struct

import pytest

from raw_websocket import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawWebSocket, close_frame, command,
                           frame)

pytestmark = [pytest.mark.over_tls, pytest.mark.one_server("it is about one process")]

PINGED = json.dumps({"type": "ping"}).encode()
NO_UTF8 = [b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80",
           b"\xf8\x88\x80\x80\x80"]


@pytest.fixture
def raw(server):
    with RawWebSocket.open(server) as connection:
        yield connection
    # Whatever a test did to its connection, the server serves the next one.
    with RawWebSocket.open(server) as other:
        other.expect_pong(1)


BROKEN = {
    "unmasked": frame(TEXT, PINGED, mask=False), "unmasked ping": frame(PING, b"x", mask=False),
    "RSV1": frame(TEXT, PINGED, rsv=4), "RSV2": frame(TEXT, PINGED, rsv=2), "RSV3": frame(TEXT, PINGED, rsv=1),
    "RSV on a ping": frame(PING, rsv=4),
    **{f"opcode {opcode}": frame(opcode, b"x") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "fragmented ping": frame(PING, b"x", fin=False), "fragmented pong": frame(PONG, fin=False),
    "fragmented close": frame(CLOSE, struct.pack("!H", 1000), fin=False),
    "ping of 126 bytes": frame(PING, b"x" * 126), "pong of 126 bytes": frame(PONG, b"x" * 126),
    "close of 126 bytes": frame(CLOSE, struct.pack("!H", 1000) + b"x" * 124),
    "continuation of nothing": frame(CONTINUATION, b"x"),
    "unfinished continuation of nothing": frame(CONTINUATION, fin=False),
    "text within a text": frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"),
    "binary within a text": frame(TEXT, b"{", fin=False) + frame(BINARY, b"}"),
    "continuation after the end": frame(TEXT, b"{", fin=False) + frame(PING, mask=True) + frame(CONTINUATION, b"}")
    + frame(CONTINUATION, b"x"),
    "close of one byte": frame(CLOSE, b"\x03"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_a_frame_against_the_rules_is_a_protocol_error(raw, data):
    raw.send(data)
    while (received := raw.read_frame()).opcode in (PONG, TEXT):
        continue
    assert received.opcode == CLOSE and received.close[0] == 1002


@pytest.mark.parametrize("bad", NO_UTF8)
def test_text_that_is_not_utf8_closes_with_1007(raw, bad):
    raw.send(frame(TEXT, b'{"type":"ping","x":"' + bad + b'"}'))
    raw.expect_close(1007)


@pytest.mark.parametrize("bad", NO_UTF8)
def test_fragmented_text_that_is_not_utf8_closes_with_1007(raw, bad):
    raw.send(frame(TEXT, b'"' + bad[:1], fin=False) + frame(CONTINUATION, bad[1:], fin=False)
             + frame(CONTINUATION, b'"'))
    raw.expect_close(1007)


@pytest.mark.parametrize("bad", NO_UTF8)
def test_a_binary_message_that_is_not_utf8_is_a_bad_request_and_stays_open(raw, bad):
    raw.send(frame(BINARY, b'{"type":"ping","x":"' + bad + b'"}'))
    raw.expect_error("BAD_REQUEST")
    raw.expect_pong(2)


def test_a_character_may_be_split_between_fragments(raw):
    text = json.dumps({"type": "ping", "request_id": "é日😀"}, ensure_ascii=False).encode()
    raw.send(b"".join(frame(CONTINUATION if at else TEXT, text[at:at + 1], fin=at == len(text) - 1)
                      for at in range(len(text))))
    assert raw.read_message()["request_id"] == "é日😀"


def test_a_ping_between_fragments_is_answered_at_once_with_its_payload(raw):
    for payload in (b"", b"hello", bytes(range(125))):
        raw.send(frame(TEXT, PINGED[:5], fin=False) + frame(PING, payload))
        received = raw.read_frame()
        assert (received.opcode, received.payload) == (PONG, payload)
        raw.send(frame(CONTINUATION, b"", fin=False) + frame(PING, b"again") + frame(CONTINUATION, PINGED[5:]))
        assert raw.read_frame().payload == b"again"
        assert raw.read_message()["type"] == "pong"


def test_an_unsolicited_pong_is_ignored(raw):
    raw.send(frame(PONG, b"nobody asked") + frame(PONG))
    raw.expect_pong(3)


def test_empty_messages_are_bad_requests(raw):
    for data in (frame(TEXT), frame(BINARY), frame(TEXT, fin=False) + frame(CONTINUATION)):
        raw.send(data)
        raw.expect_error("BAD_REQUEST")
    raw.expect_pong(4)


def test_frames_may_arrive_byte_by_byte(raw, topic):
    raw.subscribe(topic)
    message = {"id": "550e8400-e29b-41d4-a716-446655440000", "payload": "x" * 200}
    data = command(type="publish", topic=topic, message=message) + frame(PING, b"p")
    for at in range(len(data)):
        raw.send(data[at:at + 1])
    answers = [raw.read_frame() for _ in range(3)]
    assert [answer.payload for answer in answers if answer.opcode == PONG] == [b"p"]
    texts = [answer.json for answer in answers if answer.opcode == TEXT]
    assert [text["type"] for text in texts] == ["ack", "event"] and texts[1]["message"] == message


def test_many_frames_may_arrive_in_one_segment(raw):
    raw.send(b"".join(command(type="ping", request_id=number) for number in range(1000)))
    assert [raw.read_message()["request_id"] for _ in range(1000)] == list(range(1000))


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
def test_a_close_is_answered_with_its_own_code(raw, code):
    raw.send(close_frame(code, "tschüß".encode()))
    raw.expect_close(code)


def test_a_close_without_a_code_is_answered(raw):
    raw.send(close_frame())
    raw.expect_close(None, 1000)


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_a_close_code_that_must_not_be_sent_is_a_protocol_error(raw, code):
    raw.send(close_frame(code))
    raw.expect_close(1002)


def test_a_close_reason_that_is_not_utf8_is_refused(raw):
    raw.send(close_frame(1000, b"\xc3\x28"))
    raw.expect_close(1007, 1002)


def test_what_comes_before_a_close_is_done_and_what_comes_after_it_is_not(server, raw, topic):
    message = {"id": "550e8400-e29b-41d4-a716-446655440000", "payload": 1}
    publish = command(type="publish", topic=topic, message=message)
    raw.send(command(type="ping", request_id="before") + publish + publish
             + close_frame(1000) + publish + command(type="ping", request_id="after"))
    assert raw.read_message()["request_id"] == "before"
    assert [raw.read_message()["type"] for _ in range(2)] == ["ack", "ack"]
    raw.expect_close(1000)
    assert server.rest("GET", "/stats").json["topics"][topic]["messages"] == 2
