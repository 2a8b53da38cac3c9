"""Event streams of topics that are not there yet, and streams that are refused for the moment: extensions.md section 11."""

import asyncio

import pytest

from apus_e2e import Client, Server
from event_stream import EventStream, events_path, several_path
from extensions import topic_path

pytestmark = [pytest.mark.over_tls, pytest.mark.over_cluster]

BACK = {"Last-Event-ID": "gone:41"}


def one(topic, **query):
    return events_path(topic_path(topic), **query)


def epoch_of(server, topic):
    return server.rest("GET", topic_path(topic)).json["epoch"]


async def waiting(server, path, *topics, headers=None):
    """A stream that says which topics it waits for, after its first block."""
    stream = await EventStream.open(server, path, headers)
    assert stream.status == 200
    assert (await stream.start()).identifier is None
    for topic in topics:
        await stream.expect("info", type="info", topic=topic, msg="waiting")
    return stream


async def expect_recovered_from_nothing(server, stream, topic):
    """The news that a topic has come, for a client that was at a position of another epoch."""
    epoch = epoch_of(server, topic)
    assert (await stream.expect("info", type="info", topic=topic, msg="topic_created", epoch=epoch)).identifier is None
    await stream.expect("info", f"{epoch}:0", type="info", topic=topic, msg="not_recovered", epoch=epoch, offset=0,
                        recovered=False)
    return epoch


async def test_a_stream_waits_for_its_topic_and_again_when_that_is_deleted(server):
    async with await waiting(server, one("sse.later", wait="true"), "sse.later") as stream:
        async with await Client.open(server) as client:
            for number in range(3):
                server.create("sse.later")
                message = await client.publish("sse.later", number)
                epoch = epoch_of(server, "sse.later")
                await stream.expect("info", f"{epoch}:0", type="info", topic="sse.later", msg="topic_created",
                                    epoch=epoch)
                await stream.expect("message", f"{epoch}:1", type="event", topic="sse.later", message=message, offset=1)
                server.delete("sse.later")
                await stream.expect("info", type="info", topic="sse.later", msg="topic_deleted")


@pytest.mark.parametrize(("query", "headers"), [({}, BACK), ({"last_event_id": "gone:41"}, None)])
async def test_who_was_there_before_waits_by_itself(server, query, headers):
    topic = f"sse.back.{len(query)}"
    async with await waiting(server, one(topic, **query), topic, headers=headers) as stream:
        server.create(topic)
        epoch = await expect_recovered_from_nothing(server, stream, topic)
    # A browser has that position now, and comes back with it.
    async with await EventStream.open(server, one(topic), {"Last-Event-ID": f"{epoch}:0"}) as stream:
        assert (await stream.start()).identifier == f"{epoch}:0"


async def test_where_waiting_is_not_asked_for_or_declined_a_topic_is_not_found(server):
    for path, headers in [(one("sse.no"), None), (one("sse.no", wait="false"), BACK), (one("sse.no"), {"Last-Event-ID": ""})]:
        async with await EventStream.open(server, path, headers) as stream:
            assert stream.status == 404
    for path in (one("sse.no", wait="maybe"), several_path("sse.no", "sse.*", wait="true")):
        async with await EventStream.open(server, path) as stream:
            assert stream.status == 400 and b"'wait'" in await stream.body()


async def test_of_several_topics_those_that_are_not_there_are_waited_for(server):
    server.create("sse.there")
    path = several_path("sse.there", "sse.x", "sse.y", wait="true")
    async with await waiting(server, path, "sse.x", "sse.y") as stream, await Client.open(server) as client:
        server.create("sse.y")
        created = await stream.expect("info", type="info", topic="sse.y", msg="topic_created",
                                      epoch=epoch_of(server, "sse.y"))
        assert created.identifier is None
        message = await client.publish("sse.there", 1)
        await stream.expect("message", type="event", topic="sse.there", message=message, offset=1)
        server.delete("sse.there")
        await stream.expect("info", type="info", topic="sse.there", msg="topic_deleted")
        assert server.rest("GET", "/health").json["subscribers"] >= 1


async def test_a_stream_on_a_connection_that_carried_requests_waits_as_well(server):
    connection = server.http()
    connection.request("GET", "/health")
    connection.getresponse().read()
    connection.request("GET", one("sse.late", wait="true"))
    response = await asyncio.to_thread(connection.getresponse)
    assert response.status == 200
    server.create("sse.late")
    lines = [await asyncio.to_thread(response.readline) for _ in range(9)]
    assert [b"retry" in lines[0], b'"waiting"' in lines[3], b'"topic_created"' in lines[7]] == [True] * 3, lines
    connection.close()


async def test_a_stream_makes_its_topics_where_a_subscribe_does(server):
    with Server("--topics-create-on", "subscribe", "--max-topics", "3") as server:
        async with await EventStream.open(server, one("a")) as stream:
            assert (await stream.start()).identifier == f"{epoch_of(server, 'a')}:0"
        async with await EventStream.open(server, several_path("b", "x.*")) as stream:
            await stream.start()
        assert server.rest("HEAD", one("c")).status in (200, 404)
        async with await EventStream.open(server, several_path("c", "d\x01")) as stream:
            assert stream.status == 400
        assert [topic["name"] for topic in server.rest("GET", "/topics").json["topics"]] == ["a", "b"]


@pytest.mark.one_server("max_connections is each node's")
async def test_a_stream_beyond_max_connections_is_told_when_to_come_back_and_gets_in_then():
    with Server("--max-connections", "1") as server:
        server.create("t")
        async with await Client.open(server) as client:
            for path in (one("t"), several_path("t", "none")):
                refused = server.rest("GET", path, headers={"Accept": "*/*"})
                assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
                for accept in ("text/event-stream", "text/html, TEXT/EVENT-STREAM;q=0.9"):
                    answer = server.rest("GET", path, headers={"Accept": accept})
                    assert (answer.status, answer.content_type) == (200, "text/event-stream")
                    assert answer.headers["Connection"] == "close"
                    comment, retry, *rest = answer.body.decode().split("\n")
                    assert comment.startswith(": UNAVAILABLE: The limit of 1 connection is reached")
                    assert 2000 <= int(retry.removeprefix("retry: ")) <= 3000 and rest == ["", ""]
            assert b'code="UNAVAILABLE"} 6' in server.rest("GET", "/metrics").body
            await client.connection.close()

        async def gets_in():
            async with await EventStream.open(server, one("t")) as stream:
                return (await stream.part()).identifier is not None
        while not await gets_in():
            await asyncio.sleep(0.02)
