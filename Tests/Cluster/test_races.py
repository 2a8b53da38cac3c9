"""What one node was told of, the other one knows as soon as it is asked; and topics that commands make."""

import asyncio
import itertools
import json
import time
import uuid

import pytest

from apus_e2e import PATIENCE, Client
from event_stream import EventStream
from nats import NATSCluster, is_ready, nodes, wait_for

_numbers = itertools.count()
ROUNDS = 30


def fresh():
    return f"race{next(_numbers)}"


async def rest(node, *request):
    return await asyncio.to_thread(node.rest, *request)


@pytest.fixture(scope="module")
def makers(nats):
    """Two nodes where publishes and subscribes make topics."""
    with nodes(2, nats, "--nats-prefix", "makers", "--topics-create-on", "both") as running:
        yield running


async def test_a_topic_that_one_node_has_made_takes_commands_at_the_other_at_once(pair):
    async with await Client.open(pair[1]) as client:
        for number in range(ROUNDS):
            topic = fresh()
            assert (await rest(pair[0], "POST", "/topics", {"name": topic})).status == 201
            if number % 3 == 0:
                await client.publish(topic, number)
            elif number % 3 == 1:
                await client.subscribe(topic)
            else:
                await client.unsubscribe(topic)


async def test_a_topic_that_one_node_has_made_takes_requests_at_the_other_at_once(pair):
    for number in range(ROUNDS):
        topic = fresh()
        assert (await rest(pair[0], "PUT", f"/topics/{topic}", {"history": 7})).status == 201
        request = (("GET", f"/topics/{topic}"), ("GET", f"/topics/{topic}/messages"),
                   ("POST", f"/topics/{topic}/messages", 1), ("DELETE", f"/topics/{topic}/messages"),
                   ("PUT", f"/topics/{topic}", {"ttl": "1h"}), ("DELETE", f"/topics/{topic}"))[number % 6]
        answer = await rest(pair[1], *request)
        assert answer.status in (200, 201), (request, answer.body)
        if request[0] == "PUT":
            assert answer.json["settings"]["history"] == 7
        if request[1].endswith(topic) and request[0] == "GET":
            assert answer.json["settings"]["history"] == 7


