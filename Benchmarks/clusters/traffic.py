"""Traffic that is the same for every server: bursts of messages at a fixed rate, and subscribers that only count bytes."""

import base64
import json
import os
import selectors
import socket
import struct
import threading
import time

from .servers import Failed

LIMIT = 10


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), LIMIT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def websocket(port):
    """A connection after its handshake. Nothing was sent by the server yet."""
    connection = connect(port)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(1)
        if not part:
            raise Failed("no handshake")
        answer += part
    if b" 101 " not in answer.split(b"\r\n")[0]:
        raise Failed(answer.split(b"\r\n")[0].decode())
    return connection


def frame(text):
    """A text frame of a client; its mask is 0, so that it is made once."""
    body = text.encode()
    size = struct.pack("!B", 0x80 | len(body)) if len(body) < 126 else struct.pack("!BH", 0x80 | 126, len(body))
    return b"\x81" + size + b"\0\0\0\0" + body


class Drain(threading.Thread):
    """Subscribers of which only the bytes count: reading costs as little as it can."""

    def __init__(self, sockets):
        super().__init__(daemon=True)
        self.bytes = 0
        self.is_over = False
        self.selector = selectors.DefaultSelector()
        for each in sockets:
            each.setblocking(False)
            self.selector.register(each, selectors.EVENT_READ)
        self.sockets = sockets

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.join()
        for each in self.sockets:
            each.close()

    def run(self):
        room = bytearray(1 << 20)
        while not self.is_over:
            for key, _ in self.selector.select(0.05):
                try:
                    self.bytes += key.fileobj.recv_into(room)
                except BlockingIOError:
                    pass
            # Many small reads would cost the generator more than the servers: let something gather.
            time.sleep(0.002)


def subscribers(port, topic, count):
    """WebSockets that are subscribed: their acks were read."""
    sockets = []
    for number in range(count):
        connection = websocket(port)
        connection.sendall(frame(json.dumps({"type": "subscribe", "topic": topic, "client_id": f"d{number}", "last_n": 0})))
        sockets.append(connection)
    for connection in sockets:
        data = connection.recv(65536)
        if b'"ack"' not in data:
            raise Failed(f"a subscription was answered with {data[:200]!r}")
    return sockets


def bursts(connection, burst, rate, seconds):
    """Sends the same bytes so often a second. Returns how often; answers are read and not looked at."""
    connection.setblocking(True)
    with Drain([connection.dup()]):
        connection.setblocking(True)
        begin, sent = time.monotonic(), 0
        while (now := time.monotonic()) < begin + seconds:
            due = begin + sent / rate
            if due > now:
                time.sleep(due - now)
            connection.sendall(burst)
            sent += 1
        # The last answers.
        time.sleep(0.1)
    return sent
