"""What a publisher learns and asks for: outcome, keys, lifetimes, batches, deduplication: extensions.md section 3."""

import asyncio
import uuid

import pytest

from apus_e2e import PATIENCE, STORED, V1, Client, Server, until
from extensions import (acked, configure, describe, expect_bad, head, lag, new_message, offsets, payloads, position,
                        pour, publish, publish_batch, read, receive_events, stalled, subscribe)

pytestmark = pytest.mark.over_cluster


@pytest.mark.parametrize("subscribers", [0, 1, 3])
async def test_the_outcome_says_where_it_is_who_it_matched_and_what_holds_it(server, topic, dialect, subscribers):
    async with await Client.open(server, dialect) as client:
        for number in range(subscribers):
            await subscribe(client, topic, f"c{number}")
        epoch = describe(server, topic)["epoch"]
        for offset in (1, 2):
            message, outcome = await publish(client, topic, offset, request_id="r")
            assert outcome == {"epoch": epoch, "offset": offset, "subscribers": subscribers, "stored": STORED,
                               "duplicate": False}
            for _ in range(subscribers):
                await client.expect_event(topic, message)


@pytest.mark.one_server("an outcome counts the subscribers of its own node")
async def test_the_outcome_counts_subscribers_of_both_dialects_and_of_patterns(server, topic):
    name = f"{topic}.part"
    server.create(name)
    async with await Client.open(server) as base, await Client.open(server, V1) as v1:
        await subscribe(base, name, positions=True)
        await base.subscribe(name, "plain")
        await v1.subscribe(name)
        await subscribe(v1, f"{topic}.*")
        await subscribe(v1, f"{topic}.>")
        async with await Client.open(server) as publisher:
            _, outcome = await publish(publisher, name, 1)
    assert outcome["subscribers"] == 5


@pytest.mark.parametrize("fields", [{}, {"outcome": False}, {"outcome": None}, {"key": "k"}, {"ttl": 60}])
async def test_without_outcome_the_ack_is_plain(server, topic, dialect, fields):
    async with await Client.open(server, dialect) as client:
        await client.send(type="publish", topic=topic, message=new_message(1), request_id="r", **fields)
        await client.expect(type="ack", request_id="r", topic=topic, status="ok")


@pytest.mark.parametrize("key", ["k", "ORD-123", "é" * 128, "k" * 256, 'quo"te\\', "日本", " "])
async def test_a_key_reaches_extended_subscribers_only(server, topic, dialect, key):
    async with await Client.open(server, dialect) as client, await Client.open(server) as plain:
        await plain.subscribe(topic)
        await subscribe(client, topic, positions=True)
        message = await client.publish(topic, 1, key=key)
        await client.expect(type="event", topic=topic, message=message, key=key, offset=1)
        message2 = await client.publish(topic, 2)
        await client.expect(type="event", topic=topic, message=message2, offset=2)
        await plain.expect_event(topic, message)
        await plain.expect_event(topic, message2)
        await subscribe(client, topic, "again", positions=True, last_n=2)
        assert [event.get("key") for event in await receive_events(client, topic, 2)] == [key, None]


@pytest.mark.parametrize("ttl", ["100ms", 0.1, "0.1s"])
async def test_what_is_older_than_its_ttl_is_not_replayed(server, topic, ttl):
    async with await Client.open(server) as client:
        await client.publish(topic, "before")
        await client.publish(topic, "short", ttl=ttl)
        await client.publish(topic, "long", ttl="1h")

        async def replayed():
            await subscribe(client, topic, last_n=10)
            await client.send(type="unsubscribe", topic=topic, client_id="c")
            seen = []
            while (message := await client.receive())["type"] == "event":
                seen.append(message["message"]["payload"])
            return seen
        async with asyncio.timeout(5 * PATIENCE):
            while (seen := await replayed()) != ["before", "long"]:
                assert seen == ["before", "short", "long"]
        assert await head(server, topic) == 3


async def test_what_has_not_expired_is_delivered_and_replayed(server, topic):
    async with await Client.open(server) as client:
        await subscribe(client, topic, positions=True)
        lives = ["30s", 30, "2m", "1h", 10.5, "9000ms", "1d"]
        messages = [await client.send_publish(topic, ttl, ttl=ttl) for ttl in lives]
        answers = [await client.receive() for _ in messages + messages]
        assert [answer["message"] for answer in answers if answer["type"] == "event"] == messages
        await subscribe(client, topic, since="all")
        assert offsets(await receive_events(client, topic, len(messages))) == list(range(1, len(messages) + 1))


