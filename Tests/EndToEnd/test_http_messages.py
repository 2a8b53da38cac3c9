"""Publishing and reading history over HTTP: extensions.md section 6."""

import json
import re
import uuid
from urllib.parse import urlencode

import pytest

from apus_e2e import PATIENCE, STORED, TIME, Client, Server, eventually
from extensions import configure, describe, head, publish, subscribe, topic_path
from history import JSON, NDJSON, TEXT, fill, get, offsets, page, post
from test_rest import expect_problem

pytestmark = pytest.mark.over_cluster


@pytest.mark.parametrize("body", [
    "1", "null", "true", '"text"', "[]", "{}", ' {"a" : 1.50, "b":[ ]} ', '"\\u00e9é"', "-0.0",
])
@pytest.mark.one_server("an outcome counts the subscribers of its own node")
async def test_a_json_body_is_the_payload_as_it_came(server, topic, dialect, body):
    async with await Client.open(server, dialect) as client:
        await subscribe(client, topic, positions=True)
        response = post(server, topic, body, dialect=dialect)
        assert response.status == 201 and response.content_type == JSON
        told = response.json
        assert TIME.fullmatch(told.pop(dialect.time_key))
        identifier = told.pop("id")
        assert str(uuid.UUID(identifier)) == identifier.lower()
        assert told == {"status": "published", "topic": topic, "epoch": describe(server, topic)["epoch"], "offset": 1,
                        "subscribers": 1, "stored": STORED}
        text = await client.receive_text()
        assert json.loads(text)["message"]["id"] == identifier and json.loads(text)["offset"] == 1
        assert re.search(rf'"payload":\s*{re.escape(body.strip())}\s*\}}', text), text


@pytest.mark.parametrize("text", ["", "plain", 'quo"te\\ \n\t\0', "日本 🐝", "{}"])
@pytest.mark.parametrize("kind", [TEXT, "text/plain; charset=utf-8", "text/plain ; charset=utf-8", "Text/Plain"])
async def test_a_text_body_is_a_string_payload(server, topic, kind, text):
    assert post(server, topic, text, kind).status == 201
    assert page(server, topic)["messages"][0]["message"]["payload"] == text


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
async def test_a_body_of_lines_is_a_batch(server, topic, dialect, end):
    await fill(server, topic, 1)
    response = post(server, topic, '{"a":1}\n"b"\n3' + end, NDJSON, dialect)
    told = response.json
    assert response.status == 201 and TIME.fullmatch(told.pop(dialect.time_key))
    assert told == {"status": "published", "topic": topic, "count": 3, "epoch": describe(server, topic)["epoch"],
                    "offset": 2, "subscribers": 0, "stored": STORED}
    assert [element["message"]["payload"] for element in page(server, topic)["messages"]] == [1, {"a": 1}, "b", 3]
    assert len({element["message"]["id"] for element in page(server, topic)["messages"]}) == 4


@pytest.mark.parametrize(("body", "kind"), [
    ("", JSON), ("no json", JSON), ("{", JSON), ("1 2", JSON), (b'"\xff"', JSON), ("1\n{\n3", NDJSON), ("", NDJSON),
    ("1\nno json\n", NDJSON), (b"\xff", TEXT), ("[" * 2000 + "]" * 2000, JSON),
])
async def test_a_body_of_another_form_is_refused_and_nothing_of_it_taken(server, topic, body, kind):
    expect_problem(post(server, topic, body, kind), 400, "BAD_REQUEST")
    assert await head(server, topic) == 0


@pytest.mark.parametrize("carrier", ["header", "query"])
@pytest.mark.parametrize("identifier", [str(uuid.uuid4()), uuid.uuid4().hex, str(uuid.uuid4()).upper()],
                         ids=["dashes", "plain", "capitals"])
