"""A WebSocket client of bytes: it can break every rule of RFC 6455, and stop reading."""

import base64
import json
import os
import socket
import struct
from dataclasses import dataclass

from apus_e2e import TIMEOUT
from wire import connect

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


@dataclass(frozen=True)
class Frame:
    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0

    @property
    def json(self):
        return json.loads(self.payload)

    @property
    def close(self):
        """Code and reason of a close frame."""
        if not self.payload:
            return None, ""
        return struct.unpack("!H", self.payload[:2])[0], self.payload[2:].decode()


def frame(opcode, payload=b"", fin=True, rsv=0, mask=True, announce=None):
    """The bytes of one frame; `announce` lies about the length."""
    if isinstance(payload, str):
        payload = payload.encode()
    length = len(payload) if announce is None else announce
    first, flag = fin << 7 | rsv << 4 | opcode, mask << 7
    if length < 126:
        header = struct.pack("!BB", first, flag | length)
    elif length < 1 << 16:
        header = struct.pack("!BBH", first, flag | 126, length)
    else:
        header = struct.pack("!BBQ", first, flag | 127, length)
    if not mask:
        return header + payload
    key = os.urandom(4)
    pad = (key * (len(payload) // 4 + 1))[:len(payload)]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(len(payload), "big")
    return header + key + masked


def command(**fields):
    """The bytes of one command in a text frame."""
    return frame(TEXT, json.dumps(fields))


def close_frame(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def upgrade_request(path="/ws", without=(), method="GET", **changes):
    """The text of a handshake; `without` leaves headers out, `changes` (dashes as underscores) replaces them."""
    headers = {"Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade",
               "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), "Sec-WebSocket-Version": "13"}
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if name not in without]
    return f"{method} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


class RawWebSocket:
    """A blocking socket; every operation on it has a deadline."""

    # What a frame may have for reserved bits: one that offers no extension gets none.
    reserved = (0,)

    def __init__(self, server, receive_buffer=None, timeout=TIMEOUT, source=None):
        self.socket = connect(server, timeout, receive_buffer, source)
        self._buffer = bytearray()

    @classmethod
    def on(cls, connection):
        """A client on a connection that is there."""
        raw = cls.__new__(cls)
        raw.socket, raw._buffer = connection, bytearray()
        return raw

    @classmethod
    def open(cls, server, path="/ws", **options):
        """A socket after its handshake."""
        raw = cls(server, **options)
        status, _ = raw.request(upgrade_request(path))
        assert status == 101
        return raw

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def abort(self):
        """Ends the connection with a reset, as a crashed peer would."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def request(self, text):
        """Sends a request without a body; the status and the headers (names in lower case) of the answer."""
        self.socket.sendall(text)
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._fill()
        head = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[:end + 4]
        headers = dict(line.split(":", 1) for line in head[1:])
        return int(head[0].split()[1]), {name.lower(): value.strip() for name, value in headers.items()}

    def read_response(self):
        """Reads one HTTP response with a known length; its status."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.take(1)
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        self.take(length)
        return int(head.split()[1])

    def send(self, data):
        self.socket.sendall(data)

    def command(self, **fields):
        self.send(command(**fields))

    def _fill(self):
        if not (data := self.socket.recv(1 << 16)):
            raise EOFError(f"the server closed the connection; unread: {bytes(self._buffer[:200])!r}")
        self._buffer += data

    def take(self, count):
        """The next so many bytes."""
        while len(self._buffer) < count:
            self._fill()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def read_some(self):
        """The bytes that are there, at least one."""
        if not self._buffer:
            self._fill()
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def read_frame(self):
        """The next frame, which must follow the rules for a server."""
        first, second = self.take(2)
        assert not second & 0x80, "a server must not mask"
        length = second & 0x7F
        if length >= 126:
            length = int.from_bytes(self.take(2 if length == 126 else 8), "big")
        received = Frame(first & 0x0F, self.take(length), bool(first & 0x80), first >> 4 & 7)
        assert received.rsv in self.reserved
        assert received.fin or received.opcode < CLOSE
        return received

    def read_message(self):
        """The next text message as JSON; pings on the way are answered."""
        while (received := self.read_frame()).opcode == PING:
            self.send(frame(PONG, received.payload))
        assert received.opcode == TEXT and received.fin, received
        return received.json

    def expect_error(self, code):
        message = self.read_message()
        assert (message["type"], message["error"]["code"]) == ("error", code), message

    def expect_pong(self, request_id=None):
        """Asks for a pong, which must be the very next message: the connection is in order."""
        self.command(type="ping", **({} if request_id is None else {"request_id": request_id}))
        message = self.read_message()
        assert (message["type"], message.get("request_id")) == ("pong", request_id), message

    def subscribe(self, topic, client_id="c", **fields):
        self.command(type="subscribe", topic=topic, client_id=client_id, **fields)
        message = self.read_message()
        assert (message["type"], message.get("topic")) == ("ack", topic), message

    def expect_close(self, *codes, reason=None):
        """The next frame must be a close with one of the codes; then, answered, the server ends the connection."""
        received = self.read_frame()
        assert received.opcode == CLOSE, received
        code, text = received.close
        assert code in codes, f"close {code} {text!r}, expected {codes}"
        assert reason is None or text == reason
        try:
            self.send(frame(CLOSE, received.payload))
        except (BrokenPipeError, ConnectionResetError):
            return
        self.expect_end()

    def expect_end(self):
        """Nothing more comes but the end of the connection."""
        try:
            rest = bytes(self._buffer) + self.socket.recv(1 << 16)
        except ConnectionResetError:
            return
        assert rest == b""
