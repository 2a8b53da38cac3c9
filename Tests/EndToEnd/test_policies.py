"""A policy per subscription, each beside the others on one topic: extensions.md section 2."""

import asyncio

import pytest

from apus_e2e import PATIENCE, Client, Server, until
from extensions import (PLENTY, expect_exact_ranges, lag, new_message, offsets, position, pour, publish,
                        publish_batch, put, read, receive_events, stalled, subscribe)


@pytest.mark.parametrize("queue", [1, 5, 60])
@pytest.mark.over_cluster
async def test_drop_oldest_keeps_the_newest_up_to_the_queue_and_names_the_range(server, topic, queue):
    raw, _ = stalled(server, topic, overflow="drop-oldest", queue=queue, positions=True)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1))
        seen = await asyncio.to_thread(read, raw, lambda seen: seen.accounted == PLENTY)
    expect_exact_ranges(seen, 1, PLENTY)
    assert seen.numbers == offsets(seen.events) and seen.numbers[-1] == PLENTY
    assert seen.infos("messages_dropped")
    after = [number for number in seen.numbers if number > seen.infos("messages_dropped")[-1]["to"]]
    assert 1 <= len(after) <= queue


async def test_drop_newest_keeps_the_oldest_and_drops_what_comes_until_there_is_room(server, topic):
    raw, _ = stalled(server, topic, overflow="drop-newest", queue=20, positions=True)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1))
            seen = await asyncio.to_thread(read, raw, lambda seen: seen.accounted == PLENTY)
            expect_exact_ranges(seen, 1, PLENTY)
            # What was pending when a gap began is all delivered, and the newest are gone.
            assert seen.numbers[:20] == list(range(1, 21)) and len(seen.events) < PLENTY
            assert seen.messages[-1]["to"] == PLENTY
            # There is room again.
            await pour(publisher, topic, [PLENTY + 1])
            again = await asyncio.to_thread(read, raw, lambda seen: seen.events)
            assert offsets(again.events) == [PLENTY + 1]


async def test_without_positions_a_gap_is_announced_without_a_range(server, topic):
    raw, _ = stalled(server, topic, overflow="drop-newest", queue=20)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(PLENTY))
        seen = await asyncio.to_thread(read, raw, lambda seen: seen.accounted == PLENTY)
    gaps = seen.infos("messages_dropped")
    assert gaps and {tuple(gap) for gap in gaps} == {("type", "topic", "msg", "dropped", "ts")}


@pytest.mark.over_cluster
async def test_latest_delivers_the_newest_of_each_key_in_order_and_counts_nothing_as_dropped(server, topic):
    keys = 7
    raw, _ = stalled(server, topic, overflow="latest", queue=50, positions=True)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1), keys=lambda number: f"k{number % keys}")
        newest = {f"k{number % keys}": number for number in range(PLENTY - keys + 1, PLENTY + 1)}
        seen = await asyncio.to_thread(
            read, raw, lambda seen: {event["key"]: event["offset"] for event in seen.events[-keys:]} == newest)
        assert seen.infos("messages_dropped") == [] and len(seen.events) == len(seen.messages)
        assert offsets(seen.events) == sorted(set(offsets(seen.events))) == seen.numbers
        assert all(event["key"] == f"k{event['offset'] % keys}" for event in seen.events)
        # Far fewer than were published: what was pending collapsed.
        assert len(seen.events) < PLENTY - 100
        raw.expect_pong("nothing more")


async def test_latest_collapses_no_message_without_a_key_and_none_of_another_key(server, topic):
    raw, _ = stalled(server, topic, overflow="latest", queue=100, positions=True)
    plain = {120, 121, 200, PLENTY}
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1),
                       keys=lambda number: None if number in plain else "once" if number == 150 else "often")
        seen = await asyncio.to_thread(read, raw, lambda seen: seen.numbers[-1:] == [PLENTY])
    assert plain <= set(seen.numbers) and 150 in seen.numbers and PLENTY - 1 in seen.numbers
    assert seen.infos("messages_dropped") == []
    assert {event["offset"] for event in seen.events if "key" not in event} == plain


