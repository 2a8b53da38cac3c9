"""`DELETE /topics/{name}/messages`: a topic begins anew with its next message, for everybody and for good."""

import asyncio
import json

import pytest

from apus_e2e import Client, Server
from event_stream import EventStream
from extensions import PLENTY, describe, pour, publish, put, read, stalled, subscribe, topic_path
from history import get, history, post
from test_data_tools import data, exported
from test_history_on_disk import COUNT, TOPIC, fill

pytestmark = pytest.mark.over_cluster


def purge(server, topic, headers=None, dialect=None, code=200):
    path = topic_path(topic, "/messages", dialect) if dialect else topic_path(topic, "/messages")
    answer = server.rest("DELETE", path, headers=headers)
    assert answer.status == code, answer.body
    return answer.json


async def test_history_is_empty_and_offsets_go_on(server, topic, dialect):
    for number in range(5):
        assert post(server, topic, str(number)).status == 201
    before = describe(server, topic)
    assert purge(server, topic, dialect=dialect) == {"status": "purged", "topic": topic, "purged": 5}
    after = describe(server, topic)
    assert (after["epoch"], after["last"], after["first"], after["bytes"]) == (before["epoch"], 5, 6, 0)
    assert history(server, topic) == []
    assert post(server, topic, "5").json["offset"] == 6
    assert [element["offset"] for element in history(server, topic)] == [6]
    assert purge(server, topic)["purged"] == 1 and purge(server, topic)["purged"] == 0


async def test_who_resumes_before_it_is_told_what_is_gone(server, topic):
    for number in range(5):
        assert post(server, topic, str(number)).status == 201
    epoch = describe(server, topic)["epoch"]
    purge(server, topic)
    async with await Client.open(server) as client:
        ack = await subscribe(client, topic, since={"epoch": epoch, "offset": 2})
        assert (ack["recovered"], ack["missed"]) == (False, {"from": 3, "to": 5})
        await publish(client, topic, "new")
        assert (await client.receive())["offset"] == 6
    page = get(server, topic, after=2, epoch=epoch).json
    assert (page["recovered"], page["missed"]) == (False, {"from": 3, "to": 5})
    async with await EventStream.open(server, f"/topics/{topic}/events", {"Last-Event-ID": f"{epoch}:2"}) as stream:
        parts = [await stream.next(), await stream.next()]
        told = next(part.json for part in parts if part.event == "info")
        assert (told["msg"], told["missed"]) == ("not_recovered", {"from": 3, "to": 5})


@pytest.mark.parametrize("policy", ["drop-oldest", "drop-newest", "latest", "disconnect", "throttle"])
async def test_a_subscriber_that_is_behind_still_gets_all_that_it_has_to_read(server, topic, policy):
    count = min(PLENTY, 400)
    raw, _ = stalled(server, topic, overflow=policy, queue=1000, positions=True)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, count + 1))
            assert (await asyncio.to_thread(purge, server, topic))["purged"] == min(count, 100)
            assert history(server, topic) == []
            await pour(publisher, topic, [count + 1])
        seen = await asyncio.to_thread(read, raw, lambda seen: seen.numbers[-1:] == [count + 1])
        assert seen.numbers == list(range(1, count + 2)) and not seen.infos("messages_dropped")


def test_who_may_not_manage_is_refused_and_learns_nothing():
    keys = [{"id": "boss", "key": "boss", "rights": [{"actions": ["*"], "topics": [">"]}]},
            {"id": "ann", "key": "ann", "rights": [
                {"actions": ["subscribe", "history", "publish", "stats"], "topics": [">"]}]}]
    with Server("--keys", json.dumps(keys)) as server:
        boss, ann = {"X-API-Key": "boss"}, {"X-API-Key": "ann"}
        assert server.create("t", headers=boss).status == 201
        assert post(server, "t", "1", headers=boss).status == 201
        refused = [purge(server, name, ann, code=403) for name in ("t", "none")]
        assert refused[0] == refused[1] and refused[0]["code"] == "FORBIDDEN"
        assert purge(server, "t", code=401)["code"] == "UNAUTHORIZED"
        assert purge(server, "none", boss, code=404)["code"] == "TOPIC_NOT_FOUND"
        assert purge(server, "t", boss)["purged"] == 1
        line = server.writer.wait_for_log("topic purged")
        assert "topic=t" in line and "by=boss" in line
        metrics = server.rest("GET", "/metrics", headers=boss).body.decode()
        assert "apus_messages_purged_total 1\n" in metrics


