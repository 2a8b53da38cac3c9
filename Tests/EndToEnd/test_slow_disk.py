"""What waits for a disk that is slow, and how it ends: with the disk, the topic, or the server."""

import asyncio
import contextlib
import errno
import http.client
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed

from apus_e2e import PATIENCE, Client
from extensions import configure, describe, numbered, receive_events, subscribe
from failing_disk import KEPT, disk, kept, start, topics
from history import post
from raw_websocket import TEXT, RawWebSocket, frame

pytestmark = pytest.mark.one_server("it is about a server's own folder")


async def test_while_a_flush_takes_long_only_what_needs_it_waits(start, disk):
    with start() as server:
        topics(server)
        await asyncio.to_thread(post, server, "orders", "0")
        async with (await Client.open(server) as client, await Client.open(server) as other,
                    await Client.open(server) as reader):
            for topic in ("orders", "cursors"):
                await subscribe(reader, topic)
            with disk.segments.sync.holding():
                for number in range(100):
                    await client.send_publish("orders", number, request_id=f"o{number}")
                await asyncio.to_thread(disk.segments.sync.wait_for_one)
                # This connection goes on being read; its answers keep their order.
                await client.send_publish("cursors", "behind", request_id="m")
                event = await reader.receive()
                assert (event["topic"], event["message"]["payload"]) == ("cursors", "behind")
                # Others are not held up.
                for number in range(500):
                    await other.publish("cursors", number)
                    assert (await reader.receive())["message"]["payload"] == number
                await other.expect_alive()
                assert kept(server, "orders") == [0]
                assert disk.segments.sync.waiting == 1
                with pytest.raises(TimeoutError):
                    await client.receive(timeout=0.1)
            answers = [(await client.receive())["request_id"] for _ in range(101)]
            assert answers == [*(f"o{number}" for number in range(100)), "m"]
            for number in range(100):
                assert (await reader.receive())["message"]["payload"] == number


def test_what_waits_for_the_disk_has_a_bound(start, disk):
    """One that publishes without end is not read any more."""
    size, count = 1 << 16, 1024
    with start("--commit-backlog", "1MiB") as server, RawWebSocket.open(server, timeout=60 * PATIENCE) as raw:
        topics(server)
        post(server, "orders", "0")
        before, sent = server.rss, 0

        def send():
            nonlocal sent
            for number in range(count):
                raw.send(frame(TEXT, numbered("orders", number, size)))
                sent += 1

        sender = threading.Thread(target=send)
        with disk.segments.sync.holding():
            sender.start()
            disk.segments.sync.wait_for_one()
            reached = (time.monotonic(), sent)
            while time.monotonic() - reached[0] < 0.5:
                if sent != reached[1]:
                    reached = (time.monotonic(), sent)
                time.sleep(0.02)
            # The rest of what was sent is in the buffers of the socket.
            assert sent < count // 2, "everything was read"
            assert server.rss - before < 24 << 20
        for _ in range(count):
            assert raw.read_message()["type"] == "ack"
        sender.join()
        assert describe(server, "orders")["last"] == count + 1


class Storm:
    """Publishes without waiting for answers, and collects all of them up to the end of the connection."""

    count = 500

    def __init__(self, topic, name):
        self.topic, self.name, self.answers = topic, name, []

    async def run(self, server):
        client = await Client.open(server)
        for number in range(self.count):
            await client.send_publish(self.topic, [self.name, number], request_id=str(number))
        # Whoever sees this knows that the server has read all before it.
        await client.send_publish("cursors", self.name, request_id=str(self.count))
        with contextlib.suppress(ConnectionClosed):
            while len(self.answers) <= self.count:
                answer = await client.receive(30 * PATIENCE)
                if "request_id" in answer:
                    self.answers.append(answer)
        await client.connection.close()

    @property
    def acked(self):
        return [number for number, answer in enumerate(self.answers[:self.count]) if answer["type"] == "ack"]

    @property
    def codes(self):
        return {answer["error"]["code"] for answer in self.answers[:self.count] if answer["type"] == "error"}

    def expect_all_answered(self):
        """In their order, and no ack came after a failure."""
        assert [int(answer["request_id"]) for answer in self.answers] == list(range(self.count + 1))
        assert self.acked == list(range(len(self.acked)))


