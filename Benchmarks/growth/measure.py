"""One run: a server of its own, `apus bench` against it, and what both say about it."""

import json
import os
import resource
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

UP_LIMIT = 20
RUN_LIMIT = 120
STOP_LIMIT = 15
SETTLE = 2


class Failed(Exception):
    """A run that came to nothing; the message goes into the results."""


@dataclass(frozen=True)
class Place:
    """The program, the cores of server and generator (None: wherever the kernel likes), and their priority."""

    program: str
    server_core: int | None
    generator_core: int | None
    is_realtime: bool

    @staticmethod
    def of_this_machine(program, is_realtime):
        cores = sorted(os.sched_getaffinity(0))
        return Place(program, *(cores[:2] if len(cores) > 1 else (None, None)), is_realtime)

    def prepare(self, core):
        """What a child does before it becomes the program."""

        def become():
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            if core is not None:
                os.sched_setaffinity(0, {core})
            if self.is_realtime:
                # Taking turns, as the threads of the generator share a core: one of them looks at the clock.
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(5))

        return become


def run_once(place, run, seconds):
    """The figures of one run: what `apus bench --json` says, and the server's memory before and at most."""
    with Server(place, run.get("server", [])) as server:
        before = server.memory("VmRSS")
        options = ["--warmup", f"{round(seconds[0] * 1000)}ms", "--duration", f"{round(seconds[1] * 1000)}ms"]
        command = [place.program, "bench", server.url, "--json", "--pid", str(server.process.pid), *options]
        with BufferWatch() as buffers:
            result = generate(place, command + run["bench"])
        result["memory"] = {"before": before, "peak": server.memory("VmHWM"), "at_end": server.memory("VmRSS")}
        result["memory"]["tcp_peak"] = buffers.peak
        return result


class BufferWatch(threading.Thread):
    """Looks ten times a second how much all TCP sockets of the machine have in their buffers."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak = 0
        self.is_over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()

    def run(self):
        while not self.is_over.wait(0.1):
            with open("/proc/net/sockstat") as file:
                pages = next(int(line.split()[-1]) for line in file if line.startswith("TCP:"))
            self.peak = max(self.peak, pages * resource.getpagesize())


def generate(place, command):
    """Runs the generator and returns its result."""
    try:
        run = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT,
            preexec_fn=place.prepare(place.generator_core),
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"the generator was not done after {RUN_LIMIT} s") from None
    if not run.stdout.startswith("{"):
        raise Failed((run.stderr.strip().splitlines() or [f"the generator ended with status {run.returncode}"])[-1])
    result = json.loads(run.stdout)
    if result["violations"]:
        raise Failed("; ".join(map(str, result["violations"])))
    if result["options"]["publishers"] and not result["publishes"]["per_second"]:
        raise Failed("nothing was published in the measured time")
    return result


class Server:
    """A running server: `with Server(place, options) as server`, then `server.url`."""

    def __init__(self, place, options):
        self.place, self.options = place, options

    def __enter__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [self.place.program, "serve", *self.loops(), "--port", str(port), "--log-level", "error"]
        self.process = subprocess.Popen(
            command + self.options,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=self.place.prepare(self.place.server_core),
        )
        try:
            self.wait_until_up(port)
            self.settle()
        except Failed:
            self.stop()
            raise
        return self

    def loops(self):
        """One, where the options do not say how many."""
        return () if "--threads" in self.options else ("--threads", "1")

    def __exit__(self, *_):
        self.stop()

    def wait_until_up(self, port):
        deadline = time.monotonic() + UP_LIMIT
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failed("the server did not come up")

    def settle(self):
        """Until the server has let go of what only its start needed; the most of its memory counts from here (proc(5))."""
        time.sleep(SETTLE)
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def memory(self, name):
        """A line of /proc/PID/status, in bytes."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))

    def stop(self):
        # Nothing is left to be drained; an orderly end would take a moment for each run.
        self.process.kill()
        self.process.wait(STOP_LIMIT)
