"""What the system does about memory, and what the server does before: `max_memory` below a limit that kills."""

import asyncio
import os
import resource
import signal
from pathlib import Path

import pytest

from websockets.exceptions import ConnectionClosed

from apus_e2e import Client, Server, until
from extensions import configure
from flood import KIB, flood, numbered
from memory_group import memory_group
from prometheus import scrape

pytestmark = pytest.mark.one_server("it is about one process")

MIB = 1024 * KIB
BIG = 64 * KIB


def inside(processes):
    """For a server that is to start in this group."""
    return {"preexec_fn": lambda: processes.write_text(str(os.getpid()))}


async def fill(server, topic, bound, batch=20):
    """Publishes until messages are refused; how many were taken."""
    async with await Client.open(server) as publisher:
        taken = 0
        while taken * BIG < bound:
            for number in range(batch):
                await publisher.send(numbered(topic, number, BIG))
            answers = [await publisher.receive() for _ in range(batch)]
            refused = [answer["error"]["code"] for answer in answers if answer["type"] == "error"]
            taken += batch - len(refused)
            if refused:
                assert set(refused) == {"UNAVAILABLE"}
                return taken
    raise AssertionError(f"{bound} bytes were taken")


async def test_in_a_control_group_the_server_refuses_work_before_the_system_kills_it():
    with memory_group(160 * MIB) as processes, Server("--history", "100000", popen=inside(processes)) as server:
        configure(server, "t")
        # Three quarters of the group's memory, without being told.
        assert scrape(server)["apus_memory_limit_bytes"] == 120 * MIB
        taken = await fill(server, "t", 200 * MIB)
        assert taken * BIG > 60 * MIB
        assert scrape(server)["apus_memory_full"] == 1
        assert server.rest("POST", "/topics/t/messages", {"a": 1}).status == 503
        assert server.rest("PUT", "/topics/t", {"history": 1}).status == 200
        await until(lambda: scrape(server)["apus_memory_full"] == 0, "there is room again")
        async with await Client.open(server) as publisher:
            await flood(publisher, "t", range(20), BIG)


async def test_without_a_limit_of_its_own_a_server_in_a_control_group_is_killed():
    with memory_group(100 * MIB) as processes:
        unlimited = Server("--history", "100000", "--max-memory", "0", popen=inside(processes), exit_code=-signal.SIGKILL)
        with unlimited as server:
            configure(server, "t")
            with pytest.raises((ConnectionClosed, TimeoutError)):
                await fill(server, "t", 200 * MIB)
            await asyncio.to_thread(server.process.wait, 30)


async def test_where_the_system_gives_no_memory_the_process_ends_with_a_signal_rather_than_going_on():
    # Else Swift's runtime, where it is installed with its tools, takes its time to print all stacks.
    quick = {"SWIFT_BACKTRACE": "enable=no"}
    with Server("--history", "100000", "--max-memory", "0", env=quick, exit_code=None) as server:
        configure(server, "t")
        status = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
        size = next(int(line.split()[1]) * KIB for line in status if line.startswith("VmSize"))
        resource.prlimit(server.process.pid, resource.RLIMIT_AS, (size + 64 * MIB, size + 64 * MIB))
        with pytest.raises((ConnectionClosed, TimeoutError)):
            await fill(server, "t", 400 * MIB)
        await asyncio.to_thread(server.process.wait, 30)
        assert server.process.returncode < 0, server.process.returncode