async def test_a_repeat_of_an_id_is_told_as_one(server, topic, dialect, carrier, identifier):
    configure(server, topic, dedupe_window="2m")
    given = {"headers": {"Idempotency-Key": identifier}} if carrier == "header" else {"id": identifier}
    first = post(server, topic, "1", dialect=dialect, **given)
    again = post(server, topic, "1", dialect=dialect, **given)
    assert (first.status, again.status) == (201, 200)
    assert first.json["id"] == identifier and "duplicate" not in first.json
    assert again.json["duplicate"] is True
    assert (again.json["epoch"], again.json["offset"]) == (first.json["epoch"], first.json["offset"])
    async with await Client.open(server, dialect) as client:
        await client.send(type="publish", topic=topic, outcome=True, message={"id": identifier, "payload": 1})
        assert (await client.receive())["duplicate"] is True
    assert await head(server, topic) == 1


async def test_an_id_may_be_any_text(server, topic, dialect):
    assert post(server, topic, "1", dialect=dialect, id="order-7 ü").json["id"] == "order-7 ü"
    assert page(server, topic)["messages"][0]["message"] == {"id": "order-7 ü", "payload": 1}


async def test_key_and_ttl_are_taken_from_the_query(server, topic):
    async with await Client.open(server) as client:
        await subscribe(client, topic, positions=True)
        assert post(server, topic, "1", key="ü k", ttl="200ms").status == 201
        event = await client.receive()
        assert (event["key"], event["offset"]) == ("ü k", 1)
    assert page(server, topic)["messages"] == [] or page(server, topic)["messages"][0]["key"] == "ü k"
    eventually(lambda: page(server, topic)["messages"] == [], "it has expired", 5 * PATIENCE)


@pytest.mark.parametrize(("name", "wrong"), [
    ("ttl", ""), ("ttl", "x"), ("ttl", "0"), ("ttl", "-1s"), ("key", ""), ("key", "k" * 257), ("id", ""),
])
async def test_a_wrong_query_is_refused_by_name(server, topic, name, wrong):
    response = post(server, topic, "1", **{name: wrong})
    expect_problem(response, 400, "BAD_REQUEST")
    assert name in response.json["detail"]
    assert await head(server, topic) == 0


@pytest.mark.parametrize("wrong", ["", "i" * 257])
async def test_a_wrong_id_in_the_query_is_refused_beside_one_in_the_header(server, topic, wrong):
    response = post(server, topic, "1", id=wrong, headers={"Idempotency-Key": "right"})
    expect_problem(response, 400, "BAD_REQUEST", "'id' must be 1 to 256 bytes")
    assert await head(server, topic) == 0
    assert post(server, topic, "1", id="other", headers={"Idempotency-Key": "right"}).json["id"] == "right"


async def test_a_body_may_be_as_large_as_a_message(server, topic):
    assert post(server, topic, json.dumps("x" * 900_000)).status == 201
    expect_problem(post(server, topic, json.dumps("x" * (1 << 20))), 413, "TOO_LARGE")
    assert await head(server, topic) == 1


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_topic_that_does_not_exist_is_not_found(server, dialect, method):
    response = server.rest(method, topic_path("nowhere", "/messages", dialect), b"1" if method == "POST" else None)
    expect_problem(response, 404, "TOPIC_NOT_FOUND", "Topic 'nowhere' not found")


async def test_an_empty_topic_has_an_empty_page(server, topic, dialect):
    assert page(server, topic, dialect) == {"epoch": describe(server, topic)["epoch"], "first": 1, "last": 0,
                                            "messages": [], "next": 0}