async def test_a_reader_that_keeps_up_sees_every_message_under_latest(server, topic):
    async with await Client.open(server) as client:
        await subscribe(client, topic, overflow="latest", queue=10, positions=True)
        for number in range(1, 51):
            message = await client.publish(topic, number, key="same")
            await client.expect(type="event", topic=topic, message=message, key="same", offset=number)


@pytest.mark.parametrize("queue", [10, 100])
async def test_disconnect_warns_before_the_cut(server, topic, queue):
    raw, _ = stalled(server, topic, overflow="disconnect", queue=queue, positions=True)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1), batch=5)
            await until(lambda: server.subscribers(topic) == 0, "the slow reader unsubscribed")
        seen = await asyncio.to_thread(read, raw)
    assert seen.close == (1008, "SLOW_CONSUMER")
    assert [error["error"]["code"] for error in seen.of_type("error")] == ["SLOW_CONSUMER"]
    assert seen.messages[-1]["type"] == "error"
    warning, = seen.infos("slow_consumer_warning")
    del warning["ts"]
    lagging = warning.pop("lag")
    assert warning == {"type": "info", "topic": topic, "msg": "slow_consumer_warning", "queue": queue}
    # What comes at once may take it past its bound at once.
    assert type(lagging) is int and 0.8 * queue <= lagging < PLENTY
    assert seen.infos("messages_dropped") == []
    assert offsets(seen.events) == list(range(1, len(seen.events) + 1)) and len(seen.events) < PLENTY


async def lag_behind(server, topic, publisher, first, at_least, at_most):
    """Publishes until the stalled reader lags so far; the next number."""
    number = first
    while lag(server, topic) < at_least:
        await pour(publisher, topic, [number])
        number += 1
    assert lag(server, topic) <= at_most
    return number


async def test_the_warning_comes_once_per_episode(server, topic):
    raw, _ = stalled(server, topic, overflow="disconnect", queue=100, positions=True)
    with raw:
        async with await Client.open(server) as publisher:
            number, count = 1, 0
            for _ in range(2):
                number = await lag_behind(server, topic, publisher, number, 90, 99)
                seen = await asyncio.to_thread(read, raw, lambda seen: seen.numbers[-1:] == [number - 1])
                assert len(seen.infos("slow_consumer_warning")) == 1
                count += len(seen.events)
                await until(lambda: lag(server, topic) == 0, "it has caught up")
            assert count == number - 1
            raw.expect_pong("still connected")


async def test_the_warning_is_for_those_who_chose_the_policy(topic):
    with Server("--overflow", "disconnect", "--queue", "10") as server:
        server.create(topic)
        raw, _ = stalled(server, topic)
        with raw:
            async with await Client.open(server) as publisher:
                await pour(publisher, topic, range(PLENTY))
            seen = await asyncio.to_thread(read, raw)
            assert seen.close == (1008, "SLOW_CONSUMER") and seen.of_type("info") == []


@pytest.mark.one_server("throttle counts a node's own subscribers")
async def test_throttle_of_one_subscription_loses_nothing_for_anyone(server, topic):
    raw, _ = stalled(server, topic, overflow="throttle", queue=20, positions=True)
    with raw:
        async with await Client.open(server) as publisher, await Client.open(server) as other:
            await subscribe(other, topic, overflow="drop-oldest", queue=50, positions=True)
            async with asyncio.TaskGroup() as group:
                group.create_task(pour(publisher, topic, range(1, PLENTY + 1)))
                received = group.create_task(receive_events(other, topic, PLENTY))
                seen = await asyncio.to_thread(read, raw, lambda seen: seen.accounted == PLENTY)
    expect_exact_ranges(seen, 1, PLENTY)
    assert offsets(seen.events) == offsets(received.result()) == list(range(1, PLENTY + 1))


