"""Starts a server for one run, on its core, and stops it again by its process id."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import install
from .peers import Place

UP_LIMIT = 60
STOP_LIMIT = 5


class Failed(Exception):
    """A run that came to nothing; the message goes into the results."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def family(pid):
    """A process and all that it started, by what /proc says now."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def confine(core, is_realtime=False):
    """What a child does before it becomes the program: its core, its scheduling, and as many open files as it may have."""

    def prepare():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if core is not None:
            os.sched_setaffinity(0, {core})
        if is_realtime:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))

    return prepare


class Server:
    """A running server: `with Server(...) as server`, then `server.port` and `server.pids`."""

    def __init__(self, contestant, cores, log, parent=None):
        """`parent` is where the server's own folder is made, which it is started in; the cache else."""
        self.contestant, self.cores, self.log, self.parent = contestant, cores, log, parent

    def __enter__(self):
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="run-", dir=self.parent or install.cache())
        command, environment = self.contestant.start(self.port, self.folder)
        self.process = subprocess.Popen(
            [str(word) for word in command],
            env=dict(os.environ, **environment),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            preexec_fn=confine(
                None if self.contestant.has_all_cores else self.cores.server, self.cores.is_server_realtime
            ),
        )
        try:
            self._wait_until_up()
        except Failed:
            self._stop()
            raise
        return self

    def __exit__(self, *_):
        self._stop()

    def _wait_until_up(self):
        deadline = time.monotonic() + UP_LIMIT
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failed(f"the server ended with status {self.process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise Failed(f"the server did not listen within {UP_LIMIT} s")
        # Workers that it forks are there a moment later.
        time.sleep(0.3)
        self.pids = family(self.process.pid)

    def _stop(self):
        pids = family(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                for pid in pids:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except OSError:
                        pass
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Apus:
    """The server that is compared: with one loop on the server's core."""

    name, title, protocol = "apus", "Apus", "apus"
    paced_by_delivery = without = frozenset()
    options = ("--threads", "1")
    note = "`--threads 1`"
    has_all_cores = False

    def __init__(self, program):
        self.program = program

    def start(self, port, _):
        return [self.program, "serve", *self.options, "--log-level", "warning", "--port", port], {}


class ApusWithItsDefaults(Apus):
    """The same as people start it: a loop for each core, on all of them, the generator's too."""

    name, title = "apus-default", "Apus, a loop per core"
    options = ()
    note = "its defaults, on all cores, of which it shares one with the generator"
    has_all_cores = True


class Installed:
    """A peer from the cache."""

    has_all_cores = False

    def __init__(self, peer):
        self.peer = peer
        self.name, self.title, self.protocol, self.note = peer.name, peer.title, peer.protocol, peer.note
        self.paced_by_delivery, self.without = peer.paced_by_delivery, peer.without

    def start(self, port, folder):
        folder = install.Path(folder)
        command = self.peer.command(Place(install.folder(self.peer), folder, port))
        paths = ":".join(install.libraries(self.peer))
        return command, dict(self.peer.environment, **({"LD_LIBRARY_PATH": paths} if paths else {}))


class Other:
    """A server of the caller's that speaks Apus' protocol: `NAME=COMMAND` with `{port}` in it."""

    protocol = "apus"
    paced_by_delivery = without = frozenset()
    has_all_cores = False

    def __init__(self, text):
        self.name, separator, self.command = text.partition("=")
        if not separator or "{port}" not in self.command:
            raise ValueError("NAME=COMMAND with {port} in it")
        self.title = self.name
        self.note = f"`{self.command}`"

    def start(self, port, _):
        return [word.replace("{port}", str(port)) for word in self.command.split()], {}