async def test_ids_are_still_recognized(server, topic):
    put(server, topic, dedupe_window="1h")
    assert post(server, topic, "1", id="a").status == 201
    purge(server, topic)
    again = post(server, topic, "1", id="a")
    assert (again.status, again.json["offset"]) == (200, 1)


@pytest.mark.parametrize("end", ["stopped", "killed"])
@pytest.mark.one_server("it is about a server's own folder")
async def test_what_was_purged_does_not_come_back(tmp_path, end):
    """Killed right after the answer, too; and the tools for the folder see it the same way."""
    folder = tmp_path / "data"
    flags = ("--data", str(folder), "--history", "100000")
    for round_number in range(3):
        with Server(*flags, exit_code=0 if end == "stopped" else None) as server:
            put(server, TOPIC)
            # Far more than memory keeps of it, and some of one message in each record.
            fill(server, 1, 100)
            for number in range(10):
                assert post(server, TOPIC, json.dumps([number, ""])).status == 201
            last = describe(server, TOPIC)["last"]
            assert last == 110 * (round_number + 1) + round_number
            expected = 110 + (1 if round_number else 0)
            assert purge(server, TOPIC)["purged"] == expected
            if end == "killed":
                server.kill()
        assert "all is well" in data("check", folder).stdout
        assert [line for line in exported(folder, TOPIC) if "message" in line] == []
        with Server(*flags) as server:
            after = describe(server, TOPIC)
            assert (after["first"], after["last"]) == (last + 1, last)
            assert history(server, TOPIC) == []
            assert post(server, TOPIC, json.dumps(["next"])).json["offset"] == last + 1
            assert [element["offset"] for element in history(server, TOPIC)] == [last + 1]


@pytest.mark.one_server("it is about a server's own folder")
async def test_a_replay_from_the_disk_that_is_under_way_goes_on(tmp_path):
    flags = ("--data", str(tmp_path / "data"), "--history", "100000")
    with Server(*flags) as server:
        put(server, TOPIC)
        fill(server, 1, COUNT)
        raw, _ = stalled(server, TOPIC, since="all", positions=True)
        with raw:
            assert (await asyncio.to_thread(purge, server, TOPIC))["purged"] == COUNT
            assert history(server, TOPIC) == []
            seen = await asyncio.to_thread(read, raw, lambda seen: len(seen.events) == COUNT)
            assert [event["offset"] for event in seen.events] == list(range(1, COUNT + 1))
            assert not seen.infos("messages_dropped")
    with Server(*flags) as server:
        assert history(server, TOPIC) == []


@pytest.mark.one_server("it is about a server's own folder")
async def test_a_storm_of_publishes_and_purges_loses_nothing_live(tmp_path):
    """A subscriber that keeps up sees every message once and in order, however often the topic is purged."""
    flags = ("--data", str(tmp_path / "data"))
    with Server(*flags) as server:
        put(server, TOPIC)
        async with await Client.open(server) as reader, await Client.open(server) as publisher:
            await reader.subscribe(TOPIC)

            async def purges():
                for _ in range(20):
                    await asyncio.to_thread(purge, server, TOPIC)

            purging = asyncio.create_task(purges())
            sent = 0
            while not purging.done() or sent < 200:
                sent += 1
                await publish(publisher, TOPIC, sent)
            await purging
            seen = [(await reader.receive())["message"]["payload"] for _ in range(sent)]
            assert seen == list(range(1, sent + 1))
