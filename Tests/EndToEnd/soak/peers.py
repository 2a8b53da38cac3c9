"""The clients of a soak: they count everything that the server counts."""

import asyncio
import contextlib
import json
import random
import socket
import struct
import uuid

from websockets.exceptions import ConnectionClosed, InvalidStatus

from apus_e2e import BASE, DEFLATED, V1, Client, Server
from event_stream import EventStream

DIALECTS = (BASE, V1, DEFLATED)
# How long an answer may take on a machine that has other things to do.
PATIENCE = 30


class Way:
    """The server as it is reached from one address of this machine."""

    rest, http = Server.rest, Server.http

    def __init__(self, world, number):
        self.world, self.books = world, world.books
        self.source = (f"127.0.0.{number}", 0)

    @property
    def tls(self):
        return self.world.server.tls

    @property
    def port(self):
        return self.world.server.port

    async def ask(self, method, path, body=None, key="boss", headers=None, timeout=PATIENCE):
        """One request on a connection of its own."""
        headers = ({"X-API-Key": self.world.place.key(key)} if key else {}) | (headers or {})
        response = await asyncio.to_thread(self.rest, method, path, body, headers, timeout)
        self.books.count("TLS handshakes", "ok")
        if response.status == 503 and response.json.get("code") == "OVERLOADED":
            self.books.count("connections refused", "connections_per_address")
        self.books.count("requests", f"{method} {response.status}")
        if response.status >= 400:
            self._error(response.json)
        return response

    def _error(self, problem):
        self.books.count("errors", problem["code"])
        if problem["code"] == "RATE_LIMITED":
            self.books.count("rate limited", limit_of(problem["detail"]))

    async def publish(self, topic, payload, headers=None, key="writer"):
        """Publishes over HTTP; the answer, or None where it was refused."""
        response = await self.ask("POST", f"/topics/{topic}/messages", payload, key, headers)
        if response.status >= 300:
            return None
        answer = response.json
        count = answer.get("count", 1)
        ids = [answer["id"]] if "id" in answer else [f"{headers['Idempotency-Key']}:{n}" for n in range(count)]
        self.books.publish(topic, answer, ids)
        return answer

    async def open(self, dialect=None, key=None, token=None, receive_buffer=None, **options):
        """A WebSocket, or None where the server refuses the handshake."""
        if receive_buffer:
            plain = socket.socket()
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            plain.setblocking(False)
            plain.bind(self.source)
            await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", self.port))
            options |= {"sock": plain, "server_hostname": "127.0.0.1", "local_addr": None}
        headers = {"X-API-Key": self.world.place.key(key)} if key else {}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        try:
            client = await Client.open(self, dialect or random.choice(DIALECTS), additional_headers=headers,
                                       open_timeout=PATIENCE, close_timeout=PATIENCE, **options)
        except InvalidStatus as refused:
            self.books.count("TLS handshakes", "ok")
            self._refused(refused.response)
            return None
        self.books.count("TLS handshakes", "ok")
        self.books.count("opened")
        return Peer(self, client)

    async def enter(self, **options):
        """A WebSocket, as soon as there is a place for one."""
        while (peer := await self.open(**options)) is None:
            await asyncio.sleep(0.2)
        return peer

    def _refused(self, response):
        code = json.loads(response.body)["code"]
        reason = {"OVERLOADED": "connections_per_address", "UNAVAILABLE": "max_connections",
                  "UNAUTHORIZED": "unauthorized"}[code]
        if reason == "connections_per_address":
            self.books.count("connections refused", reason)
        else:
            self.books.count("handshakes refused", reason)

    async def stream(self, path, key="reader", headers=None):
        """An event stream, or None where it is refused."""
        fields = {"X-API-Key": self.world.place.key(key)} | (headers or {})
        stream = await EventStream.open(self, path, fields, local_addr=self.source)
        self.books.count("TLS handshakes", "ok")
        self.books.count("requests", f"GET {stream.status}")
        return stream

    async def part(self, stream, timeout=60):
        """The next block of a stream; None at its end."""
        part = await stream.part(timeout)
        if part and any(comment.startswith("UNAVAILABLE") for comment in part.comments):
            self.books.count("errors", "UNAVAILABLE")
        return part


