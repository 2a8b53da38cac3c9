"""Server-sent events of one topic: ids, resuming, ends: extensions.md section 6."""

import asyncio
import random
from contextlib import suppress

import pytest

from apus_e2e import PATIENCE, Client, Server, until
from event_stream import EventStream, events_path
from extensions import configure, describe, expect_bad, position, publish, subscribe, topic_path
from history import fill

pytestmark = [pytest.mark.over_tls, pytest.mark.over_cluster]


def one(topic, dialect=None, **query):
    return events_path(topic_path(topic, **({} if dialect is None else {"dialect": dialect})), **query)


def expect_numbers(parts, epoch, first, last):
    assert [part.identifier for part in parts] == [f"{epoch}:{offset}" for offset in range(first, last + 1)]
    assert [part.json["message"]["payload"] for part in parts] == list(range(first, last + 1))


async def expect_nothing_more(server, stream, topic):
    """What is published now is the next to come."""
    assert server.rest("POST", topic_path(topic, "/messages"), "last").status == 201
    part, = await stream.messages(1)
    assert part.json["message"]["payload"] == "last"


async def test_a_stream_begins_with_the_time_to_retry_and_its_position(server, topic, dialect):
    async with await EventStream.open(server, one(topic, dialect)) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"].split(";")[0] == "text/event-stream"
        assert "no-cache" in stream.headers["cache-control"] or "no-store" in stream.headers["cache-control"]
        assert (await stream.start()).identifier == f"{describe(server, topic)['epoch']}:0"


@pytest.mark.one_server("an outcome counts the subscribers of its own node")
async def test_events_are_those_of_a_websocket_with_their_position_as_id(server, topic, dialect):
    async with await EventStream.open(server, one(topic, dialect)) as stream, await Client.open(server) as client:
        await stream.start()
        for offset in range(1, 4):
            message, outcome = await publish(client, topic, {"text": 'a\nb\r\n"ü"', "n": offset}, key="k")
            assert outcome["subscribers"] == 1
            part = await stream.expect("message", f"{outcome['epoch']}:{offset}", type="event", topic=topic,
                                       message=message, key="k", offset=offset)
            assert dialect.time_key in "".join(part.data)
            assert len(part.data) == 1


@pytest.mark.parametrize(("query", "first"), [
    ({}, 151), ({"last_n": 0}, 151), ({"last_n": 5}, 146), ({"last_n": 1000}, 51), ({"since": "all"}, 51),
    ({"since": "1h"}, 51), ({"since": "2999-01-01T00:00:00Z"}, 151),
])
async def test_a_stream_starts_where_it_is_asked_to(server, topic, dialect, query, first):
    epoch = await fill(server, topic, 150)
    async with await EventStream.open(server, one(topic, dialect, **query)) as stream:
        assert (await stream.start()).identifier == f"{epoch}:{first - 1}"
        expect_numbers(await stream.messages(151 - first), epoch, first, 150)
        await expect_nothing_more(server, stream, topic)


CARRIERS = {
    "header": lambda value: ({}, {"Last-Event-ID": value}),
    "query": lambda value: ({"last_event_id": value}, {}),
    # The browser sends the header when it reconnects to the address it was given.
    "both": lambda value: ({"last_event_id": "another:3"}, {"Last-Event-ID": value}),
}


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("handled", [0, 1, 7, 10])
async def test_a_stream_resumes_after_the_last_event_id(server, topic, dialect, carrier, handled):
    epoch = await fill(server, topic, 10)
    query, headers = CARRIERS[carrier](f"{epoch}:{handled}")
    async with await EventStream.open(server, one(topic, dialect, **query), headers) as stream:
        assert (await stream.start()).identifier == f"{epoch}:{handled}"
        expect_numbers(await stream.messages(10 - handled), epoch, handled + 1, 10)
        await expect_nothing_more(server, stream, topic)


@pytest.mark.parametrize("query", [{"last_n": 3}, {"last_n": 0}, {"since": "all"}, {"since": "1h"}], ids=str)
async def test_a_browser_that_comes_back_to_its_address_resumes_whatever_the_address_asks_for(server, topic, query):
    epoch = await fill(server, topic, 10)
    async with await EventStream.open(server, one(topic, **query), {"Last-Event-ID": f"{epoch}:7"}) as stream:
        await stream.start()
        expect_numbers(await stream.messages(3), epoch, 8, 10)
        await expect_nothing_more(server, stream, topic)


