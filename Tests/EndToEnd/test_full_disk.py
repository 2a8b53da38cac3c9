"""A disk that is really full, and `data_bytes`: what is refused, what goes on, and how there is room again."""

import json

import pytest

from apus_e2e import Client, Server, apus, eventually
from extensions import configure, describe
from history import page, post
from small_disks import no_room, small_disk

pytestmark = pytest.mark.one_server("it is about a server's own folder")

# Nearly the largest message that a server takes by default.
BIG = json.dumps("x" * 1_000_000)
# A disk with room for two segments and not for three.
TWO_SEGMENTS = 150


def serve(place, *flags, **options):
    return Server("--data", str(place / "data"), "--history", "100000", *flags, **options)


def fill(server, topic, most=200, message=BIG):
    """Publishes until there is no room; how many were taken, and the refusal."""
    for count in range(most):
        answer = post(server, topic, message)
        if answer.status != 201:
            return count, answer
        assert answer.json["stored"] == "disk"
    return most, None


def expect_refused(answer, reason):
    assert (answer.status, answer.json["code"]) == (503, "UNAVAILABLE"), answer.body
    assert reason in answer.json["detail"]


def first_and_last(server, topic):
    return [page(server, topic, limit=1, **start)["messages"][0]["offset"] for start in ({"since": "all"}, {"last_n": 1})]


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
async def test_on_a_full_disk_reading_and_deleting_go_on_and_make_room(tmp_path, kind):
    with small_disk(kind, tmp_path, TWO_SEGMENTS) as place:
        with serve(place) as server:
            configure(server, "cursors", durability="memory")
            configure(server, "old")
            configure(server, "orders")
            # More than a segment.
            assert fill(server, "old", 70) == (70, None)
            taken, refusal = fill(server, "orders")
            expect_refused(refusal, "No space left on device")
            with no_room(place):
                expect_refused(post(server, "orders", BIG), "No space left on device")
                async with await Client.open(server) as client:
                    await client.send_publish("old", "x" * 1_000_000, request_id="full")
                    assert "No space left on device" in await client.expect_error("UNAVAILABLE", "full")
                    await client.publish("cursors", 1)
                for topic, settings in (("new", {}), ("orders", {"history": 50_000}), ("other", {"durability": "memory"})):
                    expect_refused(server.rest("PUT", f"/topics/{topic}", settings), "no room")
                assert server.rest("GET", "/readyz").status == 200
                assert first_and_last(server, "orders") == [1, taken] and first_and_last(server, "old") == [1, 70]
                assert server.delete("old").status == 200
                assert server.rest("GET", "/topics/old").status == 404
            assert eventually(lambda: post(server, "orders", BIG).status == 201, "there is room again")
            assert post(server, "new", "1").status == 201
            assert describe(server, "orders")["last"] == taken + 1
        with serve(place) as server:
            orders = describe(server, "orders")
            assert (orders["first"], orders["last"], orders["settings"]["history"]) == (1, taken + 1, 50_000)
            assert first_and_last(server, "orders") == [1, taken + 1]
            assert server.rest("GET", "/topics/old").status == 404
            assert [describe(server, topic)["last"] for topic in ("new", "other")] == [1, 0]


@pytest.mark.parametrize("filled", [False, True])
def test_deleting_makes_room_where_a_segment_is_all_there_is(tmp_path, filled):
    with small_disk("tmpfs", tmp_path, 70) as place, serve(place) as server:
        configure(server, "old")
        configure(server, "orders")
        fill(server, "old")
        if filled:
            with no_room(place):
                assert server.delete("old").status == 200
        else:
            assert server.delete("old").status == 200
        assert eventually(lambda: post(server, "orders", BIG).status == 201, "there is room again", 2)


@pytest.mark.parametrize("ended", ["killed", "stopped"])
def test_a_server_starts_on_a_full_disk_reads_and_deletes(tmp_path, ended):
    with small_disk("tmpfs", tmp_path, 70) as place:
        with serve(place, exit_code=None) as server:
            configure(server, "orders")
            taken, _ = fill(server, "orders")
            if ended == "killed":
                server.process.kill()
                server.process.wait()
        with no_room(place), serve(place) as server:
            assert first_and_last(server, "orders") == [1, taken]
            expect_refused(post(server, "orders", BIG), "No space left on device")
            assert server.rest("GET", "/readyz").status == 200
            assert server.delete("orders").status == 200
            eventually(lambda: not list((place / "data" / "segments").glob("0000000001.*")), "the segment is gone")


def test_a_folder_cannot_be_begun_where_there_is_no_room(tmp_path):
    with small_disk("tmpfs", tmp_path, 2) as place, no_room(place):
        result = apus("serve", "--port", "0", "--data", str(place / "data"))
        assert result.returncode == 73 and "listening" not in result.stderr
        assert str(place) in result.stderr and "room" in result.stderr


LITTLE = json.dumps("x" * 10_000)


@pytest.mark.parametrize("how", ["history", "deleted"])
def test_at_data_bytes_what_nobody_wants_is_given_up(tmp_path, how):
    with serve(tmp_path, "--data-bytes", "300KiB") as server:
        if how == "history":
            configure(server, "orders", history=5)
            assert fill(server, "orders", 100, LITTLE) == (100, None)
        else:
            configure(server, "old")
            configure(server, "orders")
            _, refusal = fill(server, "old", 100, LITTLE)
            expect_refused(refusal, "data_bytes")
            expect_refused(post(server, "orders", LITTLE), "data_bytes")
            assert server.delete("old").status == 200
            eventually(lambda: post(server, "orders", LITTLE).status == 201, "there is room again", 2)
            assert describe(server, "orders")["last"] == 1


def test_at_data_bytes_no_topic_is_made_or_changed(tmp_path):
    with serve(tmp_path, "--data-bytes", "300KiB") as server:
        configure(server, "orders")
        taken, refusal = fill(server, "orders", 100, LITTLE)
        expect_refused(refusal, "data_bytes")
        assert describe(server, "orders")["last"] == taken
        assert server.rest("GET", "/readyz").status == 200
        for topic, settings in (("new", {}), ("orders", {"history": 7})):
            expect_refused(server.rest("PUT", f"/topics/{topic}", settings), "data_bytes")
