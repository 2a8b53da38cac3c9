"""What may happen. Each fault draws who, when and how long from `chance`, so that a seed repeats it.

A fault tells what it did, which nodes it keeps from their NATS servers or clients, and when all was mended.
"""

import asyncio
import contextlib
import os
from dataclasses import dataclass, field

import namespaces
from namespaces import bad_link, cut
from stepped_clock import ahead


@dataclass
class Effect:
    text: str
    # Nodes that it stops, or keeps from their clients or from NATS.
    nodes: set = field(default_factory=set)
    # Whether two servers that can talk are left all the time, so that the other nodes go on.
    leaves_majority: bool = True
    # What somebody had to do besides mending it.
    hand: str | None = None


ALL = {0, 1, 2}


def one(chance):
    return chance.randrange(3)


def servers(chosen):
    return "+".join(f"nats{index}" for index in sorted(chosen))


async def leader(world):
    stream, index = await asyncio.to_thread(world.leader_of_busiest)
    return index, f"leader of {stream}"


async def kill_servers(world, chosen, seconds):
    for index in chosen:
        world.servers.servers[index].kill()
    await asyncio.sleep(seconds)
    for index in chosen:
        world.servers.servers[index].start()


# MARK: Processes


async def kill_node(world, chance):
    index, seconds = one(chance), chance.uniform(0, 3)
    await asyncio.to_thread(world.seats[index].kill)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(world.seats[index].start)
    return Effect(f"kill -9 node{index}, {seconds:.1f} s", {index})


async def pause_node(world, chance):
    index, seconds = one(chance), chance.uniform(1, 8)
    world.seats[index].pause()
    await asyncio.sleep(seconds)
    world.seats[index].go_on()
    return Effect(f"SIGSTOP node{index}, {seconds:.1f} s", {index})


async def kill_server(world, chance):
    index, seconds = one(chance), chance.uniform(0, 6)
    await kill_servers(world, {index}, seconds)
    return Effect(f"kill -9 nats{index}, {seconds:.1f} s")


async def kill_leader(world, chance):
    seconds = chance.uniform(0, 6)
    index, name = await leader(world)
    await kill_servers(world, {index}, seconds)
    return Effect(f"kill -9 nats{index} ({name}), {seconds:.1f} s")


async def kill_majority(world, chance):
    chosen, seconds = ALL - {one(chance)}, chance.uniform(0, 7)
    await kill_servers(world, chosen, seconds)
    return Effect(f"kill -9 {servers(chosen)}, {seconds:.1f} s", leaves_majority=False)


async def kill_all_servers(world, chance):
    seconds = chance.uniform(0, 5)
    await kill_servers(world, ALL, seconds)
    return Effect(f"kill -9 {servers(ALL)}, {seconds:.1f} s", leaves_majority=False)


async def pause_server(world, index, seconds, name=""):
    world.servers.servers[index].pause()
    await asyncio.sleep(seconds)
    world.servers.servers[index].go_on()
    return Effect(f"SIGSTOP nats{index}{name}, {seconds:.1f} s")


async def pause_any_server(world, chance):
    return await pause_server(world, one(chance), chance.uniform(1, 8))


async def pause_leader(world, chance):
    seconds = chance.uniform(1, 8)
    index, name = await leader(world)
    return await pause_server(world, index, seconds, f" ({name})")


# MARK: The network


async def during(world, seconds):
    await asyncio.sleep(seconds)
    world.mend()


async def cut_off_server(world, chance):
    """A server from everybody."""
    index, seconds = one(chance), chance.uniform(2, 8)
    machine = world.server_machines[index]
    cut([machine], [each for each in world.machines if each is not machine])
    await during(world, seconds)
    return Effect(f"nats{index} cut off from all, {seconds:.1f} s")


async def cut_off_leader(world, chance):
    """The leader from the other servers only: nodes that talk to it go on talking to it."""
    seconds = chance.uniform(2, 8)
    index, name = await leader(world)
    machine = world.server_machines[index]
    cut([machine], [each for each in world.server_machines if each is not machine])
    await during(world, seconds)
    return Effect(f"nats{index} ({name}) cut off from the other servers only, {seconds:.1f} s")


