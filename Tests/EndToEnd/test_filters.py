"""Subscriptions to patterns of topics: extensions.md section 4."""

import asyncio
import uuid

import pytest

from apus_e2e import BASE, V1, Client, Server
from extensions import (PLENTY, expect_bad, new_message, payloads, pour, publish, publish_batch, read, stalled,
                        topic_path)
from raw_websocket import RawWebSocket, command

NAMES = ["a", "b", "a.b", "a.c", "b.b", "a.b.c", "a.b.d", "b.b.c", "a.b.c.d", "A.b", "a b.c", "ä.b", "日.本", "a/b.c"]


@pytest.fixture(scope="module")
def tree(server):
    """Topics of every shape under a first token that is theirs alone."""
    for name in NAMES:
        assert server.create(f"tree.{name}").status == 201
    return "tree"


@pytest.mark.parametrize(("pattern", "matched"), [
    ("*", ["a", "b"]),
    (">", NAMES),
    ("*.*", ["a.b", "a.c", "b.b", "A.b", "a b.c", "ä.b", "日.本", "a/b.c"]),
    ("a.*", ["a.b", "a.c"]),
    ("a.>", ["a.b", "a.c", "a.b.c", "a.b.d", "a.b.c.d"]),
    ("*.b", ["a.b", "b.b", "A.b", "ä.b"]),
    ("*.b.>", ["a.b.c", "a.b.d", "b.b.c", "a.b.c.d"]),
    ("*.b.*", ["a.b.c", "a.b.d", "b.b.c"]),
    ("a.*.c", ["a.b.c"]),
    ("*.*.c", ["a.b.c", "b.b.c"]),
    ("*.*.>", ["a.b.c", "a.b.d", "b.b.c", "a.b.c.d"]),
    ("a.b.c.*", ["a.b.c.d"]),
    ("a.b.c.d.>", []),
    ("a.b.c.d.*", []),
    ("a b.*", ["a b.c"]),
    ("ä.*", ["ä.b"]),
    ("日.>", ["日.本"]),
    ("a/b.*", ["a/b.c"]),
    ("x.>", []),
])
async def test_a_star_is_one_token_and_a_last_greater_sign_is_one_or_more(server, tree, dialect, pattern, matched):
    for name in NAMES:
        # What was published before may still be on its way to a node.
        server.level(topic_path(f"{tree}.{name}"))
    async with await Client.open(server, dialect) as client:
        await client.subscribe(f"{tree}.{pattern}")
        sent = {name: await client.send_publish(f"{tree}.{name}", name) for name in NAMES}
        seen = []
        for _ in range(len(NAMES) + len(matched)):
            if (message := await client.receive())["type"] == "event":
                name = message["topic"].removeprefix("tree.")
                assert message == {"type": "event", "topic": f"tree.{name}", "message": sent[name]}
                seen.append(name)
        assert sorted(seen) == sorted(matched)
        await client.expect_alive()


@pytest.mark.parametrize("pattern", ["*", ">", "*.*", "*.>"])
async def test_a_pattern_may_begin_with_a_wildcard(server, topic, pattern):
    name = topic if "." not in pattern else f"{topic}.x"
    server.create(name)
    async with await Client.open(server) as client:
        await client.subscribe(pattern)
        await client.expect_event(name, await client.publish(name, 1))
        await client.expect_alive()


@pytest.mark.parametrize("pattern", [
    "a*", "*a", "a.b*", "a.*b.c", "**", "a.**", ">a", "a>", "a.>b", "a.>.b", ">.a", ">.>", "a.>.>", "*>", ">*", "a.b>c",
])
async def test_a_wildcard_is_a_whole_token_and_a_greater_sign_the_last(server, dialect, pattern):
    async with await Client.open(server, dialect) as client:
        await expect_bad(client, "topic", type="subscribe", topic=pattern, client_id="c")
        await client.expect_alive()


@pytest.mark.parametrize("pattern", [
    "x." * 127 + "*", "*." * 127 + ">", "é" * 126 + ".*",
])
async def test_a_pattern_may_have_255_bytes(server, pattern):
    async with await Client.open(server) as client:
        await client.subscribe(pattern)
        await client.unsubscribe(pattern)


@pytest.mark.parametrize("pattern", [
    "xy." + "x." * 126 + "*", "*." * 128 + ">", "é" * 127 + ".*", ".".join(["*"] * 10_000),
    ".".join(["token"] * 9_999) + ".>", "*." * 100_000,
], ids=lambda pattern: f"{len(pattern.encode())} bytes")
async def test_a_longer_one_is_a_bad_request(server, pattern):
    async with await Client.open(server) as client:
        await expect_bad(client, "topic", type="subscribe", topic=pattern, client_id="c")
        await client.expect_alive()


