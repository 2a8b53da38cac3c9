"""PUT and GET of a topic, and what each setting does: extensions.md section 5."""

import asyncio

import pytest

from apus_e2e import PATIENCE, STORED, V1, Client, Server
from extensions import (PLENTY, configure, describe, expect_exact_ranges, head, offsets, payloads, pour, publish,
                        publish_batch, put, read, receive_events, stalled, subscribe, topic_path)
from test_rest import expect_problem

DEFAULTS = {"history": 100, "history_age": None, "history_bytes": None, "queue": 1000, "overflow": "drop-oldest",
            "dedupe_window": None, "ttl": None, "topic_rate": None, "topic_burst": None, "durability": STORED}
CHANGES = {"history": 7, "history_age": "1h", "history_bytes": 100_000, "queue": 50, "overflow": "drop-newest",
           "dedupe_window": "2m", "ttl": "1d"}


@pytest.fixture
def fresh(topic):
    """The name of a topic that does not exist."""
    return f"{topic} fresh"


def test_a_topic_tells_its_settings_and_its_position(server, topic, dialect):
    told = describe(server, topic, dialect)
    assert told["name"] == topic and told["settings"] == DEFAULTS
    assert isinstance(told["epoch"], str) and told["epoch"]
    assert (told["first"], told["last"], told["messages"], told["bytes"], told["subscribers"]) == (1, 0, 0, 0, 0)
    assert set(told["rates"]) == {"messages_per_second", "bytes_per_second"}
    assert all(rate == 0 for rate in told["rates"].values())


@pytest.mark.one_server("rates are each node's")
async def test_what_a_topic_holds_is_counted(server, topic):
    async with await Client.open(server, max_queue=None) as client:
        await client.subscribe(topic)
        await publish_batch(client, topic, [["x" * 100, number] for number in range(150)])
        told = describe(server, topic)
    # All that were ever published, as in /stats.
    assert (told["first"], told["last"], told["messages"], told["subscribers"]) == (51, 150, 150, 1)
    assert 100 * 100 <= told["bytes"] <= 150 * 1000
    assert told["rates"]["messages_per_second"] > 0 and told["rates"]["bytes_per_second"] > 0


def test_a_topic_that_does_not_exist_is_not_found(server, dialect):
    expect_problem(server.rest("GET", topic_path("nowhere", dialect=dialect)), 404, "TOPIC_NOT_FOUND",
                   "Topic 'nowhere' not found")


@pytest.mark.over_cluster
def test_put_creates_a_topic_and_changes_one(server, fresh, dialect):
    assert put(server, fresh, dialect, history=5).status == 201
    assert describe(server, fresh)["settings"] == DEFAULTS | {"history": 5}
    epoch = describe(server, fresh)["epoch"]
    assert put(server, fresh, dialect, queue=9, ttl="30s").status == 200
    assert describe(server, fresh)["settings"] == DEFAULTS | {"history": 5, "queue": 9, "ttl": "30s"}
    assert describe(server, fresh)["epoch"] == epoch
    assert server.create(fresh).status == 409


@pytest.mark.parametrize("changed", [*([name] for name in CHANGES), list(CHANGES), []])
@pytest.mark.over_cluster
def test_each_setting_is_taken_alone_and_with_all_others(server, fresh, changed):
    settings = {name: CHANGES[name] for name in changed}
    assert put(server, fresh, **settings).status == 201
    assert describe(server, fresh)["settings"] == DEFAULTS | settings
    assert put(server, fresh, **settings).status == 200
    assert describe(server, fresh)["settings"] == DEFAULTS | settings


