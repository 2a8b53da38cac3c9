"""Prints what is published to topics; connects again when the connection is lost.

    pip install -r requirements.txt
    python subscriber.py orders payments --last 10
"""

import argparse
import asyncio
import json
import os
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

# Closed for good: trying again would end the same way. See the table of close codes in docs/protocol.md.
FINAL = {"UNAUTHORIZED", "MESSAGE_TOO_BIG", "PROTOCOL_ERROR", "INVALID_UTF8", "TOPIC_DELETED"}


async def follow(socket, topics, last):
    for topic in topics:
        command = {"type": "subscribe", "topic": topic, "client_id": "example", "last_n": last, "request_id": topic}
        await socket.send(json.dumps(command))
    async for text in socket:
        message = json.loads(text)
        match message:
            case {"type": "event", "topic": topic, "message": {"payload": payload}}:
                print(message["ts"], topic, json.dumps(payload, ensure_ascii=False), flush=True)
            case {"type": "info", "msg": "messages_dropped", "topic": topic, "dropped": dropped}:
                print(f"{topic}: {dropped} messages missed, this reader is too slow", file=sys.stderr)
            case {"type": "info", "msg": "topic_deleted", "topic": topic}:
                print(f"{topic}: deleted", file=sys.stderr)
            case {"type": "error", "error": error}:
                print(f"{error['code']}: {error['message']}", file=sys.stderr)


async def main():
    parser = argparse.ArgumentParser(description="Prints what is published to topics.")
    parser.add_argument("topics", nargs="+", metavar="TOPIC")
    parser.add_argument("--url", default="ws://localhost:8080/ws")
    parser.add_argument("--last", type=int, default=0, help="how many kept messages to replay first")
    arguments = parser.parse_args()
    key = os.environ.get("APUS_API_KEY")
    headers = {"X-API-Key": key} if key else {}

    last = arguments.last
    # As an iterator, `connect` connects again after failures, with a growing pause.
    async for socket in connect(arguments.url, additional_headers=headers):
        try:
            await follow(socket, arguments.topics, last)
        except ConnectionClosed:
            pass
        reason = socket.close_reason or ""
        print(f"connection closed: {socket.close_code} {reason}", file=sys.stderr)
        if reason in FINAL:
            return 1
        # What was missed meanwhile is in the replay. It may bring some messages a second time: their ids tell.
        last = max(last, 100)
        await asyncio.sleep(1)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        pass
