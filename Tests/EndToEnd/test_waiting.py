"""Topics that are not there yet: extensions.md section 11, over WebSocket."""

import asyncio
import json

import pytest

from apus_e2e import BASE, Client, Server, apus, eventually
from extensions import acked, configure, new_message, position, publish, subscribe, topic_path

WAITING = {"waiting": True}


def epoch_of(server, topic):
    return server.rest("GET", topic_path(topic)).json["epoch"]


async def wait_for(client, topic, client_id="c", **fields):
    """Subscribes to a topic that is not there."""
    assert await subscribe(client, topic, client_id, wait=True, **fields) == WAITING


async def expect_created(client, server, topic):
    """The news that a topic is there; its epoch."""
    epoch = epoch_of(server, topic)
    await client.expect(type="info", topic=topic, msg="topic_created", epoch=epoch)
    return epoch


@pytest.mark.over_cluster
async def test_a_topic_is_followed_from_its_first_message_on_though_it_comes_later(server, dialect):
    topic = f"waiting.later.{dialect}"
    async with await Client.open(server, dialect) as client, await Client.open(server) as publisher:
        await wait_for(client, topic, request_id=1)
        assert server.create(topic).status == 201
        message = await publisher.publish(topic, "first")
        await expect_created(client, server, topic)
        await client.expect(type="event", topic=topic, message=message)
        assert server.delete(topic).status == 200
        await client.expect(type="info", topic=topic, msg="topic_deleted")
        await client.expect_alive()
        assert server.create(topic).status == 201
        await expect_created(client, server, topic)
        await client.unsubscribe(topic)
        message = await publisher.publish(topic, "last")
        await client.expect_alive()


async def test_a_position_of_a_server_that_is_gone_is_told_to_be_gone():
    with Server() as first:
        first.create("t")
        async with await Client.open(first) as client:
            old = await subscribe(client, "t", positions=True)
    with Server() as server:
        async with await Client.open(server) as client:
            await wait_for(client, "t", since=position(old))
            server.create("t")
            epoch = await expect_created(client, server, "t")
            await client.expect(type="info", topic="t", msg="not_recovered", epoch=epoch, offset=0, recovered=False)
            message = await client.send_publish("t", 1)
            assert acked(await client.receive(), "t") == {}
            await client.expect(type="event", topic="t", message=message, offset=1)


@pytest.mark.one_server("metrics are each node's")
async def test_waiting_is_for_topics_and_counts_to_the_bound_of_subscriptions():
    with Server("--max-subscriptions", "2") as server:
        async with await Client.open(server) as client:
            await client.send(type="subscribe", topic="a.*", client_id="c", wait=True)
            assert "'wait' needs a topic" in await client.expect_error("BAD_REQUEST")
            await client.send(type="subscribe", topic="a", client_id="c", wait=1)
            assert "'wait'" in await client.expect_error("BAD_REQUEST")
            await wait_for(client, "a")
            await wait_for(client, "b")
            await client.send(type="subscribe", topic="c", client_id="c", wait=True)
            await client.expect_error("BAD_REQUEST")
            await wait_for(client, "a", queue=5)
            assert server.rest("GET", "/subscribers").json["subscribers"] == []
            assert server.rest("GET", "/health").json["subscribers"] == 0
            assert b"\napus_subscriptions_waiting 2\n" in server.rest("GET", "/metrics").body
            server.create("a")
            await expect_created(client, server, "a")
            assert b"\napus_subscriptions_waiting 1\n" in server.rest("GET", "/metrics").body


async def test_one_that_waits_is_not_disconnected_when_its_topic_is_deleted():
    with Server("--topics-on-delete", "disconnect") as server:
        server.create("t")
        async with await Client.open(server) as waiting, await Client.open(server) as plain:
            assert await subscribe(waiting, "t", wait=True) == {}
            await plain.subscribe("t")
            server.delete("t")
            assert [m["msg"] for m in await plain.expect_close(1000, "TOPIC_DELETED")] == ["topic_deleted"]
            await waiting.expect(type="info", topic="t", msg="topic_deleted")
            server.create("t")
            await expect_created(waiting, server, "t")


