"""File systems of a server's own: one can be filled, and one can lose its power."""

import contextlib
import fcntl
import os
import struct
from pathlib import Path

from namespaces import run

SIZE = "2G"
# EXT4_IOC_SHUTDOWN, the same as XFS_IOC_GOINGDOWN, with NOLOGFLUSH.
SHUTDOWN, WITHOUT_FLUSH = 0x8004587D, 2


def memory(folder):
    """A place for images where nobody else's writes are in the way of their syncs."""
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=6g", "none", folder)
    return folder


class Disk:
    """ext4 in a file, which `folder` has. What was written there and not synced is not in that file: ext4 commits seldom
    of itself.
    """

    def __init__(self, folder, name, images):
        self.image, self.folder = Path(images) / f"{name}.image", Path(folder) / name
        self.folder.mkdir()
        run("truncate", "-s", SIZE, self.image)
        run("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        self._mount()

    def _mount(self):
        run("mount", "-o", "loop,commit=300", self.image, self.folder)

    def lose_power(self):
        """From now on nothing is written, the file system's own log neither."""
        place = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(place, SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
        finally:
            os.close(place)

    def power_on(self):
        """When nobody has a file of it open: with what was on the disk."""
        run("umount", self.folder)
        self._mount()

    def unmount(self):
        run("umount", "--lazy", self.folder)

    @contextlib.contextmanager
    def full(self):
        filler = self.folder / "filler"
        with filler.open("wb") as file:
            end, step = 0, 1 << 30
            while step >= 1 << 12:
                try:
                    os.posix_fallocate(file.fileno(), end, step)
                    end += step
                except OSError:
                    step >>= 1
        try:
            yield
        finally:
            filler.unlink()
