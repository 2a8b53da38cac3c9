"""What a node does not have in memory, it reads back from JetStream."""

import asyncio

import pytest

from apus_e2e import Client, until
from nats import is_ready, nodes, wait_for

COUNT = 400
PADDING = "x" * 2000


def fill(node, topic, count=COUNT):
    """Publishes numbers, some of them together."""
    for start in range(0, count, 20):
        lines = "\n".join(f'{{"n":{number},"p":"{PADDING}"}}' for number in range(start, start + 20))
        kind = {"Content-Type": "application/x-ndjson"}
        answer = node.rest("POST", f"/topics/{topic}/messages", lines.encode(), kind)
        assert answer.status == 201, answer.body


def make(node, topic, **settings):
    assert node.rest("PUT", f"/topics/{topic}", {"history": 10_000, **settings}).status == 201


def history(node, topic):
    numbers, after = [], 0
    while True:
        page = node.rest("GET", f"/topics/{topic}/messages?limit=1000&after={after}").json
        if not page["messages"]:
            return numbers
        numbers += [(each["offset"], each["message"]["payload"]["n"]) for each in page["messages"]]
        after = page["messages"][-1]["offset"]


def bytes_in_memory(node, topic):
    return node.rest("GET", f"/topics/{topic}").json["bytes"]


EVERYTHING = [(number + 1, number) for number in range(COUNT)]


@pytest.fixture(scope="module", params=["all", "interest"])
def flags(request):
    """Nodes that keep little in memory; each mode has streams of its own."""
    return "--history-memory", "64KiB", "--nats-mirror", request.param, "--nats-prefix", request.param


@pytest.fixture(scope="module")
def small(nats, flags):
    with nodes(2, nats, *flags) as running:
        yield running


async def test_history_beyond_memory_is_read_back_on_any_node(small):
    make(small[0], "pages")
    fill(small[0], "pages")
    await until(lambda: small[1].rest("GET", "/topics/pages").json.get("last") == COUNT, "the other node")
    for node in small:
        assert bytes_in_memory(node, "pages") < 300_000
        assert await asyncio.to_thread(history, node, "pages") == EVERYTHING


async def test_a_replay_goes_over_into_what_is_live(small):
    make(small[0], "replay")
    fill(small[0], "replay")
    await until(lambda: small[1].rest("GET", "/topics/replay").json.get("last") == COUNT, "the other node")
    async with await Client.open(small[1]) as subscriber, await Client.open(small[0]) as publisher:
        await subscriber.subscribe("replay", last_n=COUNT)
        await publisher.publish("replay", {"n": COUNT})
        numbers = [(await subscriber.receive())["message"]["payload"]["n"] for _ in range(COUNT + 1)]
    assert numbers == list(range(COUNT + 1))


async def test_a_node_that_starts_later_reads_back_the_same(small, nats, flags):
    make(small[0], "late")
    fill(small[0], "late")
    with nodes(1, nats, *flags) as late:
        assert await asyncio.to_thread(history, late[0], "late") == EVERYTHING
        assert bytes_in_memory(late[0], "late") < 300_000


async def test_what_was_purged_does_not_come_back(small):
    make(small[0], "purged")
    fill(small[0], "purged")
    assert small[0].rest("DELETE", "/topics/purged/messages").status in (200, 204)
    fill(small[0], "purged", 20)
    expected = [(COUNT + 1 + number, number) for number in range(20)]
    await until(lambda: small[1].rest("GET", "/topics/purged").json.get("last") == COUNT + 20, "the other node")
    for node in small:
        assert await asyncio.to_thread(history, node, "purged") == expected


async def test_without_nats_what_is_not_in_memory_is_unavailable_in_time_and_comes_back(small, nats):
    make(small[0], "outage")
    fill(small[0], "outage")
    nats.servers[0].pause()
    try:
        page = await asyncio.to_thread(small[0].rest, "GET", "/topics/outage/messages?limit=10&after=0", timeout=30)
        assert page.status == 503, page.body
        assert small[0].rest("GET", "/livez").status == 200
    finally:
        nats.servers[0].go_on()
    await asyncio.to_thread(wait_for, lambda: all(is_ready(node) for node in small), "nodes that are ready again", 60)
    assert await asyncio.to_thread(history, small[0], "outage") == EVERYTHING
