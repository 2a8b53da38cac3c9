"""Somebody who only publishes and subscribes, in a process of its own, and says what the others' attacks did to it."""

import contextlib
import gc
import multiprocessing
import os
import select
import time
import traceback
import uuid
from dataclasses import dataclass

from apus_e2e import PATIENCE, TIMEOUT
from raw_websocket import PING, PONG, TEXT, RawWebSocket, command, frame, upgrade_request
from wire import connect

TOPIC = "bystander"
# So many readers, so that there is one on each of two loops.
READERS = 2
# The longest that a message may take on a machine that is slow and busy: only a server that hangs takes longer.
LIVELINESS = 10 * PATIENCE
FORK = multiprocessing.get_context("fork")


class Bystander:
    """One publisher and its readers, each a process, from `start` to `stop`; `samples` are all messages afterwards."""

    def __init__(self, server, rate, headers=None, core=None):
        self.samples, self.fault = [], None
        self._headers, self._core = headers or {}, core
        self._publisher, *self._readers = (
            self._process(_publish, server, rate),
            *(self._process(_read, server, number) for number in range(READERS)),
        )

    def _process(self, work, server, *arguments):
        ours, theirs = FORK.Pipe()
        return FORK.Process(target=self._run, args=(theirs, work, server, *arguments), daemon=True), ours

    def __enter__(self):
        # Readers first: they get every message.
        for process, pipe in (*self._readers, self._publisher):
            process.start()
            self.fault = self.fault or (pipe.recv() if pipe.poll(3 * TIMEOUT) else "the bystander did not get in")
        self._publisher[1].send("start")
        return self

    def __exit__(self, *_):
        for process, _ in (self._publisher, *self._readers):
            if process.is_alive():
                process.kill()
            if process.pid:
                process.join()

    def stop(self):
        """Has it come to its end: what it saw is in `samples` and `fault`."""
        if self.fault is not None:
            return
        with contextlib.suppress(BrokenPipeError):
            # One that has failed has said so, and gone.
            self._publisher[1].send("stop")
        sent, *got = (self._told(pipe) for _, pipe in (self._publisher, *self._readers))
        if self.fault is None:
            try:
                self.samples = [Sample.of(*notes) for notes in zip(sent, *map(with_waits, got), strict=True)]
            except ValueError:
                self.fault = f"{len(sent)} messages, of which came {[len(each) for each in got]}"

    def _told(self, pipe):
        notes, fault = pipe.recv() if pipe.poll(3 * LIVELINESS) else ([], "the bystander hangs")
        self.fault = self.fault or fault
        return notes

    def _run(self, pipe, work, *arguments):
        gc.disable()
        if self._core is not None:
            os.sched_setaffinity(0, {self._core})
        notes = []
        try:
            work(pipe, notes, self._headers, *arguments)
            pipe.send((notes, None))
        except Exception:
            pipe.send((notes, f"after {len(notes)} messages: {traceback.format_exc()}"))


class OwnWaits:
    """How long this process, which has one thread, was ready and got no core: no server can help that."""

    def __init__(self):
        self._file = os.open("/proc/self/schedstat", os.O_RDONLY)
        self._known = self._total()

    def _total(self):
        return int(os.pread(self._file, 64, 0).split()[1]) / 1e9

    def since_last(self):
        known, self._known = self._known, self._total()
        return self._known - known


@dataclass(frozen=True)
class Sample:
    """A message: when it was due, how long it took to the last of its readers, and how long without their own waits."""

    began: float
    took: float
    served: float

    @classmethod
    def of(cls, sent, *got):
        due, ready, wait = sent
        served = max(time - covered(waits, ready, time) for time, waits in got) - ready - wait
        return cls(due, max(time for time, _ in got) - due, max(0, served))


def with_waits(notes):
    """For each message that came, when that was, and the reader's own waits up to then that may matter for it."""
    waits = []
    for time, wait in notes:
        if wait > 0:
            waits.append((time - wait, time))
        # Messages that come at once have waited together.
        yield time, waits[-16:]


def covered(waits, first, last):
    return sum(max(0, min(last, end) - max(first, begin)) for begin, end in waits)


def _publish(pipe, notes, headers, server, rate):
    """Publishes `rate` messages a second until told to stop, whatever becomes of those before."""
    publisher, waits = _Publisher(server, headers), OwnWaits()
    pipe.send(None)
    pipe.recv()
    due = time.monotonic()
    while not pipe.poll():
        publisher.take_acks(due)
        # It may be late because it was not woken in time, or because it could not send the one before.
        ready = min(time.monotonic(), due + waits.since_last())
        publisher.publish(len(notes))
        notes.append((due, ready, waits.since_last()))
        due += 1 / rate
    publisher.publish(None)


def _read(pipe, notes, headers, server, number):
    """Reads, and notes when each message came, and how long this process had waited for a core since the one before."""
    reader, waits = _Client(server, headers), OwnWaits()
    reader.raw.subscribe(TOPIC, f"reader {number}")
    pipe.send(None)
    while (number := reader.number()) is not None:
        assert number == len(notes), f"{number}, not {len(notes)}"
        notes.append((time.monotonic(), waits.since_last()))
    # Nothing came twice.
    reader.raw.expect_pong("last")


class _Client:
    """A WebSocket whose messages are taken one by one, without the heartbeats."""

    def __init__(self, server, headers):
        self.raw = RawWebSocket.on(connect(server, LIVELINESS))
        status, _ = self.raw.request(upgrade_request(**headers))
        assert status == 101, status

    def next(self):
        """The next message."""
        while (message := self.take()) is None:
            pass
        return message

    def number(self):
        """That of the next message."""
        message = self.next()
        assert message["type"] == "event", message
        return message["message"]["payload"]

    def take(self):
        """The next frame's message; None where it is a ping or a heartbeat."""
        received = self.raw.read_frame()
        if received.opcode == PING:
            self.raw.send(frame(PONG, received.payload))
            return None
        assert received.opcode == TEXT, received
        return None if received.payload.startswith(b'{"type":"info","msg":"ping"') else received.json


class _Publisher(_Client):
    def __init__(self, server, headers):
        super().__init__(server, headers)
        self._id = str(uuid.uuid4())

    def publish(self, number):
        self.raw.send(command(type="publish", topic=TOPIC, message={"id": self._id, "payload": number}))

    def take_acks(self, until):
        """Waits, and meanwhile reads what comes."""
        while (left := until - time.monotonic()) > 0:
            if select.select([self.raw.socket], [], [], left)[0]:
                # Nothing more need come than this.
                message = self.take()
                assert message is None or message["type"] == "ack", message