async def test_thousands_of_names_that_are_never_made_cost_little_and_are_let_go():
    """Names of one byte and a dot in turn are the longest way through a tree of names."""
    with Server("--threads", "2") as server:
        async with await Client.open(server) as client:
            await wait_for(client, "warm")
            before = server.rss
            for number in range(3000):
                name = (f"{number}." + "a." * 125)[:254]
                await client.send(type="subscribe", topic=name, client_id="c", wait=True)
            for _ in range(3000):
                assert (await client.receive())["waiting"]
            assert server.rss - before < 12 << 20
            server.create("warm")
            await expect_created(client, server, "warm")
        eventually(lambda: b"\napus_subscriptions_waiting 0\n" in server.rest("GET", "/metrics").body, "nothing waits")


@pytest.mark.one_server("an outcome counts the subscribers of its own node")
async def test_each_message_comes_once_while_topics_come_and_go_at_full_speed():
    """Waiting subscribers on several loops, and connections that create, publish and delete as fast as they can."""
    with Server("--threads", "4", "--history", "0", "--queue", "100000") as server:
        clients = [await Client.open(server) for _ in range(8)]
        for client in clients:
            await wait_for(client, "t", positions=True)
            await wait_for(client, "u", positions=True)
        published = {"t": {}, "u": {}}

        def churn(name, rounds):
            for number in range(rounds):
                assert server.create(name).status == 201
                for payload in range(number % 4):
                    answer = server.rest("POST", topic_path(name, "/messages"), payload)
                    assert answer.status == 201 and answer.json["subscribers"] == len(clients), answer.body
                    published[name].setdefault(answer.json["epoch"], []).append(payload)
                assert server.delete(name).status == 200

        async def follow(client):
            seen, epochs, ends = {"t": {}, "u": {}}, {}, {"t": 0, "u": 0}
            while min(ends.values()) < 60:
                message = await client.receive()
                topic = message["topic"]
                if message["type"] == "event":
                    events = seen[topic].setdefault(epochs[topic], [])
                    events.append(message["message"]["payload"])
                    assert message["offset"] == len(events)
                elif message["msg"] == "topic_created":
                    assert topic not in epochs
                    epochs[topic] = message["epoch"]
                else:
                    assert message["msg"] == "topic_deleted"
                    ends[topic] += 1
                    del epochs[topic]
            return seen

        churning = [asyncio.to_thread(churn, name, 60) for name in ("t", "u")]
        *seen, _, _ = await asyncio.gather(*map(follow, clients), *churning)
        assert all(each == published for each in seen)
        metrics = server.rest("GET", "/metrics").body
        assert b"\napus_subscriptions_waiting 16\n" in metrics
        for client in clients:
            await client.connection.close()


# topics.declare and topics.create_on


def test_declared_topics_are_there_before_the_port_is_open(tmp_path):
    config = tmp_path / "apus.yaml"
    config.write_text("topics:\n  declare:\n    - {name: orders, history: 7, ttl: 1h}\n    - name: a/b\n")
    with Server("--config", str(config)) as server:
        assert [t["name"] for t in server.rest("GET", "/topics").json["topics"]] == ["a/b", "orders"]
        settings = server.rest("GET", "/topics/orders").json["settings"]
        assert (settings["history"], settings["ttl"]) == (7, "1h")
    printed = apus("config", "print", "--config", str(config)).stdout
    config.write_text(printed)
    with Server("--config", str(config), "--port", "0") as server:
        assert server.rest("GET", "/topics/orders").json["settings"] == settings


@pytest.mark.parametrize(("declared", "named"), [
    ('[{"name":"orders","histroy":5}]', "'orders'"), ('[{"name":"a\\u0001"}]', "'name' must be 1 to 255 bytes"),
    ('[{"name":"a"},{"name":"a"}]', "'a' is there twice"), ("orders", "not valid JSON"),
])
def test_a_bad_declaration_stops_the_start(declared, named):
    result = apus("serve", "--port", "0", env={"APUS_TOPICS_DECLARE": declared})
    assert result.returncode == 78
    assert "topics.declare" in result.stderr and named in result.stderr, result.stderr
    assert "APUS_TOPICS_DECLARE" in result.stderr


@pytest.fixture(scope="module")
def making():
    with Server("--topics-create-on", "publish,subscribe", "--max-topics", "40", "--threads", "4") as running:
        yield running