async def test_a_page_has_the_messages_as_published_with_offset_and_key(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        one, outcome = await publish(client, topic, {"n": 1})
        two, _ = await publish(client, topic, 2, key="k")
    assert page(server, topic, dialect) == {
        "epoch": outcome["epoch"], "first": 1, "last": 2, "next": 2,
        "messages": [{"offset": 1, "message": one}, {"offset": 2, "message": two, "key": "k"}]}


@pytest.mark.parametrize(("query", "first", "last"), [
    ({}, 51, 150), ({"last_n": 0}, 151, 150), ({"last_n": 5}, 146, 150), ({"last_n": 1000}, 51, 150),
    ({"since": "all"}, 51, 150), ({"since": "1h"}, 51, 150), ({"since": "2999-01-01T00:00:00Z"}, 151, 150),
    ({"after": 140}, 141, 150), ({"after": 150}, 151, 150), ({"after": 50, "limit": 7}, 51, 57),
    ({"since": "all", "limit": 3}, 51, 53),
    ({"after": 149, "limit": 1000}, 150, 150), ({"limit": 1}, None, None),
])
async def test_a_page_starts_where_it_is_asked_to(server, topic, dialect, query, first, last):
    epoch = await fill(server, topic, 150)
    told = page(server, topic, dialect, **query)
    assert (told["epoch"], told["first"], told["last"]) == (epoch, 51, 150)
    if first is not None:
        assert offsets(told) == list(range(first, last + 1))
        assert told["next"] == last
    else:
        assert len(told["messages"]) == 1 and told["next"] == told["messages"][0]["offset"]
    assert "recovered" not in told or told["recovered"] is True


async def test_pages_follow_each_other_without_gap_or_double(server, topic, dialect):
    configure(server, topic, history=500)
    epoch = await fill(server, topic, 500)
    seen, after = [], 0
    while (told := page(server, topic, dialect, after=after, epoch=epoch, limit=37))["messages"]:
        seen += offsets(told)
        after = told["next"]
    assert seen == list(range(1, 501)) and after == told["next"] == 500


@pytest.mark.parametrize(("query", "missed"), [
    ({"after": 10}, {"from": 11, "to": 50}), ({"after": 49}, {"from": 50, "to": 50}),
    ({"after": 7, "epoch": "other"}, None), ({"after": 150, "epoch": "other"}, None),
    ({"after": 9999, "epoch": "other"}, None),
])
async def test_an_honest_page_says_what_it_could_not_recover(server, topic, query, missed):
    epoch = await fill(server, topic, 150)
    told = page(server, topic, **{"epoch": epoch} | query)
    assert told["recovered"] is False and told.get("missed") == missed
    assert offsets(told) == list(range(51, 151)) and told["next"] == 150


async def test_a_page_after_the_future_of_the_epoch_is_refused(server, topic):
    epoch = await fill(server, topic, 10)
    response = get(server, topic, after=11, epoch=epoch)
    expect_problem(response, 400, "BAD_REQUEST")
    assert "after" in response.json["detail"]
    # Without the epoch it may be a topic's that was created again.
    assert page(server, topic, after=11)["recovered"] is False


@pytest.mark.parametrize("query", [
    {"last_n": -1}, {"last_n": "x"}, {"last_n": ""}, {"since": ""}, {"since": "soon"}, {"after": -1}, {"after": "x"},
    {"after": 1.5}, {"limit": 0}, {"limit": -1}, {"limit": 1001}, {"limit": "x"}, {"wait": "x"},
    {"wait": "-1s"}, {"last_n": 1, "since": "all"}, {"last_n": 1, "after": 1}, {"since": "all", "after": 1},
], ids=urlencode)
async def test_a_query_that_makes_no_sense_is_refused_by_name(server, topic, query):
    await fill(server, topic, 10)
    response = get(server, topic, **query)
    expect_problem(response, 400, "BAD_REQUEST")
    assert any(name in response.json["detail"] for name in query)


def test_keys_are_asked_for_as_for_every_request():
    with Server(env={"APUS_API_KEYS": "secret"}) as server:
        server.create("t", headers={"X-API-Key": "secret"})
        keys = [({}, 401, 401), ({"X-API-Key": "x"}, 401, 401), ({"X-API-Key": "secret"}, 201, 200)]
        for key, published, read in keys:
            assert post(server, "t", "1", headers=key).status == published
            assert get(server, "t", headers=key).status == read
