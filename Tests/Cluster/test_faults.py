"""Three NATS servers and what may happen to them. The long form is by command: APUS_CLUSTER_ROUNDS."""

import asyncio
import json
import os
import random

import pytest

from apus_e2e import until
from nats import NATSCluster, is_ready, nodes
from storms import Storm, check, histories

ROUNDS = int(os.environ.get("APUS_CLUSTER_ROUNDS", "1"))


async def through(fault, seconds=6):
    """A storm through three nodes while something happens to NATS."""
    with NATSCluster(3) as servers, nodes(3, servers, "--history", "1000000") as running:
        assert running[0].rest("PUT", "/topics/t", {}).status == 201
        for node in running:
            await until(lambda node=node: node.rest("GET", "/topics/t").status == 200, "the topic")
        storm = Storm(running, "t")
        publishing = [asyncio.create_task(storm.publish(index)) for index in range(3)]
        await until(lambda: len(storm.acked) > 50, "a storm")
        await fault(servers, running)
        await asyncio.sleep(seconds)
        before = len(storm.acked)
        await until(lambda: all(is_ready(node) for node in running), "nodes that are ready again", 120)
        await until(lambda: len(storm.acked) > before + 20, "acks again")
        storm.isOver = True
        await asyncio.gather(*publishing)
        found = await asyncio.to_thread(histories, running, "t")
        assert check(found, storm.acked).faults == []
        print(json.dumps({"acked": len(storm.acked), "refused": storm.refused, "longest": round(storm.longest, 2)}))


async def kill_one(servers, _):
    server = random.choice(servers.servers)
    server.kill()
    await asyncio.sleep(2)
    server.start()


async def pause_one(servers, _):
    server = random.choice(servers.servers)
    server.pause()
    await asyncio.sleep(5)
    server.go_on()


async def kill_majority(servers, _):
    for server in servers.servers[:2]:
        server.kill()
    await asyncio.sleep(6)
    for server in servers.servers[:2]:
        server.start()


async def restart_all(servers, _):
    for server in servers.servers:
        server.kill()
        await asyncio.sleep(1)
        server.start()
        await asyncio.sleep(1)


FAULTS = [kill_one, pause_one, kill_majority, restart_all]


@pytest.mark.parametrize("round", range(ROUNDS))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_nothing_acknowledged_is_lost_doubled_or_moved(fault, round):
    await through(fault)
