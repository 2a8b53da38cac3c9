"""Rate limits: commands of a connection, messages and bytes of a client, messages of a topic (section 8).

All rates are one an hour, so that no slow machine fills a bucket by taking its time.
"""

import json

import pytest
from websockets.exceptions import ConnectionClosed

from apus_e2e import Client, Server, apus
from prometheus import scrape
from test_reload import Reloadable

ID = "550e8400-e29b-41d4-a716-446655440000"
KEYS = [{"id": name, "key": f"{name}-key", "rights": [{"actions": ["*"], "topics": [">"]}]}
        for name in ("ann", "bob", "boss")]
NDJSON = {"Content-Type": "application/x-ndjson"}


def as_key(name):
    return {"X-API-Key": f"{name}-key"}


def publish_command(topic, payload=1, **more):
    return {"type": "publish", "topic": topic, "message": {"id": ID, "payload": payload}, **more}


def numbered(number):
    return f"{ID[:-2]}{number:02}"


def batch(topic, count, first=0):
    messages = [{"id": numbered(first + n), "payload": n} for n in range(count)]
    return {"type": "publish", "topic": topic, "messages": messages}


async def answers(client, *commands):
    """What became of each: its type, or the code of its error."""
    found = []
    for command in commands:
        await client.send(**command)
        answer = await client.receive()
        if answer["type"] == "error" and answer["error"]["code"] == "RATE_LIMITED":
            assert 3_000_000 < answer["error"]["retry_after_ms"] <= 3_600_000 * 10
        found.append(answer["error"]["code"] if answer["type"] == "error" else answer["type"])
    return found


def post(server, topic, body=b"1", headers=None):
    return server.rest("POST", f"/topics/{topic}/messages", body, headers)


def counts(server, headers=None):
    return scrape(server, headers=headers).labelled("apus_rate_limited_total", "limit")


async def test_a_flood_of_commands_is_refused_then_cut_and_a_bystander_does_not_notice(dialect):
    with Server("--command-rate", "1/h", "--command-burst", "3") as server:
        server.create("t")
        async with await Client.open(server, dialect) as bystander, await Client.open(server, dialect) as flood:
            await bystander.send(type="subscribe", topic="t", client_id="c")
            assert (await bystander.receive())["type"] == "ack"
            assert await answers(flood, publish_command("t"), *[{"type": "ping"}] * 4) == (
                ["ack", "pong", "pong"] + ["RATE_LIMITED"] * 2)
            with pytest.raises(ConnectionClosed) as closed:
                for _ in range(40):
                    await flood.send(type="ping")
                while True:
                    assert (await flood.receive())["error"]["code"] == "RATE_LIMITED"
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "RATE_LIMITED")
            assert (await bystander.receive())["type"] == "event"
            assert await answers(bystander, {"type": "ping"}) == ["pong"]
        assert counts(server)["command"] == 30
        told = scrape(server)
        assert told.labelled("apus_connections_closed_total", "reason")["RATE_LIMITED"] == 1
        assert told.labelled("apus_errors_total", "code")["RATE_LIMITED"] == 30


@pytest.mark.one_server("budgets and rates are each node's")
async def test_a_key_has_one_budget_of_messages_on_all_its_ways_in_and_another_key_its_own():
    with Server("--keys", json.dumps(KEYS), "--publish-rate", "1/h", "--publish-burst", "5") as server:
        assert server.create("t", headers=as_key("boss")).status == 201
        async with await Client.open(server, additional_headers=as_key("ann")) as first, \
                await Client.open(server, additional_headers=as_key("ann")) as second, \
                await Client.open(server, additional_headers=as_key("bob")) as bystander:
            assert await answers(first, publish_command("t"), batch("t", 2), batch("t", 3)) == ["ack", "ack", "RATE_LIMITED"]
            refused = post(server, "t", b"1\n2\n3", as_key("ann") | NDJSON)
            assert refused.status == 429 and refused.json["code"] == "RATE_LIMITED"
            assert 3000 < int(refused.headers["Retry-After"]) <= 3600
            assert post(server, "t", headers=as_key("ann")).status == 201
            assert await answers(second, publish_command("t"), publish_command("t")) == ["ack", "RATE_LIMITED"]
            assert await answers(second, {"type": "ping"}) == ["pong"]
            assert await answers(bystander, batch("t", 5)) == ["ack"]
        assert server.rest("GET", "/topics/t", headers=as_key("boss")).json["messages"] == 10
        assert counts(server, as_key("boss")) == {"command": 0, "publish": 3, "publish_bytes": 0, "topic": 0}


