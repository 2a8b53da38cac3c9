"""Rights, tokens, renewal, expiry and revocation: section 8."""

import asyncio
import json
import time

import pytest
from websockets.exceptions import InvalidStatus

from apus_e2e import BASE, PATIENCE, Client, Server, apus, eventually

SECRET = "0123456789abcdef0123456789abcdef"
TOKEN_KEYS = json.dumps([{"kid": "one", "alg": "HS256", "secret": SECRET}])
ORDERS = [{"actions": ["subscribe", "history"], "topics": ["orders.>", "user.{sub}.>"]},
          {"actions": ["publish"], "topics": ["orders.eu.*"]},
          {"deny": True, "actions": ["*"], "topics": ["orders.internal.>"]}]
KEYS = [{"id": "boss", "key": "boss-key", "rights": [{"actions": ["*"], "topics": [">"]}]},
        {"id": "ann", "key": "ann-key", "rights": ORDERS},
        {"id": "eye", "key": "eye-key", "rights": [{"actions": ["stats"], "topics": ["orders.eu.*"]}]}]


def mint(*rights, sub="ann", expires="1h", secret=SECRET, kid="one", tmp_path=None):
    file = tmp_path / "secret.txt"
    file.write_text(secret)
    made = apus("token", "mint", "--key-file", file, "--alg", "HS256", "--kid", kid, "--sub", sub, "--expires", expires,
                *rights)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture(scope="module")
def server():
    anonymous = [{"actions": ["subscribe"], "topics": ["news.*"]}]
    with Server("--keys", json.dumps(KEYS), "--tokens-keys", TOKEN_KEYS, "--anonymous", json.dumps(anonymous),
                "--log-level", "trace") as running:
        for topic in ("orders.eu.a", "orders.us.a", "orders.internal.a", "news.a", "user.ann.x", "user.bob.x"):
            assert running.rest("POST", "/topics", {"name": topic}, as_key("boss-key")).status == 201
        yield running
        metrics = running.rest("GET", "/metrics", headers=as_key("boss-key"))
        assert metrics.status == 200
    shown = "\n".join(running.log) + metrics.body.decode()
    for secret in ("boss-key", "ann-key", "eye-key", SECRET):
        assert secret not in shown


def as_key(key):
    return {"X-API-Key": key}


async def codes(client, *commands):
    found = []
    for command in commands:
        await client.send(**command)
        answer = await client.receive()
        found.append(answer["error"]["code"] if answer["type"] == "error" else answer["type"])
    return found


def publishes(*topics):
    return [{"type": "publish", "topic": topic, "message": {"id": "550e8400-e29b-41d4-a716-446655440000", "payload": 1}}
            for topic in topics]


def subscribes(*topics, **more):
    return [{"type": "subscribe", "topic": topic, "client_id": "c", **more} for topic in topics]


async def test_a_key_may_do_what_its_rules_say_and_a_missing_topic_looks_like_a_forbidden_one(server, dialect):
    async with await Client.open(server, dialect, additional_headers=as_key("ann-key")) as client:
        allowed = publishes("orders.eu.a") + subscribes("orders.us.a", "user.ann.x", "orders.>")
        assert await codes(client, *allowed) == ["ack"] * 4
        denied = publishes("orders.us.a", "orders.internal.a", "orders.none") \
            + subscribes("user.bob.x", "user.none.x", "orders.internal.*", ">", "news.a")
        assert await codes(client, *denied) == ["FORBIDDEN"] * 8


@pytest.mark.over_cluster
def test_rest_asks_for_the_right_of_each_operation(server, dialect):
    def status(method, path, body=None, key="ann-key"):
        return server.rest(method, dialect.prefix + path, body, as_key(key)).status

    assert status("GET", "/topics/orders.eu.a") == 200
    assert status("GET", "/topics/orders.eu.a/messages") == 200
    assert status("POST", "/topics/orders.eu.a/messages", {"a": 1}) == 201
    for method, path, body in [
            ("GET", "/topics/user.bob.x", None), ("GET", "/topics/none", None), ("POST", "/topics", {"name": "orders.x"}),
            ("PUT", "/topics/orders.eu.a", {}), ("DELETE", "/topics/orders.eu.a", None), ("DELETE", "/topics/none", None),
            ("POST", "/topics/orders.us.a/messages", {}), ("GET", "/topics/news.a/messages", None),
            ("GET", "/topics/none/messages", None), ("GET", "/topics/orders.eu.a/subscribers", None),
            ("GET", "/subscribers", None), ("GET", "/stats", None), ("GET", "/topics/user.bob.x/events", None)]:
        response = server.rest(method, dialect.prefix + path, body, as_key("ann-key"))
        assert (response.status, response.json["code"]) == (403, "FORBIDDEN"), path
        assert "'*'" not in response.json["detail"], path
    assert server.rest("GET", "/metrics", headers=as_key("eye-key")).status == 403
    assert server.rest("GET", "/metrics", headers=as_key("boss-key")).status == 200


