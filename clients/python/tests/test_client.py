"""What a client does against a real server."""

import asyncio
import datetime
import gc
import logging
import uuid

import pytest

import apus


async def take(subscription, count):
    return [await anext(subscription) for _ in range(count)]


def payloads(items):
    return [item.payload if isinstance(item, apus.Message) else type(item).__name__ for item in items]


async def test_a_publish_has_an_outcome_and_its_message_the_same_position(server, topic):
    async with apus.Client(server.url) as client:
        assert await client.topics.create(topic)
        async with client.subscribe(topic) as subscription:
            assert subscription.position.offset == 0
            payload = {"text": "Straße ☃ 𝄞", "deep": [1, {"two": None}], "long": 2**70}
            outcome = await client.publish(topic, payload, key="k")
            assert (outcome.offset, outcome.subscribers, outcome.stored, outcome.duplicate) == (1, 1, "memory", False)
            message = await anext(subscription)
            assert (message.id, message.payload, message.key) == (outcome.id, payload, "k")
            assert message.position == outcome.position == subscription.position
            assert message.message == {"id": message.id, "payload": payload}
            assert abs(message.time - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(hours=1)


async def test_a_batch_is_at_consecutive_offsets(server, topic):
    async with apus.Client(server.url) as client:
        await client.topics.create(topic)
        outcome = await client.publish_batch(topic, range(50))
        assert (outcome.count, outcome.offset, len(outcome.ids)) == (50, 1, 50)
        messages = await take(client.subscribe(topic, since="all"), 50)
        assert [(m.id, m.offset, m.payload) for m in messages] == [(i, n + 1, n) for n, i in enumerate(outcome.ids)]


async def test_what_is_enqueued_keeps_its_order_and_is_flushed(server, topic):
    async with apus.Client(server.url) as client:
        await client.topics.create(topic)
        outcomes = [client.enqueue(topic, number) for number in range(500)]
        await client.flush()
        assert [outcome.result().offset for outcome in outcomes] == list(range(1, 501))


async def test_a_repeated_id_is_taken_once_where_the_topic_remembers_ids(server, topic):
    async with apus.Client(server.url) as client:
        await client.topics.create(topic, dedupe_window="2m")
        name = str(uuid.uuid4())
        first, second = [await client.publish(topic, 1, id=name) for _ in range(2)]
        assert (first.duplicate, second.duplicate) == (False, True)
        assert first.offset == second.offset


@pytest.mark.parametrize(("payload", "error"), [({1, 2}, TypeError), (float("nan"), ValueError)])
async def test_what_is_no_json_is_refused_at_once(server, topic, payload, error):
    async with apus.Client(server.url) as client:
        with pytest.raises(error):
            await client.publish(topic, payload)
        with pytest.raises(ValueError, match="batch"):
            await client.publish_batch(topic, [])


async def test_history_is_replayed_the_last_few_since_a_time_and_since_a_position(server, topic):
    async with apus.Client(server.url) as client:
        await client.topics.create(topic)
        await client.publish_batch(topic, range(10))
        last = await take(client.subscribe(topic, last_n=3), 3)
        assert payloads(last) == [7, 8, 9]
        for since in ("10m", datetime.timedelta(minutes=10), last[0].time - datetime.timedelta(minutes=10)):
            assert payloads(await take(client.subscribe(topic, since=since), 10)) == list(range(10))
        assert payloads(await take(client.subscribe(topic, since=last[0].position), 2)) == [8, 9]


async def test_refusals_are_raised_where_they_are_waited_for(server, topic):
    async with apus.Client(server.url) as client:
        with pytest.raises(apus.TopicNotFound, match=topic) as caught:
            await client.publish(topic, 1)
        assert caught.value.topic == topic
        with pytest.raises(apus.TopicNotFound):
            async with client.subscribe(topic):
                pass
        with pytest.raises(apus.TopicNotFound):
            await anext(client.subscribe(topic))
        with pytest.raises(apus.BadRequest):
            await client.subscribe("a.*", since="all").ready()
        with pytest.raises(ValueError, match="topic"):
            client.subscribe("")


async def test_a_pattern_hears_of_topics_made_later_and_of_keys(server, topic):
    async with apus.Client(server.url) as client, client.subscribe(f"{topic}.*", notices=True) as subscription:
        await client.topics.create(f"{topic}.a")
        await client.publish(f"{topic}.a", 1, key="k")
        message = await anext(subscription)
        assert (message.topic, message.key, message.position) == (f"{topic}.a", "k", None)
        await client.topics.delete(f"{topic}.a")
        assert await anext(subscription) == apus.TopicDeleted(f"{topic}.a")


async def test_subscriptions_that_overlap_each_get_a_copy(server, topic):
    async with apus.Client(server.url) as client:
        await client.topics.create(f"{topic}.a")
        names = (f"{topic}.a", f"{topic}.a", f"{topic}.*", ">")
        async with client.subscribe(names[0]) as a, client.subscribe(names[1]) as b, client.subscribe(names[2]) as c:
            await client.publish(f"{topic}.a", 1)
            for subscription in (a, b, c):
                assert (await anext(subscription)).payload == 1


async def test_a_topic_is_waited_for_and_again_after_its_deletion(server, topic):
    async with apus.Client(server.url) as client, client.subscribe(topic, wait=True, notices=True) as subscription:
        assert await anext(subscription) == apus.Waiting(topic)
        for number in range(3):
            await client.topics.create(topic)
            await client.publish(topic, number)
            await client.topics.delete(topic)
            items = await take(subscription, 4)
            assert payloads(items) == ["TopicCreated", number, "TopicDeleted", "Waiting"]
            assert items[1].offset == 1


async def test_a_deletion_ends_the_loop_after_what_came_before(server, topic):
    async with apus.Client(server.url) as client:
        await client.topics.create(topic)
        async with client.subscribe(topic) as subscription:
            await client.publish(topic, 1)
            await client.topics.delete(topic)
            assert [message.payload async for message in subscription] == [1]
            assert subscription.is_closed


async def test_without_echo_a_client_does_not_get_its_own(server, topic):
    async with apus.Client(server.url) as client, apus.Client(server.url) as other:
        await client.topics.create(topic)
        async with client.subscribe(topic, echo=False) as subscription:
            await client.publish(topic, "mine")
            await other.publish(topic, "another's")
            assert (await anext(subscription)).payload == "another's"


async def test_presence_is_a_notice(server, topic):
    async with apus.Client(server.url) as client, apus.Client(server.url, client_id="ann") as other:
        await client.topics.create(topic)
        async with client.subscribe(topic, presence=True, notices=True) as subscription:
            async with other.subscribe(topic):
                assert await anext(subscription) == apus.Presence(topic, "joined", "ann")
            assert await anext(subscription) == apus.Presence(topic, "left", "ann")


async def test_notices_go_to_a_function_or_to_the_log(server, topic, caplog):
    seen = []
    async with apus.Client(server.url) as client:
        await client.topics.create(topic)
        async with client.subscribe(topic, on_notice=seen.append) as told, client.subscribe(topic) as silent:
            await client.topics.delete(topic)
            with caplog.at_level(logging.INFO, "apus"):
                assert [item async for item in told] == [item async for item in silent] == []
    assert seen == [apus.TopicDeleted(topic)]
    assert [record.name for record in caplog.records] == ["apus"]


async def test_a_wait_for_a_message_may_end_and_loses_nothing(server, topic):
    async with apus.Client(server.url) as client:
        await client.topics.create(topic)
        async with client.subscribe(topic) as subscription:
            with pytest.raises(TimeoutError):
                await subscription.get(0.01)
            await client.publish_batch(topic, range(5))
            assert (await subscription.get(10)).payload == 0
            # What has not come with the first is not waited for.
            rest = []
            while len(rest) < 4:
                rest += await subscription.get_batch(3)
            assert payloads(rest) == [1, 2, 3, 4]


async def test_a_subscription_that_is_forgotten_is_unsubscribed(server, topic):
    async with apus.Client(server.url) as client:
        await client.topics.create(topic, history=10)
        await client.publish(topic, 1)
        async for message in client.subscribe(topic, since="all"):
            assert message.payload == 1
            break
        gc.collect()
        while (await client.topics.get(topic)).subscribers:
            await asyncio.sleep(0.01)


async def test_a_client_that_is_closed_says_so(server, topic):
    client = apus.Client(server.url)
    with pytest.raises(apus.Closed, match="async with"):
        client.subscribe(topic)
    async with client:
        await client.topics.create(topic)
        subscription = client.subscribe(topic)
        await subscription.ready()
    assert client.state == "closed"
    assert [item async for item in subscription] == []
    with pytest.raises(apus.Closed):
        await client.publish(topic, 1)
    with pytest.raises(apus.Closed):
        await client.__aenter__()


async def test_topics_are_managed(server, topic):
    async with apus.Client(server.url) as client:
        topics = client.topics
        assert await topics.create(topic, history=5)
        assert not await topics.configure(topic, dedupe_window="2m")
        with pytest.raises(apus.TopicExists) as caught:
            await topics.create(topic)
        assert caught.value.status == 409
        await client.publish_batch(topic, range(8))
        info = await topics.get(topic)
        assert (info.first, info.last, info.messages, info.settings["history"]) == (4, 8, 8, 5)
        assert topic in [summary.name for summary in await topics.list()]
        page = await topics.messages(topic, limit=2)
        assert (payloads(page.messages), page.first, page.last, page.recovered) == ([3, 4], 4, 8, True)
        assert payloads((await topics.messages(topic, since=page.next)).messages) == [5, 6, 7]
        assert payloads((await topics.messages(topic, last_n=1)).messages) == [7]
        page = await topics.messages(topic, since=apus.Position(info.epoch, 1))
        assert (page.recovered, page.missed) == (False, (2, 3))
        waiting = asyncio.create_task(topics.messages(topic, since=page.next, wait=60))
        await client.publish(topic, "new")
        assert payloads((await waiting).messages) == ["new"]
        assert await topics.purge(topic) == 5
        await topics.delete(topic)
        with pytest.raises(apus.TopicNotFound):
            await topics.get(topic)
        assert (await client.health())["topics"] >= 0
        assert "topics" in await client.stats()
        assert "subscribers" in await client.request("GET", "/subscribers?sort=lag&limit=1")


async def test_odd_names_of_topics_are_encoded(server, topic):
    async with apus.Client(server.url) as client:
        for name in (f"{topic}/ä b?&%", f"{topic}☃"):
            await client.topics.create(name)
            await client.publish(name, 1)
            assert (await client.topics.get(name)).last == 1
            assert payloads(await take(client.subscribe(name, since="all"), 1)) == [1]


async def test_the_v1_dialect_is_spoken_too(server, topic):
    async with apus.Client(f"{server.url}/v1") as client:
        await client.topics.create(topic)
        await client.publish(topic, 1, id="no uuid")
        (message,) = await take(client.subscribe(topic, since="all"), 1)
        assert message.id == "no uuid"
        assert message.time.tzinfo is not None


async def test_large_messages_come_compressed_where_that_is_wanted(server, topic):
    async with apus.Client(server.url, compression=True) as client:
        await client.topics.create(topic)
        await client.publish(topic, "ab" * 100_000)
        (message,) = await take(client.subscribe(topic, since="all"), 1)
        assert message.payload == "ab" * 100_000


async def test_a_function_of_the_program_that_fails_disturbs_nothing_but_is_heard_of(server, topic):
    heard = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: heard.append(context["exception"]))

    def fail(change):
        raise RuntimeError(change.state)

    async with apus.Client(server.url, on_state=fail) as client:
        await client.topics.create(topic)
        assert (await client.publish(topic, 1)).offset == 1
    assert [str(error) for error in heard] == ["connecting", "open", "closed"]


async def test_a_fault_of_the_client_itself_ends_it_with_an_error(server, topic, monkeypatch):
    heard = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: heard.append(context["exception"]))
    from apus import _link

    async with apus.Client(server.url) as client:
        await client.topics.create(topic)
        await client.publish(topic, 1)

        def broken(*_):
            raise RuntimeError("broken")

        monkeypatch.setattr(_link, "Renewal", broken)
        with pytest.raises(apus.ApusError, match="broken") as caught:
            await anext(client.subscribe(topic))
        assert caught.value.code == "INTERNAL"
    assert [str(error) for error in heard] == ["broken"]
