"""Who is subscribed, how far behind, and who has just gone: extensions.md section 5."""

import asyncio

import pytest

from apus_e2e import OVER_CLUSTER, TIME, V1, Client, Server, until
from event_stream import EventStream, events_path
from extensions import BIG, PLENTY, lag, listing, pour, publish_batch, stalled, subscribe, topic_path
from test_rest import expect_problem

MEMBERS = {"topic", "client_id", "connection", "address", "transport", "since", "policy", "queue", "delivered",
           "dropped", "lag", "throttled_ms", "held_ms"} | ({"node"} if OVER_CLUSTER else set())


def only(entries, client_id):
    found = [entry for entry in entries if entry["client_id"] == client_id]
    assert len(found) == 1, entries
    return found[0]


async def test_a_subscriber_is_listed_with_all_that_is_known_of_it(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        port = client.connection.local_address[1]
        await subscribe(client, topic, "ü", overflow="latest", queue=77)
        await client.subscribe(topic, "plain")
        await publish_batch(client, topic, [1, 2, 3])
        for _ in range(6):
            await client.receive()
        entries = listing(server, topic)["subscribers"]
        assert len(entries) == 2
        entry, plain = only(entries, "ü"), only(entries, "plain")
        assert set(entry) == MEMBERS
        assert (entry["topic"], entry["transport"]) == (topic, "websocket")
        assert (entry["policy"], entry["queue"]) == ("latest", 77)
        assert (plain["policy"], plain["queue"]) == ("drop-oldest", 1000)
        assert entry["address"] == f"127.0.0.1:{port}"
        assert TIME.fullmatch(entry["since"])
        assert type(entry["connection"]) is int and entry["connection"] == plain["connection"]
        assert (entry["delivered"], entry["dropped"], entry["throttled_ms"]) == (3, 0, 0)
        assert entry["lag"] == {"messages": 0, "bytes": 0, "ms": 0}


async def test_a_slow_one_is_listed_with_its_lag(server, topic):
    raw, _ = stalled(server, topic, queue=100_000)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(PLENTY))
        await asyncio.sleep(0.05)
        entry = only(listing(server, topic)["subscribers"], "stalled")
        assert PLENTY / 2 < entry["lag"]["messages"] < PLENTY
        assert entry["lag"]["bytes"] >= entry["lag"]["messages"] * BIG
        assert entry["lag"]["ms"] >= 40
        assert entry["delivered"] + entry["lag"]["messages"] == PLENTY


async def test_what_was_dropped_is_listed(server, topic):
    raw, _ = stalled(server, topic, queue=10)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(PLENTY))
        entry = only(listing(server, topic)["subscribers"], "stalled")
        assert entry["dropped"] > PLENTY / 2 and entry["lag"]["messages"] <= 10
        assert entry["delivered"] + entry["dropped"] + entry["lag"]["messages"] == PLENTY


async def test_the_slowest_come_first_and_no_more_than_asked_for(server, topic):
    raws = [stalled(server, topic, f"slow {number}", queue=100_000)[0] for number in range(3)]
    try:
        async with await Client.open(server) as publisher, await Client.open(server) as healthy:
            await healthy.subscribe(topic, "healthy")
            async with asyncio.TaskGroup() as group:
                group.create_task(pour(publisher, topic, range(PLENTY)))
                group.create_task(receive_all(healthy, PLENTY))
            assert [entry["client_id"] for entry in listing(server, None, "?sort=delivered&limit=1")["subscribers"]] \
                == ["healthy"]
            entries = listing(server, None, "?sort=lag&limit=3")["subscribers"]
            assert {entry["client_id"] for entry in entries} == {"slow 0", "slow 1", "slow 2"}
            assert len(listing(server, None, "?sort=lag&limit=2")["subscribers"]) == 2
            lags = [entry["lag"]["messages"] for entry in listing(server, None, "?sort=lag")["subscribers"]]
            assert len(lags) == 4 and lags == sorted(lags, reverse=True)
    finally:
        for raw in raws:
            raw.abort()


@pytest.mark.parametrize(("sort", "value"), [
    ("lag", lambda entry: entry["lag"]["messages"]), ("delivered", lambda entry: entry["delivered"]),
    ("dropped", lambda entry: entry["dropped"]),
])
async def test_a_listing_is_sorted_by_what_it_is_asked_for_the_most_first(server, topic, dialect, sort, value):
    raws = [stalled(server, topic, f"slow {queue}", queue=queue)[0] for queue in (1, 100, 10)]
    try:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(PLENTY))
        values = [value(entry) for entry in listing(server, topic, f"?sort={sort}")["subscribers"]]
        assert len(values) == 3 and values == sorted(values, reverse=True)
        assert sort == "delivered" or values[0] > values[-1]
        response = server.rest("GET", f"{dialect.prefix}/subscribers?sort=since&limit=2")
        since = [entry["since"] for entry in response.json["subscribers"]]
        assert since in (sorted(since), sorted(since, reverse=True))
    finally:
        for raw in raws:
            raw.abort()


