"""Clients that hold something open: by sending next to nothing, by reading nothing, or by not coming back."""

import contextlib
import socket
import time

from apus_e2e import TIMEOUT
from attack import GIB, KIB, MIB, TLS, abort, attack, publishing, push, read_to_close, reply
from flood import TINY_WINDOW
from raw_http import RawHTTP, request
from raw_websocket import TEXT, RawWebSocket, command, frame, upgrade_request
from secure import hello
from wire import RECORD, connect, connect_plainly

# A byte of each connection, then the next of each.
PAUSE = 0.02


def drip(strike, connections, text):
    """Sends the text byte by byte on all connections, but for its end; until time is up, or all are refused."""
    sent, alive = 0, list(connections)
    for position in range(len(text) - 1):
        for connection in list(alive):
            try:
                connection.sendall(text[position:position + 1])
                sent += 1
            except OSError:
                alive.remove(connection)
        if not alive or not strike.goes_on:
            break
        time.sleep(PAUSE)
    return sent


def expect_refusal(connections, *answers):
    """The server must end all of these, saying one of these things at most."""
    for connection in connections:
        said = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(RECORD):
                said += part
        assert said.startswith(answers), said[:200]


@attack("handshakes of TLS that drip in, or stop half-way", port=TLS)
def slow_tls_handshakes(strike):
    text, refused = hello(), 0
    for _ in strike.rounds():
        plains = [connect_plainly(strike.server, 3 * TIMEOUT) for _ in range(strike.many(100, 500))]
        for number, plain in enumerate(plains):
            # Nothing, a part of it, or all of it without what must come next.
            plain.sendall(text[:len(text) * (number % 3) // 2])
        drip(strike, plains[::3], text)
        expect_refusal(plains, b"")
        refused += len(plains)
    return {"timed out": refused}


@attack("handshakes of WebSocket that drip in", twice=True)
def slow_upgrades(strike):
    return slow_heads_of(strike, upgrade_request())


@attack("heads of requests that drip in, many fields one by one")
def slow_heads(strike):
    return slow_heads_of(strike, request(path="/health", **{f"X_{number}": "y" for number in range(100)}))


def slow_heads_of(strike, text):
    refused = sent = 0
    for _ in strike.rounds():
        connections = [connect(strike.server, 3 * TIMEOUT) for _ in range(strike.many(100, 500))]
        sent += drip(strike, connections, text)
        expect_refusal(connections, b"HTTP/1.1 408 ")
        refused += len(connections)
        for connection in connections:
            connection.close()
    assert sent >= refused
    return {"timed out": refused, "bytes": sent}


@attack("bodies of requests that drip in, with a length and in chunks")
def slow_bodies(strike):
    refused = sent = 0
    for _ in strike.rounds():
        connections = [connect(strike.server, 3 * TIMEOUT) for _ in range(strike.many(100, 500))]
        for number, connection in enumerate(connections):
            form = {"Content_Length": "60000"} if number % 2 else {"Transfer_Encoding": "chunked"}
            connection.sendall(request("POST", "/topics", **form) + (b"" if number % 2 else b"ea60\r\n"))
        sent += drip(strike, connections, b" " * 60_000)
        expect_refusal(connections, b"HTTP/1.1 408 ")
        refused += len(connections)
        for connection in connections:
            connection.close()
    return {"timed out": refused, "bytes": sent}


@attack("frames that drip in byte by byte")
def slow_frames(strike):
    sent, text = 0, command(type="ping", request_id="x" * 200)
    with strike.sockets(strike.many(100, 500)) as raws:
        for _ in strike.rounds():
            drip(strike, [raw.socket for raw in raws], text[:strike.many(20, 200)])
        # They may take their time: all are there, and what comes now is the rest of the frame or a mistake in it.
        for raw in raws:
            raw.send(b"\xff" * 400)
            sent += 400
            assert read_to_close(raw) in (1002, 1007)
    return {"connections": len(raws)}


@attack("connections that say nothing, close one side only, or are not heard of again")
def half_open(strike):
    refused = 0
    starts = [b"", b"G", upgrade_request()[:-1], upgrade_request(), upgrade_request() + command(type="ping")[:-1],
              request("POST", "/topics", Content_Length=100)]
    for _ in strike.rounds():
        connections = [connect(strike.server, 3 * TIMEOUT) for _ in range(strike.many(150, 900))]
        for number, connection in enumerate(connections):
            connection.sendall(starts[number % len(starts)])
            if number % 2:
                connection.shutdown(socket.SHUT_WR)
        # All of which nothing can come any more are ended by the server, and all that have not said what they want.
        for number, connection in enumerate(connections):
            if number % 2 or number % len(starts) not in (3, 4):
                with contextlib.suppress(ConnectionError):
                    while connection.recv(RECORD):
                        pass
                refused += 1
        for connection in connections:
            connection.close()
    return {"ended by the server": refused}


@attack("subscribers that read nothing of what they are sent", memory=16 * MIB, peak=64 * MIB)
def slow_readers(strike):
    text, published = frame(TEXT, publishing("{}", f'"{"x" * 8 * KIB}"')), 0
    with strike.topic() as topic, contextlib.ExitStack() as stack:
        for number in range(strike.many(50, 300)):
            raw = stack.enter_context(RawWebSocket.open(strike.server, receive_buffer=TINY_WINDOW))
            raw.subscribe(topic, f"r{number}")
        publisher = stack.enter_context(RawWebSocket.open(strike.server))
        text = frame(TEXT, publishing(topic, f'"{"x" * 8 * KIB}"')) * 20
        while strike.goes_on or published < 2000:
            publisher.send(text)
            for _ in range(20):
                assert reply(publisher)["type"] == "ack"
            published += 20
        told = strike.server.rest("GET", f"/topics/{topic}/subscribers?sort=lag&limit=1", headers=strike.headers).json
        assert "dropped" in str(told), told
    return {"published": published}


@attack("a gigabyte of history asked for by WebSockets that read little or nothing of it", peak=64 * MIB,
        twice=True)
def backlog(strike):
    asked = read = 0
    size, count = 64 * KIB, 256
    with history(strike, size, count) as topic:
        for _ in strike.rounds():
            with contextlib.ExitStack() as stack:
                raws = [stack.enter_context(RawWebSocket.open(strike.server, receive_buffer=TINY_WINDOW))
                        for _ in range(16)]
                for raw in raws:
                    # Four of one connection are as many as four connections of one.
                    raw.send(b"".join(command(type="subscribe", topic=topic, client_id=f"c{number}", last_n=count)
                                      for number in range(4)))
                    asked += 4 * size * count
                for raw in raws[::4]:
                    raw.take(MIB)
                    read += MIB
    assert asked >= GIB
    return {"MiB asked for": asked // MIB, "MiB read": read // MIB}


# A page is 4 MiB at most, here for 32 clients, each of which asks for the next as well.
@attack("a gigabyte of history asked for in pages and streams by clients that read nothing", peak=320 * MIB)
def backlog_over_http(strike):
    asked = streams = 0
    size, count = 64 * KIB, 256
    with history(strike, size, count) as topic:
        page = request(path=f"/topics/{topic}/messages?last_n={count}", **strike.fields)
        stream = request(path=f"/topics/{topic}/events?last_n={count}", **strike.fields)
        for _ in strike.rounds():
            with contextlib.ExitStack() as stack:
                for number in range(64):
                    raw = stack.enter_context(RawHTTP(strike.server, receive_buffer=TINY_WINDOW))
                    raw.send(stream if number % 2 else page * 64)
                    assert raw.head()[0] == 200
                    asked += size * count if number % 2 else 64 * 4 * MIB
                    streams += number % 2
    assert asked >= GIB
    return {"MiB asked for": asked // MIB, "streams": streams}


@contextlib.contextmanager
def history(strike, size, count):
    """A topic that keeps so many messages of this size."""
    with strike.topic(history=count) as topic:
        with RawWebSocket.open(strike.server) as publisher:
            text = frame(TEXT, publishing(topic, f'"{"x" * size}"'))
            for _ in range(count):
                publisher.send(text)
                assert reply(publisher)["type"] == "ack"
        yield topic


@attack("a client that sends without end, and reads none of the answers", twice=True)
def never_reads(strike):
    sent = 0
    pings = [frame(9, b"x" * 125) * 500, command(type="ping", request_id="x" * 250) * 500, frame(TEXT, b"{") * 5000,
             request(path="/openapi.json") * 200]
    for _ in strike.rounds():
        for number, text in enumerate(pings):
            raw = RawHTTP(strike.server, receive_buffer=TINY_WINDOW) if number == 3 else \
                RawWebSocket.open(strike.server, receive_buffer=TINY_WINDOW)
            # What is not read any more is held back at the sender.
            part = push(raw, text * (64 * MIB // len(text)), strike.many(0.1, 1))
            assert part < 64 * MIB, "the server takes all there is"
            sent += part
            assert raw.read_some()
            abort(raw)
    return {"MiB sent": sent // MIB}
