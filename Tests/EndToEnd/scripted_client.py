"""A client for `apus conformance client` that does all that it must, or leaves one thing out.

    python scripted_client.py ws://127.0.0.1:9000/ws [FAULT]
"""

import asyncio
import contextlib
import json
import sys
import uuid

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode


class ScriptedClient:
    def __init__(self, url, fault):
        self.url, self.fault = url, fault
        self.position, self.pause, self.done = None, 0.1, False
        # What was published and not acknowledged, and what was, by their request ids.
        self.pending, self.acked, self.requests = {}, [], 0

    async def run(self):
        while True:
            try:
                async with connect(self.url, proxy=None) as socket:
                    self.pause = 0.1
                    if self.fault == "ignores-close":
                        self.ignore_closes(socket.protocol)
                    with contextlib.suppress(ConnectionClosed):
                        await self.follow(socket)
                if socket.close_reason == "REVOKED" and self.fault != "returns":
                    return
            except InvalidStatus:
                self.pause *= 2
            await asyncio.sleep(0 if self.fault == "hurries" else self.pause)

    @staticmethod
    def ignore_closes(protocol):
        take = protocol.recv_frame
        protocol.recv_frame = lambda frame: None if frame.opcode is Opcode.CLOSE else take(frame)

    async def follow(self, socket):
        subscribe = {"type": "subscribe", "topic": "conformance", "client_id": "c", "positions": True}
        if self.position and self.fault != "forgets":
            subscribe["since"] = self.position
        for _ in range(2 if self.fault == "subscribes-twice" else 1):
            await socket.send(json.dumps(subscribe))
        again = {} if self.fault == "drops-unanswered" else self.pending
        for publication in [*again.values(), *(self.acked if self.fault == "repeats" else [])]:
            await socket.send(json.dumps(publication))
        self.pending = dict(again)
        publisher = asyncio.create_task(self.publish(socket))
        try:
            async for text in socket:
                await self.handle(socket, json.loads(text))
        finally:
            publisher.cancel()

    async def publish(self, socket):
        while not self.done:
            self.requests += 1
            request = f"p{self.requests}"
            identifier = "same" if self.fault == "no-id" else str(uuid.uuid4())
            message = {"payload": 1} if self.fault == "no-id" else {"id": identifier, "payload": 1}
            self.pending[request] = {"type": "publish", "topic": "conformance", "request_id": request, "message": message}
            await socket.send(json.dumps(self.pending[request]))
            await asyncio.sleep(0.1)

    async def handle(self, socket, message):
        kind = message["type"]
        if kind == "ack" and message.get("request_id") in self.pending:
            self.acked.append(self.pending.pop(message["request_id"]))
        elif kind == "ack" and "epoch" in message:
            self.position = {"epoch": message["epoch"], "offset": message["offset"]}
        elif kind == "event":
            self.position["offset"] = message["offset"]
            if message["message"]["payload"] == {"done": True}:
                self.done = True
                client = "another" if self.fault == "unsubscribes-another" else "c"
                await socket.send(json.dumps({"type": "unsubscribe", "topic": "conformance", "client_id": client}))
        elif kind == "info" and message["msg"] == "shutdown" and self.fault != "hurries-after-shutdown":
            self.pause = message["reconnect_after_ms"] / 1000
        elif kind not in ("ack", "info") and self.fault == "strict":
            raise SystemExit(f"unknown: {message}")


asyncio.run(ScriptedClient(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "").run())
