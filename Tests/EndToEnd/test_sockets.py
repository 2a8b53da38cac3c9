"""From the socket to the conversation: handshakes in every kind of piece, what is none, and clients that stop half-way."""

import random
import socket
import time

import pytest

from apus_e2e import PATIENCE, Server
from raw_websocket import TEXT, RawWebSocket, command, frame, upgrade_request

pytestmark = [pytest.mark.over_tls, pytest.mark.one_server("it is about one process")]

PATHS = ["/ws", "/v1/ws"]
UUID = "550e8400-e29b-41d4-a716-446655440000"


def subscription(topic):
    return command(type="subscribe", topic=topic, client_id="c", request_id="s")


def publishing(topic, payload, request_id="p"):
    return command(type="publish", topic=topic, request_id=request_id, message={"id": UUID, "payload": payload})


def expect_answers(raw, payload):
    """The answers to a subscription and a publish."""
    told = [raw.read_message() for _ in range(3)]
    assert [message["type"] for message in told] == ["ack", "ack", "event"], told
    assert [message.get("request_id") for message in told[:2]] == ["s", "p"]
    assert told[2]["message"]["payload"] == payload


def in_pieces(raw, data, size):
    for start in range(0, len(data), size):
        raw.send(data[start:start + size])


# Handshakes


@pytest.mark.parametrize("path", PATHS)
def test_a_handshake_may_come_byte_by_byte(server, topic, path):
    with RawWebSocket(server) as raw:
        request = upgrade_request(path)
        in_pieces(raw, request[:-1], 1)
        assert raw.request(request[-1:])[0] == 101
        in_pieces(raw, subscription(topic) + publishing(topic, [path]), 1)
        expect_answers(raw, [path])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("cut", [0, 1, 7, 40, 110])
def test_frames_may_come_right_behind_a_handshake(server, topic, path, cut):
    frames = subscription(topic) + publishing(topic, "here")
    with RawWebSocket(server) as raw:
        assert raw.request(upgrade_request(path) + frames[:cut or len(frames)])[0] == 101
        raw.send(frames[cut:] if cut else b"")
        expect_answers(raw, "here")
        raw.expect_pong("still")


def test_frames_may_come_behind_the_last_byte_of_a_handshake_in_pieces(server, topic):
    request, frames = upgrade_request(), subscription(topic) + publishing(topic, 1)
    with RawWebSocket(server) as raw:
        in_pieces(raw, request[:-2], 5)
        assert raw.request(request[-2:] + frames)[0] == 101
        expect_answers(raw, 1)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("requests", [1, 3])
@pytest.mark.parametrize("size", [1, 3, 50, 100_000])
def test_a_handshake_may_follow_requests_with_frames_behind_it(server, topic, path, requests, size):
    with RawWebSocket(server) as raw:
        for _ in range(requests):
            raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.read_response() == 200
        in_pieces(raw, upgrade_request(path) + subscription(topic) + publishing(topic, size), size)
        assert raw.request(b"")[0] == 101
        expect_answers(raw, size)
        raw.expect_pong("still")


def test_a_handshake_that_follows_requests_brings_a_large_message_along(server, topic):
    with RawWebSocket(server) as raw:
        raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.read_response() == 200
        payload = "x" * 500_000
        assert raw.request(upgrade_request() + subscription(topic) + publishing(topic, payload))[0] == 101
        expect_answers(raw, payload)


def test_a_handshake_at_the_port_is_answered_once(server):
    with RawWebSocket(server) as raw:
        assert raw.request(upgrade_request())[0] == 101
        # Another is no frame.
        raw.send(upgrade_request())
        raw.expect_close(1002)


# What is no handshake


@pytest.mark.parametrize(("request_text", "statuses"), [
    (upgrade_request(Content_Length="2") + b"{}", [400]),
    (upgrade_request(Transfer_Encoding="chunked") + b"0\r\n\r\n", [400]),
    (upgrade_request(Expect="100-continue"), [101]), (upgrade_request(Expect="x"), [417]),
    (upgrade_request("http://127.0.0.1/ws"), [101]),
    (upgrade_request("/ws%20"), [404]), (upgrade_request("/wsx"), [404]), (upgrade_request("/v1/ws/"), [404]),
    (upgrade_request(method="POST"), [405, 404, 400, 426]), (upgrade_request(method="HEAD"), [405, 404, 400, 426]),
    (upgrade_request(without=["Upgrade"]), [426]), (upgrade_request(without=["Connection"]), [400]),
    (upgrade_request(Sec_WebSocket_Version="8"), [426]), (upgrade_request(Sec_WebSocket_Key="short"), [400]),
    (upgrade_request().replace(b"HTTP/1.1", b"HTTP/1.0"), [426, 400, 404]),
    (upgrade_request().replace(b"GET", b"get"), [400, 404, 405]),
    (upgrade_request(X="a" * 20_000), [101, 400, 431]),
    (upgrade_request(X="ä"), [101, 400]),
    (upgrade_request().replace(b"Upgrade: websocket\r\n", b"Upgrade: websocket\n"), [101, 400]),
    (upgrade_request(X="a\r\n folded"), [101, 400]),
    (upgrade_request(**{f"H{number}": "x" for number in range(70)}), [101, 400, 431]),
])
@pytest.mark.parametrize("size", [16, 100_000])
def test_what_is_out_of_the_ordinary_gets_an_answer_of_http(server, request_text, statuses, size):
    with RawWebSocket(server) as raw:
        try:
            in_pieces(raw, request_text, size)
            assert raw.request(b"")[0] in statuses
        except (BrokenPipeError, ConnectionResetError):
            # Hung up on while it was still sending what had been refused.
            assert size < len(request_text) and 400 in statuses
    assert server.rest("GET", "/health").status == 200


