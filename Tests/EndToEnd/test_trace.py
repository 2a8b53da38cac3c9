"""Where a message went: `GET /trace`, and what lists of subscribers say of drops."""

import asyncio
import json
from urllib.parse import urlencode

import pytest

from apus_e2e import STORED, Client, Server, until
from event_stream import EventStream
from extensions import PLENTY, lag, listing, pour, put, stalled, subscribe
from history import post
from flood import UUID

TOPIC = "orders"


def trace(server, message_id, headers=None, **query):
    return server.rest("GET", f"/trace?{urlencode({'id': message_id} | query)}", headers=headers)


def found(server, message_id, **query):
    answer = trace(server, message_id, **query)
    assert answer.status == 200, answer.body
    assert answer.json["found"] is True, answer.json
    return answer.json


def outcomes(told):
    return {row["client_id"]: row["outcome"] for row in told["subscribers"]}


@pytest.mark.one_server("traces are each node's")
async def test_a_message_is_found_with_who_got_it_and_who_came_later(server, topic):
    async with await Client.open(server) as early, await Client.open(server) as late:
        await early.subscribe(topic, "early")
        async with await EventStream.open(server, f"/topics/{topic}/events?client_id=stream") as stream:
            answer = post(server, topic, '{"a":1}', id="the-one", key="k")
            assert answer.status == 201
            await early.receive()
            await stream.next()
            await late.subscribe(topic, "late")
            told = found(server, "the-one")
            assert (told["topic"], told["offset"], told["key"]) == (topic, 1, "k")
            assert (told["stored"], told["complete"]) == (STORED, True) and told["bytes"] > 10
            assert outcomes(told) == {"early": "delivered", "stream": "delivered", "late": "later"}
            assert told["outcomes"] == {"delivered": 2, "pending": 0, "dropped": 0, "filtered": 0, "later": 1,
                                        "unknown": 0}
            assert {row["transport"] for row in told["subscribers"]} == {"websocket", "sse"}
            assert len(found(server, "the-one", limit=1)["subscribers"]) == 1
    await until(lambda: len(found(server, "the-one")["gone"]) == 2, "both are gone")
    assert {row["outcome"] for row in found(server, "the-one", topic=topic)["gone"]} == {"delivered"}


@pytest.mark.parametrize("policy", ["drop-oldest", "drop-newest"])
@pytest.mark.one_server("traces are each node's")
async def test_who_is_behind_is_told_apart_from_who_lost_it_and_why(server, topic, policy):
    raw, _ = stalled(server, topic, overflow=policy, queue=20, positions=True)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1))
        # All bear the same id: the newest is told in full, the others by their places.
        told = found(server, UUID, topic=topic)
        assert told["offset"] == PLENTY
        assert [other["offset"] for other in told["others"]][:99] == list(range(PLENTY - 1, PLENTY - 100, -1))
        [row] = told["subscribers"]
        if policy == "drop-oldest":
            assert (row["outcome"], told["outcomes"]["pending"]) == ("pending", 1) and row["ahead"] < 20
        else:
            assert (row["outcome"], row["reason"]) == ("dropped", "queue_full") and row["at"].endswith("Z")
        [listed] = listing(server, topic)["subscribers"]
        assert listed["last_drop"]["reason"] == "queue_full" and listed["last_drop"]["messages"] >= 1
        if policy == "drop-oldest":
            assert listed["last_drop"]["messages"] == listed["dropped"]


@pytest.mark.one_server("traces are each node's")
async def test_what_a_later_message_replaced_is_filtered(server, topic):
    raw, _ = stalled(server, topic, overflow="latest", queue=50, positions=True)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, 100), keys=lambda number: f"k{number}")
            assert post(server, topic, "1", id="old", key="same").status == 201
            assert post(server, topic, "2", id="new", key="same").status == 201
            await pour(publisher, topic, range(100, PLENTY), keys=lambda number: f"k{number % 7}")
        await until(lambda: lag(server, topic) > 0, "it is behind")
        [row] = found(server, "old")["subscribers"]
        assert row["outcome"] in ("filtered", "pending", "dropped")


