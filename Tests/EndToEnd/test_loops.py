"""Several event loops of which one gets next to nothing of its core: its subscribers read, so they lose nothing by it."""

import contextlib
import json
import os
import re
import selectors
import subprocess
import threading

import pytest

from apus_e2e import PATIENCE, Server, apus, eventually
from prometheus import scrape
from wire import connect

# It is about who has a core and who has not.
pytestmark = [pytest.mark.alone, pytest.mark.one_server("it is about one process")]

POLICIES = ["drop-oldest", "drop-newest", "latest", "disconnect", "throttle"]
# Small, so that any burst is more than it holds.
QUEUE = "64"
READERS = 100
EVENT = re.compile(rb"^event: message$", re.MULTILINE)


@contextlib.contextmanager
def busy(core):
    """Another process that wants all of a core."""
    code = f"import os\nos.sched_setaffinity(0, {{{core}}})\nprint(flush=True)\nwhile True: pass"
    hog = subprocess.Popen(["python3", "-c", code], stdout=subprocess.PIPE)
    try:
        hog.stdout.readline()
        yield
    finally:
        hog.kill()
        hog.wait()


@contextlib.contextmanager
def slow_loop(server):
    """Has one of the socket loops share a core with somebody who goes before it."""
    tasks = f"/proc/{server.process.pid}/task"
    loops = []
    for task in os.listdir(tasks):
        # A thread may end in between.
        with contextlib.suppress(FileNotFoundError), open(f"{tasks}/{task}/comm") as file:
            if file.read().startswith("TP-#"):
                loops.append(int(task))
    core = max(os.sched_getaffinity(0))
    # Not the first one, which accepts connections.
    loop = sorted(loops)[1]
    os.sched_setaffinity(loop, {core})
    os.setpriority(os.PRIO_PROCESS, loop, 19)
    with busy(core):
        yield


def bench(server, *arguments):
    """A short run under load, with its result."""
    run = apus("bench", server.url, "--window", "64", "--warmup", "100ms", "--duration", "1s", "--json", *arguments,
               timeout=120 * PATIENCE)
    assert run.returncode == 0, f"{run.stderr}{run.stdout[:1000]}"
    return json.loads(run.stdout)


def expect_nobody_lost(server):
    told = scrape(server)
    dropped = told.labelled("apus_messages_dropped_total", "reason")
    assert {dropped[reason] for reason in ("drop-oldest", "drop-newest", "topic-bytes")} == {0}, dropped
    closed = told.labelled("apus_connections_closed_total", "reason")
    assert closed["SLOW_CONSUMER"] == 0, closed
    assert told.labelled("apus_errors_total", "code")["SLOW_CONSUMER"] == 0


@pytest.mark.parametrize("threads", ["2", "8"])
@pytest.mark.parametrize("policy", POLICIES)
def test_readers_on_a_slow_loop_lose_nothing(policy, threads):
    with Server("--threads", threads, "--overflow", policy, "--queue", QUEUE) as server, slow_loop(server):
        found = bench(server, "--subs", str(READERS))
        deliveries = found["deliveries"]
        assert deliveries["received"] == deliveries["expected"] == READERS * found["publishes"]["total"] > 0
        expect_nobody_lost(server)


@pytest.mark.parametrize("policy", POLICIES)
def test_event_streams_on_a_slow_loop_lose_nothing(policy):
    with Server("--overflow", policy, "--queue", QUEUE, "--threads", "2") as server, slow_loop(server):
        with streams(server, READERS) as readers:
            found = bench(server, "--subs", "1")
            expected = found["publishes"]["total"]
            eventually(lambda: set(readers.counts) == {expected}, f"{expected} events on each stream: {readers.counts}",
                       timeout=60 * PATIENCE)
        expect_nobody_lost(server)


def test_a_publisher_by_http_waits_for_a_slow_loop_too():
    with Server("--overflow", "disconnect", "--queue", QUEUE, "--threads", "2") as server, slow_loop(server):
        with streams(server, READERS) as readers:
            server.create("t")
            lines = "\n".join(str(number) for number in range(50)).encode()
            for _ in range(40):
                answer = server.rest("POST", "/topics/t/messages", lines, {"Content-Type": "application/x-ndjson"})
                assert answer.status == 201
            eventually(lambda: set(readers.counts) == {2000}, "all events on each stream", timeout=60 * PATIENCE)
        expect_nobody_lost(server)


class Readers:
    """Event streams of all topics, read by one thread as fast as they come."""

    def __init__(self, server, count):
        self.counts = [0] * count
        self._stop = threading.Event()
        self._selector = selectors.DefaultSelector()
        for index in range(count):
            stream = connect(server)
            stream.sendall(b"GET /events?topic=* HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            stream.setblocking(False)
            self._selector.register(stream, selectors.EVENT_READ, index)
        self._rests = [b""] * count
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._stop.is_set():
            for key, _ in self._selector.select(0.1):
                with contextlib.suppress(BlockingIOError):
                    self._take(key.fileobj, key.data)

    def _take(self, stream, index):
        while data := stream.recv(1 << 18):
            whole, newline, rest = (self._rests[index] + data).rpartition(b"\n")
            self.counts[index] += len(EVENT.findall(whole))
            self._rests[index] = rest
        self._selector.unregister(stream)

    def close(self):
        self._stop.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()


@contextlib.contextmanager
def streams(server, count):
    readers = Readers(server, count)
    try:
        eventually(lambda: scrape(server).labelled("apus_connections", "transport")["sse"] == count, "all streams are open")
        yield readers
    finally:
        readers.close()
