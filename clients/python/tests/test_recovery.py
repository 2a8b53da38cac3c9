"""Lost connections, slow loops, servers that go away: nothing is lost or doubled that can be kept."""

import asyncio
import os

import pytest
from conftest import running

import apus


async def take(subscription, count):
    return [await anext(subscription) for _ in range(count)]


def payloads(items):
    return [item.payload if isinstance(item, apus.Message) else type(item).__name__ for item in items]


async def test_cut_again_and_again_every_message_comes_once_and_in_order(server, cutter, topic, connect):
    total, notices = 400, []
    async with connect(cutter.url) as publisher, connect(cutter.url) as reader, asyncio.TaskGroup() as group:
        await publisher.topics.create(topic, history=10_000, dedupe_window="2m")
        readers = [reader.subscribe(topic, on_notice=notices.append) for _ in range(3)]
        for subscription in readers:
            await subscription.ready()
        reading = [group.create_task(take(subscription, total)) for subscription in readers]
        outcomes = []
        for number in range(total):
            outcomes.append(publisher.enqueue(topic, number))
            if number % 40 == 20:
                await outcomes[-1]
                cutter.cut()
        assert [(await outcome).offset for outcome in outcomes] == list(range(1, total + 1))
        for task in reading:
            assert payloads(await task) == list(range(total))
    assert notices == []


async def test_publications_wait_offline_in_their_order_and_within_bounds(server, cutter, topic, connect, changes):
    seen = changes()
    async with connect(cutter.url, publish_queue=3, on_state=seen) as client:
        await client.topics.create(topic)
        await client.publish(topic, "first")
        target, cutter._target = cutter._target, ("127.0.0.1", 1)
        cutter.cut()
        await seen.until("waiting")
        outcomes = [client.enqueue(topic, number) for number in range(3)]
        with pytest.raises(apus.QueueFull):
            await client.publish(topic, 4)
        assert client.state in ("waiting", "connecting")
        cutter._target = target
        assert [(await outcome).offset for outcome in outcomes] == [2, 3, 4]


async def test_what_history_no_longer_has_is_a_gap_that_says_what(server, cutter, topic, connect, changes):
    seen = changes()
    async with connect(cutter.url, on_state=seen) as client, apus.Client(server.url) as other:
        await client.topics.create(topic, history=5)
        async with client.subscribe(topic, notices=True) as subscription:
            await other.publish(topic, 1)
            assert (await anext(subscription)).payload == 1
            target, cutter._target = cutter._target, ("127.0.0.1", 1)
            cutter.cut()
            await seen.until("waiting")
            await other.publish_batch(topic, range(2, 22))
            cutter._target = target
            items = await take(subscription, 6)
            assert payloads(items) == ["Gap", 17, 18, 19, 20, 21]
            assert items[0].missed == (2, 16)


async def test_a_patterns_reconnect_is_a_gap(server, cutter, topic, connect):
    async with connect(cutter.url) as client, client.subscribe(f"{topic}.*", notices=True) as subscription:
        cutter.cut()
        assert await anext(subscription) == apus.Gap(f"{topic}.*")


async def test_a_slow_loop_loses_nothing_and_the_server_sees_that_it_is_slow(server, topic):
    """The client reads no more, so the server's policy decides: under throttle publishers wait."""
    async with apus.Client(server.url) as client, apus.Client(server.url) as publisher:
        await client.topics.create(topic, history=10)
        blob = "x" * 10_000
        async with client.subscribe(topic, overflow="throttle", queue=10, buffer=4, notices=True) as subscription:
            sending = asyncio.create_task(_send(publisher, topic, blob))
            items = []
            while len(items) < 2000:
                items.append(await anext(subscription))
                if len(items) == 1:
                    # Nobody reads meanwhile: what is on its way is bounded by the sockets' buffers.
                    done, _ = await asyncio.wait([sending], timeout=0.3)
                    assert not done
            assert [item.payload[0] for item in items] == list(range(2000))
            await sending


async def _send(publisher, topic, blob):
    for number in range(0, 2000, 20):
        await asyncio.gather(*(publisher.publish(topic, [number + more, blob]) for more in range(20)))


