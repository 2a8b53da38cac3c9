"""What the disk itself can do, and how often it is told to."""

import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

# A log is allocated in pieces and goes on in the next one; Apus' segments are as large.
SEGMENT = 64 << 20
SMALLEST_COMMIT = 64
FLUSHES = ("fdatasync", "fsync")


def percentile(values, share):
    return sorted(values)[int(len(values) * share)]


def floor(size, parent, seconds):
    """Appends commits of so many bytes and flushes each, by a loop that does nothing else."""
    data, times = os.urandom(max(size, SMALLEST_COMMIT)), []
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        file, place = _segment(folder, 0), 0
        begin = time.perf_counter()
        while time.perf_counter() - begin < seconds:
            if place + len(data) > SEGMENT:
                os.close(file)
                file, place = _segment(folder, len(times)), 0
            start = time.perf_counter()
            os.pwrite(file, data, place)
            os.fdatasync(file)
            times.append(time.perf_counter() - start)
            place += len(data)
        elapsed = time.perf_counter() - begin
        os.close(file)
    return {
        "floor_bytes_per_s": len(data) * len(times) / elapsed,
        "floor_p50_us": statistics.median(times) * 1e6,
        "floor_p99_us": percentile(times, 0.99) * 1e6,
    }


def _segment(folder, number):
    """A new one in place of the last, so that no more room is taken than for two."""
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    file = os.open(os.path.join(folder, str(number)), os.O_WRONLY | os.O_CREAT)
    os.posix_fallocate(file, 0, SEGMENT)
    os.fsync(file)
    return file


@contextlib.contextmanager
def flushes(pids):
    """Counts calls of fdatasync and fsync with `perf`, which needs root; the list stays empty where it cannot.

    The kernel takes a longer way through all system calls meanwhile, so this is for loads that are not at the limit.
    """
    counts = []
    if os.geteuid() != 0 or not shutil.which("perf"):
        yield counts
        return
    events = ",".join(f"syscalls:sys_enter_{name}" for name in FLUSHES)
    command = ["perf", "stat", "-x", ",", "-e", events, "-p", ",".join(map(str, pids))]
    counter = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        # It says nothing when it has begun.
        time.sleep(0.5)
        yield counts
    finally:
        counter.send_signal(signal.SIGINT)
        counts += counted(counter.communicate(timeout=30)[1])


def counted(text):
    """The counts that `perf stat -x ,` printed."""
    return [int(count) for count in re.findall(r"^(\d+),,syscalls:", text, re.MULTILINE)]
