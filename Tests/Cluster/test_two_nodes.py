"""Two nodes over one NATS server: what holds on one server holds across both."""

import asyncio
import itertools
import uuid

from apus_e2e import Client, until

_numbers = itertools.count()


async def make(pair, **settings):
    """A fresh topic that both nodes have."""
    name = f"t{next(_numbers)}"
    answer = await asyncio.to_thread(pair[0].rest, "PUT", f"/topics/{name}", settings)
    assert answer.status == 201, answer.body
    await until(lambda: pair[1].rest("GET", f"/topics/{name}").status == 200, "the topic on the other node")
    return name


async def test_what_is_published_on_one_node_is_delivered_by_the_other(pair):
    topic = await make(pair)
    async with await Client.open(pair[0]) as publisher, await Client.open(pair[1]) as subscriber:
        await subscriber.subscribe(topic)
        for number in range(20):
            message = await publisher.publish(topic, {"n": number})
            await subscriber.expect_event(topic, message)


async def test_an_ack_says_that_a_majority_has_it(pair):
    topic = await make(pair)
    async with await Client.open(pair[1]) as publisher:
        await publisher.send_publish(topic, 1, outcome=True, request_id="r")
        ack = await publisher.receive()
    assert (ack["stored"], ack["offset"], ack["duplicate"]) == ("replicated", 1, False), ack


async def test_two_who_publish_at_once_see_one_order(pair):
    topic = await make(pair)
    readers = [await Client.open(node) for node in pair]
    for reader in readers:
        await reader.subscribe(topic)

    async def publish(node, numbers):
        offsets = []
        async with await Client.open(node) as client:
            for number in numbers:
                await client.send_publish(topic, number, outcome=True)
                ack = await client.receive()
                assert ack["type"] == "ack", ack
                offsets.append((ack["offset"], number))
        return offsets

    all_offsets = await asyncio.gather(publish(pair[0], range(100)), publish(pair[1], range(1000, 1100)))
    seen = []
    for reader in readers:
        seen.append([(await reader.receive())["message"]["payload"] for _ in range(200)])
        await reader.connection.close()
    assert seen[0] == seen[1]
    assert sorted(offset for offsets in all_offsets for offset, _ in offsets) == list(range(1, 201))
    for offsets in all_offsets:
        for offset, number in offsets:
            assert seen[0][offset - 1] == number, "an ack names the place that its message has"


async def test_a_position_of_one_node_resumes_on_the_other(pair):
    topic = await make(pair)
    async with await Client.open(pair[0]) as publisher, await Client.open(pair[0]) as subscriber:
        await subscriber.send(type="subscribe", topic=topic, client_id="c", last_n=0, positions=True)
        ack = await subscriber.receive()
        await publisher.publish(topic, "first")
        position = {"epoch": ack["epoch"], "offset": (await subscriber.receive())["offset"]}
        later = await publisher.publish(topic, "second")
    await until(lambda: len(pair[1].rest("GET", f"/topics/{topic}/messages").json["messages"]) == 2, "both messages")
    async with await Client.open(pair[1]) as subscriber:
        await subscriber.send(type="subscribe", topic=topic, client_id="c", since=position)
        ack = await subscriber.receive()
        assert ack["recovered"] is True, ack
        assert (await subscriber.receive())["message"] == later


async def test_an_id_is_published_once_whichever_node_takes_it(pair):
    topic = await make(pair, dedupe_window="1h")
    async with await Client.open(pair[0]) as one, await Client.open(pair[1]) as other:
        for number in range(30):
            message = {"id": str(uuid.uuid4()), "payload": number}
            for client in (one, other):
                await client.send(type="publish", topic=topic, message=message, outcome=True)
            acks = [await client.receive() for client in (one, other)]
            assert sorted(ack["duplicate"] for ack in acks) == [False, True], acks
            assert acks[0]["offset"] == acks[1]["offset"] == number + 1, acks


async def test_topics_are_made_and_deleted_for_all(pair):
    topic = await make(pair)
    assert pair[1].rest("POST", "/topics", {"name": topic}).status == 409
    async with await Client.open(pair[0]) as subscriber:
        await subscriber.subscribe(topic)
        assert pair[1].rest("DELETE", f"/topics/{topic}").status == 200
        told = await subscriber.receive()
        assert (told["type"], told.get("msg")) == ("info", "topic_deleted"), told
    await until(lambda: pair[0].rest("GET", f"/topics/{topic}").status == 404, "the end of the topic on the other node")
    assert pair[0].rest("DELETE", f"/topics/{topic}").status == 404
    assert pair[0].rest("PUT", f"/topics/{topic}", {}).status == 201
    async with await Client.open(pair[1]) as publisher:
        await until(lambda: pair[1].rest("GET", f"/topics/{topic}").status == 200, "the new topic")
        await publisher.publish(topic, 1)


async def test_settings_reach_all_nodes(pair):
    topic = await make(pair, history=50)
    assert pair[1].rest("PUT", f"/topics/{topic}", {"ttl": "1h"}).status == 200
    await until(lambda: pair[0].rest("GET", f"/topics/{topic}").json["settings"]["ttl"] == "1h", "the setting")
    assert pair[0].rest("GET", f"/topics/{topic}").json["settings"]["history"] == 50


async def test_messages_over_http_go_to_all(pair):
    topic = await make(pair)
    async with await Client.open(pair[1]) as subscriber:
        await subscriber.subscribe(topic)
        answer = await asyncio.to_thread(pair[0].rest, "POST", f"/topics/{topic}/messages", {"n": 1})
        assert answer.status == 201, answer.body
        assert (await subscriber.receive())["message"]["payload"] == {"n": 1}


async def test_a_purge_ends_history_on_both(pair):
    topic = await make(pair)
    async with await Client.open(pair[0]) as publisher:
        for number in range(3):
            await publisher.publish(topic, number)
    answer = await asyncio.to_thread(pair[1].rest, "DELETE", f"/topics/{topic}/messages")
    assert answer.status == 200, answer.body
    await until(lambda: pair[0].rest("GET", f"/topics/{topic}/messages").json["messages"] == [], "an empty history")
