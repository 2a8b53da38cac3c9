"""What a server with `--data` does when its disk fails, and what is there after a restart."""

import contextlib
import errno
from concurrent.futures import ThreadPoolExecutor

import pytest

from apus_e2e import Client, eventually
from extensions import describe, new_message, publish, publish_batch, subscribe
from failing_disk import KEPT, disk, kept, start, topics
from history import NDJSON, post
from prometheus import Scrape

pytestmark = pytest.mark.one_server("it is about a server's own folder")


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
        told = Scrape(server.rest("GET", "/metrics").body.decode())
        assert told["apus_commit_failures_total"] > 0
        assert (told["apus_journal_failed"], told["apus_ready"], told["apus_draining"]) == (1, 0, 0)
        assert told.labelled("apus_log_records_total", "level")["error"] > 0
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


def test_a_write_without_room_is_refused_and_goes_on_when_there_is_room(start, disk):
    """File systems that do not hold what was allocated for them: those that copy on write, or have a quota."""
    with start() as server:
        topics(server)
        for topic in KEPT:
            assert post(server, topic, "0").status == 201
        disk.segments.write.fail(errno.ENOSPC)
        for topic in KEPT:
            answer = post(server, topic, f'"{"x" * 1000}"')
            assert answer.status == 503 and "no room" in answer.json["detail"].lower()
        assert server.rest("GET", "/readyz").status == 200
        disk.segments.write.heal()
        for topic in KEPT:
            assert [post(server, topic, str(number)).status for number in (1, 2)] == [201, 201]
    with start() as server:
        assert [kept(server, topic) for topic in KEPT] == [[0, 1, 2]] * 2


def test_a_flush_without_room_is_final(start, disk):
    with start() as server:
        topics(server)
        assert post(server, "orders", "0").status == 201
        disk.segments.sync.fail(errno.ENOSPC, times=1)
        assert post(server, "orders", "1").status == 503
        assert post(server, "clicks", "1").status == 503
        assert server.rest("GET", "/readyz").status == 503


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


@pytest.mark.parametrize("how", ["deleted", "memory"])
def test_a_topic_that_was_not_told_to_be_gone_has_all_its_messages(start, disk, how):
    def give_up(server):
        if how == "deleted":
            return server.delete("orders").status
        return server.rest("PUT", "/topics/orders", {"durability": "memory"}).status

    status, writes, numbers = 503, 0, []
    while status != 200:
        assert status == 503
        # The segment with what was published first gets no more when the server starts again.
        with start() as server:
            topics(server)
            assert kept(server, "orders") == numbers
            numbers.append(len(numbers))
            assert post(server, "orders", str(numbers[-1])).status == 201
        with start() as server, ThreadPoolExecutor(2) as pool:
            numbers.append(len(numbers))
            with disk.segments.sync.holding():
                published = pool.submit(post, server, "orders", str(numbers[-1]))
                disk.segments.sync.wait_for_one()
                changed = pool.submit(give_up, server)
                # Answered after that request was read, or about then.
                for _ in range(20):
                    assert post(server, "cursors", "1").status == 201
                disk.catalog.write.fail(errno.EIO, after=writes)
            assert published.result().status == 201
            status, writes = changed.result(), writes + 1
            disk.catalog.write.heal()
    assert writes > 3
