"""Somebody who only publishes and subscribes, in a process of its own, and says what the others' attacks did to it."""

import gc
import multiprocessing
import os
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
        self._ours.send("stop")
        self.samples, self.fault = self._ours.recv() if self._ours.poll(3 * LIVELINESS) else ([], "the bystander hangs")
        self._process.join(TIMEOUT)

    def _run(self, pipe):
        gc.disable()
        if self._core is not None:
            os.sched_setaffinity(0, {self._core})
        try:
            publisher, readers = _Publisher(self._server, self._headers), []
            readers = [_Reader(self._server, self._headers, number) for number in range(READERS)]
        except Exception:
            pipe.send(traceback.format_exc())
            return
        pipe.send(None)
        samples = []
        try:
            _exchange(publisher, readers, self._rate, pipe, samples)
            pipe.send((samples, None))
        except Exception:
            pipe.send((samples, f"after {len(samples)} messages: {traceback.format_exc()}"))


def _exchange(publisher, readers, rate, pipe, samples):
    """Publishes `rate` messages a second, each of which all readers must get before the next, until told to stop.

    A message counts from when it was due: those that had to wait for a slow one before them took as long, too.
    """
    due, number = time.monotonic(), 0
    while not pipe.poll():
        now = time.monotonic()
        if now < due:
            time.sleep(due - now)
            began = time.monotonic()
        else:
            began = due
        publisher.publish(number)
        for reader in readers:
            reader.expect(number)
        samples.append((began, time.monotonic() - began))
        publisher.expect_ack()
        due, number = due + 1 / rate, number + 1
    for reader in readers:
        # Nothing came twice.
        reader.raw.expect_pong("last")


class _Client:
    """A WebSocket whose messages are taken one by one, without the heartbeats."""

    def __init__(self, server, headers):
        self.raw = RawWebSocket.on(connect(server, LIVELINESS))
        status, _ = self.raw.request(upgrade_request(**headers))
        assert status == 101, status

    def next(self):
        while True:
            received = self.raw.read_frame()
            if received.opcode == PING:
                self.raw.send(frame(PONG, received.payload))
                continue
            assert received.opcode == TEXT, received
            if not received.payload.startswith(b'{"type":"info","msg":"ping"'):
                return received.json


class _Publisher(_Client):
    def __init__(self, server, headers):
        super().__init__(server, headers)
        self._id = str(uuid.uuid4())

    def publish(self, number):
        self.raw.send(command(type="publish", topic=TOPIC, message={"id": self._id, "payload": number}))

    def expect_ack(self):
        message = self.next()
        assert message["type"] == "ack", message


class _Reader(_Client):
    def __init__(self, server, headers, number):
        super().__init__(server, headers)
        self.raw.subscribe(TOPIC, f"reader {number}")

    def expect(self, number):
        message = self.next()
        assert message["type"] == "event" and message["message"]["payload"] == number, f"{message}, not {number}"