def test_an_id_that_nobody_used_is_not_found(server, topic):
    assert post(server, topic, '{"id":"inner"}').status == 201
    for query in ({}, {"topic": topic}):
        told = trace(server, "inner", **query).json
        assert told["found"] is False and told["complete"] is True and told["topics"] >= 1
    put(server, topic, history_age="1h")
    assert trace(server, "nobody", topic=topic).json["found"] is False
    for query in ("", "?id=", f"?id={'x' * 1025}", "?id=a&limit=0", "?id=a&limit=x"):
        assert server.rest("GET", f"/trace{query}").status == 400
    assert trace(server, "a", topic="none").status == 404


@pytest.mark.one_server("traces are each node's")
async def test_lists_of_subscribers_can_be_searched(server, topic):
    async with await Client.open(server) as one, await Client.open(server) as two:
        await one.subscribe(topic, "Shop-Berlin")
        await two.subscribe(topic, "warehouse")

        def names(text, of=None):
            return [row["client_id"] for row in listing(server, of, f"?search={text}")["subscribers"]]

        assert names("shop") == ["Shop-Berlin"] == names("BERLIN", topic)
        assert names("nobody") == []
        assert sorted(names(topic)) == ["Shop-Berlin", "warehouse"] == sorted(names("127.0.0.1", topic))
        assert server.rest("GET", "/subscribers?search=").status == 400

    def gone():
        return [row["client_id"] for row in listing(server, None, "?search=warehouse")["gone"]]

    await until(lambda: gone() == ["warehouse"], "who is gone is searched, too")


def test_a_trace_needs_stats_and_tells_nothing_without():
    keys = [{"id": "boss", "key": "boss", "rights": [{"actions": ["*"], "topics": [">"]}]},
            {"id": "eye", "key": "eye", "rights": [{"actions": ["stats"], "topics": ["a.*"]}]},
            {"id": "ann", "key": "ann", "rights": [{"actions": ["subscribe", "publish"], "topics": [">"]}]}]
    with Server("--keys", json.dumps(keys)) as server:
        boss, eye, ann = ({"X-API-Key": name} for name in ("boss", "eye", "ann"))
        for topic in ("a.x", "b.x"):
            assert server.create(topic, headers=boss).status == 201
            assert post(server, topic, "1", headers=boss, id="both").status == 201
        assert {trace(server, "both", boss).json["topic"]} | {
            other["topic"] for other in trace(server, "both", boss).json["others"]} == {"a.x", "b.x"}
        told = trace(server, "both", eye).json
        assert told["topic"] == "a.x" and "others" not in told
        refused = [trace(server, "both", eye, topic="b.x"), trace(server, "both", eye, topic="none"),
                   trace(server, "both", ann), trace(server, "nothing", ann)]
        assert {(answer.status, answer.json["detail"]) for answer in refused} == {
            (403, "The credential does not allow 'stats' here")}


@pytest.mark.one_server("it is about a server's own folder")
async def test_what_only_the_disk_has_is_found_where_the_topic_is_named(tmp_path):
    flags = ("--data", str(tmp_path / "data"), "--history", "1000")
    with Server(*flags) as server:
        put(server, TOPIC)
        for number in range(20):
            assert post(server, TOPIC, str(number), id=f"m{number}").status == 201
    with Server(*flags) as server:
        assert trace(server, "m3").json["found"] is False
        async with await Client.open(server) as client:
            await subscribe(client, TOPIC, positions=True, since="all")
            for _ in range(20):
                await client.receive()
            told = await asyncio.to_thread(found, server, "m3", topic=TOPIC)
            assert (told["offset"], told["stored"]) == (4, "disk")
            assert outcomes(told) == {"c": "delivered"}



def test_what_was_purged_is_not_found(server, topic):
    assert post(server, topic, "1", id="purged").status == 201
    assert found(server, "purged")["topic"] == topic
    assert server.rest("DELETE", f"/topics/{topic}/messages").json["purged"] == 1
    assert trace(server, "purged").json["found"] is False
