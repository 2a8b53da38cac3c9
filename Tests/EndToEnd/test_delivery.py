"""Every subscriber gets every message once, in one common order, also when it joins in a storm."""

import asyncio
import random
import re
from contextlib import AsyncExitStack, suppress

import pytest

from apus_e2e import PATIENCE, TIMEOUT, Client, Server

pytestmark = pytest.mark.over_cluster

PAYLOAD = re.compile(r'"payload":\[(\d+),(\d+)\]')
UUID = "550e8400-e29b-41d4-a716-446655440000"


async def publish_many(client, topic, publisher, count, window=50, on_ack=None):
    """Publishes `[publisher, 0…]`, with at most `window` unacknowledged."""
    acked = 0
    for number in range(count):
        await client.send(f'{{"type":"publish","topic":"{topic}","message":'
                          f'{{"id":"{UUID}","payload":[{publisher},{number}]}}}}')
        if number - acked >= window:
            await client.receive()
            acked += 1
            if on_ack:
                on_ack(acked)
    for _ in range(count - acked):
        assert (await client.receive(120 * PATIENCE))["type"] == "ack"


async def receive_pairs(client, count):
    """The next events' payloads; anything else is a failure."""
    pairs = []
    for _ in range(count):
        text = await client.receive_text(60 * PATIENCE)
        match = PAYLOAD.search(text)
        assert match, text
        pairs.append((int(match[1]), int(match[2])))
    return pairs


@pytest.mark.limit(240)
@pytest.mark.parametrize(("flags", "subscribers", "publishers", "messages"), [
    (("--queue", "5000"), 50, 8, 500),
    (("--overflow", "throttle", "--queue", "20"), 20, 4, 300),
    (("--queue", "5000", "--threads", "1"), 10, 8, 200),
])
async def test_all_subscribers_get_everything_once_in_one_common_order(flags, subscribers, publishers, messages):
    with Server(*flags) as server:
        server.create("t")
        async with AsyncExitStack() as stack:
            readers = [await stack.enter_async_context(await Client.open(server)) for _ in range(subscribers)]
            writers = [await stack.enter_async_context(await Client.open(server)) for _ in range(publishers)]
            for reader in readers:
                await reader.subscribe("t")
            async with asyncio.TaskGroup() as group:
                for number, writer in enumerate(writers):
                    group.create_task(publish_many(writer, "t", number, messages))
                tasks = [group.create_task(receive_pairs(reader, publishers * messages)) for reader in readers]
            order = tasks[0].result()
            assert sorted(order) == [(p, n) for p in range(publishers) for n in range(messages)]
            for publisher in range(publishers):
                assert [n for p, n in order if p == publisher] == list(range(messages))
            for task in tasks[1:]:
                assert task.result() == order
            for reader in readers:
                await reader.expect_alive()
            assert server.rest("GET", "/stats").json["topics"]["t"]["messages"] == publishers * messages


class Storm:
    """One publisher that never pauses; it knows what was sent and what was acked."""

    def __init__(self, client, topic):
        self.client, self.topic = client, topic
        self.sent = self.acked = 0

    async def __aenter__(self):
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def expect_raging(self):
        assert not self._task.done(), self._task

    async def _run(self):
        while True:
            while self.sent - self.acked < 20:
                await self.client.send(f'{{"type":"publish","topic":"{self.topic}","message":'
                                       f'{{"id":"{UUID}","payload":[0,{self.sent}]}}}}')
                self.sent += 1
            assert (await self.client.receive())["type"] == "ack"
            self.acked += 1


async def subscribe_in_the_storm(storm, client, topic, client_id, last_n, live):
    """Subscribes, reads the replay and some live messages, unsubscribes: all numbers must be consecutive."""
    acked_before = storm.acked
    await client.subscribe(topic, client_id, last_n=last_n)
    first = await receive_pairs(client, 1)
    sent_after = storm.sent
    numbers = [number for _, number in first + await receive_pairs(client, last_n + live - 1)]
    # Numbers are offsets here: one publisher. The replay starts last_n before the head at the time of the subscribe.
    assert acked_before - last_n <= numbers[0] <= sent_after - last_n
    await client.send(type="unsubscribe", topic=topic, client_id=client_id)
    while (message := await client.receive())["type"] == "event":
        numbers.append(message["message"]["payload"][1])
    assert message == {"type": "ack", "topic": topic, "status": "ok"}
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.limit(180)
async def test_a_replay_in_a_publish_storm_has_no_gap_and_no_double_at_the_seam():
    chance = random.Random(2)
    with Server("--queue", "100000") as server:
        server.create("t")
        async with AsyncExitStack() as stack:
            publisher = await stack.enter_async_context(await Client.open(server))
            storm = await stack.enter_async_context(Storm(publisher, "t"))
            clients = [await stack.enter_async_context(await Client.open(server)) for _ in range(5)]
            async with asyncio.timeout(TIMEOUT):
                while storm.acked < 200:
                    await asyncio.sleep(0)
            for turn in range(40):
                await asyncio.gather(*(
                    subscribe_in_the_storm(storm, client, "t", f"c{turn}", chance.choice([1, 7, 50, 99, 100]), 30)
                    for client in clients))
                storm.expect_raging()


@pytest.mark.limit(120)
async def test_subscribing_again_in_a_publish_storm_replays_exactly_and_continues():
    with Server("--queue", "100000") as server:
        server.create("t")
        async with (await Client.open(server) as publisher, await Client.open(server) as client,
                    Storm(publisher, "t") as storm):
            await client.subscribe("t")
            await receive_pairs(client, 150)
            for turn in range(50):
                await client.send(type="subscribe", topic="t", client_id="c", last_n=40, request_id=turn)
                before = []
                while (message := await client.receive())["type"] == "event":
                    before.append(message["message"]["payload"][1])
                assert message["request_id"] == turn
                after = [number for _, number in await receive_pairs(client, 80)]
                assert before == list(range(before[0], before[0] + len(before))) if before else True
                assert after == list(range(after[0], after[0] + 80))
            storm.expect_raging()