@pytest.mark.parametrize("seed", range(3))
def test_garbage_does_no_harm(server, seed):
    source = random.Random(seed)
    texts = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 5000, b"\r\n" * 100, b"HELO there\r\n\r\n",
             b"GET /ws HTTP/1.1\r\nUpgrade\r\n\r\n", b"GET /ws HTTP/9.9\r\n\r\n", b"G" * 100_000,
             b"GET /ws HTTP/1.1\r\n" + b"a" * 100_000, b"GET /ws?" + b"a" * 100_000, frame(TEXT, "{}")]
    texts += [source.randbytes(source.randrange(1, 3000)) for _ in range(50)]
    for text in texts:
        with RawWebSocket(server) as raw:
            try:
                raw.send(text)
                raw.socket.shutdown(socket.SHUT_WR)
                while raw.socket.recv(1 << 16):
                    pass
            except (BrokenPipeError, ConnectionResetError, OSError) as error:
                assert not isinstance(error, TimeoutError), text[:40]
    with RawWebSocket.open(server) as raw:
        raw.expect_pong("fine")


# Clients that stop half-way


@pytest.fixture(scope="module")
def hasty():
    with Server("--handshake-timeout", "500ms", "--threads", "1") as running:
        yield running


def expect_cut(raw, within=10 * PATIENCE):
    """The server ends the connection, and has not said that all is well."""
    raw.socket.settimeout(within)
    try:
        while data := raw.socket.recv(1 << 16):
            assert b" 101 " not in data and b" 200 " not in data
    except ConnectionResetError:
        pass


@pytest.mark.parametrize("start", [
    b"", b"G", upgrade_request()[:-1], b"GET /health HTTP/1.1\r\nHost: localhost\r\n",
    b"POST /topics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
])
def test_who_says_nothing_more_is_let_go(hasty, start):
    with RawWebSocket(hasty) as raw:
        raw.send(start)
        began = time.monotonic()
        expect_cut(raw)
        assert 0.3 < time.monotonic() - began < 5 * PATIENCE


@pytest.mark.parametrize("ends", [False, True])
def test_half_a_head_is_waited_for_without_taking_processor_time(ends):
    with Server("--threads", "1", "--handshake-timeout", "3s") as server:
        with RawWebSocket(server) as raw:
            raw.send(upgrade_request()[:-2])
            if ends:
                raw.socket.shutdown(socket.SHUT_WR)
            before = server.processor_time
            expect_cut(raw)
            assert server.processor_time - before < 0.1


@pytest.mark.parametrize("text", [upgrade_request(X="x" * 1000), b"GET /health HTTP/1.1\r\nX: " + b"x" * 1000])
def test_who_trickles_is_let_go(hasty, text):
    with RawWebSocket(hasty) as raw:
        began = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for byte in text:
                raw.send(bytes([byte]))
                time.sleep(0.02)
        assert time.monotonic() - began < 5 * PATIENCE


@pytest.mark.parametrize("start", [b"", b"G", upgrade_request()[:-2], b"GET /health HTTP/1.1\r\n"])
def test_half_a_head_and_half_an_end_are_an_end(hasty, start):
    with RawWebSocket(hasty) as raw:
        raw.send(start)
        raw.socket.shutdown(socket.SHUT_WR)
        expect_cut(raw)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("behind_a_request", [False, True])
@pytest.mark.parametrize("count", [1, 300])
def test_commands_before_half_an_end_are_executed(server, topic, behind_a_request, at_once, count):
    frames = b"".join(publishing(topic, number, str(number)) for number in range(count))
    with RawWebSocket.open(server) as reader:
        reader.subscribe(topic)
        for _ in range(30):
            with RawWebSocket(server) as raw:
                if behind_a_request:
                    raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    assert raw.read_response() == 200
                if at_once:
                    raw.send(upgrade_request() + frames)
                else:
                    assert raw.request(upgrade_request())[0] == 101
                    raw.send(frames)
                raw.socket.shutdown(socket.SHUT_WR)
                assert [reader.read_message()["message"]["payload"] for _ in range(count)] == list(range(count))


def test_a_request_before_half_an_end_is_answered(server):
    with RawWebSocket(server) as raw:
        raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.read_response() == 200


# One client's flood


def test_a_packet_of_commands_may_have_more_replies_than_may_wait(server):
    packet, count = command(type="ping") * 3000, 3000
    with RawWebSocket.open(server) as raw:
        for _ in range(10):
            raw.send(packet)
            for _ in range(count):
                assert raw.read_message()["type"] == "pong"
        raw.expect_pong("still read")


def test_one_that_floods_does_not_keep_others_waiting():
    with Server("--threads", "1") as server, RawWebSocket.open(server) as loud, RawWebSocket.open(server) as quiet:
        loud.socket.setblocking(False)
        packet, until = command(type="ping") * 3000, time.monotonic() + 1
        while time.monotonic() < until:
            try:
                loud.socket.send(packet)
                loud.socket.recv(1 << 20)
            except BlockingIOError:
                pass
            began = time.monotonic()
            quiet.expect_pong("q")
            assert time.monotonic() - began < 1 * PATIENCE
