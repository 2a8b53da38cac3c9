"""History that reaches beyond memory: replays from the disk, over every transport, before and after a restart."""

import asyncio
import json

import pytest

from apus_e2e import Client, Server
from event_stream import EventStream
from extensions import position, put, subscribe
from flood import KIB
from history import get, offsets, post

pytestmark = pytest.mark.one_server("it is about a server's own folder")

TOPIC, COUNT = "orders", 600
# In all 12 MB, of which memory keeps 1.
PAYLOAD = 20 * KIB


def fill(server, first, last):
    """Publishes numbers with something to carry, some at a time."""
    for start in range(first, last + 1, 50):
        numbers = range(start, min(start + 50, last + 1))
        lines = "\n".join(json.dumps([number, "x" * PAYLOAD]) for number in numbers)
        answer = post(server, TOPIC, lines, "application/x-ndjson")
        assert answer.status == 201, answer.body


def number_of(message):
    return message["payload"][0]


def pages(server):
    found, query = [], {"since": "all"}
    while True:
        told = get(server, TOPIC, limit=100, **query).json
        if not told["messages"]:
            return found
        found += told["messages"]
        query = {"after": told["messages"][-1]["offset"], "epoch": told["epoch"]}


async def replay(server, count, **fields):
    """What a subscription brings first, without drops; its ack, and the messages."""
    async with await Client.open(server) as client:
        ack = await subscribe(client, TOPIC, positions=True, **fields)
        events = [await client.receive(timeout=60) for _ in range(count)]
        assert [event["type"] for event in events] == ["event"] * count
        return ack, events


async def expect_all(server):
    everything = list(range(1, COUNT + 1))
    topic = server.rest("GET", f"/topics/{TOPIC}").json
    assert (topic["first"], topic["last"]) == (1, COUNT)
    # A queue of 10: what is replayed is no queue.
    ack, events = await replay(server, COUNT, since="all", queue=10)
    assert [number_of(event["message"]) for event in events] == everything
    ack, events = await replay(server, COUNT - 200, since=position(ack, 200))
    assert ack["recovered"] is True
    assert [event["offset"] for event in events] == everything[200:]
    _, events = await replay(server, 300, last_n=300)
    assert [event["offset"] for event in events] == everything[-300:]
    messages = await asyncio.to_thread(pages, server)
    assert offsets({"messages": messages}) == everything
    # Each request has published 50 messages at the same time.
    _, events = await replay(server, COUNT - 400, since=messages[400]["ts"])
    assert [event["offset"] for event in events] == everything[400:]


async def test_history_reaches_as_far_as_the_disk_does(tmp_path):
    flags = ("--data", str(tmp_path / "data"), "--history", "100000")
    with Server(*flags) as server:
        put(server, TOPIC)
        fill(server, 1, COUNT)
        await expect_all(server)
        assert server.rest("GET", f"/topics/{TOPIC}").json["bytes"] < 3 * 1024 * KIB
    with Server(*flags) as server:
        await expect_all(server)
        async with await EventStream.open(server, f"/topics/{TOPIC}/events?since=all") as stream:
            parts = [await stream.next() for _ in range(COUNT)]
            assert [part.offset for part in parts] == list(range(1, COUNT + 1))


async def test_what_comes_during_a_replay_comes_after_it(tmp_path):
    with Server("--data", str(tmp_path / "data"), "--history", "100000") as server:
        put(server, TOPIC)
        fill(server, 1, COUNT)
        async with await Client.open(server) as client:
            await subscribe(client, TOPIC, since="all", positions=True, queue=5)
            await asyncio.to_thread(fill, server, COUNT + 1, COUNT + 100)
            events = [await client.receive(timeout=60) for _ in range(COUNT + 100)]
            assert [event.get("offset") for event in events] == list(range(1, COUNT + 101))


async def test_history_that_the_settings_give_up_is_a_gap_for_who_comes_late(tmp_path):
    flags = ("--data", str(tmp_path / "data"), "--history", "100000")
    with Server(*flags) as server:
        epoch = put(server, TOPIC).json["epoch"]
        fill(server, 1, COUNT)
        put(server, TOPIC, history=100)
    for _ in range(2):
        with Server(*flags) as server:
            ack, events = await replay(server, 100, since={"epoch": epoch, "offset": 5})
            assert ack["recovered"] is False
            assert [event["offset"] for event in events] == list(range(COUNT - 99, COUNT + 1))
