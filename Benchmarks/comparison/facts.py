"""What a table must say besides its figures: machine, date, versions, commit, command."""

import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

from . import install

ROOT = Path(__file__).resolve().parent.parent.parent


def gather(contestants, load, options):
    return {
        "date": time.strftime("%Y-%m-%d"),
        "command": shlex.join(["Benchmarks/compare", *sys.argv[1:]]),
        "commit": commit(),
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "system": f"Linux {platform.release().split('-')[0]}, {distribution()}",
        "repetitions": options.reps,
        "duration": options.duration,
        "generator": load.name,
        "servers": [_server(contestant) for contestant in contestants],
    }


def _server(contestant):
    peer = getattr(contestant, "peer", None)
    versions = install.versions(peer) if peer else {}
    return {
        "name": contestant.name,
        "title": contestant.title,
        "note": contestant.note,
        "versions": {
            name: version for name, version in versions.items() if not name.startswith("lib") or "mod" in name
        },
    }


def commit():
    def git(*words):
        run = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True)
        return run.stdout.strip() if run.returncode == 0 else ""

    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    return f"{commit} with changes" if git("status", "--porcelain", "--", "Sources", "Package.swift") else commit


def file_system(folder):
    run = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True)
    return run.stdout.strip() or "unknown file system"


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()


def distribution():
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return platform.system()