async def test_what_the_server_drops_for_a_slow_loop_is_said_in_its_place(server, topic):
    async with apus.Client(server.url) as client:
        await client.topics.create(topic, history=10)
        async with client.subscribe(topic, queue=5, buffer=4, notices=True) as subscription:
            blob, total = "x" * 20_000, 1500
            for first in range(0, total, 50):
                await client.publish_batch(topic, [[n, blob] for n in range(first, first + 50)])
            expected, dropped = 1, 0
            while expected <= total:
                item = await anext(subscription)
                if isinstance(item, apus.Dropped):
                    assert item.missed[0] == expected
                    dropped += item.dropped
                    expected = item.missed[1] + 1
                else:
                    assert item.offset == expected
                    expected += 1
            assert dropped > 0


async def test_a_loop_that_publishes_for_each_message_does_not_block_itself(server, topic):
    async with apus.Client(server.url) as client:
        await client.topics.create(topic, history=10_000)
        await client.topics.create(f"{topic}.out", history=10_000)
        for _ in range(10):
            await client.publish_batch(topic, ["x" * 2000] * 300)
        async with client.subscribe(topic, since="all", buffer=2) as subscription:
            for _ in range(3000):
                await client.publish(f"{topic}.out", len((await anext(subscription)).payload))
        assert (await client.topics.get(f"{topic}.out")).last == 3000


async def test_a_buffer_that_drops_here_holds_up_nobody(server, topic):
    async with apus.Client(server.url) as client:
        await client.topics.create(topic, history=1000)
        options = {"buffer": 3, "when_full": "drop-oldest", "notices": True}
        async with client.subscribe(topic, **options) as lazy, client.subscribe(f"{topic}.b", wait=True):
            await client.publish_batch(topic, range(10))
            async with client.subscribe(topic, since="all") as other:
                assert payloads(await take(other, 10)) == list(range(10))
            # Its own connection has brought all of them when it brings an answer behind them.
            async with client.subscribe(f"{topic}.c", wait=True):
                pass
            first = await anext(lazy)
            assert isinstance(first, apus.Dropped)
            assert first.missed == (1, first.dropped)
            assert payloads(await take(lazy, 3)) == [7, 8, 9]


async def test_while_a_loop_is_slow_others_can_subscribe_on_the_same_connection(server, topic):
    async with apus.Client(server.url) as client:
        for name in (topic, f"{topic}.b"):
            await client.topics.create(name, history=10_000)
        for _ in range(20):
            await client.publish_batch(topic, ["x" * 5000] * 150)
        async with client.subscribe(topic, since="all", buffer=1) as slow:
            assert (await anext(slow)).offset == 1
            async with client.subscribe(f"{topic}.b") as other, client.subscribe(f"{topic}.b", dedicated=True) as apart:
                await client.publish(f"{topic}.b", 1)
                assert (await anext(apart)).payload == 1
                # Its own shares a connection, and gets its message when the slow one goes on.
                offsets = [(await anext(slow)).offset for _ in range(2999)]
                assert offsets == list(range(2, 3001))
                assert (await anext(other)).payload == 1


async def test_a_server_with_data_goes_and_comes_and_nothing_is_lost(tmp_path, topic, connect, changes, cutter):
    data, seen, notices = ["--data", str(tmp_path / "data"), "--reconnect-rate", "100000"], changes(), []
    async with running(*data) as first:
        cutter.lead_to(first)
        client = connect(cutter.url, on_state=seen)
        await client.__aenter__()
        await client.topics.create(topic, dedupe_window="10m")
        subscription = client.subscribe(topic, on_notice=notices.append)
        await subscription.ready()
        assert (await client.publish(topic, 1)).stored == "disk"
        assert (await anext(subscription)).payload == 1
    change = await seen.until("waiting")
    assert change.error.code in ("SHUTDOWN", "UNREACHABLE")
    outcome = client.enqueue(topic, 2)
    async with running(*data) as second:
        cutter.lead_to(second)
        assert (await outcome).offset == 2
        assert (await anext(subscription)).payload == 2
        await client.close()
    assert notices == []


