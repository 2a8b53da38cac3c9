"""File systems of a few MiB, for as long as a test takes. Mounting them needs root."""

import contextlib
import subprocess

import pytest


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


@contextlib.contextmanager
def small_disk(kind, folder, mebibytes):
    """A folder on a file system of its own: `tmpfs`, or `ext4` in a file."""
    place = folder / "disk"
    place.mkdir()
    if kind == "tmpfs":
        _run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "apus-test", place)
    else:
        image = folder / "image"
        _run("truncate", "-s", f"{mebibytes}M", image)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", image)
        _run("mount", "-o", "loop", image, place)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@contextlib.contextmanager
def no_room(place):
    """Nothing more can be written to the file system until the end of the block."""
    filler = place / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1 << 9):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))
        yield
    finally:
        filler.unlink()
