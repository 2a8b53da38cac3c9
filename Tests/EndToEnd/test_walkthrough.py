"""Endpoints and messages of the contract's sections 1 to 4, in both dialects, as a newcomer tries them."""

import time

import pytest

from apus_e2e import BASE, OVER_CLUSTER, PATIENCE, V1, Client, Server


def test_a_topic_is_created_listed_and_deleted(dialect):
    with Server() as server:
        def topics():
            answer = server.rest("GET", f"{dialect.prefix}/topics")
            assert (answer.status, answer.content_type) == (200, "application/json")
            listed = answer.json
            # The time of which other nodes' counts are is there only in a cluster.
            assert (listed.pop("as_of", None) is not None) is OVER_CLUSTER
            return listed

        assert topics() == {"topics": []}
        created = server.create("orders", dialect)
        assert (created.status, created.content_type) == (201, "application/json")
        assert created.json == {"status": "created", "topic": "orders"}
        assert topics() == {"topics": [{"name": "orders", "subscribers": 0}]}
        deleted = server.delete("orders", dialect)
        assert (deleted.status, deleted.content_type) == (200, "application/json")
        assert deleted.json == {"status": "deleted", "topic": "orders"}
        assert topics() == {"topics": []}


async def test_every_message_of_the_contract_looks_as_documented(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        await client.send(type="subscribe", topic=topic, client_id="s1", last_n=0, request_id="a")
        await client.expect(type="ack", request_id="a", topic=topic, status="ok")
        message = {"id": "550e8400-e29b-41d4-a716-446655440000", "payload": {"order_id": "ORD-1", "amount": 99.5}}
        await client.send(type="publish", topic=topic, message=message, request_id="b")
        await client.expect(type="ack", request_id="b", topic=topic, status="ok")
        await client.expect(type="event", topic=topic, message=message)
        await client.send(type="ping", request_id="c")
        await client.expect(type="pong", request_id="c")
        await client.send(type="nonsense", request_id="d")
        await client.expect_error("BAD_REQUEST", request_id="d")
        await client.send(type="unsubscribe", topic=topic, client_id="s1", request_id="e")
        await client.expect(type="ack", request_id="e", topic=topic, status="ok")
        await client.subscribe(topic)
        assert server.delete(topic, dialect).status == 200
        await client.expect(type="info", topic=topic, msg="topic_deleted")
        await client.expect_alive()


async def test_server_messages_carry_the_time_under_the_key_of_the_dialect_only(server, topic, dialect):
    async with await Client.open(server, dialect) as client:
        await client.send(type="ping")
        text = await client.receive_text()
        assert f'"{dialect.time_key}"' in text
        other = BASE if dialect is V1 else V1
        assert f'"{other.time_key}"' not in text


async def test_an_event_carries_the_time_of_its_publish_and_keeps_it_in_a_replay(server, topic):
    async with await Client.open(server) as client:
        await client.subscribe(topic)
        await client.send_publish(topic, 1)
        await client.receive()
        first = await client.receive_text()
        # The clock must show another millisecond, or the replay could carry a new time unnoticed.
        start = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 < start + 5:
            await client.expect_alive()
        await client.subscribe(topic, last_n=1)
        assert await client.receive_text() == first


async def test_health_changes_with_what_happens(dialect):
    with Server() as server:
        def health():
            response = server.rest("GET", f"{dialect.prefix}/health")
            assert (response.status, response.content_type) == (200, "application/json")
            uptime = response.json[dialect.uptime_key]
            assert type(uptime) is int and 0 <= uptime < 300
            return response.json["topics"], response.json["subscribers"]

        assert health() == (0, 0)
        server.create("a")
        server.create("b")
        assert health() == (2, 0)
        async with await Client.open(server, dialect) as one, await Client.open(server, dialect) as two:
            await one.subscribe("a")
            await two.subscribe("a")
            assert health() == (2, 2)
            await one.unsubscribe("a")
            assert health() == (2, 1)
            server.delete("a")
            assert health() == (1, 0)


async def test_uptime_counts_whole_seconds(server, dialect):
    def uptime():
        return server.rest("GET", f"{dialect.prefix}/health").json[dialect.uptime_key]

    start, began = uptime(), time.monotonic()
    while uptime() == start:
        assert time.monotonic() - began < 5 * PATIENCE
    assert uptime() in (start + 1, start + 2)


async def test_stats_count_what_was_published_since_the_topic_was_created(dialect):
    with Server("--history", "2") as server:
        def stats():
            response = server.rest("GET", f"{dialect.prefix}/stats")
            assert (response.status, response.content_type) == (200, "application/json")
            topics = response.json["topics"]
            return {name: (entry["messages"], entry["subscribers"]) for name, entry in topics.items()}

        assert stats() == {}
        server.create("orders")
        server.create("idle")
        async with await Client.open(server, dialect) as client:
            for number in range(5):
                await client.publish("orders", number)
            await client.subscribe("orders")
            assert stats() == {"orders": (5, 1), "idle": (0, 0)}
            server.delete("orders")
            assert stats() == {"idle": (0, 0)}
            server.create("orders")
            assert stats() == {"orders": (0, 0), "idle": (0, 0)}


async def test_two_client_ids_count_as_two_subscribers(server, topic):
    async with await Client.open(server) as client:
        await client.subscribe(topic, "one")
        await client.subscribe(topic, "two")
        await client.subscribe(topic, "two")
        assert server.subscribers(topic) == 2


async def test_both_dialects_reach_the_same_topics(server):
    assert server.create("shared", BASE).status == 201
    assert server.create("shared", V1).status == 409
    assert server.delete("shared", V1).status == 200
    assert server.delete("shared", BASE).status == 404


async def test_a_message_published_on_one_dialect_is_delivered_on_the_other(server, topic):
    async with await Client.open(server, BASE) as base, await Client.open(server, V1) as v1:
        await base.subscribe(topic)
        await v1.subscribe(topic)
        from_v1 = {"id": "not a uuid", "payload": [1]}
        await v1.send(type="publish", topic=topic, message=from_v1)
        await v1.expect(type="ack", topic=topic, status="ok")
        await v1.expect_event(topic, from_v1)
        await base.expect_event(topic, from_v1)
        from_base = await base.publish(topic, None)
        await base.expect_event(topic, from_base)
        await v1.expect_event(topic, from_base)
        # Replays are encoded per dialect too.
        await base.subscribe(topic, last_n=2)
        await v1.subscribe(topic, last_n=2)
        for client in (base, v1):
            await client.expect_event(topic, from_v1)
            await client.expect_event(topic, from_base)
