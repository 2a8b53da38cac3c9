"""Resuming after a position, since a time, and what the server says it cannot replay: extensions.md section 1."""

import asyncio
import random
from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest

from apus_e2e import BASE, V1, Client
from extensions import (configure, head, offsets, payloads, position, publish, publish_batch, receive_events, subscribe)

pytestmark = pytest.mark.over_cluster


async def fill(client, topic, count):
    """Publishes the numbers from 1 on, so that payload and offset are the same; the epoch."""
    _, ack = await publish_batch(client, topic, list(range(1, count + 1)), outcome=True)
    assert (ack["count"], ack["offset"]) == (count, 1)
    return ack["epoch"]


async def expect_replay(client, topic, first, last):
    events = await receive_events(client, topic, last - first + 1)
    assert offsets(events) == payloads(events) == list(range(first, last + 1))
    await client.expect_alive()


@pytest.mark.parametrize("handled", [0, 1, 5, 9, 10])
async def test_a_client_that_resumes_gets_exactly_what_it_has_not_handled(server, topic, dialect, handled):
    async with await Client.open(server, dialect) as client:
        since = {"epoch": await fill(client, topic, 10), "offset": handled}
        assert await subscribe(client, topic, since=since, request_id=1) == since | {"recovered": True}
        await expect_replay(client, topic, handled + 1, 10)
        message = await client.publish(topic, "live")
        await client.expect(type="event", topic=topic, message=message, offset=11)


@pytest.mark.parametrize(("handled", "missed"), [(0, (1, 50)), (10, (11, 50)), (48, (49, 50)), (49, (50, 50))])
async def test_what_is_no_longer_kept_is_named_and_the_rest_is_replayed(server, topic, dialect, handled, missed):
    async with await Client.open(server, dialect) as client:
        epoch = await fill(client, topic, 150)
        ack = await subscribe(client, topic, since={"epoch": epoch, "offset": handled})
        assert ack == {"epoch": epoch, "offset": 50, "recovered": False,
                       "missed": {"from": missed[0], "to": missed[1]}}
        await expect_replay(client, topic, 51, 150)


@pytest.mark.parametrize("handled", [50, 51, 149, 150])
async def test_recovery_reaches_back_exactly_to_the_oldest_message_kept(server, topic, handled):
    async with await Client.open(server) as client:
        since = {"epoch": await fill(client, topic, 150), "offset": handled}
        assert await subscribe(client, topic, since=since) == since | {"recovered": True}
        await expect_replay(client, topic, handled + 1, 150)


@pytest.mark.parametrize("offset", [0, 3, 5, 6, 1000, 2**53])
async def test_a_position_of_another_epoch_replays_all_that_is_kept_and_says_so(server, topic, dialect, offset):
    async with await Client.open(server, dialect) as client:
        epoch = await fill(client, topic, 5)
        ack = await subscribe(client, topic, since={"epoch": "another", "offset": offset})
        assert ack == {"epoch": epoch, "offset": 0, "recovered": False}
        await expect_replay(client, topic, 1, 5)


async def test_a_position_of_a_topic_since_created_again_is_not_recovered(server, topic):
    async with await Client.open(server) as client:
        old = {"epoch": await fill(client, topic, 5), "offset": 2}
        server.delete(topic)
        server.create(topic)
        ack = await subscribe(client, topic, since=old)
        assert ack == {"epoch": ack["epoch"], "offset": 0, "recovered": False} and ack["epoch"] != old["epoch"]
        await client.expect_alive()
        message = await client.publish(topic, "new")
        await client.expect(type="event", topic=topic, message=message, offset=1)


@pytest.mark.parametrize("ahead", [1, 2, 1000, 2**53, 2**63 - 1])
async def test_a_position_from_the_future_is_refused(server, topic, ahead):
    async with await Client.open(server) as client:
        epoch = await fill(client, topic, 5)
        await client.send(type="subscribe", topic=topic, client_id="c",
                          since={"epoch": epoch, "offset": min(5 + ahead, 2**63 - 1)})
        assert "since.offset" in await client.expect_error("BAD_REQUEST")
        assert server.subscribers(topic) == 0
        await client.expect_alive()


async def test_without_history_nothing_is_replayed_and_the_loss_is_named(server, topic):
    configure(server, topic, history=0)
    async with await Client.open(server) as client:
        epoch = (await fill(client, topic, 5))
        ack = await subscribe(client, topic, since={"epoch": epoch, "offset": 2})
        assert ack == {"epoch": epoch, "offset": 5, "recovered": False, "missed": {"from": 3, "to": 5}}
        message = await client.publish(topic, 6)
        await client.expect(type="event", topic=topic, message=message, offset=6)


