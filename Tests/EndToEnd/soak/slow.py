"""Readers that stop reading, under each policy, and those that are cut for it."""

import asyncio
import os
import random

from .books import Account

KIB = 1024
SIZE, BATCH = 64 * KIB, 8
# What slow readers do not read, in batches: 12 MiB. A socket holds up to 4 MiB of it, the reader's client more than 1 MiB,
# and the queue another; what they hold all of makes no reader slow.
BURST = 24
TINY = 4 * KIB
TTL = 0.2


def big():
    # Random, so that compression cannot make it small.
    return os.urandom(SIZE // 2).hex()


async def slow_rounds(world):
    """Once in a while a burst that is too much for those who do not read."""
    turn = 0
    while not world.is_over:
        await dropped(world)
        await disconnected(world)
        await throttled(world, is_cut=turn % 2 == 1)
        turn += 1
        await world.pause(random.uniform(8, 20))


async def stalled(world, topic, policy, account=None, **fields):
    """A subscriber that reads nothing after its ack, with a small window."""
    peer = await world.way(30).enter(key="reader", receive_buffer=TINY)
    await peer.subscribe(topic, account=account, policy=policy, **fields)
    return peer


async def pour(world, topic, **options):
    peer = await world.way(31).enter(key="writer")
    for number in range(BURST):
        fields = {name: value(number) for name, value in options.items()}
        ttl = fields.get("ttl")
        if ttl is None:
            fields.pop("ttl", None)
        await peer.publish(topic, [big() for _ in range(BATCH)], is_silent=ttl is not None, **fields)
    # Below no policy may the last message go missing without a word.
    while (ack := await peer.publish(topic, ["last"], key="last"))["type"] == "error":
        await asyncio.sleep(0.2)
    await peer.leave()
    return ack["offset"]


async def dropped(world):
    """Those that skip: what is missing is announced, or has expired, or there was a newer one with its key."""
    accounts, peers = {}, {}
    for policy in ("drop-oldest", "drop-newest", "latest"):
        accounts[policy] = Account(world.books, "slow", f"a slow reader under {policy}", may_skip=policy == "latest")
        # What `latest` skips beyond its queue counts under drop-oldest.
        told = "drop-oldest" if policy == "latest" else policy
        peers[policy] = await stalled(world, "slow", told, accounts[policy], overflow=policy, queue=20)
    last = await pour(world, "slow", key=lambda number: "abc"[number % 3],
                      ttl=lambda number: TTL if number % 4 == 3 else None)
    await asyncio.sleep(2 * TTL)
    for policy, peer in peers.items():
        account = accounts[policy]
        if policy == "drop-newest":
            # The last one may be among those that are told to be missing.
            while account.next <= last:
                await peer.receive()
        else:
            await peer.read(lambda message: message["type"] == "event" and message["offset"] == last)
        await peer.leave()
        account.settle(is_complete=False)
        world.books.count("left out", number=len(account.skipped))


async def disconnected(world):
    """Those that are cut for being slow."""
    peer = await stalled(world, "slow.disconnect", "disconnect")
    await pour(world, "slow.disconnect")
    await peer.expect_end("SLOW_CONSUMER")


async def throttled(world, is_cut):
    """Those that publishers wait for, and one that lets them wait for too long."""
    account = Account(world.books, "slow.throttle", "a reader under throttle")
    peer = await stalled(world, "slow.throttle", "throttle", account)
    pouring = asyncio.create_task(pour(world, "slow.throttle"))
    if is_cut:
        last = await pouring
        await peer.expect_end("SLOW_CONSUMER")
    else:
        await asyncio.sleep(1)
        await peer.read(lambda message: message["type"] == "event" and message["message"]["payload"] == "last")
        last = await pouring
        await peer.leave()
        if account.next != last + 1 or account.skipped or account.told:
            account.fault("something is missing")
    account.settle(is_complete=False)
