#!/usr/bin/env python3
"""Makes an image of the program by the OCI image specification, as an archive that skopeo, podman and Docker load.

No engine is needed, and no base image: the first layer has the shared libraries of this machine's Debian, and nothing
else of it, so there is no shell. The second has Apus.
"""

import argparse
import hashlib
import io
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from archive import EPOCH, Archive, gzipped
from components import debian_field, debian_package, libraries

# A number, so that Kubernetes can tell that this is not root. The same as in the Dockerfile.
USER = 10001
DATA = "var/lib/apus"
TEXTS = {
    "etc/passwd": f"root:x:0:0:root:/:/usr/sbin/nologin\napus:x:{USER}:{USER}:apus:/{DATA}:/usr/sbin/nologin\n",
    "etc/group": f"root:x:0:\napus:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
MERGED = ["bin", "lib", "lib64", "sbin"]
CREATED = datetime.fromtimestamp(EPOCH, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def debian_layer(binary):
    """What the program loads, where it looks for it, and what says where that is from."""
    with io.BytesIO() as layer:
        with Archive(layer) as archive:
            for name in MERGED:
                archive.folder(f"usr/{name}")
                archive.link(name, f"usr/{name}")
            packages = {"ca-certificates"}
            for library in libraries(binary):
                _add(archive, library)
                packages.add(debian_package(library.file))
            for package in sorted(packages - {None}):
                _add_origin(archive, package)
            for path, text in TEXTS.items():
                archive.file(path, text.encode())
            archive.file("etc/os-release", Path("/etc/os-release").read_bytes())
            # Not this machine's own list, to which somebody may have added authorities.
            roots = sorted(Path("/usr/share/ca-certificates/mozilla").glob("*.crt"))
            archive.file("etc/ssl/certs/ca-certificates.crt", b"".join(file.read_bytes() for file in roots))
            archive.folder("tmp", 0o1777)
        return layer.getvalue()


def _add(archive, library):
    # The loader is asked for by its path; others by a name, in the folder of the file that has it.
    path = library.name if library.name.startswith("/") else f"{library.file.parent}/{library.name}"
    first = path.split("/")[1]
    path = f"/usr{path}" if first in MERGED else path
    archive.file(path.lstrip("/"), library.file.read_bytes(), 0o755)


def _add_origin(archive, package):
    """For people, the copyright; for programs that look for known holes, the version."""
    copyright = Path(f"/usr/share/doc/{package}/copyright").resolve()
    archive.file(f"usr/share/doc/{package}/copyright", copyright.read_bytes())
    fields = ("Package", "Version", "Architecture", "Maintainer")
    lines = [f"{field}: {debian_field(package, field)}" for field in fields]
    source = debian_field(package, "source:Package")
    archive.file(f"var/lib/dpkg/status.d/{package}", "\n".join([*lines, f"Source: {source}", ""]).encode())


def apus_layer(local):
    with io.BytesIO() as layer:
        with Archive(layer) as archive:
            archive.file("usr/local/bin/apus", (local / "bin/apus").read_bytes(), 0o755)
            archive.tree(local / "share/doc/apus", "usr/local/share/doc/apus")
            archive.folder(DATA, 0o750, USER)
        return layer.getvalue()


def configuration(version, revision, layers):
    return {
        "created": CREATED, "architecture": _architecture(), "os": "linux",
        "config": {
            "User": f"{USER}:{USER}", "ExposedPorts": {"8080/tcp": {}},
            "Env": ["PATH=/usr/local/bin:/usr/bin", "APUS_HOST=0.0.0.0", f"APUS_DATA=/{DATA}"],
            "Entrypoint": ["apus"], "Cmd": ["serve"], "Volumes": {f"/{DATA}": {}}, "WorkingDir": "/",
            "StopSignal": "SIGTERM",
            "Labels": {
                "org.opencontainers.image.title": "Apus", "org.opencontainers.image.version": version,
                "org.opencontainers.image.revision": revision, "org.opencontainers.image.licenses": "Apache-2.0",
                "org.opencontainers.image.description": "A real-time publish/subscribe server",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
        "history": [{"created": CREATED, "created_by": f"dev/package: {name}"}
                    for name in ("Debian's libraries", "Apus")],
    }


def _architecture():
    return subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()


def _digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Layout:
    """An image layout: blobs by their digests, and an index of the one image."""

    def __init__(self):
        self.blobs = {}

    def add(self, kind, content):
        """Keeps the blob, and says how others refer to it."""
        self.blobs[_digest(content)] = content
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": _digest(content), "size": len(content)}

    def add_json(self, kind, value):
        return self.add(kind, json.dumps(value, sort_keys=True).encode())

    def write(self, target, manifest, version):
        manifest = manifest | {"annotations": {"org.opencontainers.image.ref.name": version}}
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]}
        with open(target, "wb") as file, Archive(file) as archive:
            archive.file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            archive.file("index.json", json.dumps(index, sort_keys=True).encode())
            for digest, content in sorted(self.blobs.items()):
                archive.file(f"blobs/{digest.replace(':', '/')}", content)


def main():
    parser = argparse.ArgumentParser()
    for name in ("stage", "version", "revision", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--level", type=int, default=6)
    arguments = parser.parse_args()
    local = Path(arguments.stage) / "usr/local"
    layers = [debian_layer(local / "bin/apus"), apus_layer(local)]
    layout = Layout()
    config = layout.add_json("config.v1+json", configuration(arguments.version, arguments.revision, layers))
    manifest = layout.add_json("manifest.v1+json", {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
        "layers": [layout.add("layer.v1.tar+gzip", gzipped(layer, arguments.level)) for layer in layers],
    })
    layout.write(arguments.out, manifest, arguments.version)


if __name__ == "__main__":
    main()
