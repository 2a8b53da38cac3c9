"""Offsets and epochs on the WebSocket: extensions.md section 1."""

import asyncio
import re

import pytest

from apus_e2e import BASE, V1, Client
from extensions import (describe, offsets, payloads, position, publish, publish_batch, receive_events, subscribe)

pytestmark = pytest.mark.over_cluster


async def test_the_ack_names_a_position_even_where_nothing_was_ever_published(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        ack = await subscribe(client, topic, positions=True, request_id="r")
        assert set(ack) == {"epoch", "offset"}
        assert isinstance(ack["epoch"], str) and 0 < len(ack["epoch"]) <= 64
        assert ack["offset"] == 0 and type(ack["offset"]) is int


async def test_events_carry_offsets_from_one_without_holes(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        await subscribe(client, topic, positions=True)
        for offset in range(1, 11):
            message = await client.publish(topic, {"n": offset})
            await client.expect(type="event", topic=topic, message=message, offset=offset)


@pytest.mark.parametrize(("published", "last_n", "before"), [
    (0, 0, 0), (3, 0, 3), (3, None, 3), (3, 2, 1), (3, 3, 0), (3, 50, 0), (100, 100, 0), (150, 100, 50), (150, 1, 149),
    (150, 10**30, 50), (150, "7", 143),
])
async def test_the_ack_names_the_offset_before_the_first_event_to_come(server, topic, published, last_n, before):
    async with await Client.open(server) as client:
        if published:
            await publish_batch(client, topic, list(range(1, published + 1)))
        ack = await subscribe(client, topic, positions=True, last_n=last_n)
        assert ack["offset"] == before
        events = await receive_events(client, topic, published - before)
        message = await client.publish(topic, "live")
        assert offsets(events) == payloads(events) == list(range(before + 1, published + 1))
        await client.expect(type="event", topic=topic, message=message, offset=published + 1)


async def test_every_subscriber_and_every_ack_names_the_same_epoch_and_offset(server, topic):
    async with await Client.open(server, BASE) as base, await Client.open(server, V1) as v1:
        acks = [await subscribe(base, topic, "a", positions=True), await subscribe(base, topic, "b", positions=True),
                await subscribe(v1, topic, positions=True)]
        message, outcome = await publish(v1, topic, "x")
        assert {ack["epoch"] for ack in acks} == {outcome["epoch"]}
        assert outcome["offset"] == 1
        for client in (base, base, v1):
            await client.expect(type="event", topic=topic, message=message, offset=1)


async def test_topics_have_offsets_of_their_own(server, topic):
    other = f"{topic} other"
    server.create(other)
    async with await Client.open(server) as client:
        await subscribe(client, topic, positions=True)
        await subscribe(client, other, positions=True)
        for name, offset in [(topic, 1), (topic, 2), (other, 1), (topic, 3), (other, 2)]:
            message = await client.publish(name, 0)
            await client.expect(type="event", topic=name, message=message, offset=offset)


async def test_a_topic_created_again_has_a_new_epoch_and_starts_over(server, topic):
    epochs = set()
    async with await Client.open(server) as client:
        for _ in range(5):
            ack = await subscribe(client, topic, positions=True)
            epochs.add(ack["epoch"])
            message = await client.publish(topic, 0)
            await client.expect(type="event", topic=topic, message=message, offset=1)
            assert server.delete(topic).status == 200
            await client.expect(type="info", topic=topic, msg="topic_deleted")
            assert server.create(topic).status == 201
            # An empty topic has its epoch already.
            assert describe(server, topic)["epoch"] not in epochs
    assert len(epochs) == 5


@pytest.mark.parametrize("fields", [{}, {"positions": False}, {"positions": None}, {"positions": None, "since": None}])
async def test_who_did_not_ask_for_positions_sees_none(server, topic, dialect, fields):
    async with await Client.open(server, dialect) as client:
        assert await subscribe(client, topic, **fields) == {}
        await client.expect_event(topic, await client.publish(topic, 1))


async def test_a_plain_subscription_beside_one_with_positions_has_a_copy_of_its_own_form(server, topic):
    async with await Client.open(server) as client:
        await subscribe(client, topic, "with", positions=True)
        await client.subscribe(topic, "plain")
        message = await client.publish(topic, 1)
        copies = [await client.receive() for _ in range(2)]
        plain = {"type": "event", "topic": topic, "message": message}
        assert sorted(copies, key=len) == [plain, plain | {"offset": 1}]


async def test_subscribing_again_replaces_the_options(server, topic):
    async with await Client.open(server) as client:
        assert set(await subscribe(client, topic, positions=True)) == {"epoch", "offset"}
        message = await client.publish(topic, 1)
        await client.expect(type="event", topic=topic, message=message, offset=1)
        await client.subscribe(topic)
        await client.expect_event(topic, await client.publish(topic, 2))
        ack = await subscribe(client, topic, positions=True, last_n=1)
        assert ack["offset"] == 1
        assert offsets(await receive_events(client, topic, 1)) == [2]
        message = await client.publish(topic, 3)
        await client.expect(type="event", topic=topic, message=message, offset=3)
        await client.expect_alive()
    assert describe(server, topic)["last"] == 3


@pytest.mark.parametrize(("fields", "pattern"), [
    ({}, r'\{{"type":"event","topic":"{t}","message":{m},"{time}":"[^"]+"\}}'),
    ({"positions": True}, r'\{{"type":"event","topic":"{t}","message":{m},"key":"k","offset":1,"{time}":"[^"]+"\}}'),
    ({"echo": True}, r'\{{"type":"event","topic":"{t}","message":{m},"key":"k","{time}":"[^"]+"\}}'),
])
async def test_the_members_of_an_event_come_in_their_order(server, topic, dialect, fields, pattern):
    message = '{"id":"550e8400-e29b-41d4-a716-446655440000" , "payload":1.0,"more" :[ ]}'
    async with await Client.open(server, dialect) as client:
        await subscribe(client, topic, **fields)
        await client.send(f'{{"type":"publish","topic":"{topic}","key":"k","message":{message}}}')
        await client.expect(type="ack", topic=topic, status="ok")
        text = await client.receive_text()
        assert re.fullmatch(pattern.format(t=re.escape(topic), m=re.escape(message), time=dialect.time_key), text), text


async def test_the_members_of_an_ack_come_in_their_order(server, topic, dialect):
    async with await Client.open(server, dialect, max_queue=None) as client:
        await publish_batch(client, topic, list(range(103)))
        epoch = (await subscribe(client, topic, positions=True))["epoch"]
        start = rf'\{{"type":"ack","request_id":7,"topic":"{topic}","status":"ok","epoch":"{epoch}"'
        end = rf',"{dialect.time_key}":"[^"]+"\}}'
        for since, rest in [
            (None, r',"offset":103'), ({"epoch": epoch, "offset": 102}, r',"offset":102,"recovered":true'),
            ({"epoch": epoch, "offset": 1}, r',"offset":3,"recovered":false,"missed":\{"from":2,"to":3\}'),
            ({"epoch": epoch + "x", "offset": 102}, r',"offset":3,"recovered":false'),
        ]:
            await client.send(type="subscribe", topic=topic, client_id="c", request_id=7, positions=True, since=since)
            while '"type":"ack"' not in (text := await client.receive_text()):
                pass
            assert re.fullmatch(start + rest + end, text), text


async def test_all_subscribers_see_the_same_message_at_the_same_offset(server, topic):
    publishers, count = 4, 200
    async with await Client.open(server) as one, await Client.open(server, V1) as two:
        for reader in (one, two):
            await subscribe(reader, topic, positions=True)

        async def run(number):
            async with await Client.open(server) as client:
                for turn in range(count):
                    await client.publish(topic, [number, turn])
        await asyncio.gather(*(run(number) for number in range(publishers)))
        first, second = [await receive_events(reader, topic, publishers * count) for reader in (one, two)]
    assert offsets(first) == list(range(1, publishers * count + 1))
    assert first == second


async def test_the_position_of_an_empty_topic_resumes_with_its_very_first_message(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        start = position(await subscribe(client, topic, positions=True))
    async with await Client.open(server, dialect) as client:
        messages = [await client.publish(topic, number) for number in range(3)]
        assert await subscribe(client, topic, since=start) == start | {"recovered": True}
        for offset, message in enumerate(messages, 1):
            await client.expect(type="event", topic=topic, message=message, offset=offset)
        await client.expect_alive()


async def test_an_ack_names_the_head_when_others_publish_meanwhile(server, topic):
    """Whatever the ack's position is, the next event is the one after it."""
    async with await Client.open(server) as publisher, await Client.open(server) as client:
        is_over = asyncio.Event()

        async def storm():
            while not is_over.is_set():
                await publisher.publish(topic, "news")
        task = asyncio.create_task(storm())
        for turn in range(40):
            ack = await subscribe(client, topic, f"c{turn}", positions=True)
            assert (await client.receive())["offset"] == ack["offset"] + 1
            await client.send(type="unsubscribe", topic=topic, client_id=f"c{turn}")
            while (message := await client.receive())["type"] != "ack":
                assert message["type"] == "event"
        is_over.set()
        await task