def test_listings_show_what_the_caller_may_see(server, dialect):
    def get(path, headers):
        return server.rest("GET", dialect.prefix + path, headers=headers).json

    def names(headers):
        return {topic["name"] for topic in get("/topics", headers)["topics"]}

    assert names(as_key("ann-key")) == {"orders.eu.a", "orders.us.a", "user.ann.x"}
    assert names({}) == {"news.a"}
    assert set(get("/stats", as_key("eye-key"))["topics"]) == {"orders.eu.a"}
    assert get("/health", {})["topics"] == 1
    assert get("/health", as_key("ann-key"))["topics"] == 3
    assert get("/health", as_key("boss-key"))["topics"] == 6
    assert server.rest("GET", "/health", headers=as_key("wrong")).status == 401


@pytest.mark.over_cluster
async def test_a_token_works_in_all_its_places(server, tmp_path):
    token = mint("--allow", "publish:orders.eu.*", tmp_path=tmp_path)
    bearer = {"Authorization": f"Bearer {token}"}
    assert server.rest("POST", "/topics/orders.eu.a/messages", {"a": 1}, bearer).status == 201
    assert server.rest("POST", "/topics/orders.us.a/messages", {"a": 1}, bearer).status == 403
    for query, more in [("", {"additional_headers": bearer}), (f"?token={token}", {}),
                        ("", {"subprotocols": ["apus", f"bearer.{token}"]})]:
        async with await Client.open(server, BASE, query, **more) as client:
            assert await codes(client, *publishes("orders.eu.a", "orders.us.a")) == ["ack", "FORBIDDEN"]
            if more.get("subprotocols"):
                assert client.connection.subprotocol == "apus"
    async with await Client.open(server) as client:
        assert await codes(client, {"type": "auth", "token": token}, *publishes("orders.eu.a")) == ["ack", "ack"]


@pytest.mark.parametrize("bad", ["x.y.z", "", "wrong-secret", "wrong-kid"])
async def test_a_bad_token_is_refused_and_never_taken_for_none(server, tmp_path, bad):
    token = bad
    if bad == "wrong-secret":
        token = mint("--allow", "publish:>", secret="f" * 32, tmp_path=tmp_path)
    if bad == "wrong-kid":
        token = mint("--allow", "publish:>", kid="two", tmp_path=tmp_path)
    response = server.rest("GET", "/topics", headers={"Authorization": f"Bearer {token}"})
    assert (response.status, response.json["code"]) == (401, "UNAUTHORIZED")
    assert "Bearer" in response.headers["WWW-Authenticate"]
    with pytest.raises(InvalidStatus) as refused:
        await Client.open(server, BASE, f"?token={token}")
    assert refused.value.response.status_code == 401
    async with await Client.open(server) as client:
        if token:
            assert await codes(client, {"type": "auth", "token": token}) == ["UNAUTHORIZED"]
        assert await codes(client, *subscribes("news.a")) == ["ack"]


async def test_an_expiring_token_is_announced_and_ends_the_connection_unless_renewed(tmp_path):
    with Server("--tokens-keys", TOKEN_KEYS, "--token-grace", "100ms", "--token-leeway", "0") as server:
        short = mint("--allow", "*:>", expires="3s", tmp_path=tmp_path)
        long = mint("--allow", "*:>", tmp_path=tmp_path)
        start = time.monotonic()
        async with await Client.open(server, BASE, f"?token={short}") as late, \
                await Client.open(server, BASE, f"?token={short}") as renewed:
            assert (await renewed.receive())["msg"] == "token_expiring"
            assert await codes(renewed, {"type": "auth", "token": long}) == ["ack"]
            warning, error = await late.expect_close(1008, "TOKEN_EXPIRED")
            assert warning["msg"] == "token_expiring" and 0 < warning["expires_in_ms"] <= 3000
            assert error["error"]["code"] == "UNAUTHORIZED"
            assert time.monotonic() - start < 60 * PATIENCE
            await renewed.expect_alive()


