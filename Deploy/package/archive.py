#!/usr/bin/env python3
"""Tar archives that depend on nothing but what is in them: sorted, of one time, owned by root, without names of users.

    archive.py FOLDER NAME FILE LEVEL     packs the folder, as NAME/, into the gzipped FILE
"""

import gzip
import io
import os
import sys
import tarfile
from pathlib import Path

EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


class Archive:
    """A tar archive that is written to `target`, entry by entry."""

    def __init__(self, target):
        self._tar = tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT)
        self._folders = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._tar.close()

    def folder(self, path, mode=0o755, owner=0):
        """This folder, and those above it that are not there yet."""
        if path in self._folders or path in ("", "."):
            return
        self.folder(os.path.dirname(path))
        self._folders.add(path)
        self._tar.addfile(_entry(path, tarfile.DIRTYPE, mode, owner))

    def file(self, path, content, mode=0o644):
        self.folder(os.path.dirname(path))
        entry = _entry(path, tarfile.REGTYPE, mode)
        entry.size = len(content)
        self._tar.addfile(entry, io.BytesIO(content))

    def link(self, path, target):
        self.folder(os.path.dirname(path))
        entry = _entry(path, tarfile.SYMTYPE, 0o777)
        entry.linkname = target
        self._tar.addfile(entry)

    def tree(self, source, path):
        """All that is in the folder `source`, below `path`."""
        for file in sorted(source.rglob("*")):
            inside = f"{path}/{file.relative_to(source)}"
            if file.is_symlink():
                self.link(inside, os.readlink(file))
            elif file.is_dir():
                self.folder(inside)
            else:
                self.file(inside, file.read_bytes(), 0o755 if file.stat().st_mode & 0o100 else 0o644)


def _entry(path, kind, mode, owner=0):
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.mtime = kind, mode, EPOCH
    entry.uid = entry.gid = owner
    return entry


def gzipped(content, level):
    return gzip.compress(content, level, mtime=0)


def main(folder, name, target, level):
    with open(target, "wb") as file, gzip.GzipFile("", "wb", int(level), file, mtime=0) as packed, \
            Archive(packed) as archive:
        archive.tree(Path(folder), name)


if __name__ == "__main__":
    main(*sys.argv[1:])
