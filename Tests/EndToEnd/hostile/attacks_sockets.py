"""Connections in numbers, and bytes that are nothing."""

import contextlib
import random
import socket

from attack import RESET, TLS, abort, attack, push
from certificates import authority
from raw_http import RawHTTP, request
from raw_websocket import RawWebSocket, command, upgrade_request
from secure import V12, hello, read_plainly
from wire import connect, connect_plainly


@attack("connections opened and closed, or reset, as fast as they go", twice=True)
def connect_storm(strike):
    count = 0
    for number in strike.rounds():
        plains = [connect_plainly(strike.server) for _ in range(100)]
        for plain in plains:
            # Most say nothing at all.
            if number % 4 == 3:
                plain.sendall(upgrade_request()[:40])
        for plain in plains:
            if number % 2:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            plain.close()
        count += len(plains)
    return {"connections": count}


@attack("WebSockets opened, subscribed, and reset, as fast as they go")
def websocket_storm(strike):
    count = 0
    with strike.topic() as topic:
        for _ in strike.rounds():
            raws = [RawWebSocket.open(strike.server) for _ in range(strike.many(20, 50))]
            for raw in raws:
                raw.send(command(type="subscribe", topic=topic, client_id="c"))
            for raw in raws:
                assert raw.read_message()["type"] == "ack"
                abort(raw)
            count += len(raws)
    return {"connections": count}


@attack("hundreds of connections at once, each of which asks something")
def crowd(strike):
    count = 0
    for _ in strike.rounds():
        with strike.sockets(strike.many(200, 2000)) as raws:
            for raw in raws:
                raw.send(command(type="ping"))
            for raw in raws:
                assert raw.read_message()["type"] == "pong"
            count += len(raws)
    return {"connections": count}


@attack("random bytes at the port", twice=True)
def random_bytes(strike):
    source, count = random.Random(strike.seed), 0
    for number in strike.rounds():
        for size in (1, 10, 100, 3000, 100_000):
            text = source.randbytes(size)
            # Half of them look like the beginning of something.
            begun = [b"", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01", upgrade_request()[:-2]][number % 4]
            with connect_plainly(strike.server) as plain:
                with contextlib.suppress(OSError):
                    plain.sendall(begun + text)
                    plain.shutdown(socket.SHUT_WR)
                    read_plainly(plain)
                count += 1
    return {"connections": count}


@attack("random bytes inside of TLS, where the server speaks it, and behind a good request")
def random_bytes_inside(strike):
    source, count = random.Random(strike.seed), 0
    for number in strike.rounds():
        text = source.randbytes(source.randrange(1, 5000))
        with RawHTTP.on(connect(strike.server)) as raw:
            if number % 2:
                assert raw.ask(path="/livez").status == 200
            with contextlib.suppress(OSError, EOFError, ValueError):
                push(raw, text)
                raw.half_close()
                while raw.answer():
                    pass
            count += 1
    return {"connections": count}


@attack("first halves of handshakes of TLS, which are the dear ones", port=TLS)
def handshake_storm(strike):
    count, texts = 0, [hello(authority().context(V12)), hello()]
    for _ in strike.rounds():
        plains = [connect_plainly(strike.server) for _ in range(100)]
        for number, plain in enumerate(plains):
            plain.sendall(texts[number % 2])
        for plain in plains:
            # The server's hello: it has signed.
            assert plain.recv(1) == b"\x16"
            plain.close()
        count += len(plains)
    return {"handshakes": count}


@attack("requests without TLS at a port with TLS", port=TLS)
def plain_text_storm(strike):
    count = 0
    for _ in strike.rounds():
        plains = [connect_plainly(strike.server) for _ in range(100)]
        for plain in plains:
            plain.sendall(request())
        for plain in plains:
            assert read_plainly(plain).startswith(b"HTTP/1.1 400 ")
            plain.close()
        count += len(plains)
    return {"connections": count}
