"""Section 4: what a subscription is, the order of what it gets, and its end."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from apus_e2e import BASE, V1, Client, Server, until
from raw_websocket import RawWebSocket


async def several(stack, server, count, *dialects):
    """So many clients, of the dialects in turn."""
    dialects = dialects or (BASE,)
    return [await stack.enter_async_context(await Client.open(server, dialects[number % len(dialects)]))
            for number in range(count)]


async def test_two_client_ids_on_one_connection_get_two_copies(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        await client.subscribe(topic, "one")
        await client.subscribe(topic, "two")
        for number in range(3):
            message = await client.publish(topic, number)
            await client.expect_event(topic, message)
            await client.expect_event(topic, message)
        await client.unsubscribe(topic, "one")
        await client.expect_event(topic, await client.publish(topic, "one copy left"))
        await client.expect_alive()


async def test_one_client_id_on_five_connections_is_five_subscriptions(server, topic):
    async with AsyncExitStack() as stack:
        clients = await several(stack, server, 5, BASE, V1)
        for client in clients:
            await client.subscribe(topic, "same")
        assert server.subscribers(topic) == 5
        message = await clients[0].publish(topic, "to all")
        for client in clients:
            await client.expect_event(topic, message)
        await clients[0].unsubscribe(topic, "same")
        assert server.subscribers(topic) == 4
        message = await clients[0].publish(topic, "to the others")
        for client in clients[1:]:
            await client.expect_event(topic, message)
        await clients[0].expect_alive()


async def test_subscribing_again_is_acked_and_replays_again_but_stays_one_copy(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        messages = [await client.publish(topic, number) for number in range(4)]
        for last_n in (2, 4, 0, 3):
            await client.subscribe(topic, last_n=last_n, request_id=last_n)
            for message in messages[4 - last_n:]:
                await client.expect_event(topic, message)
        assert server.subscribers(topic) == 1
        await client.expect_event(topic, await client.publish(topic, "live"))
        await client.expect_alive()


async def test_unsubscribing_what_is_not_subscribed_is_acked(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        await client.unsubscribe(topic, "never", request_id=1)
        await client.subscribe(topic, "c")
        await client.unsubscribe(topic, "another", request_id=2)
        await client.expect_event(topic, await client.publish(topic, "still here"))
        await client.unsubscribe(topic, "c")
        await client.unsubscribe(topic, "c")
        assert server.subscribers(topic) == 0


async def test_after_the_ack_of_an_unsubscribe_nothing_more_comes(server, topic):
    async with await Client.open(server) as client, await Client.open(server) as other:
        await client.subscribe(topic)
        await client.unsubscribe(topic)
        for number in range(10):
            await other.publish(topic, number)
        await client.subscribe(topic, "sentinel")
        await client.expect_event(topic, await other.publish(topic, "sentinel"))


async def test_the_ack_comes_before_the_replay_and_the_replay_before_live_messages(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        messages = [await client.publish(topic, number) for number in range(20)]
        # In one burst: the live message is published before the replay can have been read.
        await client.send(type="subscribe", topic=topic, client_id="c", last_n=15, request_id="s")
        live = await client.send_publish(topic, "live", request_id="p")
        await client.expect(type="ack", topic=topic, status="ok", request_id="s")
        received = [await client.receive() for _ in range(17)]
        acks = [message for message in received if message["type"] == "ack"]
        events = [message["message"] for message in received if message["type"] == "event"]
        assert acks == [{"type": "ack", "topic": topic, "status": "ok", "request_id": "p"}]
        assert events == messages[5:] + [live]
        assert received.index(acks[0]) < 16, "the ack of a publish comes before its own event"


async def test_a_publisher_that_is_subscribed_gets_its_ack_before_its_own_event(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        await client.subscribe(topic)
        for number in range(100):
            await client.send_publish(topic, number, request_id=number)
        acked = set()
        for _ in range(200):
            message = await client.receive()
            if message["type"] == "ack":
                acked.add(message["request_id"])
            else:
                assert message["message"]["payload"] in acked
        assert acked == set(range(100))


async def test_topics_do_not_leak_into_each_other(server):
    names = ["leak", "leak.a", "Leak", "leak ", "leak/a", "lea"]
    async with await Client.open(server) as client, await Client.open(server) as publisher:
        for name in names:
            server.create(name)
        await client.subscribe("leak", last_n=100)
        for name in names[1:]:
            await publisher.publish(name, "not for you")
        await client.expect_event("leak", await publisher.publish("leak", "for you"))
        await client.expect_alive()


async def test_the_end_of_a_connection_removes_its_subscriptions(server, topic):
    async with await Client.open(server) as client:
        await client.subscribe(topic, "a")
        await client.subscribe(topic, "b")
        assert server.subscribers(topic) == 2
    await until(lambda: server.subscribers(topic) == 0, "subscribers gone after a close")
    with RawWebSocket.open(server) as raw:
        raw.subscribe(topic)
        assert server.subscribers(topic) == 1
        raw.abort()
    await until(lambda: server.subscribers(topic) == 0, "subscribers gone after a reset")
    with RawWebSocket.open(server) as raw:
        raw.subscribe(topic)
    await until(lambda: server.subscribers(topic) == 0, "subscribers gone after an end without a close frame")


async def test_what_was_published_before_a_delete_is_delivered_before_topic_deleted(server, topic):
    async with AsyncExitStack() as stack:
        publisher, *clients = await several(stack, server, 9, BASE, V1)
        for client in clients:
            await client.subscribe(topic)
        for number in range(300):
            await publisher.send_publish(topic, number)
        for _ in range(300):
            await publisher.receive()
        # Blocks this process, so the clients have not read anything yet.
        assert server.delete(topic).status == 200
        for client in clients:
            received = [await client.receive() for _ in range(300)]
            assert [message["message"]["payload"] for message in received] == list(range(300))
            await client.expect(type="info", topic=topic, msg="topic_deleted")
            await client.expect_alive()


async def test_a_deleted_topic_is_not_found_and_created_again_is_new(server, topic, dialect):
    async with await Client.open(server, dialect) as client, await Client.open(server, dialect) as other:
        await client.subscribe(topic)
        await client.expect_event(topic, await client.publish(topic, "old"))
        assert server.delete(topic).status == 200
        await client.expect(type="info", topic=topic, msg="topic_deleted")
        await client.send_publish(topic, "to nobody")
        await client.expect_error("TOPIC_NOT_FOUND")
        await client.send(type="unsubscribe", topic=topic, client_id="c")
        await client.expect_error("TOPIC_NOT_FOUND")
        assert server.create(topic).status == 201
        assert server.subscribers(topic) == 0
        await other.publish(topic, "new, but the old subscription is gone")
        await client.subscribe(topic, last_n=100)
        assert (await client.receive())["message"]["payload"] == "new, but the old subscription is gone"
        await client.expect_alive()


async def test_a_delete_leaves_subscriptions_to_other_topics_alone(server, topic):
    async with await Client.open(server) as client:
        server.create("stays")
        await client.subscribe(topic)
        await client.subscribe("stays")
        server.delete(topic)
        await client.expect(type="info", topic=topic, msg="topic_deleted")
        await client.expect_event("stays", await client.publish("stays", 1))


async def test_where_deletes_disconnect_the_socket_is_closed_after_topic_deleted(dialect):
    with Server("--topics-on-delete", "disconnect") as server:
        server.create("orders")
        server.create("other")
        async with await Client.open(server, dialect) as client, await Client.open(server, dialect) as bystander:
            await client.subscribe("orders")
            await client.subscribe("other")
            await bystander.subscribe("other")
            for number in range(50):
                await bystander.publish("orders", number)
            assert server.delete("orders", dialect).status == 200
            *events, last = await client.expect_close(1000, "TOPIC_DELETED")
            assert [event["message"]["payload"] for event in events] == list(range(50))
            assert last == {"type": "info", "topic": "orders", "msg": "topic_deleted"}
            await bystander.expect_event("other", await bystander.publish("other", "unharmed"))
            await until(lambda: server.subscribers("other") == 1, "the closed connection's other subscription gone")


async def test_topics_created_and_deleted_concurrently_stay_consistent(server):
    def cycle(number):
        statuses = [server.create("contended").status, server.create(f"own-{number}").status,
                    server.delete("contended").status, server.delete(f"own-{number}").status]
        assert statuses[1] == 201 and statuses[3] == 200
        return statuses[0] == 201, statuses[2] == 200

    results = await asyncio.gather(*(asyncio.to_thread(cycle, number) for number in range(50)))
    created, deleted = (sum(column) for column in zip(*results))
    left = "contended" in [entry["name"] for entry in server.rest("GET", "/topics").json["topics"]]
    assert created - deleted == int(left) and created >= 1