WRONG_DURATIONS = ["", "x", "1", "h", "1y", "-1s", "1 h", True, [], {}, -1]
WRONG_COUNTS = ["", "x", "5", -1, 1.5, True, [], {}, 10**30]
WRONG = [
    *(("history", wrong) for wrong in WRONG_COUNTS), *(("history_bytes", wrong) for wrong in WRONG_COUNTS),
    *(("queue", wrong) for wrong in [*WRONG_COUNTS, 0, 100_001]),
    *(("overflow", wrong) for wrong in ["", "drop", "Drop-Oldest", "drop_oldest", 1, True, [], {}]),
    *((name, wrong) for name in ("history_age", "dedupe_window", "ttl") for wrong in WRONG_DURATIONS if wrong != "1"),
]


@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_a_wrong_value_is_refused_by_name_and_nothing_is_taken_by_halves(server, topic, fresh, name, wrong):
    others = {other: CHANGES[other] for other in CHANGES if other != name}
    for path in (topic, fresh):
        response = put(server, path, **others, **{name: wrong})
        expect_problem(response, 400, "BAD_REQUEST")
        assert name in response.json["detail"]
    assert describe(server, topic)["settings"] == DEFAULTS
    assert server.rest("GET", topic_path(fresh)).status == 404


def test_null_takes_a_setting_back_to_the_servers(server, fresh):
    configure(server, fresh, **CHANGES)
    configure(server, fresh, history=None, ttl=None, overflow=None)
    expected = DEFAULTS | CHANGES | {name: DEFAULTS[name] for name in ("history", "ttl", "overflow")}
    assert describe(server, fresh)["settings"] == expected


def test_a_setting_that_does_not_exist_is_refused_by_name(server, topic):
    response = put(server, topic, history=5, histroy=7)
    expect_problem(response, 400, "BAD_REQUEST")
    assert "histroy" in response.json["detail"] and describe(server, topic)["settings"] == DEFAULTS


def test_a_put_without_a_body_sets_nothing(server, topic, fresh):
    assert server.rest("PUT", topic_path(fresh)).status == 201
    assert server.rest("PUT", topic_path(topic), b"{}").status == 200
    assert describe(server, topic)["settings"] == describe(server, fresh)["settings"] == DEFAULTS


@pytest.mark.parametrize("body", [b"no json", b"[]", b"null", b"1", b'"x"', b'{"history":5', b'{"history":5}x'])
def test_a_body_that_is_no_object_is_a_bad_request(server, topic, body):
    response = server.rest("PUT", topic_path(topic), body, {"Content-Type": "application/json"})
    expect_problem(response, 400, "BAD_REQUEST")
    assert describe(server, topic)["settings"] == DEFAULTS


@pytest.mark.parametrize("name", ["a*", "a.>", ">", "*", "x" * 256, "a\n", "\x7f"])
def test_a_name_that_is_not_allowed_is_a_bad_request(server, name):
    expect_problem(put(server, name, history=5), 400, "BAD_REQUEST")


def test_the_limit_of_topics_holds_for_put_too():
    with Server("--max-topics", "2") as server:
        assert [put(server, name).status for name in ("a", "b", "c", "a")] == [201, 201, 503, 200]


def test_put_get_and_delete_are_the_methods_of_a_topic(server, topic):
    response = server.rest("PATCH", topic_path(topic), {})
    expect_problem(response, 405, "METHOD_NOT_ALLOWED")
    assert {allow.strip() for allow in response.headers["Allow"].split(",")} >= {"GET", "PUT", "DELETE"}


@pytest.mark.parametrize(("before", "after", "latest"), [(100, 10, 91), (10, 200, 91), (100, 0, 101), (50, 50, 51)])
@pytest.mark.over_cluster
async def test_history_may_shrink_and_grow_while_the_topic_is_in_use(server, topic, before, after, latest):
    configure(server, topic, history=before)
    async with await Client.open(server) as client:
        await publish_batch(client, topic, list(range(1, 101)))
        configure(server, topic, history=after)
        first = (await subscribe(client, topic, since="all"))["offset"] + 1
        # A longer history may find what is still there, a shorter one is exact.
        assert first == latest if after <= before else first <= latest
        assert offsets(await receive_events(client, topic, 101 - first)) == list(range(first, 101))
        message = await client.publish(topic, 101)
        await client.expect(type="event", topic=topic, message=message, offset=101)
    assert describe(server, topic)["last"] == 101


