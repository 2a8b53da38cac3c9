"""A wall clock that somebody sets by hours, again and again, for one process."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("stepped_clock.c")


@cache
def _library():
    # Kept until this process ends: servers load it.
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, "stepped_clock.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", path, SOURCE], check=True)
    return path, folder


def stepped(milliseconds):
    """The environment of a process whose wall clock is set by two hours every so many milliseconds."""
    return {"LD_PRELOAD": str(_library()[0]), "CLOCK_STEP_MS": str(milliseconds)}


def ahead(hours):
    """The environment of a process whose wall clock is ahead by so many hours, or behind."""
    return {"LD_PRELOAD": str(_library()[0]), "CLOCK_AHEAD_S": str(round(hours * 3600))}
