"""Publishers and subscribers of a server that is killed again and again: each goes on where it was."""

import asyncio
import contextlib
import http.client
import itertools

from apus_e2e import BASE, V1, Client
from event_stream import EventStream, events_path
from extensions import new_message, subscribe, topic_path
from history import get
from websockets.exceptions import ConnectionClosed

# What ends when the server is killed.
BROKEN = (ConnectionClosed, OSError, EOFError, http.client.HTTPException)
PATIENT = 60


class Publisher:
    """Publishes numbers with a window, and knows what was acknowledged."""

    def __init__(self, name, topic, window=1, dialect=BASE):
        self.name, self.topic, self.window, self.dialect = name, topic, window, dialect
        self.sent, self.acked = 0, set()

    async def run(self, server):
        """Keeps publishes under way until the connection breaks."""
        with contextlib.suppress(*BROKEN):
            async with await Client.open(server, self.dialect) as client:
                for _ in range(self.window):
                    await self.send(client)
                while True:
                    ack = await client.receive(PATIENT)
                    assert ack["type"] == "ack", ack
                    self.acked.add(int(ack["request_id"]))
                    await self.send(client)

    async def send(self, client):
        # A number that was sent and not acknowledged may be there or not; the next ones go on after it.
        self.sent += 1
        await client.send(type="publish", topic=self.topic, request_id=str(self.sent),
                          message=new_message([self.name, self.sent]))

    def expect_all_in(self, kept):
        """Everything acknowledged is there, once and in its order."""
        numbers = [number for name, number in kept if name == self.name]
        assert all(before < after for before, after in itertools.pairwise(numbers)), "doubled or reordered"
        assert self.acked <= set(numbers), f"acknowledged and lost: {sorted(self.acked - set(numbers))[:10]}"
        assert self.acked


class Reader:
    """Reads a topic from its first message on, across restarts, by its position alone."""

    def __init__(self, topic):
        self.topic, self.epoch, self.seen = topic, None, []

    def take(self, event):
        assert event["offset"] == len(self.seen) + 1, f"{type(self).__name__}: {event['offset']} after {len(self.seen)}"
        self.seen.append(event["message"])

    def resumed(self, epoch, recovered):
        """What the server says about the position that it was asked to go on from."""
        assert self.epoch in (None, epoch) and recovered is not False, (type(self).__name__, epoch, recovered)
        self.epoch = epoch

    @property
    def since(self):
        return "all" if self.epoch is None else {"epoch": self.epoch, "offset": len(self.seen)}

    async def run(self, server):
        """Reads until the connection breaks."""
        with contextlib.suppress(*BROKEN):
            await self.read(server)


class SocketReader(Reader):
    dialect = BASE

    async def read(self, server):
        client = await Client.open(server, self.dialect)
        try:
            ack = await subscribe(client, self.topic, since=self.since, queue=100_000, positions=True)
            self.resumed(ack["epoch"], ack["recovered"] if self.epoch else None)
            while True:
                event = await client.receive(PATIENT)
                assert event["type"] == "event", event
                self.take(event)
        finally:
            # Without waiting for a server that is gone.
            client.connection.transport.abort()


class SocketReaderV1(SocketReader):
    dialect = V1


class StreamReader(Reader):
    async def read(self, server):
        asked = {"since": "all"} if self.epoch is None else {"last_event_id": f"{self.epoch}:{len(self.seen)}"}
        async with await EventStream.open(server, events_path(topic_path(self.topic), **asked)) as stream:
            self.resumed((await stream.start()).identifier.partition(":")[0], None)
            while (part := await stream.next(PATIENT)) is not None:
                assert part.event == "message", part.text
                self.take(part.json)


class PageReader(Reader):
    """Asks for the next page, and waits for it."""

    async def read(self, server):
        while True:
            start = {"since": "all"} if self.epoch is None else {"after": len(self.seen), "epoch": self.epoch}
            page = (await asyncio.to_thread(get, server, self.topic, limit=1000, wait="5s", **start)).json
            self.resumed(page["epoch"], page.get("recovered"))
            for message in page["messages"]:
                self.take(message)


def readers(topic):
    """One of each way to read."""
    return [kind(topic) for kind in (SocketReader, SocketReaderV1, StreamReader, PageReader)]
