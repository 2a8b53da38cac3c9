"""What the program consists of: Swift packages that are linked in, and shared libraries that Debian has."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LICENCE_FILES = ("LICENSE*", "LICENCE*", "COPYING*")
# What tells a licence, in the order in which they are looked for. A text without any of them is not guessed at.
LICENCES = [
    ("Runtime Library Exception", "Apache-2.0 WITH Swift-exception"),
    ("Apache License", "Apache-2.0"),
    ("Permission is hereby granted, free of charge", "MIT"),
]


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    address: str
    revision: str
    licence: str | None
    texts: list[str]


@dataclass(frozen=True)
class Library:
    """A shared library that the program loads: the name it asks for, and the file that it gets."""
    name: str
    file: Path


def packages(checkouts):
    """Those of Package.resolved, with the texts of their licences and notices."""
    pins = json.loads((ROOT / "Package.resolved").read_text())["pins"]
    return [_package(pin, checkouts) for pin in sorted(pins, key=lambda pin: pin["identity"])]


def _package(pin, checkouts):
    folder = checkouts / pin["location"].rsplit("/", 1)[1].removesuffix(".git")
    files = [file for pattern in (*LICENCE_FILES, "NOTICE*") for file in sorted(folder.glob(pattern)) if file.is_file()]
    texts = [file.read_text() for file in files]
    whole = re.sub(r"\s+", " ", texts[0]) if texts else ""
    licence = next((name for sign, name in LICENCES if sign in whole), None)
    state = pin["state"]
    return Package(pin["identity"], state["version"], pin["location"], state["revision"], licence, texts)


def libraries(binary):
    """What the loader of this machine takes for the program, and the loader."""
    found = {}
    for line in subprocess.run(["ldd", binary], check=True, capture_output=True, text=True).stdout.splitlines():
        if match := re.match(r"\s*(?:(\S+) => )?(/\S+) \(0x", line):
            found[match[1] or match[2]] = Library(match[1] or match[2], Path(match[2]).resolve())
        elif "not found" in line:
            raise SystemExit(f"a shared library is missing: {line.strip()}")
    return [found[name] for name in sorted(found)]


def debian_package(file):
    """The name of the Debian package that has the file; None for a file of another origin."""
    # Packages may name files below /lib, where all of it is in /usr/lib.
    for path in (str(file), str(file).removeprefix("/usr")):
        answer = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True)
        if answer.returncode == 0:
            return answer.stdout.split(":")[0]
    return None


def debian_field(package, field):
    # A package may be there for several architectures.
    answer = subprocess.run(["dpkg-query", "-W", f"-f=${{{field}}}\n", package], check=True, capture_output=True,
                            text=True)
    return answer.stdout.splitlines()[0]
