"""Web pages of other origins, and names that resolve to this machine: section 8, Origin and Host."""

import asyncio
import json

import pytest
from websockets.exceptions import InvalidStatus

from apus_e2e import PATIENCE, Client, Server
from chromium import browser
from raw_http import RawHTTP, request

pytestmark = pytest.mark.one_server("it is about pages that name one server")

EVIL, APP = "https://evil.example", "https://app.example"


@pytest.fixture(scope="module")
def local():
    """A server on loopback with the default settings."""
    with Server() as running:
        assert running.create("t").status == 201
        yield running


@pytest.fixture(scope="module")
def public():
    """A server that others can reach, with pages at two places."""
    with Server("--host", "0.0.0.0", "--allowed-origin", APP, "--allowed-origin", "https://*.example.org") as running:
        assert running.create("t").status == 201
        yield running


def ask(server, method, path, host=None, **headers):
    with RawHTTP(server) as raw:
        return raw.ask(method, path, host=host or f"127.0.0.1:{server.port}", **headers)


async def handshake(server, dialect, **headers):
    async with await Client.open(server, dialect, additional_headers=headers) as client:
        await client.expect_alive()


def test_a_page_of_another_origin_cannot_change_anything(local, public):
    for server in (local, public):
        for method, path in [("POST", "/topics"), ("PUT", "/topics/x"), ("DELETE", "/topics/t"),
                             ("POST", "/topics/t/messages"), ("OPTIONS", "/topics")]:
            for origin in (EVIL, "null", "https://app.example.evil"):
                answer = ask(server, method, path, Origin=origin)
                assert (answer.status, answer.code) == (403, "FORBIDDEN_ORIGIN"), (method, path, origin)
                who = "without an origin, such as files," if origin == "null" else f"of {origin}"
                assert json.loads(answer.body)["detail"].startswith(f"Pages {who} may not use this server; the setting")
                assert "access-control-allow-origin" not in answer.headers
    assert [topic["name"] for topic in local.rest("GET", "/topics").json["topics"]] == ["t"]


def test_it_may_read_but_its_browser_does_not_show_it_the_answer(local):
    for method in ("GET", "HEAD"):
        answer = ask(local, method, "/topics", Origin=EVIL)
        assert answer.status == 200 and answer.headers["vary"] == "Origin"
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("page", [{"Origin": EVIL}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}],
                         ids=["origin", "null", "image"])
def test_an_event_stream_subscribes_and_is_refused_to_a_page_of_another_origin(public, page):
    with Server("--topics-create-on", "subscribe") as server:
        for path in ("/topics/new/events?overflow=throttle", "/v1/topics/new/events", "/events?topic=new"):
            for first in (True, False):
                with RawHTTP(server) as raw:
                    assert first or raw.ask("GET", "/health", **page).status == 200
                    raw.send(request("GET", path, host=f"127.0.0.1:{server.port}", **page))
                    assert raw.head()[0] == 403, (path, first)
        assert server.rest("GET", "/topics").json == {"topics": []}
    answer = ask(public, "HEAD", "/topics/t/events", **page)
    assert (answer.status, answer.headers["content-type"]) == (403, "application/problem+json")


@pytest.mark.parametrize("site", ["none", "same-origin", "same-site"])
def test_who_opens_an_event_stream_in_a_window_of_its_own_may_read_it(local, site):
    with RawHTTP(local) as raw:
        raw.send(f"GET /topics/t/events HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: {site}\r\n\r\n".encode())
        assert raw.head()[0] == 200


async def test_a_handshake_of_another_origin_is_refused(local, public, dialect):
    for server in (local, public):
        for origin in (EVIL, "null", "https://evil.example.org.evil"):
            with pytest.raises(InvalidStatus) as refused:
                await handshake(server, dialect, Origin=origin)
            assert refused.value.response.status_code == 403
            assert json.loads(refused.value.response.body)["code"] == "FORBIDDEN_ORIGIN"
        metrics = server.rest("GET", "/metrics").body.decode()
        assert 'reason="origin"' in metrics


