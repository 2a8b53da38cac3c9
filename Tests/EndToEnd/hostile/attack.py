"""What an attack is: a function that does its worst to one server for a while, and proves that it did.

It takes a `Strike` and returns how much it did, by name. Its own assertions say that the server answered as documented:
an attack that is not noticed is none. Whether anybody else was harmed is for `verdict.py`.
"""

import contextlib
import itertools
import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from apus_e2e import PATIENCE, TIMEOUT
from raw_http import RawHTTP
from raw_websocket import CLOSE, RawWebSocket

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
UUID = "550e8400-e29b-41d4-a716-446655440000"
# Of a server that asks for credentials; see `Attack.guarded`.
BOSS = {"X-API-Key": "boss"}
ALL, TLS = "all", "tls"
# Shorter than the defaults, so that CI sees the end of what is slow, and memory go back.
IMPATIENT = ("--handshake-timeout", "1s", "--release-memory-after", "1s")
RESET = struct.pack("ii", 1, 0)


@contextlib.contextmanager
def nothing_beside():
    """What most attacks need besides the server."""
    yield ()


@dataclass(frozen=True)
class Attack:
    """A row of the table; `memory` is what the server may keep of it, in bytes, and `peak` what it may take meanwhile,
    besides what it always may."""

    name: str
    summary: str
    run: Callable
    flags: tuple = ()
    # Yields further flags, while what they name is there.
    beside: Callable = nothing_beside
    # Whether clients need a credential: that of `BOSS` is good.
    guarded: bool = False
    port: str = ALL
    # Whether CI has it on both kinds of port.
    twice: bool = False
    memory: int = 0
    peak: int = 0
    # Descriptors that the server opens once, the first time that it needs them.
    files: int = 0

    @property
    def headers(self):
        return BOSS if self.guarded else {}


ATTACKS = {}


def attack(summary, **options):
    """Puts a function into the table, under its own name with dashes."""
    def add(function):
        name = function.__name__.replace("_", "-")
        assert name not in ATTACKS
        ATTACKS[name] = Attack(name, summary, function, **options)
        return function
    return add


@dataclass
class Strike:
    """One run of an attack: the server, and how long and how hard."""

    server: object
    seconds: float
    # CI's form.
    is_short: bool
    headers: dict = field(default_factory=dict)
    _numbers: itertools.count = field(default_factory=itertools.count)

    def __post_init__(self):
        self.ends = time.monotonic() + self.seconds

    @property
    def seed(self):
        """Another one for each strike, which pytest shows where it fails."""
        seed = time.time_ns()
        print("seed", seed)
        return seed

    @property
    def fields(self):
        """The credential, as `raw_http.request` wants it."""
        return {name.replace("-", "_"): value for name, value in self.headers.items()}

    @property
    def goes_on(self):
        return time.monotonic() < self.ends

    def rounds(self):
        """At least one, and more until time is up."""
        for number in itertools.count():
            yield number
            if not self.goes_on:
                return

    def many(self, short, long):
        """So many in CI, or by command."""
        return short if self.is_short else long

    def name(self, kind="t"):
        """That of a topic which no other strike has."""
        return f"{kind}-{os.getpid()}-{next(self._numbers)}"

    @contextlib.contextmanager
    def topic(self, **settings):
        """A topic that is gone again afterwards."""
        name = self.name()
        assert self.server.rest("PUT", f"/topics/{name}", settings, self.headers).status == 201
        try:
            yield name
        finally:
            assert self.server.delete(name, headers=self.headers).status == 200

    @contextlib.contextmanager
    def sockets(self, count, kind=RawWebSocket.open):
        """So many connections at once, all closed in the end; in batches that fit the accept queue."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(kind(self.server)) for _ in range(count)]


def publishing(topic, payload, **fields):
    """The text of a publish whose payload is this JSON text."""
    more = "".join(f'"{name}":{value},' for name, value in fields.items())
    return f'{{"type":"publish",{more}"topic":"{topic}","message":{{"id":"{UUID}","payload":{payload}}}}}'


def pipelined(server, requests, batch=100):
    """Sends requests on one connection, and reads an answer to each; the numbers of answers by status."""
    statuses = {}
    with RawHTTP(server, timeout=3 * TIMEOUT) as raw:
        for start in range(0, len(requests), batch):
            part = requests[start:start + batch]
            raw.send(b"".join(part))
            for _ in part:
                status = raw.answer().status
                statuses[status] = statuses.get(status, 0) + 1
    return statuses


def read_to_close(raw):
    """Reads on to the close; its code."""
    while (received := raw.read_frame()).opcode != CLOSE:
        pass
    return received.close[0]


def reply(raw):
    """The next message but for heartbeats."""
    while (message := raw.read_message()).get("msg") == "ping":
        pass
    return message


def swallow(raw, seconds=0):
    """Reads what is there, or comes within a moment; the number of bytes, and whether the connection has ended."""
    raw.socket.settimeout(seconds or 0.000_001)
    count = 0
    try:
        while data := raw.socket.recv(MIB):
            count += len(data)
        return count, True
    except (TimeoutError, BlockingIOError):
        return count, False
    except OSError:
        return count, True
    finally:
        raw.socket.settimeout(TIMEOUT)


def push(raw, data, seconds=1.0):
    """Sends as much as the server takes before it makes the sender wait for so long; the number of bytes."""
    raw.socket.settimeout(seconds * PATIENCE)
    sent, view, ends = 0, memoryview(data), time.monotonic() + 5 * seconds
    try:
        # The kernel takes a little now and then, for a long time.
        while sent < len(view) and time.monotonic() < ends:
            raw.socket.sendall(view[sent:sent + 64 * KIB])
            sent += min(64 * KIB, len(view) - sent)
    except OSError:
        # No longer read, or cut off.
        pass
    finally:
        raw.socket.settimeout(TIMEOUT)
    return sent


def abort(raw):
    """Ends the connection with a reset, below TLS too."""
    with contextlib.suppress(OSError):
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    getattr(raw.socket, "plain", raw.socket).close()