async def cut_two_servers(world, chance):
    """Two servers from each other: both can talk to the third."""
    index, seconds = one(chance), chance.uniform(2, 8)
    others = [each for number, each in enumerate(world.server_machines) if number != index]
    cut(others[:1], others[1:])
    await during(world, seconds)
    return Effect(f"{servers(ALL - {index})} cut off from each other only, {seconds:.1f} s")


async def cut_off_minority(world, chance):
    """A node and a server together from the others. Clients reach all."""
    index, node, seconds = one(chance), one(chance), chance.uniform(2, 8)
    inside = [world.server_machines[index], world.node_machines[node]]
    cut(inside, [each for each in world.machines if each not in inside])
    await during(world, seconds)
    return Effect(f"nats{index} and node{node} cut off from the others, {seconds:.1f} s", {node})


async def cut_all_servers(world, chance):
    """No server can talk to another."""
    seconds = chance.uniform(2, 7)
    machines = world.server_machines
    for index in range(3):
        cut([machines[index]], machines[index + 1:])
    await during(world, seconds)
    return Effect(f"all servers cut off from each other, {seconds:.1f} s", leaves_majority=False)


async def cut_node_from_servers(world, chance):
    node, seconds = one(chance), chance.uniform(2, 8)
    chosen = ALL if chance.random() < 0.5 else {one(chance)}
    cut([world.node_machines[node]], [world.server_machines[index] for index in chosen])
    await during(world, seconds)
    return Effect(f"node{node} cut off from {servers(chosen)}, {seconds:.1f} s", {node})


async def cut_clients_from_node(world, chance):
    node, seconds = one(chance), chance.uniform(2, 8)
    world.node_machines[node].deafen(namespaces.CLIENTS)
    await during(world, seconds)
    return Effect(f"clients cut off from node{node}, {seconds:.1f} s", {node})


async def deafen_server(world, chance):
    """One way only: a server's packets reach the others, and it hears nobody."""
    index, seconds = one(chance), chance.uniform(2, 8)
    machine = world.server_machines[index]
    machine.deafen(*(each.address for each in world.machines if each is not machine))
    await during(world, seconds)
    return Effect(f"nats{index} hears nobody, {seconds:.1f} s")


async def bad(world, chance, machine, name, nodes=()):
    delay, loss, seconds = chance.choice([5, 20, 50, 100]), chance.choice([0, 0.01, 0.05]), chance.uniform(5, 9)
    jitter = delay * chance.choice([0, 0.5, 1])
    link = bad_link(machine, delay, jitter, loss, chance.random())
    await asyncio.to_thread(link.__enter__)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(link.__exit__, None, None, None)
    return Effect(f"{name}: {delay} ± {jitter:.0f} ms each way, loss {loss:.0%}, {seconds:.1f} s", set(nodes))


async def slow_server(world, chance):
    index = one(chance)
    return await bad(world, chance, world.server_machines[index], f"nats{index}")


async def slow_leader(world, chance):
    index, name = await leader(world)
    return await bad(world, chance, world.server_machines[index], f"nats{index} ({name})")


async def slow_node(world, chance):
    index = one(chance)
    return await bad(world, chance, world.node_machines[index], f"node{index}", {index})


# MARK: Restarts


async def restart_nodes(world, order, programs=None):
    for index in order:
        seat = world.seats[index]
        await asyncio.to_thread(seat.stop)
        if programs is not None:
            seat.program = programs[index]
        await asyncio.to_thread(seat.start)
        async with asyncio.timeout(60):
            while not await asyncio.to_thread(lambda seat=seat: seat.is_ready):
                await asyncio.sleep(0.1)


async def restart_servers(world, order):
    for index in order:
        server = world.servers.servers[index]
        server.process.terminate()
        await asyncio.to_thread(server.process.wait)
        server.start()
        # As who rolls them has to: the next one only when this one has all.
        async with asyncio.timeout(60):
            while not await asyncio.to_thread(world.servers.is_healthy, index):
                await asyncio.sleep(0.1)


async def rolling_restart(world, chance):
    order = chance.sample(range(3), 3)
    await restart_servers(world, order)
    await restart_nodes(world, order)
    return Effect(f"nats servers and nodes restarted in the order {order}", set(ALL))


