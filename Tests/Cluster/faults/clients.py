"""Clients that go through whatever happens: publishers that note each ack, subscribers that wander between nodes."""

import asyncio
import contextlib
import json
import random
import uuid

from websockets.exceptions import WebSocketException

from apus_e2e import Client

# How long a client waits for an answer. A node refuses what it cannot store within 10 s.
ANSWER = 12
CONNECTING = 2
TROUBLE = (OSError, TimeoutError, WebSocketException)


@contextlib.asynccontextmanager
async def connected(node):
    """A client that leaves without a word at the end, so that nobody waits for a node that is not there."""
    async with asyncio.timeout(CONNECTING):
        client = await Client.open(node)
    try:
        yield client
    finally:
        client.connection.transport.abort()


class Acks:
    """When something was acknowledged to a publisher."""

    def __init__(self):
        self.times = [asyncio.get_running_loop().time()]

    def note(self):
        self.times.append(asyncio.get_running_loop().time())

    def longest(self, since):
        """The longest time without an ack that ended after `since`."""
        pairs = zip(self.times, self.times[1:])
        return max((later - earlier for earlier, later in pairs if later >= since), default=0.0)

    def first_after(self, time):
        return next((each - time for each in self.times if each >= time), None)


class Publisher:
    """Publishes numbers through one node, each once. What gets no ack may be there or not."""

    def __init__(self, seats, index, topic):
        self.seats, self.index, self.topic = seats, index, topic
        self.acks, self.acked, self.refused, self.unanswered = Acks(), {}, 0, 0
        self.isOver = False

    async def run(self):
        number = 0
        while not self.isOver:
            try:
                async with connected(self.seats[self.index].node) as client:
                    while not self.isOver:
                        number += 1
                        await self.publish(client, f"{self.index}-{number}")
                        await asyncio.sleep(0.02)
            except TROUBLE:
                self.unanswered += 1
                await asyncio.sleep(0.1)

    async def publish(self, client, payload):
        await client.send_publish(self.topic, payload, outcome=True)
        answer = await client.receive(ANSWER)
        if answer["type"] == "ack":
            self.acked[payload] = answer["offset"]
            self.acks.note()
        elif answer["type"] == "error":
            assert answer["error"]["code"] == "UNAVAILABLE", answer
            self.refused += 1
        else:
            # The node says that it goes: the next one has another connection.
            raise TimeoutError(answer)


class Stubborn(Publisher):
    """Publishes each message with its id until it is acknowledged, by whichever node."""

    def __init__(self, seats, index, topic):
        super().__init__(seats, index, topic)
        self.at, self.repeated = index, 0

    async def run(self):
        number, message = 0, None
        while not self.isOver or message is not None:
            try:
                async with connected(self.seats[self.at].node) as client:
                    while not self.isOver or message is not None:
                        if message is None:
                            number += 1
                            message = {"id": str(uuid.uuid4()), "payload": f"{self.index}-{number}"}
                        else:
                            self.repeated += 1
                        if await self.hand_in(client, message):
                            message = None
                        await asyncio.sleep(0.02)
            except TROUBLE:
                self.unanswered += 1
                await asyncio.sleep(0.1)
            self.at = (self.at + 1) % len(self.seats)

    async def hand_in(self, client, message):
        await client.send(type="publish", topic=self.topic, message=message, outcome=True)
        answer = await client.receive(ANSWER)
        if answer["type"] == "ack":
            self.acked[message["payload"]] = answer["offset"]
            self.acks.note()
            return True
        if answer["type"] == "error":
            assert answer["error"]["code"] == "UNAVAILABLE", answer
            self.refused += 1
        raise TimeoutError(answer)


class Wanderer:
    """Subscribes from the first message on and goes on at another node, now and then and when it has to."""

    def __init__(self, seats, index, topic, epoch, seed):
        self.seats, self.at, self.topic = seats, index, topic
        self.chance = random.Random(seed)
        self.epoch, self.offset, self.moves, self.refused = epoch, 0, 0, 0
        self.seen = []
        self.anomalies = []
        self.isOver = False

    async def run(self):
        while not self.isOver:
            try:
                async with connected(self.seats[self.at].node) as client:
                    await self.subscribe(client)
            except TROUBLE:
                await asyncio.sleep(0.1)
            self.at = self.chance.randrange(len(self.seats))
            self.moves += 1

    async def subscribe(self, client):
        since = {"epoch": self.epoch, "offset": self.offset}
        await client.send(type="subscribe", topic=self.topic, client_id="w", since=since, positions=True)
        ack = await client.receive(ANSWER)
        if ack["type"] == "error":
            # A node that has yet to read so far.
            if ack["error"]["code"] != "UNAVAILABLE":
                self.anomalies.append(f"{since} was refused: {ack}")
            self.refused += 1
            await asyncio.sleep(0.1)
            return
        if ack["epoch"] != self.epoch or ack.get("recovered") is not True:
            self.anomalies.append(f"{since} was not resumed: {ack}")
        end = asyncio.get_running_loop().time() + self.chance.uniform(1, 4)
        while not self.isOver and (left := end - asyncio.get_running_loop().time()) > 0:
            async with asyncio.timeout(left):
                message = json.loads(await client.connection.recv())
            self.take(message)

    def take(self, message):
        if message["type"] == "event":
            if message["offset"] != self.offset + 1:
                self.anomalies.append(f"{message['offset']} came after {self.offset}")
            self.offset = message["offset"]
            self.seen.append((message["offset"], message["message"]["payload"]))
        elif message.get("msg") == "shutdown":
            raise TimeoutError
        elif message.get("msg") != "ping":
            self.anomalies.append(f"told {message}")
