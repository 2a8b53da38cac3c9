"""Clients of a Unix socket: HTTP, and WebSockets that are not ours."""

import http.client
import socket

from websockets.asyncio.client import unix_connect

from apus_e2e import BASE, TIMEOUT, Client, Response


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)


def rest(path, method, target, body=None, headers=None):
    """One request to the socket at `path`."""
    connection = UnixConnection(path)
    try:
        connection.request(method, target, body, headers or {})
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read())
    finally:
        connection.close()


async def connect(path, target="/ws", dialect=BASE):
    """A WebSocket over the socket at `path`."""
    return Client(await unix_connect(path, f"ws://localhost{target}", max_size=None, proxy=None, open_timeout=TIMEOUT,
                                     close_timeout=TIMEOUT), dialect)


def first_event(response):
    """What an event stream begins with, up to its first message."""
    text = b""
    while b"event: message" not in text:
        text += (part := response.read1(4096))
        assert part, f"the stream ended: {text}"
    return text