async def test_what_expires_while_it_is_pending_is_not_delivered(server, topic):
    raw, _ = stalled(server, topic, positions=True, queue=5000)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, 201))
            for number in range(201, 301):
                await publisher.publish(topic, [number], ttl="1s")
            await publisher.publish(topic, [301])
        # Longer than their lives; nothing announces their end.
        await asyncio.sleep(1.3)
        seen = await asyncio.to_thread(read, raw, lambda seen: seen.numbers[-1:] == [301])
        assert seen.numbers == offsets(seen.events) == [*range(1, 201), 301]


async def test_a_batch_is_acked_once_and_delivered_in_order(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        await subscribe(client, topic, positions=True)
        messages, ack = await publish_batch(client, topic, ["a", "b", "c"], request_id=1)
        assert ack == {"count": 3}
        for offset, message in enumerate(messages, 1):
            await client.expect(type="event", topic=topic, message=message, offset=offset)
        await client.expect_alive()


async def test_the_outcome_of_a_batch_names_its_first_offset(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        await client.publish(topic, 0)
        _, ack = await publish_batch(client, topic, ["a", "b", "c"], outcome=True)
        assert ack == {"count": 3, "epoch": describe(server, topic)["epoch"], "offset": 2, "subscribers": 0,
                       "stored": STORED, "duplicate": False}
        assert (await publish(client, topic, 0))[1]["offset"] == 5


async def test_key_and_ttl_of_a_batch_are_those_of_each_of_its_messages(server, topic):
    async with await Client.open(server) as client:
        await subscribe(client, topic, positions=True)
        messages, _ = await publish_batch(client, topic, [1, 2], key="k", ttl="1h")
        for offset, message in enumerate(messages, 1):
            await client.expect(type="event", topic=topic, message=message, key="k", offset=offset)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("bad", [
    {"id": "no uuid", "payload": 1}, {"id": str(uuid.uuid4())}, {"payload": 1}, {}, None, 1, "text", [], True,
])
async def test_a_batch_with_one_bad_message_takes_none(server, topic, place, bad):
    async with await Client.open(server) as client:
        await client.subscribe(topic)
        messages = [new_message(number) for number in range(2)]
        messages.insert(place, bad)
        await client.send(type="publish", topic=topic, messages=messages, request_id="r")
        await client.expect_error("BAD_REQUEST", "r")
        await client.expect_alive()
    assert await head(server, topic) == 0
    assert server.rest("GET", "/stats").json["topics"][topic]["messages"] == 0


@pytest.mark.parametrize("messages", [[], {}, "x", 1, True, {"id": str(uuid.uuid4()), "payload": 1}])
async def test_messages_must_be_a_list_of_at_least_one(server, topic, messages):
    async with await Client.open(server) as client:
        await expect_bad(client, "messages", type="publish", topic=topic, messages=messages)
    assert await head(server, topic) == 0


async def test_message_and_messages_exclude_each_other(server, topic):
    async with await Client.open(server) as client:
        await expect_bad(client, "message", type="publish", topic=topic, message=new_message(1),
                         messages=[new_message(2)])
    assert await head(server, topic) == 0


async def test_a_batch_may_be_as_long_as_the_setting_says():
    with Server("--max-batch", "100") as server:
        server.create("t")
        async with await Client.open(server) as client:
            _, ack = await publish_batch(client, "t", list(range(100)))
            assert ack == {"count": 100}
            await expect_bad(client, "messages", type="publish", topic="t",
                             messages=[new_message(number) for number in range(101)])
        assert await head(server, "t") == 100


async def test_ten_thousand_messages_are_one_batch(server, topic):
    configure(server, topic, history=10_000)
    async with await Client.open(server) as client:
        await subscribe(client, topic, positions=True, queue=20_000)
        identifier = str(uuid.uuid4())
        messages = [{"id": identifier, "payload": number} for number in range(10_001)]
        await client.send(type="publish", topic=topic, messages=messages[:-1])
        assert acked(await client.receive(), topic) == {"count": 10_000}
        events = await receive_events(client, topic, 10_000)
        assert payloads(events) == [offset - 1 for offset in offsets(events)] == list(range(10_000))
        await expect_bad(client, "messages", type="publish", topic=topic, messages=messages)


async def test_batches_of_several_publishers_do_not_mix(server, topic):
    async with await Client.open(server) as reader:
        await subscribe(reader, topic, positions=True, queue=5000)

        async def run(number):
            async with await Client.open(server) as client:
                for turn in range(20):
                    await publish_batch(client, topic, [[number, turn, part] for part in range(25)])
        await asyncio.gather(*(run(number) for number in range(4)))
        events = await receive_events(reader, topic, 4 * 20 * 25)
    assert offsets(events) == list(range(1, len(events) + 1))
    for start in range(0, len(events), 25):
        chunk = payloads(events[start:start + 25])
        assert [part for _, _, part in chunk] == list(range(25))
        assert len({(number, turn) for number, turn, _ in chunk}) == 1


async def test_v1_takes_any_id_in_a_batch(server, topic):
    async with await Client.open(server, V1) as client, await Client.open(server) as base:
        messages = [{"id": "any", "payload": 1}, {"id": "thing", "payload": 2}]
        await client.send(type="publish", topic=topic, messages=messages)
        assert acked(await client.receive(), topic) == {"count": 2}
        await expect_bad(base, "UUID", type="publish", topic=topic, messages=messages)


async def test_a_repeated_id_is_acked_with_the_first_ones_offset_and_not_delivered_again(server, topic, dialect):
    configure(server, topic, dedupe_window="2m")
    async with await Client.open(server, dialect) as client, await Client.open(server) as other:
        await subscribe(client, topic, positions=True)
        message, first = await publish(client, topic, 1)
        await client.expect(type="event", topic=topic, message=message, offset=1)
        await publish_batch(other, topic, [2, 3])
        assert offsets(await receive_events(client, topic, 2)) == [2, 3]
        for publisher in (client, other):
            await publisher.send(type="publish", topic=topic, message=message | {"payload": "changed"}, outcome=True)
            again = acked(await publisher.receive(), topic)
            assert again["duplicate"] is True and position(again) == position(first)
            # A plain publisher is acked as ever.
            await publisher.send(type="publish", topic=topic, message=message)
            await publisher.expect(type="ack", topic=topic, status="ok")
        await client.expect_alive()
        assert (await publish(client, topic, 4))[1]["offset"] == 4


async def test_a_batch_with_duplicates_takes_the_new_ones_only(server, topic):
    configure(server, topic, dedupe_window="2m")
    async with await Client.open(server) as client:
        old, _ = await publish_batch(client, topic, ["a", "b"])
        new = [new_message("c"), new_message("d")]
        await subscribe(client, topic, positions=True)
        await client.send(type="publish", topic=topic, messages=[old[0], new[0], old[1], new[1], new[0]], outcome=True)
        ack = acked(await client.receive(), topic)
        assert (ack["duplicates"], ack["duplicate"], ack["offset"]) == (3, False, 3)
        for offset, message in enumerate(new, 3):
            await client.expect(type="event", topic=topic, message=message, offset=offset)
        await client.send(type="publish", topic=topic, messages=old + new, outcome=True)
        ack = acked(await client.receive(), topic)
        assert ack["duplicate"] is True and position(ack) == {"epoch": ack["epoch"], "offset": 1}
        await client.expect_alive()
    assert await head(server, topic) == 4


async def test_the_window_ends(server, topic):
    configure(server, topic, dedupe_window="300ms")
    async with await Client.open(server) as client:
        message, first = await publish(client, topic, 1)
        second = first
        async with asyncio.timeout(5 * PATIENCE):
            while second["offset"] == first["offset"]:
                await client.send(type="publish", topic=topic, message=message, outcome=True)
                second = acked(await client.receive(), topic)
        assert (second["offset"], second["duplicate"]) == (2, False)


async def test_without_a_window_and_on_another_topic_and_after_a_deletion_nothing_is_a_duplicate(server, topic):
    windowed = configure(server, f"{topic} windowed", dedupe_window="2m")
    async with await Client.open(server) as client:
        message = new_message(1)
        for name, offset in [(topic, 1), (topic, 2), (windowed, 1)]:
            await client.send(type="publish", topic=name, message=message, outcome=True)
            ack = acked(await client.receive(), name)
            assert (ack["offset"], ack["duplicate"]) == (offset, False)
        server.delete(windowed)
        configure(server, windowed, dedupe_window="2m")
        await client.send(type="publish", topic=windowed, message=message, outcome=True)
        assert acked(await client.receive(), windowed)["duplicate"] is False


async def test_a_publish_is_acked_when_its_lag_can_be_seen(server, topic):
    """The ack of a publish never comes before the message is in the log."""
    raw, _ = stalled(server, topic, queue=100_000)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(200))
            await until(lambda: lag(server, topic) > 0, "it lags")
            assert describe(server, topic)["last"] == 200
