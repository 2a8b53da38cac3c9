"""Puts the peers into the cache.

Debian packages are unpacked rather than installed, so that no service starts and nothing else changes.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import peers

DEFAULT_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "apus-bench"


def cache():
    return Path(os.environ.get("BENCH_TMP") or DEFAULT_CACHE)


def folder(peer):
    return cache() / peer.name


def install(peer):
    """Installs a peer unless what is there is of the same pins and the same program."""
    place = folder(peer)
    stamp = place / "installed.json"
    wanted = json.dumps([dict(peer.apt), peer.pip, peer.archive, _program(peer)])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Installing {peer.title} into {place}", file=sys.stderr)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    versions = {}
    if peer.apt:
        versions |= _unpack_debian(peer.apt, place)
    if peer.pip:
        versions |= _environment(peer.pip, place)
    if peer.archive:
        versions |= _unpack_archive(peer.archive, place)
    if peer.program:
        _compile(peer, place)
    (place / "versions.json").write_text(json.dumps(versions))
    stamp.write_text(wanted)


def versions(peer):
    """The versions that were installed, of the packages that are named in the table."""
    path = folder(peer) / "versions.json"
    return json.loads(path.read_text()) if path.exists() else {}


def load_generator():
    """The program of peers/ack-load, compiled anew when its text has changed."""
    place, sources = cache() / "ack-load", peers.SOURCES / "ack-load"
    program, stamp = place / "ack-load", place / "sources"
    text = "".join(path.read_text() for path in sorted(sources.iterdir()))
    if not (program.exists() and stamp.exists() and stamp.read_text() == text):
        place.mkdir(parents=True, exist_ok=True)
        options = ["-O2", "-march=native", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
        _run(["gcc", *options, "-o", program, *sources.glob("*.c")])
        stamp.write_text(text)
    return program


def libraries(peer):
    """The folders of shared libraries that were unpacked."""
    return [str(path) for path in folder(peer).glob("root/usr/lib/*-linux-gnu")]


def _program(peer):
    return (peers.SOURCES / peer.program).read_text() if peer.program else ""


def _run(command, **options):
    try:
        return subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL, **options)
    except subprocess.CalledProcessError as error:
        sys.exit(f"compare: {' '.join(map(str, command))} failed: {(error.stderr or '').strip() or error.returncode}")


def _unpack_debian(packages, place):
    """Unpacks packages of exactly these versions, and those they need that this machine does not have."""
    wanted = [f"{name}={version}" for name, version in packages.items()]
    simulate = ["apt-get", "-s", "--no-install-recommends", "install", *wanted]
    simulation = subprocess.run(simulate, capture_output=True, text=True)
    if simulation.returncode != 0 and os.geteuid() == 0:
        _run(["apt-get", "-qq", "update"], stdout=sys.stderr)
        simulation = subprocess.run(simulate, capture_output=True, text=True)
    if simulation.returncode != 0:
        sys.exit(f"compare: apt has none of {' '.join(wanted)} (`apt-get update`?): {simulation.stderr.strip()}")
    needed = re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", simulation.stdout, re.MULTILINE)
    exact = [f"{name}={version}" for name, version in needed if name not in packages]
    debs = place / "debs"
    debs.mkdir()
    _run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *wanted, *exact], cwd=debs, stdout=sys.stderr)
    found = {}
    for deb in debs.glob("*.deb"):
        _run(["dpkg-deb", "-x", deb, place / "root"])
        fields = _run(["dpkg-deb", "-f", deb, "Package", "Version"], capture_output=True, text=True).stdout
        values = dict(line.split(": ", 1) for line in fields.splitlines())
        if values["Package"] in packages:
            found[values["Package"]] = values["Version"]
    shutil.rmtree(debs)
    return found


def _environment(packages, place):
    _run([sys.executable, "-m", "venv", place / "venv"])
    if packages:
        _run([place / "venv/bin/python", "-m", "pip", "--disable-pip-version-check", "install", "-q", *packages])
    return dict(package.split("==") for package in packages)


def _unpack_archive(package, place):
    """Downloads a package of PyPI's with the ordinary client and unpacks it."""
    archive = place / "archive"
    # Debian's own Python may come without pip.
    _environment((), place)
    pip = [place / "venv/bin/python", "-m", "pip", "--disable-pip-version-check", "download", "-q", "--no-deps"]
    _run([*pip, "-d", archive, package])
    for path in list(archive.iterdir()):
        shutil.unpack_archive(path, archive)
    return dict([package.split("==")])


def _compile(peer, place):
    """Compiles a peer's program for this processor, linked to the library in its archive."""
    library = next(place.glob("archive/**/libsocketify_linux_amd64.so"), None)
    if library is None:
        sys.exit(f"compare: no library for Linux on x86-64 in {peer.archive}")
    shutil.copy(library, place / "libsocketify.so")
    shutil.rmtree(place / "archive")
    shutil.rmtree(place / "venv")
    folders = libraries(peer)
    command = ["g++", "-O2", "-march=native", "-std=c++20", f"-I{place}/root/usr/include"]
    command += ["-o", place / peer.name, peers.SOURCES / peer.program, place / "libsocketify.so"]
    command += [option for path in folders for option in (f"-L{path}", f"-Wl,-rpath,{path}")]
    _run([*command, f"-Wl,-rpath,{place}", "-lsimdjson", "-l:libuv.so.1"])
