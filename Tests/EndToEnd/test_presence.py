"""Who comes and who goes: extensions.md section 4."""

import pytest

from apus_e2e import BASE, V1, Client
from extensions import expect_bad, subscribe

pytestmark = pytest.mark.one_server("presence is each node's")


def joined(topic, client_id):
    return {"type": "info", "topic": topic, "msg": "joined", "client_id": client_id}


def left(topic, client_id):
    return {"type": "info", "topic": topic, "msg": "left", "client_id": client_id}


async def test_a_watcher_sees_others_come_and_go_on_both_dialects(server, topic, dialect):
    async with await Client.open(server, dialect) as watcher:
        await subscribe(watcher, topic, "watcher", presence=True)
        for other_dialect in (BASE, V1):
            async with await Client.open(server, other_dialect) as other:
                await other.subscribe(topic, "ü")
                await watcher.expect(**joined(topic, "ü"))
                await other.unsubscribe(topic, "ü")
                await watcher.expect(**left(topic, "ü"))
                # Nobody is told who did not ask.
                await other.expect_alive()
        await watcher.expect_alive()


async def test_nobody_is_told_of_himself(server, topic):
    async with await Client.open(server) as watcher:
        await subscribe(watcher, topic, "watcher", presence=True)
        await watcher.expect_alive()
        await watcher.unsubscribe(topic, "watcher")
        await watcher.expect_alive()


async def test_other_subscriptions_of_the_same_connection_are_others(server, topic):
    async with await Client.open(server) as client:
        await subscribe(client, topic, "watcher", presence=True)
        await client.send(type="subscribe", topic=topic, client_id="other")
        answers = sorted([await client.receive(), await client.receive()], key=lambda answer: answer["type"])
        assert answers == [{"type": "ack", "topic": topic, "status": "ok"}, joined(topic, "other")]
        await client.send(type="unsubscribe", topic=topic, client_id="other")
        answers = sorted([await client.receive(), await client.receive()], key=lambda answer: answer["type"])
        assert answers == [{"type": "ack", "topic": topic, "status": "ok"}, left(topic, "other")]


async def test_who_was_there_before_is_not_announced(server, topic):
    async with await Client.open(server) as early, await Client.open(server) as watcher:
        await early.subscribe(topic, "early")
        await subscribe(watcher, topic, "watcher", presence=True)
        await watcher.expect_alive()
        await early.unsubscribe(topic, "early")
        await watcher.expect(**left(topic, "early"))


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_a_connection_that_ends_leaves_with_all_its_subscriptions(server, topic, end):
    async with await Client.open(server) as watcher:
        await subscribe(watcher, topic, "watcher", presence=True)
        other = await Client.open(server)
        for name in ("a", "b", "c"):
            await other.subscribe(topic, name)
            await watcher.expect(**joined(topic, name))
        if end == "close":
            await other.connection.close()
        else:
            other.connection.transport.abort()
        gone = [await watcher.receive() for _ in range(3)]
        assert sorted(gone, key=lambda info: info["client_id"]) == [left(topic, name) for name in ("a", "b", "c")]
        await watcher.expect_alive()


async def test_subscribing_again_is_no_second_arrival(server, topic):
    async with await Client.open(server) as watcher, await Client.open(server) as other:
        await subscribe(watcher, topic, "watcher", presence=True)
        for _ in range(3):
            await other.subscribe(topic, "other")
        await watcher.expect(**joined(topic, "other"))
        for _ in range(3):
            await other.unsubscribe(topic, "other")
        await watcher.expect(**left(topic, "other"))
        await watcher.expect_alive()


async def test_the_same_client_id_on_two_connections_comes_twice(server, topic):
    async with (await Client.open(server) as watcher, await Client.open(server) as one,
                await Client.open(server) as two):
        await subscribe(watcher, topic, "watcher", presence=True)
        for client in (one, two):
            await client.subscribe(topic, "same")
            await watcher.expect(**joined(topic, "same"))
        for client in (one, two):
            await client.unsubscribe(topic, "same")
            await watcher.expect(**left(topic, "same"))


async def test_watchers_see_each_other(server, topic):
    async with await Client.open(server) as one, await Client.open(server) as two:
        await subscribe(one, topic, "one", presence=True)
        await subscribe(two, topic, "two", presence=True)
        await one.expect(**joined(topic, "two"))
        await two.expect_alive()
        await one.unsubscribe(topic, "one")
        await two.expect(**left(topic, "one"))


async def test_a_newcomer_is_announced_before_what_it_publishes(server, topic):
    async with await Client.open(server) as watcher:
        await subscribe(watcher, topic, "watcher", presence=True, positions=True)
        for offset in range(1, 6):
            async with await Client.open(server) as other:
                await other.subscribe(topic, "other")
                message = await other.publish(topic, offset)
                await other.expect_event(topic, message)
            await watcher.expect(**joined(topic, "other"))
            event = {"type": "event", "topic": topic, "message": message, "offset": offset}
            # Infos wait for no events, so the farewell may overtake the last of them.
            rest = [await watcher.receive() for _ in range(2)]
            assert rest in ([event, left(topic, "other")], [left(topic, "other"), event])


async def test_presence_is_of_one_topic_and_ends_with_the_subscription(server, topic):
    server.create(f"{topic} other")
    async with await Client.open(server) as watcher, await Client.open(server) as other:
        await subscribe(watcher, topic, "watcher", presence=True)
        await other.subscribe(f"{topic} other", "other")
        await watcher.expect_alive()
        await watcher.unsubscribe(topic, "watcher")
        await other.subscribe(topic, "other")
        await watcher.expect_alive()
        # Subscribing again without it ends it as well.
        await subscribe(watcher, topic, "watcher", presence=True)
        await watcher.subscribe(topic, "watcher")
        await other.unsubscribe(topic, "other")
        await watcher.expect_alive()


@pytest.mark.parametrize("fields", [{"presence": False}, {"presence": None}, {"positions": True}])
async def test_without_presence_nobody_is_announced(server, topic, fields):
    async with await Client.open(server) as client, await Client.open(server) as other:
        await subscribe(client, topic, "client", **fields)
        await other.subscribe(topic, "other")
        await other.unsubscribe(topic, "other")
        await client.expect_alive()


async def test_a_topic_that_is_deleted_ends_presence_without_farewells_after_it(server, topic):
    async with await Client.open(server) as watcher, await Client.open(server) as other:
        await subscribe(watcher, topic, "watcher", presence=True)
        await other.subscribe(topic, "other")
        await watcher.expect(**joined(topic, "other"))
        server.delete(topic)
        await other.expect(type="info", topic=topic, msg="topic_deleted")
        await watcher.expect(type="info", topic=topic, msg="topic_deleted")
        server.create(topic)
        await other.subscribe(topic, "other")
        await watcher.expect_alive()


@pytest.mark.parametrize("wrong", ["yes", "true", 1, 0, [], {}])
async def test_presence_is_a_boolean(server, topic, wrong):
    async with await Client.open(server) as client:
        await expect_bad(client, "presence", type="subscribe", topic=topic, client_id="c", presence=wrong)