@pytest.mark.one_server("throttle counts a node's own subscribers")
async def test_throttle_holds_publishers_of_its_topic_only(server, topic):
    other = f"{topic} other"
    server.create(other)
    raw, _ = stalled(server, topic, overflow="throttle", queue=20)
    with raw:
        async with await Client.open(server) as publisher, await Client.open(server) as free:
            publishing = asyncio.create_task(pour(publisher, topic, range(PLENTY)))
            last = -1
            while (now := server.rest("GET", "/stats").json["topics"][topic]["messages"]) != last:
                last = now
                await asyncio.sleep(0.3 * PATIENCE)
            assert 20 <= last < PLENTY and not publishing.done()
            await pour(free, other, range(50))
            raw.abort()
            await publishing


@pytest.mark.over_cluster
async def test_policies_beside_each_other_each_do_their_own(server, topic):
    policies = {"drop-oldest": 30, "drop-newest": 40, "latest": 50, "disconnect": 60}
    raws = {name: stalled(server, topic, overflow=name, queue=queue, positions=True)[0]
            for name, queue in policies.items()}
    try:
        async with await Client.open(server) as publisher, await Client.open(server) as healthy:
            await subscribe(healthy, topic, positions=True, overflow="disconnect", queue=PLENTY)
            async with asyncio.TaskGroup() as group:
                group.create_task(pour(publisher, topic, range(1, PLENTY + 1), keys=lambda _: "k"))
                received = group.create_task(receive_events(healthy, topic, PLENTY))
            assert offsets(received.result()) == list(range(1, PLENTY + 1))
        for name in ("drop-oldest", "drop-newest"):
            seen = await asyncio.to_thread(read, raws[name], lambda seen: seen.accounted == PLENTY)
            expect_exact_ranges(seen, 1, PLENTY)
            assert (seen.numbers[-1] == PLENTY) == (name == "drop-oldest")
        seen = await asyncio.to_thread(read, raws["latest"], lambda seen: seen.numbers[-1:] == [PLENTY])
        assert seen.infos("messages_dropped") == [] and len(seen.events) < PLENTY - 100
        seen = await asyncio.to_thread(read, raws["disconnect"])
        assert seen.close == (1008, "SLOW_CONSUMER") and len(seen.infos("slow_consumer_warning")) == 1
    finally:
        for raw in raws.values():
            raw.abort()


async def test_subscribing_again_changes_the_policy(server, topic):
    raw, _ = stalled(server, topic, overflow="disconnect", queue=1)
    with raw:
        raw.subscribe(topic, "stalled", overflow="drop-newest", queue=5, positions=True)
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1))
        seen = await asyncio.to_thread(read, raw, lambda seen: seen.accounted == PLENTY)
        assert seen.close is None
        expect_exact_ranges(seen, 1, PLENTY)


@pytest.mark.parametrize("overflow", ["drop-oldest", "drop-newest", "latest", "disconnect", "throttle"])
async def test_pongs_and_acks_overtake_the_events_of_a_slow_reader(server, topic, overflow):
    raw, _ = stalled(server, topic, overflow=overflow, queue=5000, positions=True)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(1, PLENTY + 1))
        raw.command(type="ping", request_id="ping")
        raw.command(type="publish", topic="nowhere", message=new_message(0), request_id="error")
        raw.command(type="unsubscribe", topic=topic, client_id="someone else", request_id="unsubscribe")
        raw.command(type="publish", topic=topic, message=new_message([PLENTY + 1]), request_id="publish")
        seen = await asyncio.to_thread(read, raw, lambda seen: seen.numbers[-1:] == [PLENTY + 1])
    answers = [message for message in seen.messages if "request_id" in message]
    assert [answer["request_id"] for answer in answers] == ["ping", "error", "unsubscribe", "publish"]
    # Only what was in the sockets' buffers already is before them.
    assert seen.messages.index(answers[-1]) < PLENTY / 2
    assert offsets(seen.events) == list(range(1, PLENTY + 2))


