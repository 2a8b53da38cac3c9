"""What `dev/package` makes: the same to the byte each time, and each of it installs, starts and leaves as it should.

The `.deb` is installed as docs/packages.md says, but by dpkg: apt would ask for lists of packages.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

import machines
from apus_e2e import PATIENCE, TIMEOUT

ROOT = Path(__file__).parents[2]
# How it is packed does not matter here, and less of it takes less time.
LEVEL = "1"
SUBSCRIBER = """
import asyncio, json, sys, websockets

async def main():
    async with websockets.connect("ws://127.0.0.1:8080/ws") as client:
        await client.send(json.dumps({"type": "subscribe", "topic": "orders", "client_id": "me"}))
        try:
            while True:
                event = json.loads(await client.recv())
                print(event["type"], json.dumps(event.get("message", {}).get("payload")), flush=True)
        except websockets.ConnectionClosed as closed:
            print("closed", closed.rcvd.code, closed.rcvd.reason, flush=True)

asyncio.run(main())
"""

pytestmark = [
    pytest.mark.one_server("it is about how a server starts, listens and ends"),
    pytest.mark.plain("packages are the same, and their servers speak plain HTTP"),
    pytest.mark.skipif(not shutil.which("dpkg-shlibdeps"), reason="dev/package needs Debian's dpkg-dev"),
]
needs_machine = pytest.mark.skipif(machines.available() is not None, reason=str(machines.available()))


def package(folder, binary=None):
    binary = binary or os.environ["APUS_BIN"]
    subprocess.run([ROOT / "dev/package", "--binary", binary, "--out", folder, "--level", LEVEL],
                   check=True, timeout=300 * PATIENCE)
    return folder


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """The folder of the packages, made once for all processes of this run; or one that is there, E2E_PACKAGES."""
    if made := os.environ.get("E2E_PACKAGES"):
        return Path(made)
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with open(shared / "packages.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "packages/SHA256SUMS").exists():
            package(shared / "packages")
    return shared / "packages"


def one(folder, pattern):
    [found] = folder.glob(pattern)
    return found


@pytest.mark.skipif("E2E_PACKAGES" in os.environ, reason="the packages may be of another program")
def test_the_same_program_gives_the_same_packages_elsewhere_and_later(packages, tmp_path):
    program = shutil.copy(os.environ["APUS_BIN"], tmp_path / "program")
    again = package(tmp_path / "again", program)
    assert (again / "SHA256SUMS").read_text() == (packages / "SHA256SUMS").read_text()


def test_the_checksums_are_those_of_the_files(packages):
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=packages, check=True)
    listed = {line.split()[1] for line in (packages / "SHA256SUMS").read_text().splitlines()}
    assert listed | {"SHA256SUMS"} == {file.name for file in packages.iterdir()}


def test_the_tarball_has_a_program_that_runs_with_its_manual_units_and_licences(packages, tmp_path):
    with tarfile.open(one(packages, "*.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = one(tmp_path, "apus-*")
    version = subprocess.run([folder / "bin/apus", "--version"], capture_output=True, text=True, check=True).stdout
    assert folder.name == f"apus-{version.strip()}"
    for path in ("share/man/man1/apus-serve.1", "share/bash-completion/completions/apus", "share/doc/apus/LICENSE",
                 "share/zsh/site-functions/_apus", "share/fish/vendor_completions.d/apus.fish"):
        assert (folder / path).stat().st_size > 0
    assert "ExecStart=/usr/local/bin/apus serve" in (folder / "lib/systemd/system/apus.service").read_text()
    licences = (folder / "share/doc/apus/THIRD-PARTY-LICENSES").read_text()
    assert "groue/GRDB.swift" in licences and "It has no file with a licence" not in licences


@pytest.mark.skipif(not shutil.which("lintian"), reason="Debian's lintian is not here")
def test_lintian_finds_nothing_in_the_deb(packages):
    # CI packs a program that takes Swift's runtime from the toolchain, to build only once.
    loaded = subprocess.run(["ldd", os.environ["APUS_BIN"]], capture_output=True, text=True, check=True).stdout
    allowed = ["--suppress-tags", "custom-library-search-path"] if "libswiftCore" in loaded else []
    found = subprocess.run(["lintian", "--allow-root", *allowed, "--fail-on", "error,warning", one(packages, "*.deb")],
                           capture_output=True, text=True, timeout=60 * PATIENCE)
    assert found.returncode == 0, found.stdout


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_understands_the_unit_of_the_deb(packages, tmp_path):
    subprocess.run(["dpkg-deb", "--extract", one(packages, "*.deb"), tmp_path], check=True)
    # It checks that the program is where the unit says.
    units = tmp_path / "lib/systemd/system"
    for unit in units.iterdir():
        unit.write_text(unit.read_text().replace("=/usr/bin/apus", f"={tmp_path}/usr/bin/apus"))
    for unit in sorted(units.iterdir()):
        verified = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True,
                                  env=os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:"}, timeout=TIMEOUT)
        ours = [line for line in verified.stderr.splitlines() if unit.name in line or str(tmp_path) in line]
        assert ours == []


@needs_machine
def test_the_deb_is_installed_upgraded_with_a_drain_removed_and_purged(packages, tmp_path):
    with machines.Machine() as machine:
        begin = time.monotonic()
        _install(machine, one(packages, "*.deb"))
        machine.run("apus", "topics", "create", "orders")
        subscriber = _subscriber(machine)
        assert subscriber.stdout.readline() == "ack null\n"
        _publish(machine, 1)
        assert subscriber.stdout.readline() == "event 1\n"
        assert time.monotonic() - begin < 60 * PATIENCE
        _check_owners(machine)

        machine.run("sed", "-i", "s/info/debug/", "/etc/apus/apus.json")
        _install(machine, _next_revision(one(packages, "*.deb"), tmp_path))
        closed = subscriber.communicate(timeout=TIMEOUT)[0].splitlines()
        assert closed[-1].startswith("closed 1001 ") and "SHUTDOWN" in closed[-1]
        assert "restart apus.service" in machine.run("cat", "/run/calls").stdout
        # The topic and its message are still there, and so are the settings.
        with _subscriber(machine) as subscriber:
            assert subscriber.stdout.readline() == "ack null\n"
            _publish(machine, 2)
            assert subscriber.stdout.readline() == "event 2\n"
            subscriber.kill()
        history = machine.curl("localhost:8080/topics/orders/messages")
        assert [event["message"]["payload"] for event in json.loads(history)["messages"]] == [1, 2]
        assert "debug" in machine.run("cat", "/etc/apus/apus.json").stdout

        machine.run("dpkg", "--remove", "apus")
        assert not machine.has("/run/apus.pid") and not machine.has("/usr/bin/apus")
        assert machine.has("/var/lib/apus") and machine.has("/etc/apus/apus.json")
        _install(machine, one(packages, "*.deb"))
        assert '"orders"' in machine.curl("localhost:8080/topics")

        machine.run("dpkg", "--purge", "apus")
        assert not machine.has("/var/lib/apus") and not machine.has("/etc/apus")


def _install(machine, deb):
    machine.copy(deb, "/tmp/apus.deb")
    machine.run("dpkg", "--force-confold", "--install", "/tmp/apus.deb")


def _next_revision(deb, folder):
    tree, target = folder / "next", folder / "next.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace("-1\n", "-2\n", 1))
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, target], check=True,
                   capture_output=True)
    return target


def _subscriber(machine):
    return subprocess.Popen(machine.python(SUBSCRIBER), stdout=subprocess.PIPE, text=True)


def _publish(machine, payload):
    machine.run("apus", "pub", "orders", str(payload))


def _check_owners(machine):
    """The server is nobody special, and others read neither its settings nor its messages."""
    pid = machine.run("cat", "/run/apus.pid").stdout.strip()
    assert machine.run("stat", "-c", "%U", f"/proc/{pid}").stdout == "apus\n"
    owners = machine.run("stat", "-c", "%U:%G %a", "/etc/apus/apus.json", "/var/lib/apus").stdout
    assert owners == "root:apus 640\napus:apus 750\n"


def test_the_image_has_what_its_digests_say(packages, tmp_path):
    layout = _layout(packages, tmp_path)
    [manifest] = json.loads((layout / "index.json").read_text())["manifests"]
    for blob in (layout / "blobs/sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    described = _blob(layout, manifest)
    config = _blob(layout, described["config"])
    assert len(described["layers"]) == len(config["rootfs"]["diff_ids"]) == len(config["history"])
    assert config["config"]["User"] == "10001:10001" and "/var/lib/apus" in config["config"]["Volumes"]


# What an engine does for a container: /proc, without which Swift sees no arguments; /dev; a volume; nothing else to
# write to.
CONTAINER = """
set -e
root=$1 user=$2 group=$3 volume=$4
mkdir -p "$root/proc" "$root/dev"
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs -o "uid=$user,gid=$group,mode=750" tmpfs "$root$volume"
mount -o remount,bind,ro "$root"
ip link set lo up
exec env -i "${@:5}"
"""


@needs_machine
@pytest.mark.skipif(not shutil.which("umoci"), reason="Debian's umoci is not here")
def test_the_image_serves_as_its_user_with_a_root_that_nobody_can_write_to(packages, tmp_path):
    """umoci, which others have made, unpacks it; what an engine would do with its configuration is done by hand."""
    layout = _layout(packages, tmp_path)
    [manifest] = json.loads((layout / "index.json").read_text())["manifests"]
    tag = manifest["annotations"]["org.opencontainers.image.ref.name"]
    subprocess.run(["umoci", "unpack", "--image", f"{layout}:{tag}", tmp_path / "bundle"], check=True,
                   capture_output=True)
    root, config = tmp_path / "bundle/rootfs", _blob(layout, _blob(layout, manifest)["config"])["config"]
    user, group = config["User"].split(":")
    process = subprocess.Popen(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "bash", "-c", CONTAINER, "bash",
         root, user, group, *config["Volumes"], *config["Env"],
         shutil.which("chroot"), f"--userspec={user}:{group}", "--groups=", root, *config["Entrypoint"],
         *config["Cmd"]],
        stderr=subprocess.PIPE, text=True)
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "listening address=http://0.0.0.0:8080" in line:
                break
        assert process.poll() is None, lines
        curl = ["nsenter", "--target", str(process.pid), "--net", "curl", "-sS"]
        answer = subprocess.run([*curl, "127.0.0.1:8080/topics", "-H", "Content-Type: application/json", "-d",
                                 '{"name":"orders"}'], capture_output=True, text=True, check=True, timeout=TIMEOUT)
        assert json.loads(answer.stdout)["status"] == "created"
        assert not (root / "bin/sh").exists()
    finally:
        # Another user than at its start, so it does not end with its parent.
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGTERM)
        process.communicate()
    assert process.returncode == 0


def _layout(packages, folder):
    with tarfile.open(one(packages, "*.oci.tar")) as archive:
        archive.extractall(folder / "layout", filter="data")
    return folder / "layout"


def _blob(layout, descriptor):
    content = (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
    assert len(content) == descriptor["size"]
    return json.loads(content)


def test_the_sbom_is_valid_and_names_all_packages_with_licences(packages):
    parse = pytest.importorskip("spdx_tools.spdx.parser.parse_anything")
    validation = pytest.importorskip("spdx_tools.spdx.validation.document_validator")
    document = parse.parse_file(str(one(packages, "*.spdx.json")))
    assert validation.validate_full_spdx_document(document) == []
    pins = {pin["identity"]: pin["state"]["version"]
            for pin in json.loads((ROOT / "Package.resolved").read_text())["pins"]}
    linked = {found.name: found for found in document.packages if found.spdx_id.startswith("SPDXRef-Swift-")}
    assert {name: found.version for name, found in linked.items()} == pins
    assert all("NOASSERTION" not in str(found.license_declared).upper() for found in linked.values())
    assert {"libc6", "libsqlite3-0", "libssl3"} <= {found.name for found in document.packages}
