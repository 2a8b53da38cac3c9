"""Memory that is needed no more: what has expired, and what churn has left behind."""

import json

import pytest

from apus_e2e import PATIENCE, Client, Server, until
from extensions import configure, describe, new_message, payloads, publish_batch, receive_events, subscribe
from wire import connect

pytestmark = pytest.mark.one_server("it is about one process")

MIB = 1 << 20
QUIET = ("--release-memory-after", "1s")


def memory(server):
    """What the server has taken for itself, without the pages of its program, in bytes."""
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


async def publish_ids(client, topic, count):
    """Publishes messages with ids of their own, in batches."""
    for start in range(0, count, 10_000):
        await client.send(type="publish", topic=topic, messages=[new_message(n) for n in range(start, start + 10_000)])
        assert (await client.receive(30 * PATIENCE))["count"] == 10_000


def pipeline(server, requests):
    """Sends many requests on one connection, and waits for the answer to the last of them."""
    with connect(server) as connection:
        for start in range(0, len(requests), 100):
            part = requests[start:start + 100]
            connection.sendall(b"".join(part))
            answers = b""
            while answers.count(b"HTTP/1.1 2") < len(part):
                assert (data := connection.recv(1 << 16)), answers[-500:]
                answers += data


def work(server):
    """Has the server work for longer than the 200 ms after which it gives memory back, however fast the machine is."""
    before = server.processor_time
    while server.processor_time - before < 0.3:
        pipeline(server, [request("GET", "/health")] * 500)


def request(method, path, **body):
    text = json.dumps(body) if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


@pytest.mark.limit(90)
async def test_expired_messages_leave_memory_though_nobody_publishes():
    with Server("--history", "20000") as server:
        server.create("t")
        async with await Client.open(server) as client:
            for _ in range(8):
                await client.send(type="publish", topic="t", ttl="500ms", messages=[new_message("x" * 300)] * 2500)
                assert (await client.receive(30 * PATIENCE))["count"] == 2500
            await until(lambda: describe(server, "t")["bytes"] == 0, "no memory")
            assert describe(server, "t")["last"] == 20_000
            await publish_batch(client, "t", range(10))
            await publish_batch(client, "t", range(10, 15), ttl="1ms")
            def page():
                return payloads(server.rest("GET", "/topics/t/messages?last_n=5").json["messages"])
            await until(lambda: page() == [5, 6, 7, 8, 9], "the last messages are those that live")
            await subscribe(client, "t", last_n=5)
            assert payloads(await receive_events(client, "t", 5)) == [5, 6, 7, 8, 9]


@pytest.mark.limit(120)
async def test_memory_of_forgotten_ids_goes_back_when_the_server_is_quiet():
    with Server(*QUIET, "--history", "10") as server:
        configure(server, "t", dedupe_window="1h")
        async with await Client.open(server, max_size=None) as client:
            await publish_ids(client, "t", 50_000)
            full = memory(server)
            configure(server, "t", dedupe_window="1ms")
            work(server)
            await until(lambda: memory(server) < full - 4 * MIB, "memory goes back", 30 * PATIENCE)


@pytest.mark.limit(120)
async def test_memory_of_topics_and_patterns_goes_back_when_the_server_is_quiet():
    names = [f"churn.{number}.x" for number in range(1000)]
    with Server(*QUIET) as server:
        async with await Client.open(server) as client:
            for number in range(10):
                await client.subscribe(["churn.>", "churn.*.x"][number % 2], f"c{number}")
            before = memory(server)
            pipeline(server, [request("POST", "/topics", name=name) for name in names])
            await client.expect_alive()
            full = memory(server)
            pipeline(server, [request("DELETE", f"/topics/{name}") for name in names])
            for _ in range(10 * len(names)):
                assert (await client.receive())["msg"] == "topic_deleted"
        work(server)
        await until(lambda: memory(server) < before + (full - before) / 3, "memory goes back", 30 * PATIENCE)