async def test_own_pages_and_allowed_ones_connect(local, public, dialect):
    await handshake(local, dialect, Origin=local.url)
    await handshake(local, dialect, Origin="http://localhost:5173")
    await handshake(public, dialect, Origin=public.url)
    await handshake(public, dialect, Origin=APP)
    await handshake(public, dialect, Origin="https://a.b.example.org")
    with pytest.raises(InvalidStatus):
        await handshake(public, dialect, Origin="http://localhost:5173")


def test_a_later_handshake_of_its_connection_is_checked_as_well(local):
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    with RawHTTP(local) as raw:
        assert raw.ask("GET", "/health").status == 200
        answer = raw.ask("GET", "/ws", Origin=EVIL, **upgrade)
        assert (answer.status, answer.code) == (403, "FORBIDDEN_ORIGIN")


def test_an_allowed_page_may_read_every_answer(public):
    for method, path, status in [("GET", "/topics", 200), ("GET", "/nowhere", 404), ("POST", "/topics", 400),
                                 ("HEAD", "/health", 200), ("GET", "/topics/none/messages", 404)]:
        answer = ask(public, method, path, Origin=APP)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, APP)
        assert answer.headers["vary"] == "Origin" and "Retry-After" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers


def test_preflight_names_the_methods_of_the_path(public):
    ask_for = {"Origin": APP, "Access-Control-Request-Method": "POST",
               "Access-Control-Request-Headers": "content-type,x-api-key"}
    for path, methods in [("/topics", "GET, HEAD, POST"), ("/topics/a%2Fb", "DELETE, GET, HEAD, PUT"),
                          ("/v1/topics/t/messages", "DELETE, GET, HEAD, POST"), ("/events", "GET, HEAD")]:
        answer = ask(public, "OPTIONS", path, **ask_for)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == APP
        assert answer.headers["access-control-allow-methods"] == methods
        for name in ("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "traceparent", "tracestate",
                     "X-API-Key"):
            assert name in answer.headers["access-control-allow-headers"]
        assert answer.headers["access-control-max-age"] == "600"
        assert "access-control-allow-private-network" not in answer.headers
    private = ask(public, "OPTIONS", "/topics", Access_Control_Request_Private_Network="true", **ask_for)
    assert private.headers["access-control-allow-private-network"] == "true"
    assert ask(public, "OPTIONS", "/nowhere", **ask_for).status == 404
    assert ask(public, "OPTIONS", "/topics", Origin=APP).status == 405


def test_preflight_needs_no_key_and_what_follows_does():
    with Server("--allowed-origin", APP, "--api-key", "k") as server:
        ask_for = {"Origin": APP, "Access-Control-Request-Method": "POST"}
        assert ask(server, "OPTIONS", "/topics", **ask_for).status == 204
        refused = ask(server, "GET", "/topics", Origin=APP)
        assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, APP)
        assert ask(server, "GET", "/topics", Origin=APP, X_API_Key="k").status == 200


def test_an_event_stream_of_an_allowed_page_may_be_read(public):
    for first in (True, False):
        with RawHTTP(public) as raw:
            if not first:
                assert raw.ask("GET", "/health").status == 200
            raw.send(f"GET /topics/t/events HTTP/1.1\r\nHost: h\r\nOrigin: {APP}\r\n\r\n".encode())
            status, _, headers = raw.head()
            assert (status, headers["access-control-allow-origin"]) == (200, APP)
            assert headers["content-type"].startswith("text/event-stream")
    with RawHTTP(public) as raw:
        raw.send(b"GET /topics/t/events HTTP/1.1\r\nHost: h\r\n\r\n")
        assert raw.head()[2]["vary"] == "Origin"


def test_a_star_lets_every_page_in():
    with Server("--allowed-origin", "*") as server:
        for origin in (EVIL, "null"):
            answer = ask(server, "PUT", "/topics/t", Origin=origin, body=b"{}", Content_Type="application/json")
            assert (answer.status, answer.headers["access-control-allow-origin"]) == (201, "*")
            assert server.rest("DELETE", "/topics/t").status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "10.0.0.1", "[::2]"])