async def test_a_server_in_memory_goes_and_its_topic_is_waited_for(topic, connect, cutter):
    async with running() as first:
        cutter.lead_to(first)
        client = connect(cutter.url)
        await client.__aenter__()
        await client.topics.create(topic)
        subscription = client.subscribe(topic, notices=True)
        await subscription.ready()
        await client.publish(topic, 1)
        assert (await anext(subscription)).payload == 1
        first.kill()
        first._exit_code = None
    async with running() as second:
        cutter.lead_to(second)
        assert await anext(subscription) == apus.Waiting(topic)
        outcomes = [client.enqueue(topic, number) for number in (2, 3)]
        await client.topics.create(topic)
        assert [(await outcome).offset for outcome in outcomes] == [1, 2]
        assert payloads(await take(subscription, 4)) == ["Gap", "TopicCreated", 2, 3]
        await client.close()


async def test_a_drain_is_followed_after_the_time_that_the_server_says(topic, connect, changes, cutter):
    seen = changes()
    async with running("--reconnect-rate", "1") as server:
        cutter.lead_to(server)
        # Its own delays would be of no use.
        async with connect(cutter.url, on_state=seen, min_delay=1000, max_delay=1000) as client:
            await client.topics.create(topic)
            async with client.subscribe(topic):
                server.stop()
                change = await seen.until("waiting", "subscribe")
                assert change.error.code == "SHUTDOWN"
                assert change.delay < 60


async def test_without_a_server_the_first_connection_fails_unless_it_may_come_later(topic, changes):
    with pytest.raises(apus.ConnectionFailed, match=r"127\.0\.0\.1:1"):
        async with apus.Client("http://127.0.0.1:1"):
            pass
    seen = changes()
    async with apus.Client("http://127.0.0.1:1", require_connection=False, on_state=seen) as client:
        change = await seen.until("waiting")
        assert change.error.code == "UNREACHABLE"
        outcome = client.enqueue(topic, 1)
    with pytest.raises(apus.Closed):
        await outcome


async def test_a_message_that_is_too_large_is_refused_alone(topic, connect):
    async with running("--max-message", "10KiB") as server, connect(server.url) as client:
        await client.topics.create(topic, dedupe_window="1m")
        outcomes = [client.enqueue(topic, text) for text in ("a", "x" * 20_000, "b")]
        with pytest.raises(apus.MessageTooBig):
            await outcomes[1]
        assert (await outcomes[0]).offset == 1
        assert (await outcomes[2]).offset == 2
        with pytest.raises(apus.MessageTooBig):
            await client.publish(topic, "x" * 30_000)
        # The server has closed the connection long before it has read all of this.
        async with connect(server.url, publish_queue_bytes=1 << 30) as another:
            with pytest.raises(apus.MessageTooBig):
                await another.publish(topic, "x" * 20_000_000 + "y")


async def test_a_connection_that_answers_nothing_is_given_up(server, topic, connect, changes):
    seen, held = changes(), []

    async def swallow(reader, writer):
        """Passes the handshake on, and nothing behind it."""
        held.append(writer)
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        back.write(await reader.readuntil(b"\r\n\r\n"))
        writer.write(await there.readuntil(b"\r\n\r\n"))
        await reader.read()
        back.close()
        writer.close()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with connect(f"http://127.0.0.1:{port}", on_state=seen, ping_interval=0.05, close_timeout=0.1):
            change = await seen.until("waiting")
            assert "no answer to pings" in str(change.error)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            await asyncio.wait([task])
        for writer in held:
            writer.close()


async def test_a_unix_socket_is_an_address(tmp_path, topic):
    path = tmp_path / "apus.sock"
    async with running("--listen", "127.0.0.1:0", "--listen", f"unix:{path}"):
        assert os.path.exists(path)
        async with apus.Client(f"unix:{path}") as client:
            await client.topics.create(topic)
            await client.publish(topic, 1)
            assert payloads(await take(client.subscribe(topic, since="all"), 1)) == [1]