async def test_since_all_replays_all_that_is_kept(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        epoch = await fill(client, topic, 150)
        # Only a position can be recovered, or not.
        assert await subscribe(client, topic, since="all") == {"epoch": epoch, "offset": 50}
        await expect_replay(client, topic, 51, 150)


@pytest.mark.parametrize("since", ["all", "1h", "2000-01-01T00:00:00Z"])
async def test_since_a_time_on_an_empty_topic_replays_nothing(server, topic, since):
    async with await Client.open(server) as client:
        ack = await subscribe(client, topic, since=since)
        assert (set(ack), ack["offset"]) == ({"epoch", "offset"}, 0)
        message = await client.publish(topic, 0)
        await client.expect(type="event", topic=topic, message=message, offset=1)


@pytest.fixture(scope="module")
def two_ages(server):
    """A topic with offsets 1–3 of one moment and 4–5 of one half a second later, and a time between."""
    server.create("two ages")

    async def publish_both():
        async with await Client.open(server) as client:
            await fill(client, "two ages", 3)
            await asyncio.sleep(0.3)
            between = datetime.now(timezone.utc)
            await asyncio.sleep(0.3)
            await client.publish("two ages", 4)
            await client.publish("two ages", 5)
            return between
    return asyncio.run(publish_both())


TIMES = {
    "milliseconds": lambda when: when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z",
    "microseconds": lambda when: when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    "nanoseconds": lambda when: when.strftime("%Y-%m-%dT%H:%M:%S.%f000Z"),
    "an offset": lambda when: when.isoformat().replace("+00:00", "-00:00"),
    "east": lambda when: when.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat(),
    "west": lambda when: when.astimezone(timezone(-timedelta(hours=8))).isoformat(),
    "lower case": lambda when: when.strftime("%Y-%m-%dt%H:%M:%S.%fz"),
}


@pytest.mark.parametrize("form", TIMES)
async def test_since_a_time_replays_what_was_published_from_then_on(server, two_ages, dialect, form):
    async with await Client.open(server, dialect) as client:
        assert (await subscribe(client, "two ages", since=TIMES[form](two_ages)))["offset"] == 3
        await expect_replay(client, "two ages", 4, 5)


@pytest.mark.parametrize(("since", "first"), [
    ("1h", 1), ("10m", 1), ("2d", 1), ("3600s", 1), ("9999d", 1), ("1ms", 6), ("2000-01-01T00:00:00Z", 1),
    ("2999-12-31T23:59:59Z", 6),
])
async def test_since_a_duration_replays_what_is_no_older(server, two_ages, since, first):
    async with await Client.open(server) as client:
        assert (await subscribe(client, "two ages", since=since))["offset"] == first - 1
        await expect_replay(client, "two ages", first, 5)


async def test_since_a_second_leaves_out_what_is_older(server, topic):
    async with await Client.open(server) as client:
        await client.publish(topic, 1)
        await asyncio.sleep(1.5)
        await client.publish(topic, 2)
        ack = await subscribe(client, topic, since="1s")
        assert ack["offset"] == 1
        await expect_replay(client, topic, 2, 2)


@pytest.mark.parametrize("overflow", ["drop-oldest", "drop-newest", "latest", "disconnect", "throttle"])
async def test_a_recovery_longer_than_the_queue_is_no_overflow(server, topic, overflow):
    async with await Client.open(server) as client:
        since = {"epoch": await fill(client, topic, 100), "offset": 0}
        ack = await subscribe(client, topic, since=since, overflow=overflow, queue=1)
        assert ack == since | {"recovered": True}
        await expect_replay(client, topic, 1, 100)


async def test_resuming_on_the_connection_that_is_still_subscribed_replays_again(server, topic):
    async with await Client.open(server) as client:
        epoch = await fill(client, topic, 10)
        for handled in (3, 8, 0):
            await subscribe(client, topic, since={"epoch": epoch, "offset": handled})
            await expect_replay(client, topic, handled + 1, 10)
        assert server.subscribers(topic) == 1


async def storm(server, topic, count, chance):
    """Publishes the numbers from 1 on, one at a time or in batches."""
    async with await Client.open(server) as client:
        number = 1
        while number <= count:
            size = min(chance.choice([1, 1, 1, 2, 7]), count + 1 - number)
            _, ack = await publish_batch(client, topic, list(range(number, number + size)), outcome=True)
            assert ack["offset"] == number
            number += size
            await asyncio.sleep(0.001)


async def handle_and_drop(server, topic, since, count, chance, dialect):
    """Follows the topic over many short connections, each broken at a random moment; what it handled, in order."""
    handled, connections = [], 0
    while len(handled) < count:
        client = await Client.open(server, dialect)
        connections += 1
        ack = await subscribe(client, topic, since=since, queue=100_000)
        assert ack == since | {"recovered": True}
        with suppress(TimeoutError):
            async with asyncio.timeout(chance.uniform(0, 0.05)):
                while len(handled) < count:
                    event = await client.receive()
                    # No await between the receipt and this: what was received is handled.
                    handled.append((event["offset"], event["message"]["payload"]))
                    since = {"epoch": since["epoch"], "offset": event["offset"]}
        client.connection.transport.abort()
    return handled, connections


@pytest.mark.limit(90)
@pytest.mark.parametrize("seed", [1, 2])
async def test_dropping_the_connection_again_and_again_loses_and_doubles_nothing(server, topic, seed):
    chance, count = random.Random(seed), 800
    configure(server, topic, history=count)
    async with await Client.open(server) as client:
        start = position(await subscribe(client, topic, positions=True))
    publishing = asyncio.create_task(storm(server, topic, count, chance))
    readers = [handle_and_drop(server, topic, start, count, random.Random(seed * 100 + number), dialect)
               for number, dialect in enumerate([BASE, V1] * 3)]
    for handled, connections in await asyncio.gather(*readers):
        assert handled == [(number, number) for number in range(1, count + 1)]
        assert connections > 5
    await publishing


async def test_what_a_slow_resumer_missed_and_what_it_got_are_all_there_is(server, topic):
    """With a history far too short every loss is named: events and `missed` add up to all."""
    configure(server, topic, history=20)
    chance, count = random.Random(3), 1000
    since = {"epoch": (await subscribe_once(server, topic))["epoch"], "offset": 0}
    publishing = asyncio.create_task(storm(server, topic, count, chance))
    accounted, losses = [], 0
    while len(accounted) < count:
        async with await Client.open(server) as client:
            ack = await subscribe(client, topic, since=since)
            assert ack["recovered"] is ("missed" not in ack)
            if not ack["recovered"]:
                losses += 1
                accounted += range(ack["missed"]["from"], ack["missed"]["to"] + 1)
            assert ack["offset"] == len(accounted)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    while len(accounted) < count:
                        accounted.append((await client.receive())["offset"])
        since = {"epoch": ack["epoch"], "offset": len(accounted)}
        await asyncio.sleep(chance.choice([0, 0.05]))
    assert accounted == list(range(1, count + 1))
    assert losses > 0
    await publishing


async def subscribe_once(server, topic):
    async with await Client.open(server) as client:
        return await subscribe(client, topic, positions=True)


@pytest.mark.limit(90)
async def test_a_recovery_in_a_publish_storm_has_no_gap_and_no_double_at_the_seam(server, topic):
    configure(server, topic, history=5000)
    chance, count = random.Random(4), 1000
    epoch = (await subscribe_once(server, topic))["epoch"]
    publishing = asyncio.create_task(storm(server, topic, count, chance))
    async with await Client.open(server) as client:
        turn = 0
        while not publishing.done():
            turn += 1
            handled = chance.randint(0, await head(server, topic))
            ack = await subscribe(client, topic, f"c{turn}", since={"epoch": epoch, "offset": handled})
            assert (ack["offset"], ack["recovered"]) == (handled, True)
            await client.send(type="unsubscribe", topic=topic, client_id=f"c{turn}")
            seen = []
            while (message := await client.receive())["type"] != "ack":
                seen.append(message["offset"])
            assert seen == list(range(handled + 1, handled + 1 + len(seen)))
    await publishing
    assert turn > 10 and await head(server, topic) == count


async def test_the_outcome_of_a_publish_is_a_position_to_resume_from(server, topic):
    async with await Client.open(server) as client:
        await fill(client, topic, 5)
        _, outcome = await publish(client, topic, 6)
        await publish(client, topic, 7)
        assert await subscribe(client, topic, since=position(outcome)) == position(outcome) | {"recovered": True}
        await expect_replay(client, topic, 7, 7)