async def test_a_revoked_key_is_out_at_once_and_its_neighbour_stays(server):
    async with await Client.open(server, additional_headers=as_key("eye-key")) as eye, \
            await Client.open(server, additional_headers=as_key("ann-key")) as ann:
        await eye.expect_alive()
        made = server.rest("POST", "/revocations", {"key": "eye"}, as_key("boss-key"))
        assert made.status == 201 and made.json["key"] == "eye"
        assert await eye.expect_close(1008, "REVOKED") == []
        await ann.expect_alive()
    assert server.rest("GET", "/topics", headers=as_key("eye-key")).status == 401
    [entry] = server.rest("GET", "/revocations", headers=as_key("boss-key")).json["revocations"]
    assert entry == made.json
    assert server.rest("DELETE", f"/revocations/{entry['id']}", headers=as_key("ann-key")).status == 403
    assert server.rest("DELETE", f"/revocations/{entry['id']}", headers=as_key("boss-key")).status == 200
    assert server.rest("DELETE", f"/revocations/{entry['id']}", headers=as_key("boss-key")).status == 404
    assert server.rest("GET", "/stats", headers=as_key("eye-key")).status == 200


async def test_a_revoked_token_ends_its_event_streams_and_long_polls(server, tmp_path):
    bearer = {"Authorization": f"Bearer {mint('--allow', '*:orders.>', sub='bob', tmp_path=tmp_path)}"}
    last = server.rest("GET", "/topics/orders.us.a", headers=bearer).json["last"]
    requests = [asyncio.create_task(asyncio.to_thread(server.rest, "GET", path, None, bearer, 60 * PATIENCE))
                for path in (
        "/topics/orders.us.a/events?client_id=bob", f"/topics/orders.us.a/messages?after={last}&wait=1m")]

    def is_waiting():
        listed = server.rest("GET", "/topics/orders.us.a/subscribers", headers=as_key("boss-key")).json["subscribers"]
        return {"sse", "poll"} <= {subscriber["transport"] for subscriber in listed}

    await asyncio.to_thread(eventually, is_waiting, "both requests wait")
    assert server.rest("POST", "/revocations", {"sub": "bob"}, as_key("boss-key")).status == 201
    stream, poll = await asyncio.gather(*requests)
    assert (poll.status, poll.json["detail"]) == (401, "The credential was revoked")
    assert stream.body.decode().split("data: ")[-1].startswith('{"type":"error","error":{"code":"UNAUTHORIZED"')
    assert server.rest("GET", "/topics", headers=bearer).status == 401


@pytest.mark.parametrize("body", [{}, {"jti": "a", "sub": "b"}, {"key": 1}, {"key": ""}, {"key": "a", "x": "y"}, [],
                                  {"sub": "a", "issued_before": "yesterday"}])
def test_a_malformed_revocation_is_refused(server, body):
    response = server.rest("POST", "/revocations", body, as_key("boss-key"))
    assert (response.status, response.json["code"]) == (400, "BAD_REQUEST")
    assert server.rest("POST", "/revocations", body, as_key("ann-key")).status == 403


def test_an_open_server_has_nothing_to_revoke():
    with Server() as server:
        assert server.rest("POST", "/revocations", {"key": "a"}).status == 403


@pytest.mark.parametrize(("flags", "is_open"), [
    ((), False), (("--host", "0.0.0.0"), True), (("--host", "0.0.0.0", "--api-key", "k"), False),
    (("--host", "0.0.0.0", "--anonymous", "[]"), False),
])
def test_a_server_that_is_open_beyond_its_machine_says_so(flags, is_open):
    with Server(*flags) as server:
        assert server.rest("GET", "/livez").status == 200
    warnings = [line for line in server.log if "everybody who can reach" in line]
    assert len(warnings) == is_open
    assert all("warning" in line and "keys_file" in line and "tokens.keys" in line for line in warnings)


def test_config_check_reads_the_files_of_keys(tmp_path):
    file = tmp_path / "keys.yaml"
    file.write_text("keys:\n  - {id: a, key: x, right: []}\n")
    checked = apus("config", "check", "--keys-file", file)
    assert checked.returncode == 78 and "keys_file" in checked.stderr
    file.write_text("keys:\n  - {id: a, key: x-secret, rights: []}\n")
    for command in ("check", "print"):
        shown = apus("config", command, "--keys-file", file)
        assert shown.returncode == 0 and "x-secret" not in shown.stdout + shown.stderr
