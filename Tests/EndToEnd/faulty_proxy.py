"""A server that breaks the protocol in one way: a proxy before Apus that changes what comes through it."""

import asyncio
import contextlib
import http.client
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.asyncio.server import serve
from websockets.http11 import Response

from apus_e2e import TIMEOUT, websocket_url


class Fault:
    """Changes nothing. A fault overrides what it breaks; one object is made for each connection."""

    def __init__(self, shared):
        self.shared = shared

    def to_client(self, message):
        """The texts that are sent in place of a message of the server."""
        return [message]

    def to_server(self, message):
        return [message]

    def close(self, code, reason):
        return code, reason

    def rest(self, method, path, status, body):
        return status, body


def edited(message, change):
    """The message with `change` made to it, if that returns something."""
    try:
        value = json.loads(message)
    except ValueError:
        return message
    new = change(value)
    return message if new is None else json.dumps(new)


class FaultyServer:
    """Listens on one port for WebSockets, and passes plain requests on, too."""

    def __init__(self, server, fault):
        self._server, self._fault, self.shared = server, fault, {}
        self._ready = threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(TIMEOUT)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(TIMEOUT)

    @property
    def url(self):
        return f"http://127.0.0.1:{self._port}"

    async def _run(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        listener = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        # websockets takes only GET: each connection is looked at first, and handshakes go to a listener of their own.
        async with serve(self._socket, "127.0.0.1", 0, compression=None, max_size=None, ping_interval=None,
                         process_request=self._handshake, close_timeout=TIMEOUT) as sockets:
            self._inner = sockets.sockets[0].getsockname()[1]
            self._port = listener.sockets[0].getsockname()[1]
            self._ready.set()
            async with listener:
                await self._stop.wait()

    async def _connection(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not reader.at_eof():
                head = await reader.readuntil(b"\r\n\r\n")
                if re.search(rb"\r\nUpgrade: *websocket", head, re.IGNORECASE):
                    return await self._tunnel(head, reader, writer)
                length = re.search(rb"\r\nContent-Length: *(\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1])) if length else b""
                writer.write(await asyncio.to_thread(self._request, head, body))
                await writer.drain()
        writer.close()

    def _request(self, head, body):
        line, *fields = head.decode("latin-1").strip().split("\r\n")
        method, path, _ = line.split(" ")
        headers = dict(field.split(": ", 1) for field in fields)
        upstream = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=TIMEOUT)
        upstream.request(method, path, body or None, headers)
        answer = upstream.getresponse()
        status, content = self._fault(self.shared).rest(method, path, answer.status, answer.read())
        upstream.close()
        kept = [f"{name}: {value}\r\n" for name, value in answer.getheaders()
                if name.lower() not in ("content-length", "transfer-encoding", "connection")]
        return f"HTTP/1.1 {status} X\r\n{''.join(kept)}Content-Length: {len(content)}\r\n\r\n".encode() + content

    async def _tunnel(self, head, reader, writer):
        """A handshake and all that follows."""
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._inner)
        inner_writer.write(head)

        async def copy(source, target):
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            target.close()

        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    async def _handshake(self, connection, request):
        """Opens the way to the server, or passes on its refusal."""
        headers = {"Origin": request.headers["Origin"]} if "Origin" in request.headers else {}
        try:
            connection.upstream = await connect(websocket_url(self._server, request.path), compression=None, max_size=None,
                                                ping_interval=None, proxy=None, additional_headers=headers)
        except InvalidStatus as refusal:
            answer = refusal.response
            return Response(answer.status_code, answer.reason_phrase, answer.headers, answer.body or b"")
        return None

    async def _socket(self, client):
        fault, upstream = self._fault(self.shared), client.upstream

        async def up():
            with contextlib.suppress(ConnectionClosed):
                async for message in client:
                    for each in fault.to_server(message):
                        await upstream.send(each)
            code = client.close_code or 1000
            await upstream.close(code if code not in (1005, 1006) else 1000)

        async def down():
            with contextlib.suppress(ConnectionClosed):
                async for message in upstream:
                    for each in fault.to_client(message):
                        await client.send(each)
            code = upstream.close_code or 1000
            await client.close(*fault.close(code if code not in (1005, 1006) else 1000, upstream.close_reason or ""))

        await asyncio.gather(up(), down())
