"""A client of server-sent events that keeps every line it is sent: WHATWG HTML, section 9.2."""

import asyncio
import json
from dataclasses import dataclass, field
from urllib.parse import urlencode

from apus_e2e import TIME, TIMEOUT, tls_options


@dataclass
class Part:
    """One block of lines up to an empty line."""

    event: str = "message"
    identifier: str | None = None
    data: list = field(default_factory=list)
    retry: int | None = None
    comments: list = field(default_factory=list)
    text: str = ""

    @property
    def json(self):
        """The data without its time, whose form is checked here."""
        value = json.loads("\n".join(self.data))
        when = value.pop("ts", None) or value.pop("timestamp")
        assert TIME.fullmatch(when), when
        return value

    @property
    def offset(self):
        return int(self.identifier.rpartition(":")[2])


class EventStream:
    """One response that does not end; chunked or up to the end of the connection."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self._buffer, self._ended = b"", False
        self.status, self.headers = 0, {}

    @classmethod
    async def open(cls, server, path, headers=None, **connection):
        """Sends the request and reads the head of the answer; `connection` is for `asyncio.open_connection`."""
        if getattr(server, "pair", None):
            await asyncio.to_thread(server.level, path)
        connection = tls_options(server) | connection
        stream = cls(*await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 24, **connection))
        fields = {"Host": f"127.0.0.1:{server.port}", "Accept": "text/event-stream"} | (headers or {})
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        stream._writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        async with asyncio.timeout(TIMEOUT):
            head = (await stream._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        stream.status = int(head[0].split()[1])
        fields = (line.partition(":") for line in head[1:-2])
        stream.headers = {name.lower(): value.strip() for name, _, value in fields}
        return stream

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.abort()
        # Whoever blocks the loop next, as the end of a server's block does, would keep the socket open.
        await asyncio.sleep(0)

    @property
    def transport(self):
        return self._writer.transport

    def abort(self):
        self.transport.abort()

    async def _fill(self):
        if "content-length" in self.headers:
            self._ended, data = True, await self._reader.readexactly(int(self.headers["content-length"]))
        elif self.headers.get("transfer-encoding", "").lower() != "chunked":
            data = await self._reader.read(1 << 16)
        else:
            size = int((await self._reader.readline()).split(b";")[0] or b"0", 16)
            data = await self._reader.readexactly(size)
            await self._reader.readline()
        self._ended = self._ended or not data
        self._buffer += data

    async def body(self):
        """The rest of an answer that ends, such as an error."""
        async with asyncio.timeout(TIMEOUT):
            if "content-length" in self.headers:
                return await self._reader.readexactly(int(self.headers["content-length"]))
            while not self._ended:
                await self._fill()
        return self._buffer

    async def part(self, timeout=TIMEOUT):
        """The next block of lines; None when the stream ended in order."""
        async with asyncio.timeout(timeout):
            while (end := self._buffer.find(b"\n\n")) < 0 and not self._ended:
                await self._fill()
        if end < 0:
            assert not self._buffer, f"the stream ended within a block: {self._buffer!r}"
            return None
        text = self._buffer[:end].decode()
        self._buffer = self._buffer[end + 2:]
        return parse(text)

    async def next(self, timeout=TIMEOUT):
        """The next block with data; None when the stream ended."""
        while (part := await self.part(timeout)) is not None:
            if part.data:
                return part
        return None

    async def start(self):
        """The first block: `retry` and, for one topic, the position to start from."""
        part = await self.part()
        assert part.retry == 2000 and not part.data, part.text
        return part

    async def expect(self, event, identifier=None, **data):
        part = await self.next()
        assert part is not None, "the stream ended"
        assert (part.event, part.json) == (event, data)
        assert identifier is None or part.identifier == identifier
        return part

    async def messages(self, count):
        """The next blocks, which must be messages."""
        parts = [await self.next() for _ in range(count)]
        for part in parts:
            assert part is not None, "the stream ended"
            assert part.event == "message", part.text
        return parts


def parse(text):
    part = Part(text=text)
    assert "\r" not in text, f"a line end within a line: {text!r}"
    for line in text.split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                part.comments.append(value)
            case "event":
                part.event = value
            case "id":
                part.identifier = value
            case "data":
                part.data.append(value)
            case "retry":
                part.retry = int(value)
            case _:
                raise AssertionError(f"a line that no client understands: {line!r}")
    return part


def events_path(topic_path, **query):
    """The path of a topic's stream with its query."""
    return f"{topic_path}/events" + (f"?{urlencode(query)}" if query else "")


def several_path(*topics, prefix="", **query):
    """The path of a stream of several topics and patterns."""
    return f"{prefix}/events?{urlencode([*(('topic', topic) for topic in topics), *query.items()])}"
