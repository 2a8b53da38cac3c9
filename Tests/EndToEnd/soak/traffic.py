"""Those that publish at a bounded rate, and those that follow them over many connections."""

import asyncio
import contextlib
import json
import random
import uuid

from websockets.exceptions import ConnectionClosed

from .books import Account
from .peers import reset
from .place import STEADY

# Publishes a second, of each of the two publishers.
RATE = 15
# One payload in so many is large enough to be compressed.
LARGE = 4


def payload(number):
    return {"number": number, "text": "soak " * (200 if number % LARGE == 0 else 4)}


async def publish_steadily(world, number):
    """Single messages and batches over WebSocket, on a connection that is changed now and then."""
    way, count = world.way(10 + number), 0
    while not world.is_over:
        if (peer := await way.open(key="writer")) is None:
            await world.pause(0.5)
            continue
        for _ in range(random.randint(50, 500)):
            if world.is_over:
                break
            batch = [payload(count + index) for index in range(random.choice((1, 1, 1, 5)))]
            count += len(batch)
            await peer.publish(random.choice(STEADY), batch, **random.choice(({}, {"key": random.choice("abc")})))
            await world.pause(1 / RATE)
        await peer.leave()


async def publish_over_http(world):
    way, count = world.way(12), 0
    while not world.is_over:
        count += 1
        if count % 5:
            await way.publish(random.choice(STEADY), payload(count))
        else:
            body = "".join(json.dumps(payload(index)) + "\n" for index in range(3)).encode()
            await way.publish(random.choice(STEADY), body, {"Content-Type": "application/x-ndjson",
                                                            "Idempotency-Key": str(uuid.uuid4())})
        await world.pause(0.3)


async def publish_and_vanish(world):
    """Is gone before the answer, and sends the same once more: it is published once."""
    way = world.way(13)
    account = Account(world.books, "once", "the reader of what was sent twice")
    reader = await way.enter(key="reader")
    await reader.subscribe("once", account=account)
    while not world.is_over:
        message = {"id": str(uuid.uuid4()), "payload": payload(1)}
        command = {"type": "publish", "topic": "once", "message": message, "outcome": True}
        if first := await way.open(key="boss"):
            await first.client.send(**command)
            world.books.unanswered += 1
            await asyncio.sleep(random.choice((0, 0.01)))
            first.vanish()
        second = await way.enter(key="boss")
        await second.client.send(**command)
        world.books.count("commands", "publish")
        ack = await second.answer()
        world.books.count("duplicates", number=int(ack["duplicate"]))
        # Its one subscriber is there all the time.
        world.books.publish("once", ack | {"subscribers": 1}, [message["id"]])
        await second.leave()
        await reader.read_for(1)
    await finish(world, reader, account)
    world.accounts.append(account)


async def publish_for_others(world):
    """Subscribes to what it publishes, and wants none of it back."""
    peer = await world.way(14).enter(key="boss")
    await peer.subscribe("own", echo=False)
    while not world.is_over:
        await peer.publish("own", [1, 2])
        world.books.count("own", number=2)
        await world.pause(0.5)
    await peer.leave()


async def follow(world, number):
    """Over WebSocket: comes, stays for a while, leaves or vanishes, and comes back to its position."""
    way = world.way(20 + number % 4)
    account = Account(world.books, random.choice(STEADY), f"follower {number}")
    world.accounts.append(account)
    while not world.is_over:
        if peer := await way.open(key="reader"):
            await peer.subscribe(account.topic, account=account)
            await peer.read_for(random.uniform(0.3, 6))
            if random.random() < 0.5:
                await peer.leave()
            else:
                peer.vanish()
                await unread(world, account)
        await world.pause(random.uniform(0, 1))
    await world.published.wait()
    peer = await way.enter(key="reader")
    await peer.subscribe(account.topic, account=account)
    await finish(world, peer, account)


async def finish(world, peer, account):
    """Reads to the last message there is."""
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        while account.next <= world.books.head(account.topic, account.epoch):
            await peer.receive()
    await peer.leave()


async def unread(world, account):
    """What may have been sent to a client that vanished: at most what was published until the server knew."""
    seen, topic, epoch = account.next - 1, account.topic, account.epoch

    async def later():
        await asyncio.sleep(1)
        world.books.uncertain += world.books.head(topic, epoch) - seen
    world.spawn(later())


