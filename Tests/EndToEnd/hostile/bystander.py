"""Somebody who only publishes and subscribes, in a process of its own, and says what the others' attacks did to it."""

import contextlib
import gc
import multiprocessing
import os
import select
import threading
import time
import traceback
import uuid

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
    """One publisher and its readers, from `start` to `stop`; `samples` are the times of all messages afterwards."""

    def __init__(self, server, rate, headers=None, core=None):
        self._server, self._rate, self._headers, self._core = server, rate, headers or {}, core
        self._ours, theirs = FORK.Pipe()
        self._process = FORK.Process(target=self._run, args=(theirs,), daemon=True)
        self.samples, self.fault = [], None

    def __enter__(self):
        self._process.start()
        if self._ours.poll(3 * TIMEOUT):
            self.fault = self._ours.recv()
        else:
            self.fault = "the bystander did not get in"
        return self

    def __exit__(self, *_):
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def stop(self):
        """Has it come to its end: what it saw is in `samples` and `fault`."""
        if self.fault is not None:
            return
        with contextlib.suppress(BrokenPipeError):
            # One that has failed has said so, and gone.
            self._ours.send("stop")
        self.samples, self.fault = self._ours.recv() if self._ours.poll(3 * LIVELINESS) else ([], "the bystander hangs")
        self._process.join(TIMEOUT)

    def _run(self, pipe):
        gc.disable()
        if self._core is not None:
            os.sched_setaffinity(0, {self._core})
        try:
            publisher = _Publisher(self._server, self._headers)
            readers = [_Reader(self._server, self._headers, number) for number in range(READERS)]
        except Exception:
            pipe.send(traceback.format_exc())
            return
        pipe.send(None)
        began = []
        try:
            _publish(publisher, self._rate, pipe, began, [reader.start() for reader in readers])
            # A message took as long as it took to the last of them.
            times = zip(began, *(reader.finish() for reader in readers), strict=True)
            took = [max(got) - sent for sent, *got in times]
            pipe.send((list(zip(began, took)), None))
        except Exception:
            pipe.send(([], f"after {len(began)} messages: {traceback.format_exc()}"))


def _publish(publisher, rate, pipe, began, readers):
    """Publishes `rate` messages a second until told to stop, whatever becomes of those before; notes when each was."""
    due = time.monotonic()
    while not pipe.poll():
        publisher.take_acks(due)
        now = time.monotonic()
        # Later only if this process was not woken in time, and not if it could not send.
        began.append(due if now - due > 0.02 else now)
        publisher.publish(len(began) - 1)
        due += 1 / rate
        for reader in readers:
            assert reader.fault is None, reader.fault
    publisher.publish(None)


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


class _Reader(_Client):
    """Reads on a thread of its own, and notes when it got each message."""

    def __init__(self, server, headers, number):
        super().__init__(server, headers)
        self.raw.subscribe(TOPIC, f"reader {number}")
        self._times, self.fault = [], None
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def finish(self):
        """The times, once the last message has come; each came once and in its order."""
        self._thread.join(3 * LIVELINESS)
        assert self.fault is None, self.fault
        assert not self._thread.is_alive(), f"{len(self._times)} messages and no end"
        return self._times

    def _read(self):
        try:
            while (number := self._number()) is not None:
                assert number == len(self._times), f"{number}, not {len(self._times)}"
                self._times.append(time.monotonic())
            # Nothing came twice.
            self.raw.expect_pong("last")
        except Exception:
            self.fault = f"after {len(self._times)} messages: {traceback.format_exc()}"

    def _number(self):
        message = self.next()
        assert message["type"] == "event", message
        return message["message"]["payload"]