@pytest.mark.over_cluster
async def test_a_publish_or_a_subscribe_makes_its_topic(making):
    async with await Client.open(making) as client:
        message, outcome = await publish(client, "made.publish", 1)
        assert (outcome["offset"], outcome["subscribers"]) == (1, 0)
        ack = await subscribe(client, "made.subscribe", positions=True)
        assert ack == {"epoch": epoch_of(making, "made.subscribe"), "offset": 0}
        await client.subscribe("made.pattern.*")
        assert making.rest("POST", topic_path("made.http", "/messages"), 1).status == 201
        for command in ({"type": "publish", "message": new_message(1)}, {"type": "subscribe", "client_id": "c"}):
            await client.send(topic="made\x01", **command)
            await client.expect_error("BAD_REQUEST")
        names = {entry["name"] for entry in making.rest("GET", "/topics").json["topics"]}
        assert {"made.publish", "made.subscribe", "made.http"} <= names
        assert not any("*" in name or "\x01" in name for name in names)


async def test_what_does_not_subscribe_or_publish_makes_nothing(making):
    assert making.rest("GET", topic_path("made.not")).status == 404
    assert making.rest("GET", topic_path("made.not", "/messages")).status == 404
    assert making.rest("HEAD", topic_path("made.not", "/messages?wait=1s")).status == 404
    assert making.rest("GET", topic_path("made.not", "/messages?wait=1s&after=x")).status == 400
    assert making.rest("DELETE", topic_path("made.not")).status == 404
    async with await Client.open(making) as client:
        await client.send(type="unsubscribe", topic="made.not", client_id="c")
        await client.expect_error("TOPIC_NOT_FOUND")
    assert making.rest("GET", topic_path("made.not")).status == 404


@pytest.mark.over_cluster
async def test_a_long_poll_makes_its_topic_and_waits(making):
    path = topic_path("made.poll", "/messages?wait=20s")
    poll = asyncio.create_task(asyncio.to_thread(making.rest, "GET", path))
    while making.rest("GET", topic_path("made.poll")).status == 404:
        await asyncio.sleep(0.01)
    async with await Client.open(making) as client:
        await client.publish("made.poll", "x")
    assert [m["message"]["payload"] for m in (await poll).json["messages"]] == ["x"]


@pytest.mark.over_cluster
async def test_of_many_that_make_one_topic_at_once_all_are_there(making):
    clients = [await Client.open(making) for _ in range(16)]
    for number in range(10):
        topic = f"made.race.{number % 2}"
        for client in clients:
            await client.send(type="subscribe", topic=topic, client_id="c", positions=True)
        epochs = {acked(await client.receive(), topic)["epoch"] for client in clients}
        assert epochs == {epoch_of(making, topic)}
        making.delete(topic)
        for client in clients:
            await client.expect(type="info", topic=topic, msg="topic_deleted")
    for client in clients:
        await client.connection.close()


@pytest.mark.one_server("a publish that meets a deletion through another node is refused")
async def test_publishing_to_a_topic_that_is_deleted_all_the_time_is_never_refused(making):
    async def publish_all(client):
        for number in range(200):
            await client.publish("made.churn", number)

    def delete_all():
        while not done:
            making.delete("made.churn")

    done = []
    clients = [await Client.open(making) for _ in range(4)]
    deleting = asyncio.create_task(asyncio.to_thread(delete_all))
    try:
        await asyncio.gather(*map(publish_all, clients))
    finally:
        done.append(True)
        await deleting
    for client in clients:
        await client.connection.close()


async def test_no_more_topics_are_made_than_there_may_be():
    with Server("--topics-create-on", "both", "--max-topics", "2") as server:
        async with await Client.open(server) as client:
            for topic in "ab":
                await client.publish(topic, 1)
            await client.send(type="subscribe", topic="c", client_id="c")
            await client.expect_error("UNAVAILABLE")
            await client.send_publish("c", 1)
            await client.expect_error("UNAVAILABLE")
            answer = server.rest("POST", topic_path("c", "/messages"), 1)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            await wait_for_is_refused(client)


async def wait_for_is_refused(client):
    """Where a subscribe makes topics, one that waits is refused as well where there is no room for its topic."""
    await client.send(type="subscribe", topic="c", client_id="c", wait=True)
    await client.expect_error("UNAVAILABLE")