async def test_a_name_that_was_rebound_to_loopback_is_not_answered(local, host):
    host = host.format(port=local.port)
    for method, path in [("GET", "/topics"), ("GET", "/topics/t/events"), ("POST", "/topics"), ("GET", "/health")]:
        answer = ask(local, method, path, host=host, Origin=f"http://{host}")
        assert (answer.status, answer.code) == (403, "FORBIDDEN_HOST"), (method, path)
    answer = ask(local, "GET", "/ws", host=host, Upgrade="websocket", Connection="Upgrade",
                 Sec_WebSocket_Version="13", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")
    assert (answer.status, answer.code) == (403, "FORBIDDEN_HOST")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "app.localhost:80", "127.9.9.9", "[::1]:8080"])
def test_names_of_the_machine_are_answered(local, host):
    assert ask(local, "GET", "/topics", host=host).status == 200


def test_allowed_hosts_are_answered_and_a_public_server_answers_to_all(public):
    with Server("--allowed-host", "apus.internal") as server:
        assert ask(server, "GET", "/topics", host="Apus.Internal:80").status == 200
        assert ask(server, "GET", "/topics", host="other.internal").status == 403
    assert ask(public, "GET", "/topics", host="anything.example").status == 200


PAGE = """<!doctype html><script type="module">
const base = "%s", seen = {};
const socket = new WebSocket(base.replace("http", "ws") + "/ws");
seen.socket = await new Promise(done => { socket.onopen = () => done("open"); socket.onerror = () => done("error"); });
seen.fetch = await fetch(base + "/topics").then(answer => answer.json().then(() => "read"), () => "error");
seen.post = await fetch(base + "/topics", {method: "POST", body: '{"name": "from-page"}',
    headers: {"Content-Type": "application/json", "X-API-Key": "x"}}).then(answer => answer.status, () => "error");
const source = new EventSource(base + "/topics/t/events");
seen.stream = await new Promise(done => { source.onopen = () => done("open"); source.onerror = () => done("error"); });
// A browser asks for it without an Origin.
const image = new Image();
seen.image = await new Promise(done => { image.onerror = () => done("error"); image.src = base + "/topics/i/events"; });
await fetch("/seen", {method: "POST", body: JSON.stringify(seen)});
</script>"""


class Page:
    """A page of the origin http://page.example, at a port of its own, that tells what Chromium lets it do."""

    async def __aenter__(self):
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._listener.sockets[0].getsockname()[1]
        self.origin = f"http://page.example:{self._port}"
        return self

    async def __aexit__(self, *_):
        self._listener.close()

    async def _serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")]
        body = await reader.readexactly(size[0]) if size else b""
        if head.startswith(b"post /seen") and not self._seen.done():
            self._seen.set_result(json.loads(body))
        page = (PAGE % self._server.url).encode() if head.startswith(b"get / ") else b""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                     % len(page) + page)
        await writer.drain()
        writer.close()

    async def sees(self, server):
        self._server, self._seen = server, asyncio.get_running_loop().create_future()
        async with browser(self.origin, "--host-resolver-rules=MAP page.example 127.0.0.1"):
            return await asyncio.wait_for(self._seen, 40 * PATIENCE)


@pytest.mark.limit(100)
async def test_a_browser_keeps_a_foreign_page_out():
    async with Page() as page:
        with Server("--host", "0.0.0.0", "--topics-create-on", "subscribe") as server:
            assert server.create("t").status == 201
            assert await page.sees(server) == dict.fromkeys(["socket", "fetch", "post", "stream", "image"], "error")
            assert [topic["name"] for topic in server.rest("GET", "/topics").json["topics"]] == ["t"]


@pytest.mark.limit(100)
async def test_a_browser_lets_an_allowed_page_do_everything():
    async with Page() as page:
        with Server("--host", "0.0.0.0", "--allowed-origin", page.origin) as server:
            assert server.create("t").status == 201
            assert await page.sees(server) == {"socket": "open", "fetch": "read", "post": 201, "stream": "open",
                                               "image": "error"}
