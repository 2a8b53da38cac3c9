"""Keys for tokens from an address: section 8."""

import asyncio
import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from apus_e2e import BASE, Client, Server, apus

pytestmark = pytest.mark.one_server("it is about how a server starts, listens and ends")

KEYS = Path(__file__).parents[1] / "ApusAccessTests" / "Resources"
BOSS = {"X-API-Key": "boss"}


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk():
    """The public key as a JWK: the last 64 bytes of its DER are the two coordinates (RFC 5480 section 2.2)."""
    lines = (KEYS / "TEST-ONLY-ec256-public.pem").read_text().splitlines()
    der = base64.b64decode("".join(line for line in lines if "-----" not in line))
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "one", "x": part(der[-64:-32]), "y": part(der[-32:])}


def token(kid="one"):
    made = apus("token", "mint", "--key-file", KEYS / "TEST-ONLY-ec256-private.pem", "--alg", "ES256", "--kid", kid,
                "--sub", "ann", "--allow", "*:>")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@contextmanager
def address(body, gate=None):
    """An HTTP server that answers with `body`, once `gate` is open; and the list of its requests."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            if gate:
                gate.wait(60)
            status, answer = body() if callable(body) else (200, body)
            try:
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                pass

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}/jwks", requests
        finally:
            if gate:
                gate.set()
            http.shutdown()


GOOD = json.dumps({"keys": [jwk()]}).encode()


async def test_keys_are_fetched_once_and_commands_wait_for_them():
    gate = threading.Event()
    with address(GOOD, gate) as (url, requests), Server("--tokens-jwks-url", url, "--api-key", "boss") as server:
        server.create("t", headers=BOSS)
        good = token()
        async with await Client.open(server, BASE, f"?token={good}") as early, await Client.open(server) as first:
            for client in (early, first):
                if client is first:
                    await client.send(type="auth", token=good)
                await client.send(type="subscribe", topic="t", client_id="c")
                await client.send(type="ping", request_id=1)
            # A bystander with another credential does not notice.
            async with await Client.open(server, additional_headers=BOSS) as other:
                await other.expect_alive()
            gate.set()
            for client, answers in ((early, ["ack", "pong"]), (first, ["ack", "ack", "pong"])):
                assert [(await client.receive())["type"] for _ in answers] == answers
        assert server.rest("GET", "/topics", headers={"Authorization": f"Bearer {good}"}).status == 200
        # An unknown key asks again at most once a minute.
        for _ in range(3):
            assert server.rest("GET", "/topics", headers={"Authorization": f"Bearer {token('two')}"}).status == 401
        assert len(requests) == 1


async def test_a_token_that_turns_out_wrong_closes_the_connection():
    with address(GOOD) as (url, _), Server("--tokens-jwks-url", url) as server:
        async with await Client.open(server, BASE, f"?token={token()[:-4]}AAAA") as client:
            await client.send(type="ping")
            [error] = await client.expect_close(1008, "UNAUTHORIZED")
            assert error["error"]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize("body", [
    b"no json", b"{}", b'{"keys":[]}', b'{"keys":' + b"[" * 10_000, b" " * 300_000 + GOOD,
    lambda: (404, GOOD), lambda: (302, GOOD), lambda: (500, b""),
], ids=["text", "object", "empty", "deep", "huge", "missing", "redirect", "broken"])
def test_an_address_that_lies_lets_nobody_in(body):
    with address(body) as (url, requests), Server("--tokens-jwks-url", url, "--api-key", "boss") as server:
        response = server.rest("GET", "/topics", headers={"Authorization": f"Bearer {token()}"})
        assert (response.status, response.json["code"]) == (401, "UNAUTHORIZED")
        assert server.rest("GET", "/topics", headers=BOSS).status == 200
        assert requests == ["/jwks"]


async def test_an_address_that_hangs_holds_up_only_who_needs_it():
    with address(GOOD, threading.Event()) as (url, _), Server("--tokens-jwks-url", url, "--api-key", "boss") as server:
        good = token()
        hanging = asyncio.create_task(
            asyncio.to_thread(server.rest, "GET", "/topics", headers={"Authorization": f"Bearer {good}"}))
        async with await Client.open(server, BASE, f"?token={good}") as waiting:
            await waiting.send(type="ping")
            for _ in range(5):
                assert server.rest("GET", "/topics", headers=BOSS).status == 200
            assert (await waiting.receive())["error"]["code"] == "UNAUTHORIZED"
        assert (await hanging).status == 401
