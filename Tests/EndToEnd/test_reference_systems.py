"""The documented examples of the five reference systems, each on Apus with that system's configuration (section 8).

What docs/guides/from-the-references.md promises.
"""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from apus_e2e import BASE, PATIENCE, V1, Client, Dialect, Server, apus, until
from flood import KIB, flood, overflow_a_stalled_reader, publish_freely, read_until, stalled_reader

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")

CONFIGURATIONS = Path(__file__).resolve().parents[2] / "Configurations"
UUID = "550e8400-e29b-41d4-a716-446655440000"


@dataclass(frozen=True)
class Reference:
    name: str
    port: int
    overflow: str
    queue: int | None = None
    dialect: Dialect = BASE
    create_existing: int = 409
    disconnects: bool = False

    @property
    def file(self):
        return str(CONFIGURATIONS / f"{self.name}.yaml")

    def start(self, *flags, env=None):
        return Server("--config", self.file, "--host", "127.0.0.1", *flags, env=env)


R0 = Reference("r0", 8000, "throttle", disconnects=True)
R1 = Reference("r1", 8080, "drop-oldest", 100)
R2 = Reference("r2", 8000, "drop-oldest", 1000, create_existing=201)
R3 = Reference("r3", 8080, "drop-oldest", 100)
R4 = Reference("r4", 8080, "disconnect", 100, V1, disconnects=True)
ALL = pytest.mark.parametrize("reference", [R0, R1, R2, R3, R4], ids=lambda reference: reference.name)


@ALL
def test_its_configuration_says_what_the_contract_says(reference):
    result = apus("config", "print", "--config", reference.file)
    assert result.returncode == 0, result.stderr
    settings = [line.split("#")[0].strip().replace('"', "") for line in result.stdout.splitlines()]
    assert f"port: {reference.port}" in settings and "history: 100" in settings
    assert f"overflow: {reference.overflow}" in settings
    assert reference.queue is None or f"queue: {reference.queue}" in settings
    assert ("on_delete: disconnect" in settings) == reference.disconnects
    assert ("create_existing: created" in settings) == (reference.create_existing == 201)
    assert "host: 0.0.0.0" in settings


@ALL
def test_its_topics_are_managed_as_its_readme_shows(reference):
    prefix = reference.dialect.prefix
    with reference.start() as server:
        created = server.rest("POST", f"{prefix}/topics", {"name": "orders"})
        assert (created.status, created.json) == (201, {"status": "created", "topic": "orders"})
        again = server.rest("POST", f"{prefix}/topics", {"name": "orders"})
        assert again.status == reference.create_existing
        if again.status == 409:
            assert again.json["code"] == "TOPIC_EXISTS" and again.json["detail"] == "Topic 'orders' already exists"
        else:
            assert again.json == {"status": "created", "topic": "orders"}
        assert server.rest("GET", f"{prefix}/topics").json == {"topics": [{"name": "orders", "subscribers": 0}]}
        health = server.rest("GET", f"{prefix}/health").json
        assert type(health[reference.dialect.uptime_key]) is int
        assert (health["topics"], health["subscribers"]) == (1, 0)
        statistics = server.rest("GET", f"{prefix}/stats").json["topics"]["orders"]
        assert (statistics["messages"], statistics["subscribers"]) == (0, 0)
        deleted = server.rest("DELETE", f"{prefix}/topics/orders")
        assert (deleted.status, deleted.json) == (200, {"status": "deleted", "topic": "orders"})
        missing = server.rest("DELETE", f"{prefix}/topics/orders")
        assert (missing.status, missing.json["detail"]) == (404, "Topic 'orders' not found")


@ALL
async def test_its_messages_are_exchanged_as_its_readme_shows(reference):
    with reference.start() as server:
        server.create("orders", reference.dialect)
        async with (await Client.open(server, reference.dialect) as subscriber,
                    await Client.open(server, reference.dialect) as publisher):
            earlier = [await publisher.publish("orders", {"order_id": f"ORD-{number}"}) for number in range(7)]
            await subscriber.send(type="subscribe", topic="orders", client_id="s1", last_n=5, request_id=UUID)
            await subscriber.expect(type="ack", request_id=UUID, topic="orders", status="ok")
            for message in earlier[2:]:
                await subscriber.expect_event("orders", message)
            message = {"id": UUID, "payload": {"order_id": "ORD-123", "amount": "99.5", "currency": "USD"}}
            await publisher.send(type="publish", topic="orders", message=message, request_id="340e8400-e29b")
            await publisher.expect(type="ack", request_id="340e8400-e29b", topic="orders", status="ok")
            await subscriber.expect_event("orders", message)
            await publisher.send(type="ping", request_id="570t8400")
            await publisher.expect(type="pong", request_id="570t8400")
            await publisher.send(type="publish", topic="unknown", message=message, request_id="req-67890")
            assert "unknown" in await publisher.expect_error("TOPIC_NOT_FOUND", request_id="req-67890")
            await subscriber.send(type="unsubscribe", topic="orders", client_id="s1", request_id="340e8400")
            await subscriber.expect(type="ack", request_id="340e8400", topic="orders", status="ok")
            assert server.rest("GET", f"{reference.dialect.prefix}/stats").json["topics"]["orders"]["messages"] == 8
            await subscriber.subscribe("orders", "s2")
            assert server.delete("orders", reference.dialect).status == 200
            deleted = {"type": "info", "topic": "orders", "msg": "topic_deleted"}
            if reference.disconnects:
                assert await subscriber.expect_close(1000) == [deleted]
            else:
                await subscriber.expect(**deleted)
                await subscriber.expect_alive()
            await publisher.expect_alive()


