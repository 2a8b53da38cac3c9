"""A control group with a limit on memory, where this process may make one."""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


def _own(is_v1):
    """This process's own group, below which new ones are made."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if ("memory" in controllers.split(",")) if is_v1 else not controllers:
            return path.lstrip("/")
    return ""


@contextmanager
def memory_group(limit):
    """The file that takes the ids of the group's processes. The group has to be empty at the end of the block."""
    is_v1 = (V1 / "memory.limit_in_bytes").exists()
    root, file = (V1, "memory.limit_in_bytes") if is_v1 else (V2, "memory.max")
    folder = root / _own(is_v1) / f"apus-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        try:
            (folder / file).write_text(str(limit))
        except OSError as error:
            pytest.skip(f"control groups have no limit on memory here: {error}")
        yield folder / "cgroup.procs"
    finally:
        folder.rmdir()