@pytest.mark.parametrize("fields", [{}, {"positions": True}, {"last_n": 1}, {"overflow": "latest"}])
@pytest.mark.over_cluster
async def test_without_echo_the_own_publishes_are_left_out_and_no_others(server, topic, dialect, fields):
    async with await Client.open(server, dialect) as client, await Client.open(server, dialect) as other:
        await subscribe(client, topic, "quiet", echo=False, **fields)
        for number in range(1, 6):
            await client.publish(topic, ["own", number])
            message = await other.publish(topic, ["other", number])
            event = await client.receive()
            assert event["message"] == message and event.get("offset", 2 * number) == 2 * number
        await client.expect_alive()


async def test_without_echo_another_subscription_of_the_same_connection_still_gets_a_copy(server, topic):
    async with await Client.open(server) as client:
        await subscribe(client, topic, "quiet", echo=False)
        await subscribe(client, topic, "loud", echo=True)
        await client.subscribe(topic, "plain")
        for number in range(3):
            message = await client.publish(topic, number)
            for _ in range(2):
                await client.expect_event(topic, message)
        await client.expect_alive()


async def test_what_echo_leaves_out_counts_neither_as_dropped_nor_towards_the_queue(server, topic):
    async with await Client.open(server) as client, await Client.open(server) as other:
        await subscribe(client, topic, echo=False, overflow="disconnect", queue=5, positions=True)
        await publish_batch(client, topic, list(range(100)))
        await client.expect_alive()
        message = await other.publish(topic, "other")
        await client.expect(type="event", topic=topic, message=message, offset=101)
        entry = (await asyncio.to_thread(server.rest, "GET", f"/topics/{topic}/subscribers")).json["subscribers"][0]
        assert entry["dropped"] == 0


async def test_a_client_without_echo_recovers_what_others_published_meanwhile(server, topic):
    async with await Client.open(server) as client, await Client.open(server) as other:
        start = position(await subscribe(client, topic, echo=False, positions=True))
        await client.publish(topic, "own")
        message, outcome = await publish(other, topic, "other")
        await client.expect(type="event", topic=topic, message=message, offset=2)
        assert outcome["offset"] == 2
    async with await Client.open(server) as client:
        # Another connection: what the former one published is somebody else's now.
        await subscribe(client, topic, echo=False, since=start)
        assert offsets(await receive_events(client, topic, 2)) == [1, 2]


async def test_the_largest_queue_is_a_setting(topic):
    with Server("--max-queue", "50") as server:
        server.create(topic)
        async with await Client.open(server) as client:
            await subscribe(client, topic, queue=50)
            await client.send(type="subscribe", topic=topic, client_id="c", queue=51)
            assert "queue" in await client.expect_error("BAD_REQUEST")
            assert put(server, topic, queue=51).status == 400


@pytest.mark.one_server("throttle counts a node's own subscribers")
async def test_where_subscribers_may_not_make_publishers_wait_only_a_topic_does(topic):
    with Server("--subscriber-throttle", "off") as server:
        assert server.rest("PUT", f"/topics/{topic}").status == 201
        assert server.rest("PUT", "/topics/own", {"overflow": "throttle"}).status == 201
        async with await Client.open(server) as client:
            for name in (topic, "own", f"{topic}.*"):
                await client.send(type="subscribe", topic=name, client_id="c", overflow="throttle")
                assert "throttle" in await client.expect_error("BAD_REQUEST")
            await client.subscribe(topic, overflow="disconnect")
            await client.subscribe("own")
            assert server.rest("GET", f"/topics/{topic}/events?overflow=throttle").status == 400
            told = server.rest("GET", "/subscribers").json["subscribers"]
            assert {each["topic"]: each["policy"] for each in told} == {topic: "disconnect", "own": "throttle"}
