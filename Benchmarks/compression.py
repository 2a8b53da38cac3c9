#!/usr/bin/env python3
"""What permessage-deflate saves and costs: `APUS_BIN=… Benchmarks/compression.py`, with Python 3.11 and nothing else.

A kilobyte of JSON to many subscribers, with and without compression: bytes of each delivery on the wire, and the
server's CPU time, user and system, for each. Then the memory of idle connections. `--help` has the numbers that can be
changed.
"""

import argparse
import base64
import json
import os
import random
import re
import resource
import selectors
import signal
import socket
import statistics
import subprocess
import urllib.request
import uuid
import zlib

OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"


class Server:
    def __init__(self, *flags):
        self.process = subprocess.Popen(
            [os.environ["APUS_BIN"], "serve", "--port", "0", "--threads", "1", "--log-format", "text", *flags],
            stderr=subprocess.PIPE, text=True)
        line = next(line for line in self.process.stderr if "listening" in line)
        self.port = int(re.search(r":(\d+)", line.split("address=")[1])[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.stderr.close()
        self.process.wait(30)

    def post(self, path, body):
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode()).close()

    @property
    def cpu(self):
        """Seconds that all threads have run."""
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0])
        return total / 1e9

    @property
    def memory(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def frame(payload, compressed=False):
    """A client's frame; a mask of zeros changes nothing."""
    if compressed:
        compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
        payload = (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
    head = bytes([0xC1 if compressed else 0x81])
    size = len(payload)
    head += bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return head + bytes(4) + payload


class Connection:
    def __init__(self, server, extension):
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes = 0
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
                             f"{OFFER if extension else ''}\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        assert b" 101 " in head and (b"permessage-deflate" in head) == extension, head

    def exactly(self, size):
        data = b""
        while len(data) < size:
            data += self.socket.recv(size - len(data))
        return data

    def read(self):
        """The next message's frame: its size with the head, and whether it is compressed."""
        first, size = self.exactly(2)
        head = 2
        if size >= 126:
            length = 2 if size == 126 else 8
            size, head = int.from_bytes(self.exactly(length), "big"), 2 + length
        self.exactly(size)
        return head + size, bool(first & 0x40)

    def command(self, **fields):
        self.socket.sendall(frame(json.dumps(fields).encode()))
        return self.read()


def order(generator, size):
    """An order with as many items as make a kilobyte; no two are the same."""
    items = []
    while True:
        items.append({"sku": f"SKU-{generator.randrange(10**6):06}", "quantity": generator.randrange(1, 20),
                      "name": f"{generator.choice(['Widget', 'Gadget', 'Bolt', 'Valve'])} {generator.choice('ABCDEF')}",
                      "price": round(generator.random() * 200, 2), "currency": "EUR"})
        message = {"id": str(uuid.UUID(int=generator.getrandbits(128))),
                   "payload": {"order": f"ORD-{generator.randrange(10**6)}", "items": items}}
        if len(json.dumps(message, separators=(",", ":"))) >= size:
            return message


def deliver(server, readers, publisher, messages, window):
    """Publishes `window` messages at a time, each when all readers have had the last."""
    first, *rest = readers
    selector = selectors.DefaultSelector()
    for reader in rest:
        reader.socket.setblocking(False)
        selector.register(reader.socket, selectors.EVENT_READ, reader)
        reader.bytes = 0
    compressed = sent = 0
    start = server.cpu
    for begin in range(0, len(messages), window):
        part = messages[begin:begin + window]
        publisher.socket.sendall(b"".join(part))
        for _ in part:
            publisher.read()
        for _ in part:
            size, is_compressed = first.read()
            sent, compressed = sent + size, compressed + is_compressed
        # The same bytes for all.
        waiting = len(rest)
        while waiting:
            for key, _ in selector.select():
                while True:
                    try:
                        data = key.fileobj.recv(1 << 18)
                    except BlockingIOError:
                        break
                    assert data
                    key.data.bytes += len(data)
                    assert key.data.bytes <= sent
                    if key.data.bytes == sent:
                        waiting -= 1
                        break
    cpu = server.cpu - start
    selector.close()
    for reader in rest:
        reader.socket.setblocking(True)
    return cpu, sent, compressed


def measure_deliveries(options):
    generator = random.Random(4)
    texts = [json.dumps({"type": "publish", "topic": "t", "message": order(generator, options.size)},
                        separators=(",", ":")).encode() for _ in range(options.messages)]
    messages = [frame(text) for text in texts]
    print(f"{options.subscribers} subscribers, messages of {statistics.mean(map(len, texts)):.0f} B on average, "
          f"{options.reps} runs in turn, medians\n")
    print("| messages at a time | compression | bytes of a delivery | server CPU of a delivery | of a message |\n"
          "|--:|---|--:|--:|--:|")
    results = {}
    for _ in range(options.reps):
        for extension in (False, True):
            flags = ["--queue", "10000", "--heartbeat", "0", "--ping-interval", "0"]
            flags += ["--compression-level", str(options.level)] if options.level else []
            with Server(*flags) as server:
                server.post("/topics", {"name": "t"})
                readers = [Connection(server, extension) for _ in range(options.subscribers)]
                for reader in readers:
                    reader.command(type="subscribe", topic="t", client_id="c")
                publisher = Connection(server, False)
                deliver(server, readers, publisher, messages[:20], 20)
                for window in (1, 64):
                    cpu, sent, compressed = deliver(server, readers, publisher, messages, window)
                    assert compressed == (len(messages) if extension else 0)
                    results.setdefault((window, extension), []).append((cpu, sent))
    for (window, extension), runs in sorted(results.items()):
        count = len(messages)
        cpu = statistics.median(cpu for cpu, _ in runs) * 1e6 / count
        size = runs[0][1] / count
        state = "on" if extension else "off"
        print(f"| {window} | {state} | {size:.0f} | {cpu / options.subscribers:.3f} µs | {cpu:.0f} µs |")


def measure_memory(options):
    print("\n| idle connections | resident memory of each |\n|---|--:|")
    ping = json.dumps({"type": "ping", "request_id": "x" * 100}).encode()
    for name, extension, uses in (("without the extension", False, False), ("that negotiated it", True, False),
                                  ("that negotiated it and sent a compressed command", True, True)):
        with Server() as server:
            # What a server makes when it is first needed.
            warm = [Connection(server, extension) for _ in range(100)]
            for connection in warm:
                connection.socket.sendall(frame(ping, uses))
                connection.read()
            before = server.memory
            connections = []
            for _ in range(options.idle):
                connection = Connection(server, extension)
                connection.socket.sendall(frame(ping, uses))
                connection.read()
                connections.append(connection)
            print(f"| {name} | {(server.memory - before) / options.idle:.0f} B |")
            for connection in warm + connections:
                connection.socket.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=640)
    parser.add_argument("--size", type=int, default=1024, help="bytes of JSON of a message")
    parser.add_argument("--level", type=int, help="of compression, in place of the default")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--idle", type=int, default=5000, help="connections whose memory is measured")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    measure_deliveries(options)
    measure_memory(options)


if __name__ == "__main__":
    main()