async def test_a_stream_of_a_topic_that_the_other_node_has_made_opens_at_once(pair):
    for _ in range(ROUNDS // 3):
        topic = fresh()
        await rest(pair[0], "POST", "/topics", {"name": topic})
        async with await EventStream.open(pair[1], f"/topics/{topic}/events") as stream:
            assert stream.status == 200


async def test_a_position_of_an_ack_resumes_on_the_other_node_at_once(pair):
    topic = fresh()
    await rest(pair[0], "POST", "/topics", {"name": topic})
    async with await Client.open(pair[0]) as publisher, await Client.open(pair[1]) as subscriber:
        for number in range(ROUNDS):
            message = {"id": str(uuid.uuid4()), "payload": number}
            await publisher.send(type="publish", topic=topic, message=message, outcome=True)
            ack = await publisher.receive()
            since = {"epoch": ack["epoch"], "offset": ack["offset"]}
            await subscriber.send(type="subscribe", topic=topic, client_id=f"c{number}", since=since)
            told = await subscriber.receive()
            assert (told["type"], told.get("recovered"), told["offset"]) == ("ack", True, ack["offset"]), told
            await subscriber.unsubscribe(topic, f"c{number}")


async def test_a_position_over_http_is_reached_on_the_other_node_at_once(pair):
    topic = fresh()
    await rest(pair[0], "POST", "/topics", {"name": topic})
    for number in range(ROUNDS):
        ack = (await rest(pair[0], "POST", f"/topics/{topic}/messages", number)).json
        before = f"after={ack['offset'] - 1}&epoch={ack['epoch']}"
        if number % 2:
            # Who has the position before reads on; who has this one knows that all before it is there.
            after = f"after={ack['offset']}&epoch={ack['epoch']}"
            answer = await rest(pair[1], "GET", f"/topics/{topic}/messages?{after}")
            assert answer.status == 200 and answer.json["next"] == ack["offset"], answer.body
            answer = await rest(pair[1], "GET", f"/topics/{topic}/messages?{before}")
            assert [element["message"]["payload"] for element in answer.json["messages"]] == [number]
        else:
            headers = {"Last-Event-ID": f"{ack['epoch']}:{ack['offset']}"}
            async with await EventStream.open(pair[1], f"/topics/{topic}/events", headers) as stream:
                assert stream.status == 200


async def test_what_no_node_has_is_not_there(pair):
    async with await Client.open(pair[1]) as client:
        await client.send(type="subscribe", topic="nowhere", client_id="c")
        await client.expect_error("TOPIC_NOT_FOUND")
        await client.send_publish("nowhere", 1)
        await client.expect_error("TOPIC_NOT_FOUND")
        # What comes behind such a command is answered behind it.
        await client.send_publish("nowhere", 1, request_id="a")
        await client.send(type="ping", request_id="b")
        await client.expect_error("TOPIC_NOT_FOUND", "a")
        await client.expect(type="pong", request_id="b")
    assert (await rest(pair[1], "GET", "/topics/nowhere")).status == 404
    assert (await rest(pair[1], "POST", "/topics/nowhere/messages", 1)).status == 404
    assert (await rest(pair[1], "DELETE", "/topics/nowhere")).status == 404


async def test_many_who_ask_for_what_is_not_there_cost_the_cluster_little(pair):
    clients = [await Client.open(pair[1]) for _ in range(20)]
    for number, client in enumerate(clients):
        for attempt in range(50):
            await client.send_publish(f"nowhere.{number}.{attempt}", 1)
    for client in clients:
        for _ in range(50):
            await client.expect_error("TOPIC_NOT_FOUND")
        await client.connection.close()


async def test_a_position_that_no_node_has_come_to_is_in_the_future(pair):
    topic = fresh()
    await rest(pair[0], "POST", "/topics", {"name": topic})
    epoch = (await rest(pair[0], "GET", f"/topics/{topic}")).json["epoch"]
    async with await Client.open(pair[1]) as client:
        await client.send(type="subscribe", topic=topic, client_id="c", since={"epoch": epoch, "offset": 9})
        await client.expect_error("BAD_REQUEST")
    assert (await rest(pair[1], "GET", f"/topics/{topic}/messages?after=9&epoch={epoch}")).status == 400


async def test_without_the_cluster_it_is_not_known_what_is_not_there():
    with NATSCluster() as nats, nodes(1, nats) as (node,):
        assert (await rest(node, "POST", "/topics", {"name": "known"})).status == 201
        nats.servers[0].pause()
        async with await Client.open(node) as client:
            begun = time.monotonic()
            await client.send_publish("nowhere", 1)
            await client.expect_error("UNAVAILABLE")
            assert time.monotonic() - begun < 10 * PATIENCE
            await client.subscribe("known")
        assert (await rest(node, "GET", "/topics/known")).status == 200
        assert (await rest(node, "GET", "/topics/nowhere")).status == 503
        nats.servers[0].go_on()
        wait_for(lambda: is_ready(node), "a node that is ready again", 60)
        assert (await rest(node, "GET", "/topics/nowhere")).status == 404


async def test_a_publish_makes_its_topic_for_all_nodes(makers):
    for number in range(ROUNDS):
        topic = fresh()
        async with await Client.open(makers[number % 2]) as publisher:
            message = await publisher.publish(topic, number)
        async with await Client.open(makers[(number + 1) % 2]) as subscriber:
            await subscriber.send(type="subscribe", topic=topic, client_id="c", last_n=1, positions=True)
            assert (await subscriber.receive())["type"] == "ack"
            assert (await subscriber.receive())["message"] == message


async def test_many_publishes_at_once_make_a_topic_once(makers):
    topic = fresh()
    clients = [await Client.open(makers[number % 2]) for number in range(80)]
    for client in clients:
        await client.send_publish(topic, 1, outcome=True)
    acks = [await client.receive() for client in clients]
    for client in clients:
        await client.connection.close()
    assert len({ack["epoch"] for ack in acks}) == 1, acks
    assert sorted(ack["offset"] for ack in acks) == list(range(1, 81))


async def test_a_subscribe_makes_its_topic_for_all_nodes(makers):
    for wait in ({}, {"wait": True}):
        topic = fresh()
        async with await Client.open(makers[0]) as subscriber, await Client.open(makers[1]) as publisher:
            await subscriber.send(type="subscribe", topic=topic, client_id="c", **wait)
            assert (await subscriber.receive())["type"] == "ack"
            message = await publisher.publish(topic, 1)
            await subscriber.expect_event(topic, message)


async def test_requests_make_their_topics_for_all_nodes(makers):
    topic = fresh()
    answer = await rest(makers[0], "POST", f"/topics/{topic}/messages", 1)
    assert answer.status == 201, answer.body
    assert (await rest(makers[1], "GET", f"/topics/{topic}")).json["epoch"] == answer.json["epoch"]
    topic = fresh()
    async with await EventStream.open(makers[0], f"/topics/{topic}/events") as stream:
        assert stream.status == 200
        assert (await rest(makers[1], "GET", f"/topics/{topic}")).status == 200
    topic = fresh()
    waiting = asyncio.create_task(rest(makers[0], "GET", f"/topics/{topic}/messages?wait=30s"))
    async with await Client.open(makers[1]) as publisher:
        await publisher.publish(topic, "here")
    assert json.dumps("here").encode() in (await waiting).body


async def test_what_is_refused_makes_no_topic(makers):
    topic = fresh()
    async with await Client.open(makers[0]) as client:
        await client.send(type="subscribe", topic=topic, client_id="c", overflow="no such")
        await client.expect_error("BAD_REQUEST")
    assert (await rest(makers[0], "GET", f"/topics/{topic}/messages?wait=1s&last_n=x")).status == 400
    assert (await rest(makers[1], "GET", f"/topics/{topic}")).status == 404