async def test_an_empty_last_event_id_is_none(server, topic):
    epoch = await fill(server, topic, 3)
    async with await EventStream.open(server, one(topic), {"Last-Event-ID": ""}) as stream:
        assert (await stream.start()).identifier == f"{epoch}:3"
        await expect_nothing_more(server, stream, topic)


@pytest.mark.parametrize(("identifier", "lost"), [("{epoch}:10", 40), ("{epoch}:49", 1), ("other:10", None),
                                                  ("other:150", None), ("other:151", None)])
async def test_a_stream_that_cannot_resume_says_so_before_all_that_is_kept(server, topic, identifier, lost):
    epoch = await fill(server, topic, 150)
    headers = {"Last-Event-ID": identifier.format(epoch=epoch)}
    async with await EventStream.open(server, one(topic), headers) as stream:
        assert (await stream.start()).identifier == f"{epoch}:50"
        missed = {} if lost is None else {"missed": {"from": 51 - lost, "to": 50}}
        await stream.expect("info", type="info", topic=topic, msg="not_recovered", epoch=epoch, offset=50,
                            recovered=False, **missed)
        expect_numbers(await stream.messages(100), epoch, 51, 150)


@pytest.mark.parametrize("query", [
    {"last_n": -1}, {"last_n": "x"}, {"since": "x"}, {"since": ""}, {"overflow": "drop"}, {"queue": 0}, {"queue": "x"},
    {"queue": 10**9}, {"presence": "maybe"}, {"last_n": 1, "since": "all"}, {"last_event_id": "x"},
    {"last_event_id": "x:y"}, {"last_event_id": "x:-1"}, {"client_id": ""}, {"client_id": "c" * 1025},
], ids=str)
async def test_a_query_that_makes_no_sense_is_refused_by_name(server, topic, query):
    async with await EventStream.open(server, one(topic, **query)) as stream:
        assert stream.status == 400 and stream.headers["content-type"].startswith("application/problem+json")
        body = (await stream.body()).decode()
        assert "BAD_REQUEST" in body and any(name in body for name in query)
    assert server.subscribers(topic) == 0


async def test_a_last_event_id_in_the_query_is_looked_at_beside_one_in_the_header(server, topic):
    epoch = await fill(server, topic, 3)
    headers = {"Last-Event-ID": f"{epoch}:1"}
    async with await EventStream.open(server, one(topic, last_event_id="x"), headers) as stream:
        assert stream.status == 400 and "'last_event_id' must be a position" in (await stream.body()).decode()
    async with await EventStream.open(server, one(topic, last_event_id=""), headers) as stream:
        assert stream.status == 200


async def test_a_last_event_id_from_the_future_is_refused(server, topic):
    epoch = await fill(server, topic, 3)
    async with await EventStream.open(server, one(topic, last_event_id=f"{epoch}:4")) as stream:
        assert stream.status == 400


async def test_a_topic_that_does_not_exist_is_not_found(server, dialect):
    async with await EventStream.open(server, one("nowhere", dialect)) as stream:
        assert stream.status == 404 and b"TOPIC_NOT_FOUND" in await stream.body()


@pytest.mark.parametrize("echo", ["true", "false"])
async def test_whatever_echo_says_what_is_published_over_http_comes(server, topic, echo):
    async with await EventStream.open(server, one(topic, echo=echo)) as stream:
        await stream.start()
        await expect_nothing_more(server, stream, topic)


async def test_a_stream_counts_as_a_subscriber_until_it_ends(server, topic):
    path = one(topic)
    async with await EventStream.open(server, path) as stream, await EventStream.open(server, path) as other:
        await stream.start()
        await other.start()
        assert server.subscribers(topic) == 2
    await until(lambda: server.subscribers(topic) == 0, "both streams are gone")


