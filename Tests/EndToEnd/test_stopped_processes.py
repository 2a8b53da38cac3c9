"""Processes that are stopped for some time (SIGSTOP) and go on: the server, and a client of it."""

import asyncio
import signal
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from apus_e2e import Client, Server, until
from cli_processes import Sub, publish, subscribed
from extensions import configure, listing
from flood import KIB, flood
from raw_http import RawHTTP, request
from raw_websocket import upgrade_request

pytestmark = pytest.mark.one_server("it is about one process")

KEYS = '[{"id":"boss","key":"k","rights":[{"actions":["*"],"topics":[">"]}]}]'
BOSS = {"X-API-Key": "k"}
# Every deadline passes while the server is stopped, but that of idle connections, which clients may lose at any time.
HASTY = ("--ping-interval", "300ms", "--pong-timeout", "1s", "--handshake-timeout", "1s", "--auth-timeout", "1s",
         "--throttle-timeout", "500ms", "--live-timeout", "1s")
STOPPED = 2.5


@asynccontextmanager
async def stopped(server):
    """The server does nothing meanwhile, and goes on some time after the block."""
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
        await asyncio.sleep(STOPPED)
    finally:
        server.process.send_signal(signal.SIGCONT)


@pytest.mark.over_tls
@pytest.mark.parametrize("threads", ["1", "2"])
async def test_whoever_did_its_part_while_the_server_was_stopped_is_served(threads):
    with Server("--threads", threads, "--keys", KEYS, *HASTY) as server:
        assert server.create("t", headers=BOSS).status == 201
        async with AsyncExitStack() as stack:
            idle, publisher = [await stack.enter_async_context(await Client.open(server, additional_headers=BOSS))
                               for _ in range(2)]
            await idle.subscribe("t")
            shaking, asking, waiting = (stack.enter_context(RawHTTP(server)) for _ in range(3))
            handshake = upgrade_request("/ws?api_key=k")
            shaking.send(handshake[:20])
            asking.send(request("POST", "/topics", Content_Length=12, X_API_Key="k") + b'{"name')
            waiting.send(request("GET", "/topics/t/messages?after=0&wait=30s", X_API_Key="k"))
            await until(lambda: len(subscribers(server)) == 2, "the request waits")
            nameless = await stack.enter_async_context(await Client.open(server))
            async with stopped(server):
                message = await publisher.send_publish("t", 1)
                shaking.send(handshake[20:])
                asking.send(b'":"u"}')
                await nameless.send(type="auth", api_key="k")
            await publisher.expect(type="ack", topic="t", status="ok")
            await idle.expect_event("t", message)
            await nameless.expect(type="ack", status="ok")
            assert (await asyncio.to_thread(shaking.head))[0] == 101
            statuses = [(await asyncio.to_thread(raw.answer)).status for raw in (asking, waiting)]
            assert statuses == [201, 200]
            # Nobody is cut afterwards either, and the server is not taken for one that is stuck.
            assert server.rest("GET", "/livez").status == 200
            await asyncio.sleep(1.5)
            for client in (idle, publisher, nameless):
                await client.expect_alive()


def subscribers(server):
    return server.rest("GET", "/subscribers", headers=BOSS).json["subscribers"]


async def test_a_client_that_is_stopped_is_let_go_and_resumes_where_it_was(tmp_path):
    with Server("--ping-interval", "300ms", "--pong-timeout", "500ms") as server:
        server.create("t")
        async with await Client.open(server) as client:
            await client.send(type="subscribe", topic="t", client_id="watcher", presence=True)
            assert (await client.receive())["type"] == "ack"
            with Sub(tmp_path, "t", "--client-id", "stopped", url=server.url) as sub:
                await client.expect(type="info", topic="t", msg="joined", client_id="stopped")
                sub.process.send_signal(signal.SIGSTOP)
                try:
                    await client.expect(type="info", topic="t", msg="left", client_id="stopped")
                    assert server.subscribers("t") == 1
                    assert listing(server)["gone"][0]["reason"] == "NO_PONG"
                    publish(server, "t", range(3))
                finally:
                    sub.process.send_signal(signal.SIGCONT)
                assert await asyncio.to_thread(sub.payloads, 3) == [0, 1, 2]


@pytest.mark.parametrize("policy", ["drop-oldest", "disconnect"])
async def test_a_client_that_is_stopped_while_much_comes_is_a_slow_reader(policy, tmp_path):
    with Server() as server:
        configure(server, "t", queue=20, overflow=policy, history=1000)
        with Sub(tmp_path, "t", "--client-id", "stopped", url=server.url) as sub:
            subscribed(server, "t")
            sub.process.send_signal(signal.SIGSTOP)
            try:
                async with await Client.open(server) as publisher:
                    await flood(publisher, "t", range(300), 64 * KIB)
                    entry = (listing(server)["subscribers"] or listing(server)["gone"])[0]
                    if policy == "disconnect":
                        assert entry["reason"] == "SLOW_CONSUMER"
                    else:
                        assert entry["dropped"] > 0 and entry["lag"]["messages"] <= 20
            finally:
                sub.process.send_signal(signal.SIGCONT)
            # It comes back for what it missed where it was cut; where it was not, it was told of the gap.
            if policy == "disconnect":
                numbers = [payload[0] for payload in await asyncio.to_thread(sub.payloads, 300)]
                assert numbers == list(range(300))
            else:
                await asyncio.to_thread(sub.says, "dropped")
