"""How TLS connections end: close_notify, its absence, clients that stall or stop reading, and the server's own end."""

import socket
import time

import pytest

from apus_e2e import PATIENCE, Client, eventually
from certificates import authority
from event_stream import events_path
from extensions import describe, new_message, stalled, topic_path
from flood import expect_exact_gaps, flood, read_until, stalled_reader
from raw_http import RawHTTP, request
from raw_websocket import RawWebSocket, command, frame, upgrade_request
from secure import VERSIONS, hello, read_plainly, secure, speak, tls
from test_http_framing import waiting
from wire import RECORD, connect_plainly

pytestmark = pytest.mark.one_server("it is about TLS with one server")


@pytest.fixture(scope="module")
def server():
    with secure("--threads", "2", "--handshake-timeout", "30s") as running:
        yield running


@pytest.fixture(scope="module")
def hasty():
    with secure("--threads", "1", "--handshake-timeout", "500ms", "--idle-timeout", "1s") as running:
        yield running


# The server's close_notify: without it a `ConnectionResetError` is raised.


@VERSIONS
@pytest.mark.parametrize("before", [0, 1])
def test_an_answer_that_ends_the_connection_ends_tls_first(server, version, before):
    with RawHTTP.on(tls(server, authority().context(version))) as raw:
        for _ in range(before):
            assert raw.ask().status == 200
        assert raw.ask(Connection="close").status == 200
        raw.expect_end()


@VERSIONS
@pytest.mark.parametrize("before", [0, 1])
def test_a_refusal_ends_tls_first(server, version, before):
    with RawHTTP.on(tls(server, authority().context(version))) as raw:
        for _ in range(before):
            assert raw.ask().status == 200
        raw.send(b"this is no HTTP\r\n\r\n")
        assert raw.answer().status == 400
        raw.expect_end()


@pytest.mark.parametrize("before", [0, 1])
def test_a_closed_websocket_ends_tls(server, before):
    with RawHTTP(server) as raw:
        for _ in range(before):
            assert raw.ask().status == 200
        assert raw.request(upgrade_request())[0] == 101
        raw.send(frame(8, b"\x03\xe8"))
        assert raw.read_frame().close == (1000, "")
        assert raw.socket.recv(1) == b""


# The client's close_notify, with and without the end of the connection


@pytest.mark.parametrize("with_fin", [False, True])
@pytest.mark.parametrize("text", [request(), request("GET", "/nope"), request() * 5])
def test_requests_before_close_notify_are_answered(server, text, with_fin):
    with RawHTTP(server) as raw:
        raw.send(text)
        raw.half_close() if with_fin else raw.socket.plain.sendall(raw.socket.end())
        for _ in range(text.count(b" HTTP/1.1")):
            assert raw.answer().status in (200, 404)
        raw.expect_end()


@pytest.mark.parametrize("with_fin", [False, True])
def test_commands_before_close_notify_are_executed_and_the_connection_ends(server, topic, with_fin):
    with RawWebSocket.open(server) as raw:
        raw.subscribe(topic)
        raw.command(type="publish", topic=topic, message=new_message(1))
        raw.half_close() if with_fin else raw.socket.plain.sendall(raw.socket.end())
        eventually(lambda: server.subscribers(topic) == 0, "the connection is gone")
    assert describe(server, topic)["last"] == 1


@pytest.mark.parametrize("with_fin", [False, True])
def test_a_stream_and_a_poll_end_at_close_notify(server, topic, with_fin):
    for path in (events_path(topic_path(topic)), topic_path(topic, "/messages?wait=60s&last_n=0")):
        with RawHTTP(server) as raw:
            raw.send(request(path=path))
            eventually(lambda: waiting(server) == 1, "it waits")
            raw.half_close() if with_fin else raw.socket.plain.sendall(raw.socket.end())
            eventually(lambda: waiting(server) == 0, "nothing waits")


# Ends without close_notify


def test_what_is_cut_off_is_not_taken_for_whole(server, topic):
    """A body without a length ends where TLS ends in order; a request that is not whole is none."""
    for start in (request("POST", topic_path(topic, "/messages"), Content_Length=5) + b"123",
                  request("POST", topic_path(topic, "/messages"), Transfer_Encoding="chunked") + b"3\r\n123\r\n"):
        with RawHTTP(server) as raw:
            raw.send(start)
            raw.socket.plain.shutdown(socket.SHUT_WR)
            read_plainly(raw.socket.plain)
    assert describe(server, topic)["last"] == 0


@pytest.mark.parametrize("how", ["FIN", "half a record", "reset"])
def test_a_websocket_that_is_cut_off_is_let_go(server, topic, how):
    raw = RawWebSocket.open(server)
    raw.subscribe(topic)
    sealed = raw.socket.seal(command(type="publish", topic=topic, message=new_message(1)))
    if how == "half a record":
        raw.socket.plain.sendall(sealed[:-1])
    if how == "reset":
        raw.abort()
    else:
        raw.socket.plain.shutdown(socket.SHUT_WR)
    eventually(lambda: server.subscribers(topic) == 0, "the connection is gone")
    raw.socket.plain.close()
    assert describe(server, topic)["last"] == 0


