"""Limits and timers of a connection: size, silence, handshakes, heartbeats (section 6)."""

import base64
import hashlib
import os
import struct
import time

import pytest

from apus_e2e import TIMEOUT, Client, Server
from raw_websocket import (CLOSE, CONTINUATION, PING, PONG, TEXT, RawWebSocket, command, frame, upgrade_request)

pytestmark = pytest.mark.one_server("it is about one process")

LIMIT = 65_536


@pytest.fixture(scope="module")
def small():
    with Server("--max-message", str(LIMIT)) as running:
        yield running


def ping_of(size):
    text = '{"type":"ping","x":"'
    return text + "x" * (size - len(text) - 2) + '"}'


def test_a_message_of_the_largest_size_is_taken(small):
    with RawWebSocket.open(small) as raw:
        raw.send(frame(TEXT, ping_of(LIMIT)))
        assert raw.read_message()["type"] == "pong"
        text = ping_of(LIMIT).encode()
        raw.send(frame(TEXT, text[:40_000], fin=False) + frame(CONTINUATION, text[40_000:]))
        assert raw.read_message()["type"] == "pong"


@pytest.mark.parametrize("announced", [LIMIT + 1, 1 << 20, 1 << 32, (1 << 63) - 1])
def test_a_frame_that_announces_too_much_closes_with_1009_before_it_comes(small, announced):
    with RawWebSocket.open(small) as raw:
        raw.send(frame(TEXT, announce=announced))
        raw.expect_close(1009, reason="MESSAGE_TOO_BIG")


def test_fragments_that_add_up_to_too_much_close_with_1009(small):
    with RawWebSocket.open(small) as raw:
        raw.send(frame(TEXT, b"x" * 40_000, fin=False) + frame(CONTINUATION, b"x" * (LIMIT - 40_000), fin=False))
        raw.send(frame(PING, b"within the limit"))
        assert raw.read_frame().payload == b"within the limit"
        raw.send(frame(CONTINUATION, b"x", fin=False))
        raw.expect_close(1009, reason="MESSAGE_TOO_BIG")


def test_a_length_with_its_highest_bit_set_is_refused(small):
    with RawWebSocket.open(small) as raw:
        raw.send(struct.pack("!BBQ", 0x81, 0xFF, 1 << 63) + b"mask")
        raw.expect_close(1002, 1009)


def test_the_default_limit_is_one_mebibyte(server):
    with RawWebSocket.open(server) as raw:
        raw.send(frame(TEXT, ping_of(1 << 20)))
        assert raw.read_message()["type"] == "pong"
        raw.send(frame(TEXT, announce=(1 << 20) + 1))
        raw.expect_close(1009)


def test_a_peer_that_answers_no_pings_is_closed():
    with Server("--ping-interval", "200ms", "--pong-timeout", "200ms") as pinging:
        with RawWebSocket.open(pinging) as raw:
            assert raw.read_frame().opcode == PING
            while (received := raw.read_frame()).opcode == PING:
                continue
            assert received.opcode == CLOSE and received.close == (1008, "NO_PONG")


def test_a_peer_that_answers_pings_stays():
    with Server("--ping-interval", "100ms", "--pong-timeout", "1s") as pinging:
        with RawWebSocket.open(pinging) as raw:
            for _ in range(15):
                received = raw.read_frame()
                assert received.opcode == PING
                raw.send(frame(PONG, received.payload))
            raw.command(type="ping")
            assert raw.read_message()["type"] == "pong"


async def test_heartbeats_come_at_their_interval(dialect):
    with Server("--heartbeat", "100ms") as beating:
        start = time.monotonic()
        async with await Client.open(beating, dialect) as client:
            client.sees_heartbeats = True
            for _ in range(5):
                await client.expect(type="info", msg="ping")
            assert time.monotonic() - start >= 0.35
            await client.send(type="ping", request_id=1)
            while (message := await client.receive()) == {"type": "info", "msg": "ping"}:
                continue
            assert message == {"type": "pong", "request_id": 1}


def test_pings_and_heartbeats_can_be_off():
    with Server("--heartbeat", "0", "--ping-interval", "0") as quiet:
        with RawWebSocket.open(quiet, timeout=1) as raw:
            with pytest.raises(TimeoutError):
                raw.read_frame()
            raw.expect_pong()


@pytest.mark.parametrize("start", [
    b"", b"GET", b"GET /ws HTTP/1.1\r\n", b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: webso",
])
def test_a_handshake_that_does_not_end_is_ended(start):
    with Server("--handshake-timeout", "300ms") as server:
        with RawWebSocket(server) as raw, RawWebSocket.open(server) as done:
            raw.send(start)
            began = time.monotonic()
            try:
                while raw.socket.recv(1 << 16):
                    continue
            except ConnectionResetError:
                pass
            assert time.monotonic() - began < TIMEOUT / 2
            done.expect_pong()


