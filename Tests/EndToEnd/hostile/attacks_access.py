"""Credentials that are wrong, by thousands; and an address of keys for tokens that is no help."""

import base64
import contextlib
import functools
import json
import socket
import struct
import threading
import time

from apus_e2e import PATIENCE, TIMEOUT
from attack import BOSS, MIB, attack, read_to_close
from raw_http import RawHTTP, request
from raw_websocket import RawWebSocket, command, upgrade_request
from test_jwks import KEYS, token

RIGHT_KEY = ("--tokens-keys", json.dumps([{"kid": "one", "alg": "ES256",
                                           "file": str(KEYS / "TEST-ONLY-ec256-public.pem")}]))


@functools.cache
def bad_tokens():
    """Such as are no tokens, signed by somebody else, of another algorithm, for another key, and very long."""
    good = token()
    head, claims, signature = good.split(".")

    def part(**fields):
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()
    forged = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    return [f"{head}.{claims}.{forged}", f"{part(alg='none')}.{claims}.",
            f"{part(alg='HS256', kid='one')}.{claims}.{signature}",
            f"{head}.{part(sub='boss', exp=1 << 40, apus=[])}.{signature}", "a.b.c", "x" * 8000, "." * 4000,
            f"{part(alg='ES256', kid='one', x=['a'] * 1000)}.{claims}.{signature}"]


@attack("thousands of bad tokens a second, over HTTP", guarded=True, flags=RIGHT_KEY)
def bad_tokens_over_http(strike):
    began, refused, texts = time.monotonic(), 0, [
        request(path="/topics", Authorization=f"Bearer {wrong}") for wrong in bad_tokens()]
    with RawHTTP(strike.server) as raw:
        while strike.goes_on or refused < 1000:
            raw.send(b"".join(texts) * 2)
            for _ in range(2 * len(texts)):
                assert raw.answer().status == 401
            refused += 2 * len(texts)
    # By command, the machine is ours.
    assert strike.is_short or refused >= 1000 * (time.monotonic() - began), refused
    return {"refused": refused}


@attack("bad tokens in handshakes and first messages of WebSockets", guarded=True, flags=RIGHT_KEY)
def bad_tokens_over_websocket(strike):
    refused = 0
    for _ in strike.rounds():
        for wrong in bad_tokens():
            with RawWebSocket(strike.server) as raw:
                assert raw.request(upgrade_request(Authorization=f"Bearer {wrong}"))[0] == 401
            with RawWebSocket.open(strike.server) as raw:
                raw.send(command(type="auth", token=wrong))
                assert read_to_close(raw) == 1008
            refused += 2
    return {"refused": refused}


@attack("connections that never say who they are, and commands from them", guarded=True)
def strangers(strike):
    refused = 0
    for _ in strike.rounds():
        with strike.sockets(strike.many(50, 200)) as raws:
            for raw in raws:
                raw.send(command(type="subscribe", topic="bystander", client_id="c") * 20)
            for raw in raws:
                assert raw.read_message()["error"]["code"] == "UNAUTHORIZED"
                assert read_to_close(raw) == 1008
                refused += 1
    return {"refused": refused}


@contextlib.contextmanager
def keys_address(answer):
    """A server on a port of its own that gives each connection to the function; the flag that names it."""
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as stack:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection = stack.enter_context(listening.accept()[0])
                    threading.Thread(target=answered, args=(connection,), daemon=True).start()

        def answered(connection):
            with contextlib.suppress(OSError):
                connection.recv(65_536)
                answer(connection)
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield "--tokens-jwks-url", f"http://127.0.0.1:{listening.getsockname()[1]}/jwks"
        finally:
            # Who waits for a connection is not woken by `close`.
            listening.shutdown(socket.SHUT_RDWR)


def hangs(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    connection.recv(1)


def lies(connection):
    lengths = b"Content-Length: 5\r\nContent-Length: 7\r\n"
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + lengths + b'\r\n{"keys":[' + b"[" * 100_000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def is_huge(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b'9\r\n{"keys":[\r\n')
    for _ in range(1024):
        connection.sendall(b"100000\r\n" + b" " * MIB + b"\r\n")


def ask_with_tokens(strike):
    """Clients whose tokens need keys that do not come: they are refused, and nobody waits for them."""
    refused, good = 0, token()
    for _ in strike.rounds():
        with contextlib.ExitStack() as stack:
            raws = [stack.enter_context(RawHTTP(strike.server, timeout=4 * TIMEOUT))
                    for _ in range(strike.many(50, 500))]
            for raw in raws:
                raw.send(request(path="/topics", Authorization=f"Bearer {good}"))
            # Others are served meanwhile.
            assert strike.server.rest("GET", "/topics", headers=BOSS, timeout=5 * PATIENCE).status == 200
            for raw in raws:
                assert raw.answer().status == 401
                refused += 1
    return {"refused": refused}


@attack("an address of keys that hangs", guarded=True, beside=functools.partial(keys_address, hangs), files=8)
def jwks_hangs(strike):
    return ask_with_tokens(strike)


@attack("an address of keys that lies", guarded=True, beside=functools.partial(keys_address, lies), files=8)
def jwks_lies(strike):
    return ask_with_tokens(strike)


@attack("an address of keys that sends a gigabyte", guarded=True, beside=functools.partial(keys_address, is_huge),
        files=8)
def jwks_is_huge(strike):
    return ask_with_tokens(strike)