@pytest.mark.one_server("throttle counts a node's own subscribers")
async def test_the_time_that_a_subscriber_held_publishers_back_is_listed(server, topic):
    raw, _ = stalled(server, topic, overflow="throttle", queue=10)
    with raw:
        async with await Client.open(server) as publisher:
            publishing = asyncio.create_task(pour(publisher, topic, range(PLENTY)))

            def throttled():
                entry = only(listing(server, topic)["subscribers"], "stalled")
                return entry["throttled_ms"] >= 200 and entry["policy"] == "throttle"
            await until(throttled, "it has held publishers back")
            assert not publishing.done()
            raw.abort()
            await publishing


async def receive_all(client, count):
    for _ in range(count):
        assert (await client.receive())["type"] == "event"


async def test_a_pattern_is_listed_under_each_topic_it_matches(server, topic):
    server.create(f"{topic}.a")
    server.create(f"{topic}.b")
    async with await Client.open(server) as client:
        await client.subscribe(f"{topic}.*", "patterns")
        for name in (f"{topic}.a", f"{topic}.b"):
            entry = only(listing(server, name)["subscribers"], "patterns")
            assert (entry["topic"], entry["pattern"]) == (name, f"{topic}.*")


async def test_an_event_stream_is_listed_too(server, topic):
    async with await EventStream.open(server, events_path(topic_path(topic), client_id="browser")) as stream:
        await stream.start()
        entry = only(listing(server, topic)["subscribers"], "browser")
        assert (entry["transport"], entry["policy"]) == ("sse", "drop-oldest")


def gone(server, topic, client_id):
    return [entry for entry in listing(server, topic)["gone"] if entry["client_id"] == client_id]


async def gone_once(server, topic, client_id):
    await until(lambda: gone(server, topic, client_id), f"{client_id} is listed as gone")
    entry, = gone(server, topic, client_id)
    assert MEMBERS - {"lag", "throttled_ms", "held_ms"} <= set(entry) | {"since", "policy", "queue"}
    assert TIME.fullmatch(entry["at"])
    return entry


async def test_who_unsubscribed_is_listed_as_gone(server, topic):
    async with await Client.open(server) as client:
        await client.subscribe(topic, "x")
        await client.expect_event(topic, await client.publish(topic, 1))
        await client.unsubscribe(topic, "x")
        entry = await gone_once(server, topic, "x")
        assert (entry["reason"], entry["delivered"], entry["dropped"]) == ("UNSUBSCRIBED", 1, 0)
        assert listing(server, topic)["subscribers"] == []


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_who_disconnected_is_listed_as_gone(server, topic, end):
    client = await Client.open(server, V1)
    await client.subscribe(topic, "x")
    if end == "close":
        await client.connection.close()
    else:
        client.connection.transport.abort()
    assert (await gone_once(server, topic, "x"))["reason"] == "DISCONNECTED"


async def test_who_was_cut_off_is_listed_as_gone_with_what_it_got(server, topic):
    raw, _ = stalled(server, topic, overflow="disconnect", queue=10)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(PLENTY))
        entry = await gone_once(server, topic, "stalled")
        assert entry["reason"] == "SLOW_CONSUMER" and 0 < entry["delivered"] < PLENTY


async def test_who_lost_its_topic_is_listed_as_gone(server, topic):
    async with await Client.open(server) as client:
        await client.subscribe(topic, "x")
        server.delete(topic)
        await client.expect(type="info", topic=topic, msg="topic_deleted")
        found = [entry for entry in listing(server)["gone"] if (entry["topic"], entry["client_id"]) == (topic, "x")]
        assert [entry["reason"] for entry in found] == ["TOPIC_DELETED"]


async def test_the_gone_are_remembered_up_to_a_hundred_a_loop():
    with Server("--threads", "2") as server:
        server.create("t")
        async with await Client.open(server) as client:
            for number in range(300):
                await client.subscribe("t", f"c{number}")
                await client.unsubscribe("t", f"c{number}")
            remembered = [entry["client_id"] for entry in listing(server)["gone"]]
        assert len(remembered) == 100 and set(remembered) == {f"c{number}" for number in range(200, 300)}


async def test_caught_up_is_no_lag(server, topic):
    async with await Client.open(server) as client:
        await client.subscribe(topic, "x")
        for number in range(20):
            await client.expect_event(topic, await client.publish(topic, number))
        await until(lambda: lag(server, topic, "x") == 0, "no lag")


@pytest.mark.parametrize("query", ["sort=", "sort=name", "limit=x", "limit=-1", "limit=1.5", "sort=lag&limit="])
def test_a_listing_that_makes_no_sense_is_refused(server, query):
    response = server.rest("GET", f"/subscribers?{query}")
    expect_problem(response, 400, "BAD_REQUEST")
    assert query.split("&")[-1].split("=")[0] in response.json["detail"]


def test_the_listing_of_a_topic_that_does_not_exist_is_not_found(server, dialect):
    expect_problem(server.rest("GET", topic_path("nowhere", "/subscribers", dialect)), 404, "TOPIC_NOT_FOUND")
