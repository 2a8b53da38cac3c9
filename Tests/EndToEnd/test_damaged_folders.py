"""Folders that a server does not start with: it says why before it opens a port, and leaves them as they are."""

import hashlib
import os
import shutil
import sqlite3
import struct
import subprocess
import threading

import pytest

from apus_e2e import TIMEOUT, Server, environment
from extensions import configure, describe
from history import post
from small_disks import small_disk

pytestmark = pytest.mark.one_server("it is about a server's own folder")

TOPIC = "orders"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a server that was stopped three times, so that there are three segments and the one to come."""
    data = tmp_path_factory.mktemp("made") / "data"
    make(data)
    return data


@pytest.fixture
def data(made, tmp_path):
    return shutil.copytree(made, tmp_path / "data")


def make(data):
    for _ in range(3):
        with Server("--data", str(data)) as server:
            configure(server, TOPIC)
            for number in range(3):
                assert post(server, TOPIC, f'{{"number":{number}}}').status == 201
    # So that the catalog is one file.
    connection = sqlite3.connect(data / "catalog.sqlite")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def segment(data, number):
    return data / "segments" / f"{number:010}.seg"


def fingerprint(data):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (data / "segments").iterdir()}


def expect_no_start(data, code, *texts, user=()):
    """The server ends with this code and one line with these texts, before it listens."""
    program = [*user, os.environ["APUS_BIN"], "serve", "--port", "0", "--data", str(data)]
    with subprocess.Popen(program, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        deadline = threading.Timer(TIMEOUT, process.kill)
        deadline.start()
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "listening" in line:
                process.kill()
        deadline.cancel()
        assert process.stdout.read() == ""
    assert process.returncode == code and len(lines) == 1, lines
    assert all(text in lines[0] for text in texts), (lines, texts)


def expect_all(data):
    with Server("--data", str(data)) as server:
        assert describe(server, TOPIC)["last"] == 9
        assert describe(server, TOPIC)["messages"] == 9


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def replace(data, old, new):
    at = data.rindex(old)
    return data[:at] + new + data[at + len(old):]


def newer_head(whole):
    head = whole[:8] + struct.pack("<I", 7) + whole[12:60]
    return head + struct.pack("<I", crc32c(head)) + whole[64:]


# What is done to the bytes of the second segment of three, and what is said of it besides its path.
DAMAGES = {
    "a byte of a message": (lambda whole: replace(whole, b'"number":1', b'"number":7'), (f"topic '{TOPIC}'", "offset 5")),
    "nothing of the head": (lambda whole: bytes(64) + whole[64:], ("at byte 0",)),
    "a byte of the head": (lambda whole: b"X" + whole[1:], ("at byte 0",)),
    "the end": (lambda whole: whole[:-20], (f"topic '{TOPIC}'", "offset 6")),
    "everything": (lambda whole: b"", ("is damaged",)),
    "a newer version": (newer_head, ("newer version", "format 7")),
}


@pytest.mark.parametrize("index", ["index", "no index"])
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_of_a_segment_is_named(data, name, index):
    damage, texts = DAMAGES[name]
    path = segment(data, 2)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert path.read_bytes() != whole
    if index == "no index":
        path.with_suffix(".seg.idx").unlink()
    before = fingerprint(data)
    expect_no_start(data, 78, str(path), *texts)
    assert before.items() <= fingerprint(data).items()
    path.write_bytes(whole)
    expect_all(data)


@pytest.mark.parametrize("index", ["index", "no index"])
def test_a_segment_that_has_lost_whole_records_is_the_one_that_is_named(data, index):
    path = segment(data, 2)
    path.write_bytes(path.read_bytes()[:64])
    if index == "no index":
        path.with_suffix(".seg.idx").unlink()
    expect_no_start(data, 78, str(path))


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_segment_that_is_missing_is_missed(data, number):
    # The last one is empty.
    assert len(list((data / "segments").glob("*.seg"))) == 4
    segment(data, number).rename(data / "elsewhere")
    expect_no_start(data, 78, str(segment(data, number)), "missing")
    (data / "elsewhere").rename(segment(data, number))
    expect_all(data)


def test_an_index_that_is_damaged_or_missing_is_made_again(data):
    for number, content in ((1, None), (2, b"nothing"), (3, b"")):
        path = segment(data, number).with_suffix(".seg.idx")
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
    expect_all(data)


def change_catalog(data, statement, *values):
    connection = sqlite3.connect(data / "catalog.sqlite")
    with connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


def version_row(version):
    name = b"version"
    return crc32c(struct.pack("<q", len(name)) + name + struct.pack("<q", version))


CATALOGS = {
    "a newer version": (lambda data: change_catalog(data, "UPDATE meta SET value = 9, checksum = ? WHERE name = 'version'",
                                                    version_row(9)), ("newer version", "format 9")),
    "a topic's epoch": (lambda data: change_catalog(data, "UPDATE topics SET epoch = 'x'"), (f"topic '{TOPIC}'",)),
    "a topic's row": (lambda data: change_catalog(data, "DELETE FROM topics"), ("rows are missing",)),
    "a value of its own": (lambda data: change_catalog(data, "UPDATE meta SET value = 99 WHERE name = 'next_topic'"),
                           ("is damaged",)),
    "its beginning": (lambda data: (data / "catalog.sqlite").write_bytes(
        b"?" * 100 + (data / "catalog.sqlite").read_bytes()[100:]), ("is damaged",)),
    "its end": (lambda data: (data / "catalog.sqlite").write_bytes((data / "catalog.sqlite").read_bytes()[:-4096]),
                ("is damaged",)),
    "everything": (lambda data: (data / "catalog.sqlite").write_bytes(b""), ("is damaged",)),
    "the file": (lambda data: (data / "catalog.sqlite").unlink(), ("is damaged", "missing")),
}


@pytest.mark.parametrize("name", CATALOGS)
def test_damage_of_the_catalog_is_named(data, name):
    damage, texts = CATALOGS[name]
    path = data / "catalog.sqlite"
    whole = path.read_bytes()
    damage(data)
    expect_no_start(data, 78, str(path), *texts)
    for beside in data.glob("catalog.sqlite-[ws]*"):
        beside.unlink()
    path.write_bytes(whole)
    expect_all(data)


def test_places_where_no_folder_can_be(tmp_path):
    (tmp_path / "file").write_text("dear")
    expect_no_start(tmp_path / "file", 73, str(tmp_path / "file"), "no folder")
    expect_no_start(tmp_path / "file" / "below", 73, str(tmp_path / "file" / "below"))
    expect_no_start(tmp_path / "not" / "there", 73, str(tmp_path / "not" / "there"), "No such file")
    assert not (tmp_path / "not").exists()


def test_a_new_file_system_is_a_folder_like_any_other(tmp_path):
    with small_disk("ext4", tmp_path, 100) as place:
        assert [path.name for path in place.iterdir()] == ["lost+found"]
        make(place)
        expect_all(place)


@pytest.mark.parametrize("part", [
    "", "segments", "segments/0000000004.seg", "LOCK",
    "catalog.sqlite",
])
def test_what_cannot_be_written_to_is_named(data, part):
    """For root, too, for whom modes mean nothing."""
    path = data / part
    bound = subprocess.run(["mount", "--bind", path, path], capture_output=True, text=True)
    if bound.returncode != 0:
        pytest.skip(f"mount: {bound.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)
        expect_no_start(data, 73, str(path))
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
    expect_all(data)


def test_a_folder_that_is_somebody_elses(data):
    """By its mode, for one who is not root."""
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if os.getuid() != 0 or subprocess.run([*nobody, os.environ["APUS_BIN"], "--version"], capture_output=True).returncode:
        pytest.skip("another user cannot run the program")
    # pytest keeps its folders to its user, and they are not what this is about.
    for folder in (data.parent, data.parent.parent, data.parent.parent.parent):
        folder.chmod(folder.stat().st_mode | 0o011)
    expect_no_start(data, 73, str(data), "Permission denied", user=nobody)
    expect_all(data)
