"""What a server with `--data` does when its disk fails or is slow, and what is there after a restart."""

import asyncio
import contextlib
import errno
import http.client
import threading
import time

import pytest

from apus_e2e import PATIENCE, Client, Server, eventually
from extensions import configure, describe, new_message, numbered, publish, publish_batch, receive_events, subscribe
from failing_disk import FailingDisk
from history import NDJSON, page, post
from prometheus import Scrape
from raw_websocket import TEXT, RawWebSocket, frame
from websockets.exceptions import ConnectionClosed

KEPT = ("orders", "clicks")


@pytest.fixture
def disk(tmp_path):
    return FailingDisk.in_folder(tmp_path)


@pytest.fixture
def start(tmp_path, disk):
    """Starts a server on a disk that fails when it is told to, with a topic of each level."""
    def start(*flags, **options):
        return Server("--data", str(tmp_path / "data"), "--history", "100000", *flags, env=disk.env, **options)
    return start


def topics(server):
    for topic, durability in (("orders", "disk"), ("clicks", "os"), ("cursors", "memory")):
        configure(server, topic, durability=durability)


def kept(server, topic):
    """The payloads of a topic, whose offsets must have no gap."""
    found, told = [], page(server, topic, since="all", limit=1000)
    while told["messages"]:
        found += told["messages"]
        told = page(server, topic, after=found[-1]["offset"], epoch=told["epoch"], limit=1000)
    assert [message["offset"] for message in found] == list(range(1, len(found) + 1))
    return [message["message"]["payload"] for message in found]


async def publish_all(client, topic, payloads):
    """Publishes one after the other; what was acknowledged, and the code of each error."""
    acked, codes = [], []
    for payload in payloads:
        await client.send(type="publish", topic=topic, message=new_message(payload))
        answer = await client.receive()
        if answer["type"] == "ack":
            assert not codes, "acknowledged after a failure"
            acked.append(payload)
        else:
            codes.append(answer["error"]["code"])
    return acked, codes


@pytest.mark.parametrize("call", ["write", "sync"])
async def test_after_a_failure_nothing_is_kept_until_a_restart_and_all_that_was_is_there(start, disk, call):
    with start() as server:
        topics(server)
        async with await Client.open(server) as client, await Client.open(server) as reader:
            for topic in KEPT:
                await subscribe(reader, topic)
            for topic in KEPT:
                await publish(client, topic, 0)
            # Once is enough: what failed may have taken any part of the disk with it.
            getattr(disk.segments, call).fail(errno.EIO, times=1, after=10)
            acked, codes = await publish_all(client, "orders", range(1, 15))
            assert acked == list(range(1, 11)) and codes == ["UNAVAILABLE"] * 4
            for topic in KEPT:
                assert (await publish_all(client, topic, [99]))[1] == ["UNAVAILABLE"]
                answer = post(server, topic, "99")
                assert (answer.status, answer.json["code"]) == (503, "UNAVAILABLE")
                assert "Input/output error" in answer.json["detail"] and ".seg" in answer.json["detail"]
            # Nobody has seen what was not acknowledged; reading goes on.
            for expected in [*KEPT, *["orders"] * 10]:
                assert (await reader.receive())["topic"] == expected
            await reader.expect_alive()
            assert kept(server, "orders") == [0, *acked] and kept(server, "clicks") == [0]
            _, outcome = await publish(client, "cursors", 1)
            assert outcome["stored"] == "memory"
        ready = server.rest("GET", "/readyz")
        assert ready.status == 503 and "Input/output error" in ready.json["detail"]
        assert server.rest("GET", "/livez").status == 200
        assert Scrape(server.rest("GET", "/metrics").body.decode())["apus_commit_failures_total"] > 0
        disk.segments.write.heal()
    with start() as server:
        assert server.rest("GET", "/readyz").status == 200
        # What was not acknowledged is there once or not at all.
        found = kept(server, "orders")
        assert found[:11] == [0, *acked] and found[11:] in ([], [11])
        assert kept(server, "clicks") == [0]
        async with await Client.open(server) as client:
            for topic in KEPT:
                before = len(kept(server, topic))
                assert (await publish(client, topic, "after"))[1]["offset"] == before + 1


async def test_a_write_that_takes_a_part_is_gone_on_with(start, disk):
    with start() as server:
        topics(server)
        disk.segments.write.most = 50
        async with await Client.open(server) as client:
            for number in range(20):
                await publish(client, "orders", [number, "x" * 300])
                await publish_batch(client, "clicks", [[number, part] for part in range(5)])
        assert disk.segments.write.calls > 100
        before = [kept(server, topic) for topic in KEPT]
    with start() as server:
        assert [kept(server, topic) for topic in KEPT] == before
        assert [len(payloads) for payloads in before] == [20, 100]


