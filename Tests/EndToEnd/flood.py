"""Publishing more than a reader that has stopped can hold, and checking what it sees when it reads again."""

import asyncio
import json
from dataclasses import dataclass, field

from apus_e2e import PATIENCE, Client
from raw_websocket import CLOSE, RawWebSocket

KIB = 1024
UUID = "550e8400-e29b-41d4-a716-446655440000"
TINY_WINDOW = 4 * KIB


def numbered(topic, number, size):
    """A publish command whose payload is `[number, filler of so many bytes]`."""
    return (f'{{"type":"publish","topic":"{topic}","message":'
            f'{{"id":"{UUID}","payload":[{number},"{"x" * size}"]}}}}')


def stalled_reader(server, topic, path="/ws", **fields):
    """A subscriber that reads its ack and nothing after it, with the smallest receive buffer there is."""
    raw = RawWebSocket.open(server, path, receive_buffer=TINY_WINDOW)
    raw.subscribe(topic, "stalled", **fields)
    return raw


async def flood(publisher, topic, numbers, size, healthy=(), batch=20):
    """Publishes in batches; each must be acked and reach every healthy subscriber before the next, promptly."""
    numbers = list(numbers)
    for start in range(0, len(numbers), batch):
        chunk = numbers[start:start + batch]
        for number in chunk:
            await publisher.send(numbered(topic, number, size))
        for _ in chunk:
            message = await publisher.receive(2 * PATIENCE)
            assert message == {"type": "ack", "topic": topic, "status": "ok"}
        for client in healthy:
            for number in chunk:
                message = await client.receive(2 * PATIENCE)
                assert message["type"] == "event" and message["message"]["payload"][0] == number, message


async def publish_freely(publisher, topic, numbers, size, window, acked):
    """Publishes as fast as acks come; appends the time of every ack to `acked`."""
    numbers, loop = list(numbers), asyncio.get_running_loop()
    sent = 0
    while len(acked) < len(numbers):
        while sent < len(numbers) and sent - len(acked) < window:
            await publisher.send(numbered(topic, numbers[sent], size))
            sent += 1
        assert (await publisher.receive(60 * PATIENCE))["type"] == "ack"
        acked.append(loop.time())


@dataclass
class Seen:
    """What a reader saw: the numbers of events, and the announced gaps with the number before each."""

    numbers: list = field(default_factory=list)
    gaps: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    close: tuple | None = None

    @property
    def dropped(self):
        return sum(count for _, count in self.gaps)


def read_until(raw, last):
    """Reads on to the event with the number `last`, an error, or a close."""
    seen = Seen()
    while not seen.numbers or seen.numbers[-1] != last:
        received = raw.read_frame()
        if received.opcode == CLOSE:
            seen.close = received.close
            return seen
        message = json.loads(received.payload)
        if message["type"] == "event":
            seen.numbers.append(message["message"]["payload"][0])
        elif message["type"] == "error":
            seen.errors.append(message["error"]["code"])
        else:
            assert (message["type"], message["msg"]) == ("info", "messages_dropped"), message
            assert type(message["dropped"]) is int and message["dropped"] > 0
            seen.gaps.append((seen.numbers[-1] if seen.numbers else -1, message["dropped"]))
    return seen


def expect_exact_gaps(seen, count):
    """Every gap is announced in its place with its exact size, once; all numbers below `count` are accounted for."""
    announced, expected = dict(seen.gaps), -1
    assert len(announced) == len(seen.gaps), f"two announcements of one gap: {seen.gaps}"
    for number in seen.numbers:
        gap = number - expected - 1
        told = announced.get(expected, 0)
        assert gap == told, f"gap of {gap} before {number}, announced {told}"
        expected = number
    assert expected == count - 1
    assert len(seen.numbers) + seen.dropped == count


async def overflow_a_stalled_reader(server, topic, queue, dialect, count=3000, size=8 * KIB):
    """drop-oldest end to end: the reader sees its gaps exactly, and has kept the newest.

    What is on its way into the socket counts towards the queue too, so fewer than `queue` may follow the last gap.
    """
    with stalled_reader(server, topic, f"{dialect.prefix}/ws") as raw:
        async with await Client.open(server, dialect) as publisher:
            await flood(publisher, topic, range(count), size)
        seen = await asyncio.to_thread(read_until, raw, count - 1)
        assert seen.gaps and not seen.errors and seen.close is None
        expect_exact_gaps(seen, count)
        newest = queue // 2
        assert seen.numbers[-newest:] == list(range(count - newest, count))
