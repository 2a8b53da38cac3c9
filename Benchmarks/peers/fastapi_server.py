"""Apus' plain protocol on FastAPI: a queue for each subscriber, drained by a task of its own; an event is encoded once.

Started by the comparison with uvicorn on uvloop and httptools.
"""

import asyncio
import json
from collections import deque
from datetime import UTC, datetime

from fastapi import FastAPI, Response, WebSocket, WebSocketDisconnect
from pydantic import BaseModel

HISTORY = 100
# So long that it loses nothing while a subscriber reads.
QUEUE = 10_000


class TopicBody(BaseModel):
    name: str


class Topic:
    def __init__(self, name):
        self.name = name
        self.subscribers = set()
        self.history = deque(maxlen=HISTORY)

    def publish(self, message):
        text = encode({"type": "event", "topic": self.name, "message": message})
        self.history.append(text)
        for subscriber in self.subscribers:
            subscriber.offer(text)


class Subscriber:
    """What one socket still has to get; beyond the bound the oldest is dropped."""

    def __init__(self, socket):
        self.socket = socket
        self.queue = deque(maxlen=QUEUE)
        self.has_news = asyncio.Event()
        self.task = asyncio.create_task(self.run())

    def offer(self, text):
        self.queue.append(text)
        self.has_news.set()

    async def run(self):
        try:
            while True:
                await self.has_news.wait()
                self.has_news.clear()
                while self.queue:
                    await self.socket.send_text(self.queue.popleft())
        except (WebSocketDisconnect, RuntimeError):
            pass


app = FastAPI()
topics = {}


def encode(message):
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(message | {"ts": now}, separators=(",", ":"))


def ack(topic, command):
    return encode({"type": "ack", "request_id": command.get("request_id"), "topic": topic.name, "status": "ok"})


def error(code, command=None):
    request = (command or {}).get("request_id")
    return encode({"type": "error", "request_id": request, "error": {"code": code, "message": "refused"}})


@app.post("/topics", status_code=201)
async def create(body: TopicBody, response: Response):
    if body.name in topics:
        response.status_code = 409
    topics.setdefault(body.name, Topic(body.name))
    return {"status": "created", "topic": body.name}


@app.websocket("/ws")
async def serve(socket: WebSocket):
    await socket.accept()
    subscriber, subscribed = None, set()
    try:
        while True:
            try:
                command = json.loads(await socket.receive_text())
                topic = topics.get(command.get("topic"))
            except (ValueError, AttributeError, TypeError):
                await socket.send_text(error("BAD_REQUEST"))
                continue
            if topic is None:
                await socket.send_text(error("TOPIC_NOT_FOUND", command))
                continue
            message = command.get("message")
            match command.get("type"):
                case "publish" if isinstance(message, dict) and "id" in message and "payload" in message:
                    topic.publish(message)
                    await socket.send_text(ack(topic, command))
                case "subscribe" if "client_id" in command:
                    subscriber = subscriber or Subscriber(socket)
                    await socket.send_text(ack(topic, command))
                    count = command.get("last_n", 0)
                    for text in list(topic.history)[-count:] if count else ():
                        subscriber.offer(text)
                    topic.subscribers.add(subscriber)
                    subscribed.add(topic)
                case "unsubscribe":
                    topic.subscribers.discard(subscriber)
                    await socket.send_text(ack(topic, command))
                case _:
                    await socket.send_text(error("BAD_REQUEST", command))
    except WebSocketDisconnect:
        pass
    finally:
        for topic in subscribed:
            topic.subscribers.discard(subscriber)
        if subscriber:
            subscriber.task.cancel()