@contextlib.asynccontextmanager
async def storms_that_wait(server, disk):
    """Storms on two topics of which the server has read everything, and nothing is answered before the end of the block."""
    storms = [Storm(topic, f"{topic}{number}") for topic in KEPT for number in range(3)]
    async with await Client.open(server) as reader:
        await subscribe(reader, "cursors")
        with disk.segments.sync.holding():
            tasks = [asyncio.ensure_future(storm.run(server)) for storm in storms]
            await asyncio.to_thread(disk.segments.sync.wait_for_one)
            names = {event["message"]["payload"] for event in await receive_events(reader, "cursors", len(storms))}
            assert names == {storm.name for storm in storms}
            yield storms
        await asyncio.gather(*tasks)


async def status_of(post, *arguments):
    """`None` if the server is gone."""
    try:
        return (await asyncio.to_thread(post, *arguments)).status
    except (OSError, http.client.HTTPException):
        return None


@pytest.mark.parametrize("failing", [False, True], ids=["kept", "failed"])
async def test_all_that_waits_at_the_end_of_a_server_gets_an_answer(start, disk, failing):
    with start() as server:
        topics(server)
        post(server, "orders", "1")
        async with storms_that_wait(server, disk) as storms:
            posts = [asyncio.ensure_future(status_of(post, server, "orders", '"posted"')) for _ in range(3)]
            server.stop()
            await asyncio.to_thread(server.wait_for_log, "draining")
            if failing:
                disk.segments.sync.fail(errno.EIO, times=1)
        statuses = [await status for status in posts]
        await asyncio.to_thread(server.process.wait, 20 * PATIENCE)
        disk.segments.sync.heal()
    with start() as server:
        found = {topic: kept(server, topic) for topic in KEPT}
    for storm in storms:
        storm.expect_all_answered()
        assert storm.codes == ({"UNAVAILABLE"} if failing else set())
        assert len(storm.acked) == (0 if failing else storm.count)
        numbers = [payload[1] for payload in found[storm.topic] if isinstance(payload, list) and payload[0] == storm.name]
        assert numbers == list(range(len(numbers))) and len(numbers) >= len(storm.acked)
    assert set(statuses) <= {201, 503, None}
    assert found["orders"].count("posted") >= statuses.count(201)


@pytest.mark.parametrize("failing", [False, True], ids=["kept", "failed"])
async def test_a_topic_that_is_deleted_with_publishes_under_way(start, disk, failing):
    with start() as server:
        topics(server)
        for topic in KEPT:
            post(server, topic, "1")
        epochs = {topic: describe(server, topic)["epoch"] for topic in KEPT}
        async with storms_that_wait(server, disk) as storms:
            deletions = [asyncio.ensure_future(status_of(server.delete, topic)) for topic in KEPT]
            # Its own publish comes after those requests were read, or about then.
            post(server, "cursors", "1")
            if failing:
                disk.segments.sync.fail(errno.EIO, times=1)
        statuses = {await status for status in deletions}
        for storm in storms:
            storm.expect_all_answered()
            assert storm.codes <= {"TOPIC_NOT_FOUND", *(["UNAVAILABLE"] if failing else [])}
        assert statuses <= ({200, 503} if failing else {200})
        for topic in () if failing else KEPT:
            assert server.rest("GET", f"/topics/{topic}").status == 404
            configure(server, topic)
            assert describe(server, topic)["epoch"] != epochs[topic]
            assert kept(server, topic) == []
    with start() as server:
        for topic in () if failing else KEPT:
            assert kept(server, topic) == []
            assert post(server, topic, "1").json["offset"] == 1