async def test_r4_takes_ids_that_are_no_uuids_and_says_timestamp():
    with R4.start() as server:
        server.create("orders", V1)
        async with await Client.open(server, V1) as client:
            await client.subscribe("orders")
            for identifier in ("msg-1", "1", "ü"):
                message = {"id": identifier, "payload": {"amount": 1}}
                await client.send(type="publish", topic="orders", message=message)
                ack, event = await client.receive_text(), await client.receive_text()
                assert json.loads(event)["message"] == message
                for text in (ack, event):
                    assert '"timestamp":' in text and '"ts":' not in text


async def test_r4_disconnects_a_slow_consumer():
    with R4.start() as server:
        server.create("t", V1)
        async with await Client.open(server, V1) as publisher:
            with stalled_reader(server, "t", "/v1/ws") as raw:
                await flood(publisher, "t", range(2000), 8 * KIB)
                await until(lambda: server.subscribers("t") == 0, "the slow consumer unsubscribed")
                seen = await asyncio.to_thread(read_until, raw, None)
                assert seen.numbers == list(range(len(seen.numbers)))
                assert (seen.gaps, seen.errors, seen.close) == ([], ["SLOW_CONSUMER"], (1008, "SLOW_CONSUMER"))


@pytest.mark.limit(90)
@pytest.mark.parametrize("reference", [R1, R2, R3], ids=lambda reference: reference.name)
async def test_r1_to_r3_drop_the_oldest_messages_of_a_slow_reader_and_say_how_many(reference):
    with reference.start() as server:
        server.create("t")
        await overflow_a_stalled_reader(server, "t", reference.queue, BASE, count=4000)


@pytest.mark.limit(90)
async def test_r0_slows_publishers_down_and_loses_nothing():
    count = 3000
    with R0.start() as server:
        server.create("t")
        async with await Client.open(server) as publisher:
            with stalled_reader(server, "t") as raw:
                acked = []
                publishing = asyncio.create_task(publish_freely(publisher, "t", range(count), 16 * KIB, 10, acked))
                while not acked or asyncio.get_running_loop().time() - acked[-1] < 1:
                    await asyncio.sleep(0.05)
                assert 0 < len(acked) < count
                seen = await asyncio.to_thread(read_until, raw, count - 1)
                assert seen.numbers == list(range(count)) and not seen.gaps
                async with asyncio.timeout(10 * PATIENCE):
                    await publishing


async def test_r3_sends_heartbeats_and_obeys_its_environment_names():
    with R3.start("--heartbeat", "100ms", env={"PUBSUB_LOG_LEVEL": "debug"}) as server:
        async with await Client.open(server) as client:
            client.sees_heartbeats = True
            for _ in range(3):
                await client.expect(type="info", msg="ping")
    env = {"PUBSUB_HOST": "10.9.8.7", "PUBSUB_PORT": "7009", "PUBSUB_LOG_LEVEL": "error",
           "PUBSUB_MAX_QUEUE_SIZE": "77", "PUBSUB_HISTORY_SIZE": "66",
           "PUBSUB_WS_PING_INTERVAL": "20", "PUBSUB_WS_PING_TIMEOUT": "7.5"}
    printed = apus("config", "print", "--config", R3.file, env=env).stdout.replace('"', "")
    for setting in ("host: 10.9.8.7", "port: 7009", "log_level: error", "queue: 77", "history: 66",
                    "ping_interval: 20s", "pong_timeout: 7500ms"):
        assert setting in printed
    heartbeat = next(line for line in printed.splitlines() if line.startswith("heartbeat:"))
    assert heartbeat.split()[1] not in ("0", "0s")


def test_r3_has_a_health_check_for_containers():
    with R3.start() as server:
        assert apus("healthcheck", "--url", server.url).returncode == 0


def test_r2_shows_its_api_documentation():
    with R2.start() as server:
        page = server.rest("GET", "/docs")
        assert (page.status, page.content_type) == (200, "text/html")
        paths = server.rest("GET", "/openapi.json").json["paths"]
        assert {"/topics", "/topics/{name}", "/health", "/stats"} <= set(paths)


@pytest.mark.limit(120)
async def test_r2_delivers_all_of_its_light_load():
    topics, publishers, subscribers, messages = 5, 10, 20, 100
    with R2.start() as server:
        names = [f"load-{number}" for number in range(topics)]
        assert [server.create(name).status for name in names] == [201] * topics
        async with AsyncExitStack() as stack:
            readers = [await stack.enter_async_context(await Client.open(server)) for _ in range(subscribers)]
            writers = [await stack.enter_async_context(await Client.open(server)) for _ in range(publishers)]
            for number, reader in enumerate(readers):
                await reader.subscribe(names[number % topics], f"reader-{number}")

            async def write(number, writer):
                for count in range(messages):
                    await writer.publish(names[number % topics], [number, count])

            async def read(number, reader):
                expected = sorted([writer, count] for writer in range(publishers) if writer % topics == number % topics
                                  for count in range(messages))
                received = [await reader.receive(30 * PATIENCE) for _ in expected]
                assert {message["topic"] for message in received} == {names[number % topics]}
                assert sorted(message["message"]["payload"] for message in received) == expected
                await reader.expect_alive()

            await asyncio.gather(*(write(*pair) for pair in enumerate(writers)),
                                 *(read(*pair) for pair in enumerate(readers)))


def test_r2_takes_50_concurrent_topic_operations():
    with R2.start() as server:
        async def operations():
            return await asyncio.gather(*(asyncio.to_thread(server.create, f"c-{number}") for number in range(50)))

        assert {response.status for response in asyncio.run(operations())} == {201}
        assert len(server.rest("GET", "/topics").json["topics"]) == 50
