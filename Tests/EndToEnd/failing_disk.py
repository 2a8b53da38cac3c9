"""A disk that fails, is full or slow when a test says so, for one server."""

import contextlib
import ctypes
import mmap
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from apus_e2e import Server, eventually
from extensions import configure
from history import history

SOURCE = Path(__file__).with_name("failing_disk.c")


class Rule(ctypes.Structure):
    """What happens to one kind of call on one kind of file."""

    _fields_ = [(name, ctypes.c_int)
                for name in ("error", "after", "times", "most", "delay", "held", "calls", "waiting")]

    def fail(self, error, times=-1, after=0):
        """Has the calls after the next `after` ones fail; `times` of them, or all."""
        self.error, self.after, self.times = error, after, times

    def heal(self):
        self.times = self.most = self.delay = self.held = 0

    @contextlib.contextmanager
    def holding(self):
        """Has calls wait until the end of the block."""
        self.held = 1
        try:
            yield self
        finally:
            self.held = 0

    def wait_for_one(self):
        """Until a call waits."""
        eventually(lambda: self.waiting > 0, "a call that waits")


class _File(ctypes.Structure):
    _fields_ = [("write", Rule), ("sync", Rule), ("allocate", Rule)]


class End(ctypes.Structure):
    """At which of its calls that change a file or a folder the program is killed, 0 for never; how many there were, and
    which of them were the first renames."""

    _fields_ = [("at", ctypes.c_int), ("calls", ctypes.c_int), ("renames", ctypes.c_int * 16)]


class FailingDisk(ctypes.Structure):
    """Start a server with the environment `env`. `segments` is messages, `catalog` everything else."""

    _fields_ = [("segments", _File), ("catalog", _File), ("end", End)]

    @classmethod
    def in_folder(cls, folder):
        path = Path(folder, "failing-disk")
        path.write_bytes(bytes(ctypes.sizeof(cls)))
        with path.open("r+b") as file:
            disk = cls.from_buffer(mmap.mmap(file.fileno(), 0))
        disk.env = {"LD_PRELOAD": str(_library()[0]), "FAILING_DISK": str(path)}
        return disk


@cache
def _library():
    # Kept until this process ends: servers load it.
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, "failing_disk.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", path, SOURCE], check=True)
    return path, folder


# The topics that `topics` makes and that outlive the server.
KEPT = ("orders", "clicks")


@pytest.fixture
def disk(tmp_path):
    return FailingDisk.in_folder(tmp_path)


@pytest.fixture
def start(tmp_path, disk):
    """Starts a server on a disk that fails when it is told to, with a topic of each level."""
    def start(*flags, **options):
        return Server("--data", str(tmp_path / "data"), "--history", "100000", *flags, env=disk.env, **options)
    return start


def topics(server):
    for topic, durability in (("orders", "disk"), ("clicks", "os"), ("cursors", "memory")):
        configure(server, topic, durability=durability)


def kept(server, topic):
    """The payloads of a topic, whose offsets must have no gap."""
    found = history(server, topic)
    assert [message["offset"] for message in found] == list(range(1, len(found) + 1))
    return [message["message"]["payload"] for message in found]
