"""No descriptor for another connection: those that are there go on, and new clients wait until there is one."""

import asyncio
import resource
from contextlib import contextmanager

import pytest

from apus_e2e import Client, Server
from extensions import configure
from flood import KIB
from prometheus import Scrape
from raw_http import request
from secure import hello
from wire import connect_plainly

pytestmark = [pytest.mark.one_server("it is about one process"),
              pytest.mark.over_tls, pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit(2)")]
REFUSED = "new clients wait: cannot accept connections"


@contextmanager
def without_files(server):
    """The server can open no file meanwhile: its limit is set from outside, below what it counts on."""
    pid = server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def knock(server):
    """A client that has sent the first it has to say."""
    plain = connect_plainly(server)
    plain.sendall(hello() if server.tls else request())
    return plain


def is_silent(plain, seconds):
    plain.settimeout(seconds)
    try:
        return plain.recv(1) is None
    except TimeoutError:
        return True


async def test_open_connections_go_on_new_ones_wait_and_neither_the_processor_nor_the_log_is_kept_busy():
    with Server() as server:
        server.create("t")
        async with await Client.open(server) as client:
            await client.subscribe("t")
            kept = server.http()
            kept.request("GET", "/health")
            kept.getresponse().read()
            with without_files(server):
                waiting = [knock(server) for _ in range(20)]
                assert await asyncio.to_thread(is_silent, waiting[0], 0.2)
                message = await client.publish("t", 1)
                await client.expect_event("t", message)
                kept.request("POST", "/topics/t/messages", b"2", {"Content-Type": "application/json"})
                assert kept.getresponse().read()
                assert (await client.receive())["message"]["payload"] == 2
                used = server.processor_time
                assert await asyncio.to_thread(is_silent, waiting[-1], 1)
                # A loop that tries all the time would use all of it.
                assert server.processor_time - used < 0.3
                assert sum(REFUSED in line for line in server.log) == 1
            for plain in waiting:
                plain.settimeout(30)
                assert await asyncio.to_thread(plain.recv, 1)
                plain.close()
            kept.close()
            await client.expect_alive()
        assert server.rest("GET", "/livez").status == 200


async def test_memory_is_looked_at_also_when_no_file_can_be_opened():
    with Server("--max-memory", "100MiB", "--history", "100000") as server:
        configure(server, "t")
        async with await Client.open(server) as publisher:
            kept = server.http()
            kept.request("GET", "/health")
            kept.getresponse().read()
            with without_files(server):
                answer = {}
                while answer.get("type") != "error":
                    await publisher.send_publish("t", "x" * 64 * KIB)
                    answer = await publisher.receive()
                assert answer["error"]["code"] == "UNAVAILABLE"
                kept.request("GET", "/metrics")
                told = Scrape(kept.getresponse().read().decode())
                assert told["apus_memory_full"] == 1
            kept.close()