def limit_of(text):
    """Which limit a refusal names."""
    return next((name for name in ("publish_bytes", "publish", "command") if f"'{name}_rate'" in text), "topic")


class Peer:
    """A WebSocket whose commands, answers, events and end are counted."""

    def __init__(self, way, client):
        self.way, self.books, self.client, self.end = way, way.books, client, None
        self.policy = "drop-oldest"
        self.accounts = {}

    async def command(self, kind, **fields):
        self.books.count("commands", kind)
        await self.client.send(type=kind, **fields)

    async def receive(self, timeout=PATIENCE):
        """The next message; counted."""
        try:
            message = await self.client.receive(timeout)
        except ConnectionClosed as closed:
            self._ended(closed)
            raise
        if message["type"] == "error":
            self._error(message["error"])
        elif message["type"] == "event":
            self.books.count("received")
            if account := self.accounts.get(message["topic"]):
                account.event(message["offset"], message["message"]["id"])
        elif message.get("msg") == "messages_dropped":
            self.books.count("told", self.policy, message["dropped"])
            if account := self.accounts.get(message["topic"]):
                account.missing(message["from"], message["to"], is_told=True)
        return message

    def _error(self, error):
        self.books.count("errors", error["code"])
        if error["code"] == "RATE_LIMITED":
            self.books.count("rate limited", limit_of(error["message"]))

    def _ended(self, closed):
        if self.end is None:
            received = closed.rcvd
            # The answer to a close of ours repeats its code and has no reason.
            self.end = received.reason if received and received.reason else "DISCONNECTED"
            self.books.count("connections closed", self.end)

    async def answer(self, timeout=PATIENCE):
        """The next message that is an answer: an ack, an error or a pong."""
        while (message := await self.receive(timeout))["type"] not in ("ack", "error", "pong"):
            pass
        return message

    async def subscribe(self, topic, client_id="c", account=None, policy=None, **fields):
        """Subscribes; the ack. Events go to the account, which resumes where it was."""
        self.policy = policy or self.policy
        if account is not None:
            fields["positions"] = True
            if account.epoch is not None:
                fields["since"] = account.position
        await self.command("subscribe", topic=topic, client_id=client_id, **fields)
        ack = await self.answer()
        if account is not None and ack["type"] == "ack":
            if account.epoch is None:
                account.begin(ack["epoch"], ack["offset"])
            else:
                account.resumed(ack)
            self.accounts[topic] = account
        return ack

    async def publish(self, topic, payloads, is_silent=False, **fields):
        """Publishes one message or a batch of them; the ack, or the error."""
        messages = [{"id": str(uuid.uuid4()), "payload": payload} for payload in payloads]
        body = {"message": messages[0]} if len(messages) == 1 else {"messages": messages}
        await self.command("publish", topic=topic, outcome=True, **body, **fields)
        ack = await self.answer(120)
        if ack["type"] == "ack":
            self.books.publish(topic, ack, [message["id"] for message in messages], is_silent)
        return ack

    async def read(self, until, timeout=PATIENCE):
        """Reads up to the first message for which `until` holds."""
        while not until(message := await self.receive(timeout)):
            pass
        return message

    async def read_for(self, seconds):
        """Reads for so long, or up to the end."""
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            async with asyncio.timeout(seconds):
                while True:
                    await self.receive(None)

    async def leave(self):
        """Closes in order, and reads what was on its way."""
        closing = asyncio.ensure_future(self.client.connection.close())
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.receive()
        await closing

    async def expect_end(self, reason):
        """Reads up to the end, which must be the server's for this reason."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.receive()
        if self.end != reason:
            self.books.fault(f"a connection was to end with {reason}, and did with {self.end}")

    def vanish(self):
        """Is gone with a reset, whatever was on its way."""
        reset(self.client.connection.transport)
        if self.end is None:
            self.end = "DISCONNECTED"
            self.books.count("connections closed", self.end)


def reset(transport):
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