async def test_batches_and_publishes_over_http_are_kept_whole_or_not_at_all(start, disk):
    def lines(*numbers):
        return "".join(f"{number}\n" for number in numbers)

    with start() as server:
        topics(server)
        assert post(server, "orders", lines(1, 2, 3), NDJSON).status == 201
        disk.segments.sync.fail(errno.EIO, times=1)
        assert post(server, "orders", lines(4, 5, 6), NDJSON).status == 503
        assert post(server, "clicks", "1").status == 503
        async with await Client.open(server) as client:
            for topic in KEPT:
                await client.send(type="publish", topic=topic, messages=[new_message(number) for number in (7, 8)])
                await client.expect_error("UNAVAILABLE")
            await publish_batch(client, "cursors", [1, 2])
        assert kept(server, "orders") == [1, 2, 3]
    with start() as server:
        assert kept(server, "orders") in ([1, 2, 3], [1, 2, 3, 4, 5, 6])
        assert kept(server, "clicks") == []


@pytest.mark.parametrize("call", ["write", "sync"])
def test_a_catalog_that_cannot_be_written_ends_keeping_too(start, disk, call):
    with start() as server:
        topics(server)
        post(server, "orders", "1")
        getattr(disk.catalog, call).fail(errno.EIO, times=1)
        assert server.rest("PUT", "/topics/new", {}).status == 503
        assert post(server, "orders", "2").status == 503
        ready = server.rest("GET", "/readyz")
        assert ready.status == 503 and "catalog.sqlite" in ready.json["detail"]
        assert kept(server, "orders") == [1]
    with start() as server:
        assert kept(server, "orders") == [1]
        assert server.rest("PUT", "/topics/new", {}).status in (200, 201)
        assert post(server, "new", "1").status == 201


async def test_a_catalog_without_room_refuses_changes_and_keeps_them_when_there_is_room(start, disk):
    with start() as server:
        topics(server)
        disk.catalog.write.fail(errno.ENOSPC)
        for topic, settings in (("new", {}), ("orders", {"history": 7})):
            answer = server.rest("PUT", f"/topics/{topic}", settings)
            assert (answer.status, answer.json["code"]) == (503, "UNAVAILABLE")
            assert "no room" in answer.json["detail"]
        assert post(server, "orders", "1").status == 503
        assert post(server, "cursors", "1").status == 201
        assert server.rest("GET", "/readyz").status == 200
        disk.catalog.write.heal()
        assert [post(server, topic, "2").status for topic in ("orders", "new")] == [201, 201]
    with start() as server:
        assert describe(server, "orders")["settings"]["history"] == 7
        assert [kept(server, topic) for topic in ("orders", "new")] == [[2], [2]]


@pytest.mark.xfail(strict=False, reason="after ENOSPC of a write nothing is written until a restart")
def test_a_write_without_room_is_refused_and_goes_on_when_there_is_room(start, disk):
    """File systems that do not hold what was allocated for them: those that copy on write, or have a quota."""
    with start() as server:
        topics(server)
        for topic in KEPT:
            assert post(server, topic, "0").status == 201
        disk.segments.write.fail(errno.ENOSPC, times=2)
        for topic in KEPT:
            answer = post(server, topic, f'"{"x" * 1000}"')
            assert answer.status == 503 and "no room" in answer.json["detail"].lower()
        assert server.rest("GET", "/readyz").status == 200
        for topic in KEPT:
            assert [post(server, topic, str(number)).status for number in (1, 2)] == [201, 201]
    with start() as server:
        assert [kept(server, topic) for topic in KEPT] == [[0, 1, 2]] * 2


@pytest.mark.xfail(strict=False, reason="a flush that fails with ENOSPC is told as a disk that is full, with /readyz 200")
def test_a_flush_without_room_is_final(start, disk):
    with start() as server:
        topics(server)
        assert post(server, "orders", "0").status == 201
        disk.segments.sync.fail(errno.ENOSPC, times=1)
        assert post(server, "orders", "1").status == 503
        assert post(server, "clicks", "1").status == 503
        assert server.rest("GET", "/readyz").status == 503


@pytest.mark.xfail(strict=False, reason="it is answered before the messages are kept; what could not be is forgotten")
@pytest.mark.parametrize("how", ["full", "killed"])
def test_a_topic_that_is_kept_from_now_on_has_its_messages_after_a_restart(start, disk, how):
    with start(exit_code=None) as server:
        topics(server)
        for number in range(3):
            post(server, "cursors", str(number))
        epoch = describe(server, "cursors")["epoch"]
        if how == "full":
            disk.segments.allocate.fail(errno.ENOSPC)
            server.rest("PUT", "/topics/cursors", {"durability": "disk"})
            eventually(lambda: disk.segments.allocate.calls > 0, "there was no room")
            disk.segments.allocate.heal()
            # The server has the change in any case, and keeps it when there is room.
            assert post(server, "cursors", "3").status == 201
        else:
            disk.segments.write.held = 1
            # Answered: then it has to be so.
            answered = None
            with contextlib.suppress(TimeoutError):
                answered = server.rest("PUT", "/topics/cursors", {"durability": "disk"}, timeout=1)
            server.process.kill()
            server.process.wait()
            disk.segments.write.heal()
    with start() as server:
        found = describe(server, "cursors")
        if how == "killed" and answered is None and found["epoch"] != epoch:
            # What nobody was told need not be there, but then its offsets are those of another epoch.
            return
        expected = [0, 1, 2, *([3] if how == "full" else [])]
        assert (found["epoch"], found["last"], kept(server, "cursors")) == (epoch, len(expected), expected)


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
