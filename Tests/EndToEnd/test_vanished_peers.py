"""Peers that vanish without FIN: they are let go within the documented time, and what was kept for them is freed."""

import asyncio
import json

import pytest

from apus_e2e import PATIENCE, Client, Server, until
from extensions import configure, listing, new_message
from flood import KIB, flood
from prometheus import scrape
from raw_http import RawHTTP, request
from raw_websocket import TEXT, RawWebSocket, frame, upgrade_request
from vanishing import NEAR, Link, drop_all
from wire import secured

pytestmark = pytest.mark.one_server("it is about one process")

HASTY = ("--ping-interval", "300ms", "--pong-timeout", "1s", "--close-timeout", "500ms", "--idle-timeout", "1s",
         "--throttle-timeout", "1s", "--history", "10")
BIG = 64 * KIB
# Several times what the buffers of a socket hold.
PLENTY = 300


def half_a_publish(topic):
    data = frame(TEXT, json.dumps({"type": "publish", "topic": topic, "message": new_message("x" * KIB)}))
    return data[:len(data) // 2]


async def watch(client, topic):
    await client.send(type="subscribe", topic=topic, client_id="watcher", presence=True)
    assert (await client.receive())["type"] == "ack"


async def expect_left(client, *names):
    """All of them are said to have left, in any order."""
    left = set()
    while left != set(names):
        message = await client.receive()
        if message.get("msg") == "left":
            left.add(message["client_id"])


def files_are(server, count):
    return lambda: server.open_files <= count


@pytest.mark.over_tls
async def test_whoever_is_silent_is_let_go_and_others_are_told():
    with Server(*HASTY) as server:
        server.create("t")
        async with await Client.open(server) as client:
            await watch(client, "t")
            files = server.open_files
            idle, publisher, poll = RawWebSocket.open(server), RawWebSocket.open(server), RawHTTP(server)
            with idle, publisher, poll:
                idle.subscribe("t", "idle")
                publisher.subscribe("t", "publisher")
                poll.send(request("GET", "/topics/t/messages?after=0&wait=1s"))
                publisher.send(half_a_publish("t"))
                await until(lambda: len(listing(server, "t")["subscribers"]) == 4, "all are there")
                for raw in (idle, publisher, poll):
                    drop_all(raw.socket)
                await expect_left(client, "idle", "publisher")
                reasons = {entry["client_id"]: entry["reason"] for entry in listing(server, "t")["gone"]}
                assert reasons["idle"] == reasons["publisher"] == "NO_PONG"
                # The watcher's own connection for requests may be closing.
                await until(files_are(server, files + 1), "their descriptors are free")
                assert server.rest("GET", "/topics/t").json["last"] == 0
            await client.expect_alive()


@pytest.mark.over_tls
async def test_what_was_kept_for_readers_with_full_buffers_is_freed_and_publishers_wait_no_longer():
    with Server(*HASTY) as server:
        configure(server, "t", queue=100, overflow="drop-oldest")
        configure(server, "patient", queue=10, overflow="throttle")
        async with await Client.open(server) as client, await Client.open(server) as publisher:
            await watch(client, "t")
            files = server.open_files
            reader, stream, holder = RawWebSocket.open(server), RawHTTP(server), RawWebSocket.open(server)
            with reader, stream, holder:
                reader.subscribe("t", "reader")
                holder.subscribe("patient", "holder")
                stream.send(request("GET", "/topics/t/events?client_id=stream"))
                await until(lambda: len(listing(server)["subscribers"]) == 4, "all are there")
                ports = [raw.socket.getsockname()[1] for raw in (reader, stream, holder)]
                for raw in (reader, stream, holder):
                    drop_all(raw.socket)
                # The watcher reads all the time.
                left = asyncio.create_task(expect_left(client, "reader", "stream"))
                await flood(publisher, "t", range(PLENTY), BIG)
                await publish_all(publisher, "patient")
                await left
                await until(files_are(server, files + 1), "their descriptors are free")
                # Nor does the kernel keep what they did not take.
                await until(lambda: not any(orphans(port) for port in ports), "their sockets are gone")
                # Topics keep their histories, and nothing for those that are gone.
                await until(lambda: scrape(server)["apus_log_bytes"] < 2 * 11 * (BIG + KIB), "the logs are cut")
                told = scrape(server)
                assert told["apus_messages_pending"] == 0
                assert told.labelled("apus_memory_bytes", "part")["outboxes"] < BIG
            await publisher.expect_alive()


def orphans(port):
    """The kernel's sockets towards this port of a client with something that waits to be sent."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    return [row for row in rows if row[2].endswith(f":{port:04X}") and not row[4].startswith("00000000:")]


async def publish_all(publisher, topic):
    for _ in range(PLENTY):
        await publisher.publish(topic, "x" * BIG)


async def test_a_cable_that_is_cut_is_noticed_by_both_kinds_of_silence():
    with Link() as link, Server("--listen", "127.0.0.1:0", "--listen", f"{NEAR}:0", *HASTY) as server:
        port = int(server.wait_for_log(f"//{NEAR}:").rpartition(":")[2])
        server.create("t")
        async with await Client.open(server) as client:
            await watch(client, "t")
            far = []
            for name in ("idle", "publisher"):
                plain = link.socket()
                plain.settimeout(10 * PATIENCE)
                plain.connect((NEAR, port))
                far.append(RawWebSocket.on(secured(plain, server)))
                assert far[-1].request(upgrade_request(Host=NEAR))[0] == 101
                far[-1].subscribe("t", name)
            far[1].send(half_a_publish("t"))
            link.cut()
            await expect_left(client, "idle", "publisher")
            assert {entry["reason"] for entry in listing(server, "t")["gone"]} == {"NO_PONG"}
            for raw in far:
                raw.socket.close()
            assert server.rest("GET", "/topics/t").json["last"] == 0
