"""API keys: section 6."""

import time
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus

from apus_e2e import PATIENCE, Client, Server

KEY, OTHER = "s3cret+/=&key", "another-key"
CHALLENGE = 'ApiKey realm="apus"'


@pytest.fixture(scope="module")
def locked():
    with Server("--api-key", KEY, "--api-key", OTHER, "--log-level", "trace") as running:
        yield running
    log = "\n".join(running.log)
    assert KEY not in log and OTHER not in log and quote(KEY, safe="") not in log


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": ""}, {"X-API-Key": "wrong"}, {"X-API-Key": KEY + "x"},
                                     {"X-API-Key": KEY[:-1]}, {"X-API-Key": f"{KEY},{OTHER}"}])
@pytest.mark.parametrize(("method", "path"), [("GET", "/topics"), ("POST", "/topics"), ("DELETE", "/topics/x"),
                                              ("GET", "/stats")])
def test_rest_without_a_good_key_is_unauthorized(locked, dialect, method, path, headers):
    response = locked.rest(method, dialect.prefix + path, {"name": "x"}, headers)
    assert (response.status, response.content_type) == (401, "application/problem+json")
    assert (response.json["code"], response.json["status"]) == ("UNAUTHORIZED", 401)
    assert response.headers["WWW-Authenticate"] == CHALLENGE
    assert KEY not in response.body.decode()


@pytest.mark.parametrize("key", [KEY, OTHER])
def test_rest_takes_each_of_the_keys(locked, dialect, key):
    headers = {"X-API-Key": key}
    assert locked.create("keyed", dialect, headers).status == 201
    assert locked.rest("GET", f"{dialect.prefix}/stats", headers=headers).status == 200
    assert locked.delete("keyed", dialect, headers).status == 200


def test_health_stays_open(locked, dialect):
    assert locked.rest("GET", f"{dialect.prefix}/health").status == 200


async def test_a_handshake_takes_the_key_as_a_header_or_in_the_query(locked, dialect):
    async with await Client.open(locked, dialect, additional_headers={"X-API-Key": KEY}) as client:
        await client.expect_alive()
    for key in (KEY, OTHER):
        async with await Client.open(locked, dialect, f"?a=1&api_key={quote(key, safe='')}&b") as client:
            await client.expect_alive()


@pytest.mark.parametrize(("query", "headers"), [
    ("", {"X-API-Key": "wrong"}), ("?api_key=wrong", {}), ("?api_key=", {}), ("", {"X-API-Key": ""}),
])
async def test_a_handshake_with_a_wrong_key_is_unauthorized(locked, dialect, query, headers):
    with pytest.raises(InvalidStatus) as refused:
        await Client.open(locked, dialect, query, additional_headers=headers)
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["WWW-Authenticate"] == CHALLENGE


async def test_the_first_message_may_bring_the_key(locked, dialect):
    async with await Client.open(locked, dialect) as client:
        await client.send(type="auth", api_key=KEY, request_id="k")
        answer = await client.receive()
        assert (answer["type"], answer["status"], answer["request_id"]) == ("ack", "ok", "k")
        await client.expect_alive()
        locked.create("authorized", headers={"X-API-Key": KEY})
        await client.subscribe("authorized")


async def test_commands_may_follow_the_key_at_once(locked):
    async with await Client.open(locked) as client:
        await client.send(type="auth", api_key=OTHER)
        await client.send(type="ping", request_id=1)
        assert (await client.receive())["type"] == "ack"
        await client.expect(type="pong", request_id=1)


@pytest.mark.parametrize("first", [
    '{"type":"auth","api_key":"wrong","request_id":"r"}', '{"type":"auth","request_id":"r"}',
    '{"type":"ping","request_id":"r"}',
    '{"type":"auth","api_key":["wrong"],"request_id":"r"}',
    '{"type":"subscribe","topic":"t","client_id":"c","request_id":"r"}',
    '{"type":"nonsense","request_id":"r"}', "no json", "[]",
])
async def test_any_other_first_message_is_unauthorized_and_closed(locked, dialect, first):
    async with await Client.open(locked, dialect) as client:
        await client.send(first)
        await client.send(type="ping")
        [error] = await client.expect_close(1008, "UNAUTHORIZED")
        assert (error["type"], error["error"]["code"]) == ("error", "UNAUTHORIZED")
        assert "request_id" not in error or error["request_id"] == "r"


async def test_silence_is_unauthorized_and_closed(dialect):
    with Server("--api-key", KEY, "--auth-timeout", "300ms") as server:
        start = time.monotonic()
        async with await Client.open(server, dialect) as client, \
                await Client.open(server, dialect, additional_headers={"X-API-Key": KEY}) as authorized:
            [error] = await client.expect_close(1008, "UNAUTHORIZED")
            assert error["error"]["code"] == "UNAUTHORIZED"
            assert 0.25 <= time.monotonic() - start < 5 * PATIENCE
            await authorized.expect_alive()


async def test_keys_come_from_the_environment_separated_by_commas():
    with Server(env={"APUS_API_KEYS": "one,two"}) as server:
        assert server.rest("GET", "/topics").status == 401
        for key in ("one", "two"):
            assert server.rest("GET", "/topics", headers={"X-API-Key": key}).status == 200
        async with await Client.open(server, additional_headers={"X-API-Key": "two"}) as client:
            await client.expect_alive()


def test_without_keys_everything_is_open_whatever_key_is_sent(server):
    assert server.rest("GET", "/topics", headers={"X-API-Key": "any"}).status == 200
