#!/usr/bin/env python3
"""What an open console costs the server: `APUS_BIN=… Benchmarks/console.py`, with Python 3.11 and nothing else.

One publisher spreads messages over many topics at a steady rate, one subscriber gets them all through the pattern `>`.
In turns, no console is open, and one is: the server's CPU time, user and system of all threads, in percent of a core.
Of each, the median of the rounds counts. `--help` has the numbers that can be changed.
"""

import argparse
import base64
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import threading
import time
import urllib.request


class Server:
    def __init__(self, *flags):
        self.process = subprocess.Popen([os.environ["APUS_BIN"], "serve", "--port", "0", *flags], stderr=subprocess.PIPE,
                                        text=True)
        line = next(line for line in self.process.stderr if "listening" in line)
        self.port = int(re.search(r":(\d+)", line.split("address=")[1])[1])
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    @property
    def cpu(self):
        """Seconds that all threads have run."""
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{task}/schedstat") as file:
                    total += int(file.read().split()[0])
            except FileNotFoundError:
                continue
        return total / 1e9

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def websocket(self):
        connection = self.connect()
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall(f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        head = connection.recv(4096)
        assert b" 101 " in head, head
        return connection


def frame(**command):
    """A text frame. Its mask is zero: nobody but the server of this run reads it."""
    text = json.dumps(command, separators=(",", ":")).encode()
    size = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0x80 | 126]) + len(text).to_bytes(2, "big")
    return b"\x81" + size + b"\0\0\0\0" + text


def read_everything(connection, counts, name):
    """Counts the bytes that a connection gets, until it ends."""
    def run():
        while data := connection.recv(1 << 18):
            counts[name] = counts.get(name, 0) + len(data)
    threading.Thread(target=run, daemon=True).start()


class Publisher(threading.Thread):
    """Sends `rate` messages a second, in a hundred writes, over all topics in turn."""

    def __init__(self, connection, topics, rate):
        super().__init__(daemon=True)
        self._connection, self._rate = connection, rate
        self._frames = [frame(type="publish", topic=topic, message={
            "id": f"550e8400-e29b-41d4-a716-{number:012d}", "payload": {"number": number, "text": "x" * 100}})
            for number, topic in enumerate(topics)]
        self.sent = 0

    def run(self):
        start, share = time.monotonic(), max(self._rate // 100, 1)
        frames = self._frames * (share // len(self._frames) + 2)
        for turn in range(1, 1 << 30):
            first = self.sent % len(self._frames)
            try:
                self._connection.sendall(b"".join(frames[first:first + share]))
            except OSError:  # The server of this run has ended.
                return
            self.sent += share
            time.sleep(max(start + turn / 100 - time.monotonic(), 0))


def make_topics(server, count):
    names = [f"orders.region{number % 20}.shop{number % 400}.n{number}" for number in range(count)]
    for name in names:
        body = json.dumps({"name": name}).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/topics", body).close()
    return names


def measure(server, publisher, seconds):
    """The share of a core that the server used, and how many messages a second it got."""
    cpu, sent, start = server.cpu, publisher.sent, time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - start
    return (server.cpu - cpu) / took * 100, (publisher.sent - sent) / took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topics", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=10_000, help="messages a second")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--query", default="view=topics&sort=rate", help="what the console asks for")
    options = parser.parse_args()
    with Server("--threads", "1") as server:
        counts = {}
        publisher = Publisher(server.websocket(), make_topics(server, options.topics), options.rate)
        read_everything(publisher._connection, counts, "acks")
        subscriber = server.websocket()
        subscriber.sendall(frame(type="subscribe", topic=">", client_id="all"))
        read_everything(subscriber, counts, "events")
        publisher.start()
        time.sleep(3)
        without, with_one = [], []
        for _ in range(options.reps):
            without.append(measure(server, publisher, options.seconds))
            console = server.connect()
            console.sendall(f"GET /console/stream?{options.query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            read_everything(console, counts, "console")
            time.sleep(2)
            with_one.append(measure(server, publisher, options.seconds))
            console.shutdown(socket.SHUT_RDWR)
            console.close()
            time.sleep(2)
            print(f"without {without[-1][0]:6.2f} %   with {with_one[-1][0]:6.2f} %   of a core,"
                  f" {with_one[-1][1]:.0f} messages/s", flush=True)
        first, second = (statistics.median(share for share, _ in each) for each in (without, with_one))
        looked = options.reps * (options.seconds + 2)
        print(f"{options.topics} topics, {options.rate} messages/s: without {first:.2f} %, with a console {second:.2f} %:"
              f" it costs {second - first:.2f} % of a core and {counts['console'] / looked / 1024:.1f} KiB/s")


if __name__ == "__main__":
    main()