# Clients that stop half-way


@pytest.mark.parametrize("share", [0, 1, 5, 6, 50, -1])
@pytest.mark.parametrize("ends", [False, True])
def test_who_does_not_finish_a_hello_is_let_go(hasty, share, ends):
    text = hello()
    with connect_plainly(hasty) as plain:
        plain.sendall(text[:share])
        if ends:
            plain.shutdown(socket.SHUT_WR)
        began = time.monotonic()
        assert read_plainly(plain)[:1] in (b"", b"\x15")
        assert (ends or time.monotonic() - began > 0.3) and time.monotonic() - began < 5 * PATIENCE


@VERSIONS
def test_who_does_not_finish_the_handshake_is_let_go(hasty, version):
    with connect_plainly(hasty) as plain:
        plain.sendall(hello(authority().context(version)))
        began = time.monotonic()
        assert read_plainly(plain)[:1] == b"\x16"
        assert time.monotonic() - began < 5 * PATIENCE


def test_who_sends_a_handshake_byte_by_byte_is_let_go(hasty):
    began, text = time.monotonic(), hello()
    with connect_plainly(hasty) as plain, pytest.raises(ConnectionError):
        for byte in text * 10:
            plain.sendall(bytes([byte]))
            time.sleep(0.02)
    assert time.monotonic() - began < 5 * PATIENCE


@pytest.mark.parametrize("start", [b"", b"G", upgrade_request()[:-1]])
def test_who_says_nothing_after_the_handshake_is_let_go(hasty, start):
    with tls(hasty) as connection:
        connection.sendall(start)
        began = time.monotonic()
        try:
            while data := connection.recv(RECORD):
                assert b" 101 " not in data and b" 200 " not in data
        except ConnectionResetError:
            pass
        assert time.monotonic() - began < 5 * PATIENCE


def test_handshakes_that_stall_keep_nobody_waiting_and_leave_nothing_behind(hasty):
    with tls(hasty) as connection:
        speak(connection)
    before = eventually(lambda: hasty.open_files, "files")
    held = [connect_plainly(hasty) for _ in range(100)]
    for number, plain in enumerate(held):
        plain.sendall(hello()[:number * 5])
    with RawWebSocket.open(hasty) as raw:
        raw.expect_pong("p")
    eventually(lambda: hasty.open_files <= before, "their sockets are closed")
    for plain in held:
        plain.close()


# Slow readers, and the end


@pytest.mark.limit(120)
async def test_a_slow_reader_over_tls_is_told_its_gaps_exactly():
    with secure("--queue", "100") as server:
        server.create("t")
        with stalled_reader(server, "t") as raw:
            async with await Client.open(server) as publisher, await Client.open(server) as healthy:
                await healthy.subscribe("t")
                before = server.rss
                await flood(publisher, "t", range(1500), 16 * 1024, [healthy])
                assert server.rss - before < 16 << 20
            seen = read_until(raw, 1499)
            assert seen.gaps and not seen.errors and seen.close is None
            expect_exact_gaps(seen, 1500)


async def test_a_slow_reader_over_tls_is_disconnected_where_that_is_the_policy():
    with secure("--queue", "50", "--overflow", "disconnect") as server:
        server.create("t")
        with stalled_reader(server, "t") as raw:
            async with await Client.open(server) as publisher:
                await flood(publisher, "t", range(800), 16 * 1024)
            seen = read_until(raw, 799)
            assert seen.errors == ["SLOW_CONSUMER"] and seen.close == (1008, "SLOW_CONSUMER")


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_end_of_the_server_is_1001_and_close_notify(threads):
    with secure("--threads", threads, "--drain-timeout", "20s") as server:
        server.create("t")
        raws = [RawWebSocket.open(server) for _ in range(10)]
        stream, idle, poll = RawHTTP(server), RawHTTP(server), RawHTTP(server)
        stream.send(request(path="/topics/t/events"))
        assert stream.head()[0] == 200
        assert idle.ask().status == 200
        poll.send(request(path="/topics/t/messages?wait=60s&last_n=0"))
        eventually(lambda: waiting(server) == 2, "both wait")
        half, handshaking = connect_plainly(server), connect_plainly(server)
        handshaking.sendall(hello()[:20])
        server.stop()
        for raw in raws:
            raw.expect_close(1001)
        stream.rest()
        assert poll.answer().status in (200, 503)
        for raw in (idle, poll):
            raw.expect_end()
        server.process.wait(10 * PATIENCE)
        for plain in (half, handshaking):
            read_plainly(plain)
            plain.close()


async def test_what_was_published_before_the_end_is_delivered_before_it():
    with secure("--queue", "100000") as server:
        server.create("t")
        raw, _ = stalled(server, "t")
        with raw:
            async with await Client.open(server) as publisher:
                await flood(publisher, "t", range(300), 16 * 1024)
                server.stop()
                seen = read_until(raw, 299)
                assert seen.numbers == list(range(300))
