"""One budget for memory (`max_memory`): laggards go near it, new work is refused at it, and nothing else happens."""

import asyncio
from contextlib import ExitStack

import pytest

from apus_e2e import Client, Server, eventually, until
from extensions import configure
from flood import KIB, TINY_WINDOW, flood, numbered, read_until, stalled_reader
from prometheus import Scrape
from raw_http import RawHTTP, request
from raw_websocket import TEXT, RawWebSocket, frame

pytestmark = pytest.mark.one_server("it is about one process")

MIB = 1024 * KIB
BIG = 16 * KIB


def metrics(server):
    return Scrape(server.rest("GET", "/metrics").body.decode())


def limit():
    """100 MiB more than a server needs that has nothing to do."""
    with Server() as server:
        server.rest("GET", "/metrics")
        return str(server.rss + 100 * MIB)


@pytest.mark.limit(120)
async def test_near_the_limit_the_reader_that_is_furthest_behind_goes_and_nobody_else_notices():
    with Server("--max-memory", limit(), "--queue", "100000", "--history", "10") as server:
        server.create("t")
        async with await Client.open(server) as publisher, await Client.open(server) as healthy:
            await healthy.subscribe("t")
            raw = stalled_reader(server, "t")
            with raw:
                # 160 MiB of lag, of which 10 messages are history.
                await flood(publisher, "t", range(10_000), BIG, [healthy])
                await until(lambda: server.subscribers("t") == 1, "the slow reader was cut")
                seen = await asyncio.to_thread(read_until, raw, None)
                assert seen.close == (1013, "OVERLOADED")
                assert seen.numbers == list(range(len(seen.numbers))) and not seen.gaps and not seen.errors
            assert metrics(server)["apus_memory_cut_connections_total"] >= 1
            await flood(publisher, "t", range(20), BIG, [healthy])
        assert any("closed a connection to free memory" in line for line in server.log)


@pytest.mark.limit(120)
async def test_at_the_limit_new_work_is_refused_and_the_server_recovers_by_itself():
    with Server("--max-memory", limit(), "--history", "100000") as server:
        server.create("big")
        server.create("other")
        async with await Client.open(server) as publisher:
            answers = []
            while not answers or answers[-1]["type"] == "ack":
                assert len(answers) < 20_000, "160 MiB and more were taken"
                for number in range(50):
                    await publisher.send(numbered("big", number, BIG))
                answers += [await publisher.receive() for _ in range(50)]
            await until(lambda: metrics(server)["apus_memory_full"] == 1, "memory was full")
            acked = sum(answer["type"] == "ack" for answer in answers)
            assert {answer["error"]["code"] for answer in answers if answer["type"] == "error"} == {"UNAVAILABLE"}
            for method, path, body in (("POST", "/topics/other/messages", {"a": 1}), ("POST", "/topics", {"name": "new"}),
                                       ("PUT", "/topics/new", {}), ("GET", "/topics/other/messages?wait=1s", None),
                                       ("GET", "/topics/big/messages", None)):
                refused = server.rest(method, path, body)
                assert (refused.status, refused.headers["Retry-After"]) == (503, "1"), (method, path)
            # What was acked is there, and everything that makes room or only looks works.
            assert server.rest("GET", "/topics/big").json["last"] == acked
            async with await Client.open(server) as late:
                await late.expect_close(1013, "OVERLOADED")
            assert server.rest("PUT", "/topics/big", {"history": 1}).status == 200
            await publisher.send(type="ping")
            assert (await publisher.receive())["type"] == "pong"
            await until(lambda: metrics(server)["apus_memory_full"] == 0, "there was room again")
            await flood(publisher, "other", range(20), BIG)


async def test_the_parts_add_up_to_what_is_allocated_and_that_to_what_is_resident():
    with Server("--history", "100000") as server:
        server.create("t")
        async with await Client.open(server) as publisher:
            await flood(publisher, "t", range(4000), BIG)
        parts = metrics(server).labelled("apus_memory_bytes", "part")
        assert set(parts) == {"logs", "outboxes", "inputs", "drops", "other"}
        assert 4000 * BIG < parts["logs"] < 1.05 * 4000 * BIG
        assert parts["outboxes"] < MIB and parts["inputs"] < MIB
        # All parts but program files are memory of the process; logs are most of it.
        assert parts["logs"] < sum(parts.values()) < server.rss + 16 * MIB
        assert parts["other"] < 0.5 * parts["logs"]
        assert metrics(server)["apus_memory_limit_bytes"] > 64 * MIB


def test_at_the_limit_pages_are_refused_too_however_many_wait_to_be_read():
    with Server("--max-memory", limit()) as server, ExitStack() as stack:
        configure(server, "t", history=64)
        with RawWebSocket.open(server) as publisher:
            for number in range(64):
                publisher.send(frame(TEXT, numbered("t", number, 64 * KIB)))
                assert publisher.read_message()["type"] == "ack"
        before, statuses = server.rss, set()
        for _ in range(200):
            client = stack.enter_context(RawHTTP(server, receive_buffer=TINY_WINDOW))
            client.send(request(path="/topics/t/messages?last_n=64") * 5)
            statuses.add(client.head()[0])
        # All of them would take some 800 MiB, or twice that.
        assert statuses == {200, 503} and server.rss < before + 400 * MIB
        stack.close()
        eventually(lambda: metrics(server)["apus_memory_full"] == 0, "there was room again")
        assert server.rest("GET", "/topics/t/messages").status == 200


def test_without_a_limit_there_is_none():
    with Server("--max-memory", "0") as server:
        assert metrics(server)["apus_memory_limit_bytes"] == 0
