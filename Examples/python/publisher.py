"""Publishes lines of standard input to a topic, which it creates when needed, and waits for every ack.

    pip install -r requirements.txt
    seq 1 1000 | python publisher.py orders
"""

import argparse
import asyncio
import json
import os
import sys
import urllib.error
import urllib.request
import uuid
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import connect

# How many publishes may be on their way without an ack.
WINDOW = 64


def create(url, topic, headers):
    """Creates the topic over REST; that it exists already is fine."""
    parts = urlsplit(url)
    scheme = "https" if parts.scheme == "wss" else "http"
    address = urlunsplit((scheme, parts.netloc, parts.path.removesuffix("/ws") + "/topics", "", ""))
    body = json.dumps({"name": topic}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"} | headers)
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as error:
        if error.code != 409:
            sys.exit(f"{error.code}: {json.load(error)['detail']}")


def payload(line):
    """The line as JSON where it is some, else as a string."""
    try:
        return json.loads(line)
    except ValueError:
        return line


async def publish(socket, topic, lines):
    """Sends a message a line and returns how many were acked. Answers come in the order of the commands."""
    free = asyncio.Semaphore(WINDOW)
    sent = acked = 0

    async def read():
        nonlocal acked
        async for text in socket:
            answer = json.loads(text)
            if answer["type"] not in ("ack", "error"):
                continue
            if answer["type"] == "error":
                sys.exit(f"message {acked + 1}: {answer['error']['code']}: {answer['error']['message']}")
            acked += 1
            free.release()

    async def write():
        nonlocal sent
        while line := await asyncio.to_thread(lines.readline):
            await free.acquire()
            message = {"id": str(uuid.uuid4()), "payload": payload(line.rstrip("\n"))}
            await socket.send(json.dumps({"type": "publish", "topic": topic, "message": message}))
            sent += 1
        # When all of the window is free again, everything was acked.
        for _ in range(WINDOW):
            await free.acquire()

    reader, writer = asyncio.create_task(read()), asyncio.create_task(write())
    await asyncio.wait([reader, writer], return_when=asyncio.FIRST_COMPLETED)
    for task in (reader, writer):
        if task.done():
            task.result()
        task.cancel()
    if acked < sent:
        sys.exit(f"the connection ended after {acked} of {sent} acks")
    return acked


async def main():
    parser = argparse.ArgumentParser(description="Publishes lines of standard input to a topic.")
    parser.add_argument("topic", metavar="TOPIC")
    parser.add_argument("--url", default="ws://localhost:8080/ws")
    arguments = parser.parse_args()
    key = os.environ.get("APUS_API_KEY")
    headers = {"X-API-Key": key} if key else {}

    await asyncio.to_thread(create, arguments.url, arguments.topic, headers)
    async with connect(arguments.url, additional_headers=headers) as socket:
        print(f"{await publish(socket, arguments.topic, sys.stdin)} published", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main())