async def rolling_upgrade(world, chance):
    """From a build to another, with both for a while; back at the end of the round."""
    order = chance.sample(range(3), 3)
    other = [os.environ["APUS_BIN_OTHER"]] * 3
    await restart_nodes(world, order, other)
    await asyncio.sleep(1)
    await restart_nodes(world, order, [os.environ["APUS_BIN"]] * 3)
    return Effect(f"nodes to another build and back in the order {order}", set(ALL))


async def skew_clock(world, chance):
    index, seconds = one(chance), chance.choice([-10, 10])
    seat = world.seats[index]
    await asyncio.to_thread(seat.stop)
    seat.clock = ahead(seconds / 3600)
    await asyncio.to_thread(seat.start)
    await asyncio.sleep(chance.uniform(4, 7))
    await asyncio.to_thread(seat.stop)
    seat.clock = None
    await asyncio.to_thread(seat.start)
    return Effect(f"node{index} with a clock that is {seconds:+d} s off", {index})


# MARK: Disks


async def becomes_healthy(world, index, seconds):
    end = asyncio.get_running_loop().time() + seconds
    while not await asyncio.to_thread(world.servers.is_healthy, index):
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.2)
    return True


async def fill(world, chosen, seconds, has_majority):
    with contextlib.ExitStack() as stack:
        for index in chosen:
            await asyncio.to_thread(stack.enter_context, world.servers.disks[index].full())
        await asyncio.sleep(seconds)
    # A server that could not write to a stream does so again only after it was started again.
    hands = []
    for index in sorted(chosen):
        if not await becomes_healthy(world, index, 5):
            await kill_servers(world, {index}, 0)
            hands.append(f"nats{index} started again")
    return Effect(f"disk of {servers(chosen)} full, {seconds:.1f} s", leaves_majority=has_majority,
                  hand=", ".join(hands) or None)


async def full_disk(world, chance):
    return await fill(world, {one(chance)}, chance.uniform(3, 7), True)


async def full_disks(world, chance):
    return await fill(world, ALL - {one(chance)}, chance.uniform(3, 7), False)


async def lose_power(world, chosen, seconds):
    for index in chosen:
        world.servers.servers[index].pause()
    for index in chosen:
        await asyncio.to_thread(world.servers.disks[index].lose_power)
        world.servers.servers[index].kill()
    await asyncio.sleep(seconds)
    for index in chosen:
        await asyncio.to_thread(world.servers.disks[index].power_on)
        world.servers.servers[index].start()
    return Effect(f"power loss of {servers(chosen)}, {seconds:.1f} s", leaves_majority=len(chosen) == 1)


async def power_loss(world, chance):
    return await lose_power(world, {one(chance)}, chance.uniform(0, 4))


async def power_losses(world, chance):
    return await lose_power(world, ALL - {one(chance)}, chance.uniform(0, 4))


async def power_loss_of_all(world, chance):
    return await lose_power(world, ALL, chance.uniform(0, 4))


KINDS = {
    "kill-node": kill_node,
    "kill-server": kill_server,
    "kill-leader": kill_leader,
    "kill-majority": kill_majority,
    "kill-all-servers": kill_all_servers,
    "pause-node": pause_node,
    "pause-server": pause_any_server,
    "pause-leader": pause_leader,
    "cut-off-server": cut_off_server,
    "cut-off-leader": cut_off_leader,
    "cut-two-servers": cut_two_servers,
    "cut-off-minority": cut_off_minority,
    "cut-all-servers": cut_all_servers,
    "cut-node-from-servers": cut_node_from_servers,
    "cut-clients-from-node": cut_clients_from_node,
    "deafen-server": deafen_server,
    "slow-server": slow_server,
    "slow-leader": slow_leader,
    "slow-node": slow_node,
    "rolling-restart": rolling_restart,
    "rolling-upgrade": rolling_upgrade,
    "skew-clock": skew_clock,
    "full-disk": full_disk,
    "full-disks": full_disks,
    "power-loss": power_loss,
    "power-losses": power_losses,
    "power-loss-of-all": power_loss_of_all,
}