async def test_history_bytes_bounds_what_is_kept(server, topic):
    configure(server, topic, history=10_000, history_bytes=50_000)
    async with await Client.open(server) as client:
        for _ in range(10):
            await publish_batch(client, topic, ["x" * 1000] * 20)
        told = describe(server, topic)
        assert told["last"] == 200
        kept = told["last"] - told["first"] + 1
        assert 30 <= kept <= 55
        assert (await subscribe(client, topic, since="all"))["offset"] == told["first"] - 1
        assert offsets(await receive_events(client, topic, kept)) == list(range(told["first"], 201))


async def test_history_age_bounds_what_is_replayed(server, topic):
    configure(server, topic, history_age="300ms")
    async with await Client.open(server) as client:
        epoch = (await publish(client, topic, 1))[1]["epoch"]
        async with asyncio.timeout(5 * PATIENCE):
            while (ack := await subscribe(client, topic, "old", since={"epoch": epoch, "offset": 0}))["recovered"]:
                assert offsets(await receive_events(client, topic, 1)) == [1]
        assert (ack["offset"], ack["missed"]) == (1, {"from": 1, "to": 1})
        message = await client.publish(topic, 2)
        await client.expect(type="event", topic=topic, message=message, offset=2)
        await subscribe(client, topic, "new", since={"epoch": epoch, "offset": 1})
        assert offsets(await receive_events(client, topic, 1)) == [2]


@pytest.mark.over_cluster
async def test_the_ttl_of_a_topic_is_that_of_messages_without_one(server, topic):
    configure(server, topic, ttl="200ms")
    async with await Client.open(server) as client:
        await client.publish(topic, "topic's")
        await client.publish(topic, "own", ttl="1h")
        seen = []
        async with asyncio.timeout(5 * PATIENCE):
            while seen != ["own"]:
                await subscribe(client, topic, last_n=10)
                await client.send(type="unsubscribe", topic=topic, client_id="c")
                seen = []
                while (message := await client.receive())["type"] == "event":
                    seen.append(message)
                seen = payloads(seen)


async def test_overflow_and_queue_of_a_topic_are_those_of_subscriptions_without_their_own(server, topic):
    configure(server, topic, overflow="drop-newest", queue=30)
    raw, _ = stalled(server, topic, "default", positions=True)
    other, _ = stalled(server, topic, "own", positions=True, overflow="drop-oldest")
    plain, _ = stalled(server, topic, "plain")
    try:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1))
        for reader in (raw, other, plain):
            seen = await asyncio.to_thread(read, reader, lambda seen: seen.accounted == PLENTY)
            if reader is not plain:
                expect_exact_ranges(seen, 1, PLENTY)
            assert (seen.numbers[-1] == PLENTY) is (reader is other)
            assert seen.dropped > 0
    finally:
        for reader in (raw, other, plain):
            reader.abort()


@pytest.mark.over_cluster
async def test_settings_go_with_the_topic(server, topic):
    configure(server, topic, history=5)
    server.delete(topic)
    server.create(topic)
    assert describe(server, topic)["settings"] == DEFAULTS


async def test_the_defaults_are_those_of_the_server():
    with Server("--history", "3", "--queue", "7", "--overflow", "throttle") as server:
        server.create("t")
        assert describe(server, "t")["settings"] == DEFAULTS | {"history": 3, "queue": 7, "overflow": "throttle"}
        assert put(server, "t", history=4).status == 200
        assert describe(server, "t", V1)["settings"]["history"] == 4
        async with await Client.open(server) as client:
            await publish_batch(client, "t", list(range(10)))
        assert (await head(server, "t"), describe(server, "t")["first"]) == (10, 7)
