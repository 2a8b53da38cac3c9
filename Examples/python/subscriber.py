"""Prints what is published to topics; connects again when the connection is lost, and goes on where it was.

Topics that are not there, as after a restart of a server in memory, are waited for.

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


async def follow(socket, topics, last, positions):
    """Prints events until the connection ends, and returns when to come back, in seconds.

    `positions` has that of the last event printed, by topic, and "all" for a topic that was not there yet.
    """
    delay = 1
    for topic in topics:
        start = {"since": positions[topic]} if topic in positions else {"last_n": last}
        command = {"type": "subscribe", "topic": topic, "client_id": "example", "positions": True, "wait": True} | start
        await socket.send(json.dumps(command))
    async for text in socket:
        message = json.loads(text)
        match message:
            case {"type": "ack", "topic": topic, "epoch": epoch, "offset": offset}:
                positions[topic] = {"epoch": epoch, "offset": offset}
                if message.get("recovered") is False:
                    print(f"{topic}: missed {message.get('missed', 'some, the topic began anew')}", file=sys.stderr)
            case {"type": "ack", "topic": topic, "waiting": True}:
                print(f"{topic}: not there; waiting for it", file=sys.stderr)
                positions.setdefault(topic, "all")
            case {"type": "info", "msg": "topic_created", "topic": topic, "epoch": epoch}:
                print(f"{topic}: there", file=sys.stderr)
                positions[topic] = {"epoch": epoch, "offset": 0}
            case {"type": "info", "msg": "not_recovered", "topic": topic}:
                print(f"{topic}: missed some, the topic began anew", file=sys.stderr)
            case {"type": "event", "topic": topic, "offset": offset, "message": {"payload": payload}}:
                print(message["ts"], topic, json.dumps(payload, ensure_ascii=False), flush=True)
                positions[topic]["offset"] = offset
            case {"type": "info", "msg": "messages_dropped", "topic": topic, "from": first, "to": end}:
                print(f"{topic}: {first} to {end} missed, this reader is too slow", file=sys.stderr)
            case {"type": "info", "msg": "topic_deleted", "topic": topic}:
                # The server goes on waiting for it.
                print(f"{topic}: deleted", file=sys.stderr)
                positions[topic] = "all"
            case {"type": "info", "msg": "shutdown", "reconnect_after_ms": milliseconds}:
                # Events that are still on their way come before the close.
                delay = milliseconds / 1000
            case {"type": "error", "error": error}:
                print(f"{error['code']}: {error['message']}", file=sys.stderr)
    return delay


async def main():
    parser = argparse.ArgumentParser(description="Prints what is published to topics.")
    parser.add_argument("topics", nargs="+", metavar="TOPIC")
    parser.add_argument("--url", default="ws://localhost:8080/ws")
    parser.add_argument("--last", type=int, default=0, help="how many kept messages to replay first")
    arguments = parser.parse_args()
    key = os.environ.get("APUS_API_KEY")
    headers = {"X-API-Key": key} if key else {}

    positions = {}
    # As an iterator, `connect` connects again after failures, with a growing pause.
    async for socket in connect(arguments.url, additional_headers=headers):
        delay = 1
        try:
            delay = await follow(socket, arguments.topics, arguments.last, positions)
        except ConnectionClosed:
            pass
        reason = socket.close_reason or ""
        print(f"connection closed: {socket.close_code} {reason}", file=sys.stderr)
        if reason in FINAL:
            return 1
        await asyncio.sleep(delay)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        pass