async def follow_stream(world, number):
    """As an event stream that is cut off and comes back with the last id."""
    way = world.way(24 + number % 2)
    account = Account(world.books, random.choice(STEADY), f"event stream {number}")
    world.accounts.append(account)
    while not world.is_over:
        stream, parts = await open_stream(way, account), 0
        try:
            async with asyncio.timeout(random.uniform(0.3, 6)):
                while await read_part(way, stream, account):
                    parts += 1
        except TimeoutError:
            world.books.unseen += parts == 0
        reset(stream.transport)
        if account.epoch is not None:
            await unread(world, account)
        await world.pause(random.uniform(0, 1))
    await world.published.wait()
    stream = await open_stream(way, account)
    async with asyncio.timeout(60):
        while account.next is None or account.next <= world.books.head(account.topic, account.epoch):
            if not await read_part(way, stream, account):
                reset(stream.transport)
                await asyncio.sleep(0.2)
                stream = await open_stream(way, account)
    reset(stream.transport)


async def open_stream(way, account):
    headers = {"Last-Event-ID": f"{account.epoch}:{account.next - 1}"} if account.epoch else {}
    return await way.stream(f"/topics/{account.topic}/events", headers=headers)


async def read_part(way, stream, account):
    """Takes one block; False at the end of the stream."""
    part = await way.part(stream)
    if part is None:
        return False
    if part.event == "info" and (info := part.json)["msg"] == "not_recovered":
        account.resumed(info)
    elif part.event == "info" and info["msg"] == "messages_dropped":
        way.books.count("told", "drop-oldest", info["dropped"])
        account.missing(info["from"], info["to"], is_told=True)
    elif part.data and part.event == "message":
        way.books.count("received")
        account.event(part.offset, part.json["message"]["id"])
    elif part.identifier and account.epoch is None:
        epoch, _, offset = part.identifier.rpartition(":")
        account.begin(epoch, int(offset))
    return True


async def follow_pages(world, number):
    """As requests that wait for the next messages."""
    way = world.way(26)
    account = Account(world.books, random.choice(STEADY), f"long poll {number}")
    world.accounts.append(account)
    page = (await way.ask("GET", f"/topics/{account.topic}/messages?last_n=1", key="reader")).json
    account.begin(page["epoch"], page["last"])
    while not world.is_over:
        await next_page(way, account, "2s")
    await world.published.wait()
    while account.next <= world.books.head(account.topic, account.epoch):
        await next_page(way, account, "1s")


async def next_page(way, account, wait):
    query = f"after={account.next - 1}&epoch={account.epoch}&wait={wait}&limit=1000"
    response = await way.ask("GET", f"/topics/{account.topic}/messages?{query}", key="reader")
    if response.status != 200:
        await asyncio.sleep(0.2)
        return
    page = response.json
    if "recovered" in page:
        account.resumed(page)
    way.books.uncertain += len(page["messages"])
    for message in page["messages"]:
        account.event(message["offset"], message["message"]["id"])


async def watch_pattern(world):
    """A plain client without positions: what it gets of each topic is a part of that without holes."""
    way = world.way(27)
    while not world.is_over:
        if (peer := await way.open(key="reader")) is None:
            await world.pause(0.5)
            continue
        seen = {}
        await peer.subscribe("steady.*")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(2, 20)):
                while not world.is_over:
                    message = await peer.receive(None)
                    if message["type"] == "event":
                        seen.setdefault(message["topic"], []).append(message["message"]["id"])
        await peer.leave()
        world.patterns.append(seen)
        # Not all of it is needed, and an hour of it is a lot.
        del world.patterns[:-20]


def settle_patterns(world):
    places = {identifier: (topic, offset) for (topic, _), log in world.books.logs.items()
              for offset, identifier in log.items() if topic in STEADY}
    for seen in world.patterns:
        for topic, ids in seen.items():
            offsets = [places.get(identifier, (None, None)) for identifier in ids]
            first = offsets[0][1] or 0
            if offsets != [(topic, first + number) for number in range(len(ids))]:
                world.books.fault(f"steady.*: what came of {topic} has holes or is out of order")