async def test_the_deletion_of_the_topic_is_told_and_ends_the_stream(server, topic, dialect):
    async with await EventStream.open(server, one(topic, dialect)) as stream, await Client.open(server) as client:
        await stream.start()
        message = await client.publish(topic, 1)
        server.delete(topic)
        assert (await stream.next()).json["message"] == message
        await stream.expect("info", type="info", topic=topic, msg="topic_deleted")
        assert await stream.next() is None


async def test_positions_are_the_same_on_every_transport(server, topic):
    async with await Client.open(server) as client:
        start = position(await subscribe(client, topic, positions=True))
        for number in range(1, 6):
            await client.publish(topic, number)
            assert (await client.receive())["offset"] == number
        async with await EventStream.open(server, one(topic, last_event_id=f"{start['epoch']}:2")) as stream:
            await stream.start()
            parts = await stream.messages(3)
            epoch, _, offset = parts[0].identifier.rpartition(":")
        ack = await subscribe(client, topic, "resumed", since={"epoch": epoch, "offset": int(offset)})
        assert (ack["offset"], ack["recovered"]) == (3, True)
        assert [(await client.receive())["offset"] for _ in range(2)] == [4, 5]
        await expect_bad(client, "since", type="subscribe", topic=topic, client_id="c", since=f"{epoch}:{offset}")


@pytest.mark.one_server("presence is each node's")
async def test_presence_is_told_on_a_stream_and_of_a_stream(server, topic):
    path = one(topic, presence="true")
    async with await Client.open(server) as client, await EventStream.open(server, path) as stream:
        await stream.start()
        await subscribe(client, topic, "ws", presence=True)
        await stream.expect("info", type="info", topic=topic, msg="joined", client_id="ws")
        async with await EventStream.open(server, one(topic, client_id="sse")) as other:
            await other.start()
            await client.expect(type="info", topic=topic, msg="joined", client_id="sse")
            await stream.expect("info", type="info", topic=topic, msg="joined", client_id="sse")
        await client.expect(type="info", topic=topic, msg="left", client_id="sse")


async def follow_and_drop(server, topic, epoch, count, chance):
    """A browser whose connection breaks again and again; the numbers that it was shown, in order."""
    seen, last, connections = [], f"{epoch}:0", 0
    while len(seen) < count:
        connections += 1
        async with await EventStream.open(server, one(topic), {"Last-Event-ID": last}) as stream:
            last = (await stream.start()).identifier
            with suppress(TimeoutError):
                async with asyncio.timeout(chance.uniform(0, 0.05)):
                    while len(seen) < count:
                        part = await stream.next()
                        assert part.event == "message", part.text
                        last = part.identifier
                        seen.append(part.json["message"]["payload"])
    return seen, connections


@pytest.mark.limit(90)
async def test_a_browser_that_reconnects_again_and_again_loses_and_doubles_nothing(server, topic):
    count = 1000
    configure(server, topic, history=count)
    epoch = describe(server, topic)["epoch"]

    async def storm():
        async with await Client.open(server) as client:
            for number in range(1, count + 1):
                await client.publish(topic, number)
                await asyncio.sleep(0.001)
    publishing = asyncio.create_task(storm())
    readers = [follow_and_drop(server, topic, epoch, count, random.Random(seed)) for seed in range(4)]
    for seen, connections in await asyncio.gather(*readers):
        assert seen == list(range(1, count + 1))
        assert connections > 5
    await publishing


async def test_a_comment_comes_every_15_seconds(server, topic):
    async with await EventStream.open(server, one(topic)) as stream:
        await stream.start()
        part = await stream.part(18 * PATIENCE)
        assert part.comments and not part.data and part.retry is None


async def test_keys_are_asked_for_in_the_header_or_the_query():
    with Server(env={"APUS_API_KEYS": "secret"}) as server:
        server.create("t", headers={"X-API-Key": "secret"})
        for query, headers, status in [
            ({}, {}, 401), ({"api_key": "wrong"}, {}, 401), ({}, {"X-API-Key": "wrong"}, 401),
            ({"api_key": "secret"}, {}, 200), ({}, {"X-API-Key": "secret"}, 200),
        ]:
            async with await EventStream.open(server, one("t", **query), headers) as stream:
                assert stream.status == status
