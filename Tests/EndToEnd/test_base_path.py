"""A server that shares its address with others: all its paths begin with its own."""

import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from apus_e2e import BASE, TIMEOUT, V1, Client, Server, apus, websocket_url
from raw_http import RawHTTP
from unix_socket import first_event

pytestmark = pytest.mark.one_server("it is about one process")

PREFIX = "/a/p.us"


@pytest.fixture(scope="module", params=["/a/p.us", "/a/p.us/"])
def below(request):
    with Server("--base-path", request.param) as running:
        yield running


@pytest.fixture(scope="module")
def server(below):
    return below


async def websocket(server, path, **headers):
    return await connect(websocket_url(server, path), proxy=None, ssl=server.tls, open_timeout=TIMEOUT,
                         additional_headers=headers)


@pytest.mark.parametrize("dialect", [BASE, V1], ids=["base", "v1"])
async def test_rest_websockets_and_streams_are_below_it(below, dialect):
    prefix = PREFIX + dialect.prefix
    topic = f"t{dialect.prefix[1:]}"
    assert below.rest("POST", f"{prefix}/topics", {"name": topic}).status == 201
    async with await websocket(below, f"{prefix}/ws") as connection:
        client = Client(connection, dialect)
        await client.subscribe(topic)
        posted = below.rest("POST", f"{prefix}/topics/{topic}/messages?id=3f9f4c0f-7a0d-4c0a-8000-000000000000", {"a": 1})
        assert posted.status == 201
        assert (await client.receive())["message"]["payload"] == {"a": 1}
    page = below.rest("GET", f"{prefix}/topics/{topic}/messages?last_n=1").json
    assert [entry["message"]["payload"] for entry in page["messages"]] == [{"a": 1}]
    for path in (f"{prefix}/topics/{topic}/events?last_n=1", f"{prefix}/events?topic={topic}&last_n=1"):
        connection = below.http()
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200 and first_event(response)
        connection.close()
    for path in ("/health", "/stats", "/topics", "/subscribers"):
        assert below.rest("GET", prefix + path).status == 200
    assert below.rest("DELETE", f"{prefix}/topics/{topic}").status == 200


@pytest.mark.parametrize("path", [
    "/", "/topics", "/health", "/stats", "/docs", "/openapi.json", "/asyncapi.json", "/metrics", "/apus.js", "/v1/topics", "/ws", "/events",
    PREFIX + "x/topics", PREFIX + "/a/p.us/topics", "/A/p.us/topics", "/a//p.us/topics",
    "/a/./p.us/topics", "/a/p%2Eus/topics", "/v1" + PREFIX + "/topics", PREFIX + "//topics", "/a/pxus/topics",
    PREFIX + "/../../topics", "/v1/livez", "/livez/",
])
def test_what_is_not_below_it_is_not_there(below, path):
    for method in ("GET", "POST", "DELETE"):
        response = below.rest(method, path)
        assert (response.status, response.json["code"]) == (404, "NOT_FOUND"), path
    assert path in response.json["detail"]


@pytest.mark.parametrize("path", ["/ws", "/v1/ws", PREFIX + "/ws/", "/a/pxus/ws", PREFIX + PREFIX + "/ws"])
async def test_no_websocket_is_opened_elsewhere(below, path):
    with pytest.raises(InvalidStatus) as refused:
        await websocket(below, path)
    assert refused.value.response.status_code == 404


async def test_a_handshake_that_comes_in_pieces_or_late_on_a_connection_is_found(below):
    head = (f"GET {PREFIX}/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n").encode()
    before = f"GET {PREFIX}/livez HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    for pieces in ([head[:3], head[3:9], head[9:14], head[14:]], [before]):
        with RawHTTP(below) as connection:
            for piece in pieces:
                connection.send(piece)
            if pieces == [before]:
                assert connection.answer().status == 200
                connection.send(head)
            assert connection.head()[0] == 101


async def test_a_handshake_at_the_prefix_itself_opens_nothing(below):
    """The client follows the answer for browsers, which leads one slash below it."""
    with pytest.raises(InvalidStatus) as refused:
        await websocket(below, PREFIX)
    assert refused.value.response.status_code in (200, 308)


def test_probes_are_in_both_places(below):
    for path in ("/livez", "/readyz", PREFIX + "/livez", PREFIX + "/readyz"):
        assert below.rest("GET", path).status == 200