@pytest.mark.one_server("budgets and rates are each node's")
async def test_without_credentials_the_address_counts_and_a_key_is_apart():
    anonymous = json.dumps([{"actions": ["*"], "topics": [">"]}])
    with Server("--keys", json.dumps(KEYS), "--anonymous", anonymous, "--publish-rate", "1/h") as server:
        server.create("t")
        async with await Client.open(server) as first, await Client.open(server) as second:
            assert await answers(first, publish_command("t")) == ["ack"]
            assert await answers(second, publish_command("t")) == ["RATE_LIMITED"]
            assert post(server, "t").status == 429
            await second.send(type="auth", api_key="bob-key")
            assert (await second.receive())["type"] == "ack"
            assert await answers(second, publish_command("t"), publish_command("t")) == ["ack", "RATE_LIMITED"]
            assert post(server, "t", headers=as_key("ann")).status == 201


@pytest.mark.one_server("budgets and rates are each node's")
async def test_bytes_are_limited_and_what_is_larger_than_the_bucket_passes_when_that_is_full():
    with Server("--keys", json.dumps(KEYS), "--publish-bytes-rate", "1/h", "--publish-bytes-burst", "200") as server:
        assert server.create("t", headers=as_key("boss")).status == 201
        async with await Client.open(server, additional_headers=as_key("ann")) as client, \
                await Client.open(server, additional_headers=as_key("bob")) as bystander:
            await client.send(**publish_command("t", "x" * 300))
            assert (await client.receive())["type"] == "ack"
            await client.send(**publish_command("t"))
            answer = await client.receive()
            # More than the bucket was taken, and is made up for.
            assert answer["error"]["code"] == "RATE_LIMITED" and answer["error"]["retry_after_ms"] > 200 * 3_600_000
            assert post(server, "t", headers=as_key("ann")).status == 429
            assert await answers(bystander, publish_command("t"), publish_command("t")) == ["ack"] * 2
        assert counts(server, as_key("boss"))["publish_bytes"] == 2


@pytest.mark.one_server("budgets and rates are each node's")
async def test_a_topic_has_a_rate_of_its_own_or_the_servers_and_other_topics_do_not_notice():
    with Server("--topic-rate", "1/h", "--topic-burst", "2") as server:
        for topic in ("busy", "quiet"):
            server.create(topic)
        made = server.rest("PUT", "/topics/own", {"topic_rate": "1/h", "topic_burst": 4, "dedupe_window": "1h"})
        assert (made.json["settings"]["topic_rate"], made.json["settings"]["topic_burst"]) == ("1/h", 4)
        async with await Client.open(server) as client:
            assert await answers(client, *[publish_command("busy")] * 3) == ["ack", "ack", "RATE_LIMITED"]
            assert post(server, "busy").status == 429
            assert await answers(client, publish_command("quiet")) == ["ack"]
            assert await answers(client, batch("own", 3), batch("own", 2, first=10)) == ["ack", "RATE_LIMITED"]
        assert server.rest("PUT", "/topics/own", {"topic_rate": 0}).json["settings"]["topic_rate"] is None
        # What was refused is not remembered as published.
        assert server.rest("POST", f"/topics/own/messages?id={numbered(2)}", 1).json["duplicate"] is True
        assert server.rest("POST", f"/topics/own/messages?id={numbered(10)}", 1).status == 201
        assert server.rest("PUT", "/topics/own", {"topic_rate": "often"}).status == 400
        assert counts(server) == {"command": 0, "publish": 0, "publish_bytes": 0, "topic": 3}


@pytest.mark.one_server("budgets and rates are each node's")
async def test_a_reload_changes_all_limits_at_once_for_open_connections_and_topics(tmp_path):
    tight = {"command_rate": "1/h", "command_burst": 4, "topic_rate": "1/h", "publish_rate": "1/h", "publish_burst": 3}
    with Reloadable(tmp_path, tight) as server:
        for topic in ("a", "b", "c", "d"):
            server.create(topic)
        async with await Client.open(server) as client:
            assert await answers(client, publish_command("a"), publish_command("a")) == ["ack", "RATE_LIMITED"]
            assert "publish_burst" in server.reload({**tight, "publish_burst": 1})
            assert await answers(client, publish_command("b"), publish_command("c"), {"type": "ping"}) == (
                ["ack", "RATE_LIMITED", "RATE_LIMITED"])
            server.reload({})
            assert await answers(client, *[publish_command("a")] * 5, {"type": "ping"}) == ["ack"] * 5 + ["pong"]
            server.reload({"topic_rate": "1/h"})
            assert await answers(client, *[publish_command("d")] * 2) == ["ack", "RATE_LIMITED"]


def test_pub_says_when_to_try_again():
    with Server("--publish-rate", "1/h") as server:
        server.create("t")
        assert apus("pub", "--url", server.url, "t", "1").returncode == 0
        refused = apus("pub", "--url", server.url, "t", "2")
        assert refused.returncode == 1
        assert "(RATE_LIMITED); try again in 3" in refused.stderr


def test_a_rate_that_is_none_stops_the_start():
    for flag, value in (("--command-rate", "fast"), ("--publish-rate", "1/d"), ("--publish-bytes-rate", "1MiB/w"),
                        ("--topic-burst", "lots")):
        found = apus("serve", "--port", "0", flag, value)
        assert found.returncode == 78 and flag[2:].replace("-", "_") in found.stderr
