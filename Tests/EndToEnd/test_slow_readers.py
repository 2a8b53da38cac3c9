"""Readers that stop, under each overflow policy: section 5."""

import asyncio

import pytest

from apus_e2e import BASE, PATIENCE, V1, Client, Server, until
from flood import (KIB, expect_exact_gaps, flood, overflow_a_stalled_reader, publish_freely, read_until,
                   stalled_reader)

MIB = 1024 * KIB
BIG = 16 * KIB


@pytest.mark.limit(120)
async def test_drop_oldest_announces_the_exact_gap_keeps_the_newest_and_disturbs_nobody():
    count = 5000
    with Server("--queue", "100") as server:
        server.create("t")
        async with (await Client.open(server) as publisher, await Client.open(server) as one,
                    await Client.open(server, V1) as two):
            await one.subscribe("t")
            await two.subscribe("t")
            await flood(publisher, "t", range(200), BIG, [one, two])
            with stalled_reader(server, "t") as raw:
                await flood(publisher, "t", range(1000), BIG, [one, two])
                before = server.rss
                await flood(publisher, "t", range(1000, count), BIG, [one, two])
                # 62 MiB went past the stalled reader; its lag must not be in memory.
                assert server.rss - before < 16 * MIB
                seen = await asyncio.to_thread(read_until, raw, count - 1)
                assert seen.gaps and not seen.errors and seen.close is None
                expect_exact_gaps(seen, count)
                assert seen.numbers[-50:] == list(range(count - 50, count))
                # Having caught up it is a subscriber like any other.
                await flood(publisher, "t", [count], BIG, [one, two])
                assert (await asyncio.to_thread(raw.read_message))["message"]["payload"][0] == count


@pytest.mark.parametrize("dialect", [BASE, V1], ids=["base", "v1"])
async def test_a_reader_that_stops_twice_is_told_of_both_gaps(dialect):
    with Server("--queue", "50") as server:
        server.create("t")
        for _ in range(2):
            await overflow_a_stalled_reader(server, "t", 50, dialect)
        with stalled_reader(server, "t") as raw:
            async with await Client.open(server) as publisher:
                gaps = []
                for start in (0, 2000):
                    await flood(publisher, "t", range(start, start + 2000), 8 * KIB)
                    seen = await asyncio.to_thread(read_until, raw, start + 1999)
                    gaps.append(seen.dropped)
                    assert len(seen.numbers) + seen.dropped == 2000
                assert all(gaps)


@pytest.mark.limit(90)
async def test_many_stalled_readers_cost_no_memory_for_their_lag():
    with Server("--queue", "1000") as server:
        server.create("t")
        raws = [stalled_reader(server, "t") for _ in range(40)]
        try:
            async with await Client.open(server) as publisher, await Client.open(server) as healthy:
                await healthy.subscribe("t")
                # The log's own 1,000 messages and what is on its way to the sockets are there first.
                await flood(publisher, "t", range(1500), BIG, [healthy])
                before = server.rss
                await flood(publisher, "t", range(1500, 3500), BIG, [healthy])
                # 1.2 GiB of lag in all.
                assert server.rss - before < 32 * MIB
        finally:
            for raw in raws:
                raw.abort()


@pytest.mark.limit(120)
async def test_disconnect_tells_the_slow_reader_and_closes_it_and_disturbs_nobody():
    with Server("--overflow", "disconnect", "--queue", "100") as server:
        server.create("t")
        async with await Client.open(server) as publisher, await Client.open(server) as healthy:
            await healthy.subscribe("t")
            with stalled_reader(server, "t") as raw:
                assert server.subscribers("t") == 2
                await flood(publisher, "t", range(2000), BIG, [healthy])
                await until(lambda: server.subscribers("t") == 1, "the slow reader unsubscribed")
                seen = await asyncio.to_thread(read_until, raw, None)
                assert seen.numbers == list(range(len(seen.numbers))) and 0 < len(seen.numbers) < 2000
                assert (seen.gaps, seen.errors, seen.close) == ([], ["SLOW_CONSUMER"], (1008, "SLOW_CONSUMER"))
            await flood(publisher, "t", range(2000, 2010), BIG, [healthy])