@pytest.mark.parametrize("fields", [
    {"positions": True}, {"since": "all"}, {"since": "10m"}, {"since": {"epoch": "e", "offset": 0}},
    {"positions": True, "last_n": 1},
])
async def test_a_position_needs_a_concrete_topic(server, topic, fields):
    async with await Client.open(server) as client:
        await expect_bad(client, next(iter(fields)), type="subscribe", topic=f"{topic}.*", client_id="c", **fields)
        server.create(f"{topic}.x")
        await client.publish(f"{topic}.x", 1)
        await client.expect_alive()


@pytest.mark.parametrize("name", ["a.*", "a.>", ">", "*"])
async def test_nothing_can_be_published_to_a_pattern(server, topic, name):
    async with await Client.open(server) as client:
        await client.subscribe(name)
        await client.send(type="publish", topic=name, message=new_message(1))
        answer = await client.receive()
        assert answer["type"] == "error" and answer["error"]["code"] in ("BAD_REQUEST", "TOPIC_NOT_FOUND")
        await client.expect_alive()


@pytest.mark.over_cluster
async def test_topics_created_later_match_too(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        await client.subscribe(f"{topic}.*")
        await client.subscribe(f"{topic}.>")
        for number in range(5):
            name = f"{topic}.{number}"
            assert server.create(name).status == 201
            assert server.subscribers(name) == 2
            message = await client.publish(name, number)
            for _ in range(2):
                await client.expect_event(name, message)


@pytest.mark.over_cluster
async def test_a_deleted_topic_is_announced_and_matches_again_when_created_again(server, topic):
    name = f"{topic}.x"
    async with await Client.open(server) as client:
        await client.subscribe(f"{topic}.*")
        for _ in range(3):
            server.create(name)
            await client.expect_event(name, await client.publish(name, 1))
            server.delete(name)
            await client.expect(type="info", topic=name, msg="topic_deleted")
        await client.expect_alive()


async def test_a_pattern_counts_as_a_subscriber_of_each_topic_it_matches(server, topic):
    names = [f"{topic}.{number}" for number in range(3)]
    for name in names:
        server.create(name)
    async with await Client.open(server) as client:
        await client.subscribe(f"{topic}.*")
        await client.subscribe(names[0], "other")
        assert [server.subscribers(name) for name in [topic, *names]] == [0, 2, 1, 1]
        assert (await publish(client, names[1], 1))[1]["subscribers"] == 1
        assert (await client.receive())["topic"] == names[1]
        await client.unsubscribe(f"{topic}.*")
        assert [server.subscribers(name) for name in names] == [1, 0, 0]
        assert (await publish(client, names[1], 1))[1]["subscribers"] == 0
        await client.expect_alive()


async def test_two_subscriptions_that_match_are_two_copies(server, topic):
    name = f"{topic}.x"
    server.create(name)
    async with await Client.open(server) as client:
        for number, pattern in enumerate([name, f"{topic}.*", f"{topic}.>", "*.x", f"{topic}.*"], 1):
            # The same client_id throughout: only the same pattern again is the same subscription.
            await client.subscribe(pattern)
            message = await client.publish(name, number)
            for _ in range(min(number, 4)):
                await client.expect_event(name, message)
            await client.expect_alive()
        await client.unsubscribe(name)
        message = await client.publish(name, 0)
        for _ in range(3):
            await client.expect_event(name, message)
        await client.expect_alive()


async def test_two_client_ids_on_one_pattern_are_two_subscriptions(server, topic):
    name = f"{topic}.x"
    server.create(name)
    async with await Client.open(server) as client:
        await client.subscribe(f"{topic}.*", "a")
        await client.subscribe(f"{topic}.*", "b")
        message = await client.publish(name, 1)
        await client.expect_event(name, message)
        await client.expect_event(name, message)
        await client.unsubscribe(f"{topic}.*", "a")
        await client.expect_event(name, await client.publish(name, 2))
        await client.expect_alive()


@pytest.mark.parametrize(("last_n", "expected"), [(0, 0), (1, 1), (3, 3), (100, 5), (10**30, 5), ("2", 2)])
@pytest.mark.over_cluster
async def test_last_n_applies_to_each_topic(server, topic, dialect, last_n, expected):
    names = [f"{topic}.{number}" for number in range(4)]
    async with await Client.open(server, dialect) as client:
        for name in names:
            server.create(name)
            await publish_batch(client, name, list(range(5)))
        await client.subscribe(f"{topic}.*", last_n=last_n)
        seen = {name: [] for name in names}
        for _ in range(4 * expected):
            event = await client.receive()
            seen[event["topic"]].append(event["message"]["payload"])
        assert seen == {name: list(range(5 - expected, 5)) for name in names}
        await client.expect_alive()


@pytest.mark.over_cluster
async def test_the_events_of_a_pattern_are_in_the_order_of_their_topic_and_carry_keys(server, topic):
    names = [f"{topic}.{number}" for number in range(3)]
    for name in names:
        server.create(name)
    async with await Client.open(server, V1) as reader:
        await reader.subscribe(f"{topic}.*")

        async def run(name):
            async with await Client.open(server) as client:
                for number in range(100):
                    await client.publish(name, number, key=name)
        await asyncio.gather(*(run(name) for name in names))
        events = [await reader.receive() for _ in range(300)]
    for name in names:
        of_topic = [event for event in events if event["topic"] == name]
        assert payloads(of_topic) == list(range(100))
        assert {event["key"] for event in of_topic} == {name}


@pytest.mark.parametrize("overflow", ["drop-oldest", "drop-newest"])
async def test_the_policy_of_a_pattern_holds_for_each_topic_and_gaps_name_the_topic(server, topic, overflow):
    names = [f"{topic}.{number}" for number in range(2)]
    for name in names:
        server.create(name)
    raw, _ = stalled(server, f"{topic}.*", overflow=overflow, queue=20)
    with raw:
        async with await Client.open(server) as publisher:
            for start in range(0, PLENTY, 20):
                for name in names:
                    await pour(publisher, name, range(start, start + 20))
        seen = await asyncio.to_thread(read, raw, lambda seen: seen.accounted == 2 * PLENTY)
    for name in names:
        gaps = sum(info["dropped"] for info in seen.infos("messages_dropped") if info["topic"] == name)
        numbers = [event["message"]["payload"][0] for event in seen.events if event["topic"] == name]
        assert gaps > 0 and gaps + len(numbers) == PLENTY and numbers == sorted(set(numbers))


async def test_without_echo_a_pattern_leaves_out_the_own_publishes(server, topic):
    server.create(f"{topic}.x")
    async with await Client.open(server) as client, await Client.open(server) as other:
        await client.subscribe(f"{topic}.*", echo=False)
        await client.publish(f"{topic}.x", "own")
        await client.expect_event(f"{topic}.x", await other.publish(f"{topic}.x", "other"))
        await client.expect_alive()


async def test_unsubscribing_a_pattern_that_was_never_subscribed_is_acked(server, topic):
    async with await Client.open(server) as client:
        await client.unsubscribe(f"{topic}.*")
        await client.unsubscribe(">")


async def test_a_thousand_patterns_that_do_not_match_deliver_nothing(server, topic):
    name = f"{topic}.target.x"
    server.create(name)
    async with await Client.open(server) as client:
        for number in range(1000):
            await client.subscribe(f"{topic}.{number}.*" if number % 2 else f"*.{uuid.uuid4()}.>")
        await client.subscribe(f"{topic}.target.*")
        for number in range(10):
            await client.expect_event(name, await client.publish(name, number))
        await client.expect_alive()


async def test_patterns_go_with_their_connection(server, topic):
    server.create(f"{topic}.x")
    async with await Client.open(server) as client:
        await client.subscribe(f"{topic}.>")
        assert server.subscribers(f"{topic}.x") == 1
    async with await Client.open(server, BASE) as client:
        async with asyncio.timeout(10):
            while server.subscribers(f"{topic}.x"):
                await client.expect_alive()


async def test_a_pattern_that_meets_the_limit_of_matches_closes_with_overloaded(dialect):
    with Server("--max-matches", "5") as server:
        async with await Client.open(server, dialect) as client:
            await client.subscribe("t.*")
            for number in range(5):
                server.create(f"t.{number}")
            await client.expect_alive()
            server.create("t.5")
            messages = await client.expect_close(1013, "OVERLOADED")
            assert all(message["type"] in ("error", "info") for message in messages)
        assert server.subscribers("t.0") == 0


def test_the_last_patterns_of_a_connection_are_hardly_more_work_than_the_first():
    with Server() as server, RawWebSocket.open(server) as raw:
        spent = []
        for start in range(0, 10_000, 2500):
            before = server.processor_time
            for number in range(start, start + 2500, 500):
                raw.send(b"".join(command(type="subscribe", topic=f"p.{number + place}.>", client_id="c")
                                  for place in range(500)))
                assert {raw.read_message()["type"] for _ in range(500)} == {"ack"}
            spent.append(server.processor_time - before)
    # Searched one by one, they were ten times as much.
    assert spent[-1] < 4 * spent[0] + 0.1, spent
