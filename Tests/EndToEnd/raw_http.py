"""HTTP as bytes on a socket: requests that no client library would send, and answers read to the last byte."""

import json
import socket
import struct
from dataclasses import dataclass

from apus_e2e import TIMEOUT
from raw_websocket import RawWebSocket


@dataclass(frozen=True)
class Answer:
    status: int
    version: str
    # Names in lower case; of a field given twice the last value.
    headers: dict
    body: bytes

    @property
    def code(self):
        """That of the problem document which an error must be."""
        assert self.headers["content-type"] == "application/problem+json", self
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        return problem["code"]


def request(method="GET", path="/health", body=b"", version="HTTP/1.1", host="127.0.0.1", **headers):
    """The bytes of a request; `headers` with dashes as underscores, lists for several of one name."""
    lines = [f"{method} {path} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    if body and not {"Content_Length", "Transfer_Encoding"} & set(headers):
        headers["Content_Length"] = len(body)
    for name, values in headers.items():
        for value in values if isinstance(values, list) else [values]:
            lines.append(f"{name.replace('_', '-')}: {value}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body


class RawHTTP(RawWebSocket):
    """A connection that can do with HTTP what the protocol allows, and what it does not."""

    def ask(self, *args, **kwargs):
        """Sends one request, and reads its answer."""
        self.send(request(*args, **kwargs))
        return self.answer(is_head=args[:1] == ("HEAD",))

    def answer(self, is_head=False):
        """The next answer, whole."""
        status, version, headers = self.head()
        if is_head or status < 200 or status in (204, 304):
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = self._chunks()
        elif "content-length" in headers:
            body = self.take(int(headers["content-length"]))
        else:
            body = self.rest()
        return Answer(status, version, headers, body)

    def head(self):
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._fill()
        first, *lines = bytes(self.take(end + 4)[:-4]).decode("latin-1").split("\r\n")
        version, status = first.split(" ")[:2]
        fields = (line.split(":", 1) for line in lines)
        return int(status), version, {name.lower(): value.strip() for name, value in fields}

    def _chunks(self):
        body = b""
        while size := int(self._line(), 16):
            body += self.take(size)
            assert self._line() == b""
        assert self._line() == b""
        return body

    def _line(self):
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._fill()
        return self.take(end + 2)[:-2]

    def rest(self):
        """Everything up to the end of the connection, which must be an orderly one."""
        data = bytes(self._buffer)
        self._buffer.clear()
        while more := self.socket.recv(1 << 16):
            data += more
        return data

    def expect_end(self):
        assert self.rest() == b""

    def expect_silence(self, seconds=0.2):
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1 << 16)
            raise AssertionError(f"there was {data!r}")
        except TimeoutError:
            self.socket.settimeout(TIMEOUT)


def is_reset(raw):
    """Whether the server has cut the connection off, rather than closed it."""
    error = raw.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return error != 0 or struct.unpack_from("B", raw.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8))[0] == 7