def test_a_wrong_method_says_which_are_right(below):
    response = below.rest("DELETE", f"{PREFIX}/health")
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    assert below.rest("POST", "/livez").status == 405


def test_the_documents_know_of_it(below):
    document = below.rest("GET", f"{PREFIX}/openapi.json").json
    assert [entry["url"] for entry in document["servers"]] == [PREFIX]
    # Everything that the page asks for is beside it.
    assert b'src="docs.js"' in below.rest("GET", f"{PREFIX}/docs").body
    script = below.rest("GET", f"{PREFIX}/docs.js")
    assert script.status == 200 and 'new URL(".", location.href)' in script.body.decode()
    client = below.rest("GET", f"{PREFIX}/apus.js").body.decode()
    assert f'\nconst BASE_PATH = "{PREFIX}";\n' in client and client.count("BASE_PATH") > 1
    assert below.rest("GET", f"{PREFIX}/apus.d.ts").status == 200
    assert "apus_build_info" in below.rest("GET", f"{PREFIX}/metrics").body.decode()


def test_the_log_names_it(below):
    assert f" base_path={PREFIX}" in below.wait_for_log(" listening ")


def test_without_it_nothing_is_different():
    with Server() as plain:
        assert "base_path" not in plain.wait_for_log(" listening ")
        assert [entry["url"] for entry in plain.rest("GET", "/openapi.json").json["servers"]] == ["/"]
        assert 'const BASE_PATH = "";' in plain.rest("GET", "/apus.js").body.decode()
    with Server("--base-path", "/") as plain:
        assert plain.create("t").status == 201


def test_the_command_line_works_below_it(below):
    for url in (below.url + PREFIX, below.url + PREFIX + "/", below.url + PREFIX + "/v1", below.url + PREFIX + "/ws"):
        assert apus("topics", "create", "cli", "--url", url).returncode == 0
        assert apus("pub", "cli", "1", "--url", url).returncode == 0
        taken = apus("sub", "cli", "--last", "1", "--count", "1", "--url", url)
        assert json.loads(taken.stdout)["message"]["payload"] == 1
        assert apus("topics", "delete", "cli", "--url", url).returncode == 0
        assert apus("healthcheck", "--url", url).returncode == 0
    assert apus("topics", "--url", below.url).returncode != 0
    env = {"APUS_PORT": str(below.port), "APUS_BASE_PATH": PREFIX}
    assert apus("healthcheck", env=env).returncode == 0
    assert apus("healthcheck", env=env | {"APUS_BASE_PATH": "/other"}).returncode == 1


def test_verify_runs_below_it(below):
    verified = apus("verify", below.url + PREFIX, "--duration", "1s", "--subscribers", "8", "--json", timeout=6 * TIMEOUT)
    assert verified.returncode == 0, verified.stderr


def test_bench_runs_below_it(below):
    bench = apus("bench", below.url + PREFIX, "--subs", "2", "--duration", "100ms", "--warmup", "50ms", "--json")
    assert bench.returncode == 0, bench.stderr


def test_keys_are_asked_for_below_it_as_ever():
    with Server("--base-path", PREFIX, "--api-key", "k") as server:
        for path in ("/health", "/livez", "/readyz", "/docs", "/docs.js", "/docs.css", "/openapi.json", "/apus.js",
                     "/apus.d.ts", "/v1/health"):
            assert server.rest("GET", PREFIX + path).status == 200
        for path in ("/topics", "/stats", "/metrics", "/subscribers", "/topics/t/events", "/v1/topics"):
            assert server.rest("GET", PREFIX + path).status == 401
        assert server.rest("GET", "/livez").status == 200
        # A name of an open path below the prefix of another is none.
        assert server.rest("GET", "/topics").status == 404


@pytest.mark.parametrize("value", [
    "apus", "/a b", "/a//b", "/a/..", "/./a", "/a?b", "/a#b", "/a%20b", "/é", "/" + "x" * 255, "/apus/v1", "/ws", "//",
    "/:name", "/*", "/{a}", "https://host/apus",
])
def test_a_path_that_is_none_is_refused(value):
    result = apus("config", "check", "--base-path", value)
    assert result.returncode == 78 and result.stderr.startswith("apus: base_path: '")