def test_a_good_handshake_is_answered_as_the_rfc_says(server):
    key = base64.b64encode(os.urandom(16)).decode()
    accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
    with RawWebSocket(server) as raw:
        status, headers = raw.request(upgrade_request(
            Upgrade="WebSocket", Connection="keep-alive, Upgrade", Sec_WebSocket_Key=key,
            Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits", Sec_WebSocket_Protocol="chat"))
        assert (status, headers["sec-websocket-accept"]) == (101, accept)
        assert headers["upgrade"].lower() == "websocket" and headers["connection"].lower() == "upgrade"
        assert "sec-websocket-protocol" not in headers
        raw.expect_pong()


@pytest.mark.parametrize(("request_text", "statuses"), [
    (upgrade_request(without=["Upgrade", "Connection"]), {426}), (upgrade_request(without=["Upgrade"]), {400, 426}),
    (upgrade_request(Upgrade="h2c"), {400, 426}), (upgrade_request(without=["Connection"]), {400, 426}),
    (upgrade_request(Sec_WebSocket_Version="8"), {400, 426}),
    (upgrade_request(without=["Sec-WebSocket-Version"]), {400, 426}),
    (upgrade_request(without=["Sec-WebSocket-Key"]), {400}), (upgrade_request(Sec_WebSocket_Key="short"), {400}),
    (upgrade_request(Sec_WebSocket_Key="dGhpcyBpcyBmYXIgdG9vIGxvbmcgdG8gYmUgYSBrZXk="), {400}),
    (upgrade_request("/nope"), {404}), (upgrade_request("/v1"), {404}), (upgrade_request("/v2/ws"), {404}),
    (upgrade_request(method="POST"), {400, 405, 426}),
])
def test_a_handshake_that_is_none_is_refused(server, request_text, statuses):
    with RawWebSocket(server) as raw:
        status, headers = raw.request(request_text)
        assert status in statuses
        assert status != 426 or headers["sec-websocket-version"] == "13"
    with RawWebSocket.open(server) as other:
        other.expect_pong()


@pytest.mark.parametrize("garbage", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, b"\x00" * 500, b"hello\r\n\r\n",
    b"GET /ws HTTP/9.9\r\n\r\n", b"GET " + b"/" * 200_000 + b" HTTP/1.1\r\n\r\n",
])
def test_what_is_no_http_is_answered_or_closed_and_disturbs_nothing(server, garbage):
    with RawWebSocket(server) as raw, RawWebSocket.open(server) as other:
        try:
            raw.send(garbage)
            answer = raw.socket.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError):
            answer = b""
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 505")
        other.expect_pong()


def test_a_client_that_sends_its_first_command_with_the_handshake_is_answered(server):
    with RawWebSocket(server) as raw:
        status, _ = raw.request(upgrade_request() + command(type="ping", request_id=1))
        assert status == 101
        assert raw.read_message()["request_id"] == 1


def test_a_handshake_on_a_connection_that_has_carried_requests_is_upgraded(server):
    """As a proxy with kept-alive connections sends it."""
    with RawWebSocket(server) as raw:
        for _ in range(2):
            raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.read_response() == 200
        status, _ = raw.request(upgrade_request())
        assert status == 101
        raw.command(type="ping", request_id="late")
        assert raw.read_message()["request_id"] == "late"


def test_another_protocol_asked_for_is_ignored_and_the_request_answered(server):
    with RawWebSocket(server) as raw:
        for _ in range(2):
            raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.read_response() == 200
        raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert raw.read_response() == 200
        raw.expect_end()


def test_a_request_whose_body_drips_in_is_cut_off():
    with Server("--handshake-timeout", "300ms") as server, RawWebSocket(server) as raw:
        raw.send(b"POST /topics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        assert raw.read_response() == 408
        raw.expect_end()


def test_a_topic_made_again_is_published_to_by_who_knew_the_old_one(server):
    with RawWebSocket.open(server) as raw:
        for _ in range(3):
            server.create("again")
            raw.command(type="publish", topic="again", message={"id": "0" * 32, "payload": 1})
            assert raw.read_message()["type"] == "ack"
            assert server.rest("DELETE", "/topics/again").status == 200


@pytest.mark.parametrize("path", ["/topics//x", "/topics/", "/health/", "/topics/x/"])
def test_a_path_with_a_slash_too_many_is_unknown(server, path):
    assert server.rest("DELETE", path).status == 404
