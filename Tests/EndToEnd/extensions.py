"""What a client does with the extensions: positions, outcomes, topics with settings, readers with a policy."""

import json
import uuid
from dataclasses import dataclass, field
from urllib.parse import quote

from apus_e2e import BASE, Client
from flood import KIB, TINY_WINDOW, UUID
from raw_websocket import CLOSE, PING, RawWebSocket

BIG = 64 * KIB
# So many messages of BIG are several times what the buffers of a stalled reader's socket hold.
PLENTY = 400


def new_message(payload):
    return {"id": str(uuid.uuid4()), "payload": payload}


def position(holder, offset=None):
    """The `since` that resumes after what `holder` (an ack, an outcome, a page) says, or after `offset`."""
    return {"epoch": holder["epoch"], "offset": holder["offset"] if offset is None else offset}


def acked(message, topic, request_id=None):
    """What an ack says beyond that of a plain client."""
    expected = {"type": "ack", "topic": topic, "status": "ok"}
    if request_id is not None:
        expected["request_id"] = request_id
    assert expected.items() <= message.items(), f"{message} is not the ack {expected}"
    return {name: value for name, value in message.items() if name not in {"request_id", *expected}}


async def subscribe(client, topic, client_id="c", **fields):
    """Subscribes; what the ack says beyond that of a plain subscription."""
    await client.send(type="subscribe", topic=topic, client_id=client_id, **fields)
    return acked(await client.receive(), topic, fields.get("request_id"))


async def publish(client, topic, payload, **fields):
    """Publishes with `outcome`; the message as subscribers must see it, and what the ack says."""
    message = await client.send_publish(topic, payload, outcome=True, **fields)
    return message, acked(await client.receive(), topic, fields.get("request_id"))


async def publish_batch(client, topic, payloads, **fields):
    """Publishes one batch; the messages, and what the ack says."""
    messages = [new_message(payload) for payload in payloads]
    await client.send(type="publish", topic=topic, messages=messages, **fields)
    return messages, acked(await client.receive(), topic, fields.get("request_id"))


async def head(server, topic):
    """The last offset, asked for by a subscriber that leaves again."""
    async with await Client.open(server) as client:
        return (await subscribe(client, topic, positions=True))["offset"]


async def receive_events(client, topic, count):
    """The next messages, which must be events of the topic."""
    events = [await client.receive() for _ in range(count)]
    for event in events:
        assert (event["type"], event["topic"]) == ("event", topic), event
    return events


def payloads(events):
    return [event["message"]["payload"] for event in events]


def offsets(events):
    return [event["offset"] for event in events]


async def expect_bad(client, field, **command):
    """The command must be refused with an error that names the field."""
    request_id = str(uuid.uuid4())
    await client.send(**command, request_id=request_id)
    text = await client.expect_error("BAD_REQUEST", request_id)
    assert field in text, f"{text!r} does not name {field!r}"


def topic_path(topic, rest="", dialect=BASE):
    return f"{dialect.prefix}/topics/{quote(topic, safe='')}{rest}"


def put(server, topic, dialect=BASE, headers=None, **settings):
    return server.rest("PUT", topic_path(topic, dialect=dialect), settings, headers)


def configure(server, topic, **settings):
    """Gives a topic settings; it is created where it does not exist."""
    response = put(server, topic, **settings)
    assert response.status in (200, 201), response.body
    return topic


def describe(server, topic, dialect=BASE):
    response = server.rest("GET", topic_path(topic, dialect=dialect))
    assert response.status == 200, response.body
    return response.json


def listing(server, topic=None, query=""):
    """The subscribers of a topic, or of all."""
    path = "/subscribers" if topic is None else topic_path(topic, "/subscribers")
    response = server.rest("GET", path + query)
    assert response.status == 200, response.body
    return response.json


def lag(server, topic, client_id="stalled"):
    """How many messages the topic's subscriber of that name has not been sent yet."""
    entries = [entry for entry in listing(server, topic)["subscribers"] if entry["client_id"] == client_id]
    assert len(entries) == 1, entries
    return entries[0]["lag"]["messages"]


def stalled(server, topic, client_id="stalled", path="/ws", **fields):
    """A subscriber that reads its ack and nothing after it: its socket, and what the ack says."""
    raw = RawWebSocket.open(server, path, receive_buffer=TINY_WINDOW)
    raw.command(type="subscribe", topic=topic, client_id=client_id, **fields)
    ack = raw.read_message()
    del ack["timestamp" if path.startswith("/v1") else "ts"]
    return raw, acked(ack, topic)


def numbered(topic, number, size=BIG, **fields):
    """A publish command whose payload is `[number, filler]`."""
    extra = "".join(f',{json.dumps(name)}:{json.dumps(value)}' for name, value in fields.items())
    return (f'{{"type":"publish","topic":"{topic}"{extra},"message":'
            f'{{"id":"{UUID}","payload":[{number},"{"x" * size}"]}}}}')


async def pour(publisher, topic, numbers, size=BIG, batch=20, keys=None):
    """Publishes numbered messages in batches, each acked before the next; `keys` names the key of a number."""
    numbers = list(numbers)
    for start in range(0, len(numbers), batch):
        chunk = numbers[start:start + batch]
        for number in chunk:
            await publisher.send(numbered(topic, number, size, **({} if keys is None else {"key": keys(number)})))
        for _ in chunk:
            assert acked(await publisher.receive(), topic) == {}


@dataclass
class Seen:
    """What a reader saw, whole messages in their order."""

    messages: list = field(default_factory=list)
    close: tuple | None = None

    def of_type(self, kind):
        return [message for message in self.messages if message["type"] == kind]

    @property
    def events(self):
        return self.of_type("event")

    @property
    def numbers(self):
        return [event["message"]["payload"][0] for event in self.events]

    def infos(self, msg):
        return [info for info in self.of_type("info") if info["msg"] == msg]

    @property
    def dropped(self):
        return sum(info["dropped"] for info in self.infos("messages_dropped"))

    @property
    def accounted(self):
        return len(self.events) + self.dropped


def read(raw, enough=lambda seen: False):
    """Reads until `enough(seen)` holds, or a close."""
    seen = Seen()
    while not enough(seen):
        received = raw.read_frame()
        if received.opcode == CLOSE:
            seen.close = received.close
            break
        if received.opcode != PING:
            seen.messages.append(received.json)
    return seen


def expect_exact_ranges(seen, first, last):
    """With positions: every offset from `first` to `last` came as an event or in the range of a gap, in its place."""
    expected = first
    for message in seen.messages:
        if message["type"] == "event":
            assert message["offset"] == expected, f"offset {message['offset']} where {expected} was due"
            expected += 1
        else:
            assert (message["type"], message["msg"]) == ("info", "messages_dropped"), message
            assert message["from"] == expected, f"a gap from {message['from']} where {expected} was due"
            assert message["dropped"] == message["to"] - message["from"] + 1
            expected = message["to"] + 1
    assert expected == last + 1