async def stalled(acked, seconds):
    """Waits until no ack has come for so long."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    while loop.time() - (acked[-1] if acked else start) < seconds:
        assert loop.time() - start < 30 * PATIENCE, "the publisher is never held up"
        await asyncio.sleep(seconds / 10)


@pytest.mark.limit(120)
@pytest.mark.one_server("throttle counts a node's own subscribers")
async def test_throttle_loses_nothing_and_holds_publishers_until_the_reader_reads_again():
    with Server("--overflow", "throttle", "--queue", "100") as server:
        server.create("t")
        server.create("other")
        async with await Client.open(server) as publisher, await Client.open(server) as healthy:
            acked, count = [], 2500
            with stalled_reader(server, "t") as raw:
                publishing = asyncio.create_task(publish_freely(publisher, "t", range(count), BIG, 10, acked))
                await stalled(acked, 1)
                held_at = len(acked)
                assert 100 <= held_at < count
                # Another topic, another publisher: nobody waits.
                await healthy.subscribe("other")
                await healthy.expect_event("other", await healthy.publish("other", 1))
                assert len(acked) <= held_at + 10
                seen = await asyncio.to_thread(read_until, raw, count - 1)
                assert seen.numbers == list(range(count))
                assert not seen.gaps and not seen.errors
                async with asyncio.timeout(10 * PATIENCE):
                    await publishing
                assert len(acked) == count
                assert server.subscribers("t") == 1


@pytest.mark.limit(120)
@pytest.mark.one_server("throttle counts a node's own subscribers")
async def test_throttle_disconnects_a_reader_that_holds_publishers_for_too_long():
    with Server("--overflow", "throttle", "--throttle-timeout", "1s", "--queue", "100") as server:
        server.create("t")
        async with await Client.open(server) as publisher, await Client.open(server) as healthy:
            await healthy.subscribe("t")
            acked, count = [], 2500
            with stalled_reader(server, "t") as raw:
                receiving = asyncio.create_task(receive_numbers(healthy, count))
                await publish_freely(publisher, "t", range(count), BIG, 10, acked)
                assert await receiving == list(range(count))
                longest = max(after - before for before, after in zip(acked, acked[1:]))
                assert 0.5 <= longest <= 5 * PATIENCE
                assert server.subscribers("t") == 1
                seen = await asyncio.to_thread(read_until, raw, None)
                assert seen.numbers == list(range(len(seen.numbers)))
                assert (seen.gaps, seen.errors, seen.close) == ([], ["SLOW_CONSUMER"], (1008, "SLOW_CONSUMER"))


async def receive_numbers(client, count):
    return [(await client.receive(30 * PATIENCE))["message"]["payload"][0] for _ in range(count)]


@pytest.mark.limit(60)
@pytest.mark.one_server("throttle counts a node's own subscribers")
async def test_a_publisher_held_by_a_stalled_reader_is_released_when_that_reader_goes():
    with Server("--overflow", "throttle", "--queue", "20") as server:
        server.create("t")
        async with await Client.open(server) as publisher:
            acked, count = [], 2000
            raw = stalled_reader(server, "t")
            publishing = asyncio.create_task(publish_freely(publisher, "t", range(count), BIG, 10, acked))
            await stalled(acked, 1)
            assert len(acked) < count
            raw.abort()
            async with asyncio.timeout(20 * PATIENCE):
                await publishing
            assert len(acked) == count


@pytest.mark.parametrize("overflow", ["drop-oldest", "disconnect", "throttle"])
async def test_a_replay_longer_than_the_queue_is_no_overflow_for_a_reader_that_reads(overflow, dialect):
    with Server("--overflow", overflow, "--queue", "10", "--history", "100") as server:
        server.create("t")
        async with await Client.open(server, dialect) as publisher, await Client.open(server, dialect) as client:
            await flood(publisher, "t", range(150), 4 * KIB)
            for _ in range(3):
                await client.subscribe("t", last_n=100)
                assert await receive_numbers(client, 100) == list(range(50, 150))
            await client.expect_alive()
            await client.expect_event("t", await publisher.publish("t", "live"))
