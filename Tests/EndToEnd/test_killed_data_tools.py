"""`apus data repair` and `apus data backup` killed halfway, at any of the calls with which they change files."""

import ctypes
import json
import os
import pty
import shutil
import signal
import sqlite3
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from apus_e2e import TIMEOUT, Server, apus, environment, eventually
from extensions import configure
from failing_disk import disk
from history import history, post
from small_disks import small_disk

pytestmark = pytest.mark.one_server("it is about a server's own folder")

TOPIC = "orders"
TOPICS = (TOPIC, "clicks", "empty")
# How many places a tool is killed at, spread over all of its calls.
PLACES = int(os.environ.get("APUS_KILL_PLACES", "7"))


def data(command, *arguments, env=None):
    return apus("data", command, *map(str, arguments), env=env, timeout=10 * TIMEOUT)


def kill_halfway(disk, place, *arguments):
    """Runs `apus data …` and kills it at one of its calls. Whether it was killed."""
    ctypes.memset(ctypes.addressof(disk.end), 0, ctypes.sizeof(disk.end))
    disk.end.at = place
    result = data(*arguments, env=disk.env)
    assert result.returncode in (-signal.SIGKILL, 0), result.stderr
    return result.returncode != 0


def places(disk, *arguments):
    """Numbers of calls to kill a command at: first, last, some between, and around each rename. Runs it once."""
    assert not kill_halfway(disk, 0, *arguments)
    calls = disk.end.calls
    assert calls > PLACES
    renames = {number + after for number in disk.end.renames if number for after in (0, 1)}
    return sorted({1 + number * (calls - 1) // (PLACES - 1) for number in range(PLACES)} | renames)


def topics(folder):
    """What an export has of each topic: its first line, and its messages."""
    result = data("export", folder, "--all")
    assert result.returncode == 0, result.stderr
    found = {}
    for line in map(json.loads, result.stdout.splitlines()):
        if "topic" in line:
            found[line["topic"]] = (line, rest := [])
        else:
            rest.append(line)
    return found


def without_epochs(topics):
    return {name: (line | {"epoch": None}, rest) for name, (line, rest) in topics.items()}


def fill(server):
    for number in range(10):
        for topic in (TOPIC, "clicks"):
            assert post(server, topic, json.dumps({"number": number})).status == 201


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with three segments, whose server was killed: not all of the catalog is in one file."""
    folder = tmp_path_factory.mktemp("made") / "data"
    for number in range(3):
        with Server("--data", str(folder), exit_code=None) as server:
            for topic in TOPICS:
                configure(server, topic, history=1000 + number)
            fill(server)
            if number == 2:
                server.kill()
    assert (folder / "catalog.sqlite-wal").stat().st_size > 0
    return folder


def again(folder, made):
    """Has the folder be as it was made."""
    if folder.exists():
        shutil.rmtree(folder)
    return shutil.copytree(made, folder)


def damage_segment(folder):
    """A message of one topic, in the middle of those that it has."""
    path = folder / "segments" / "0000000002.seg"
    content = path.read_bytes()
    place = content.index(b'"number": 5')
    path.write_bytes(content[:place] + b"?" + content[place + 1:])


def damage_index(folder):
    path = folder / "segments" / "0000000001.seg.idx"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def damage_catalog(folder):
    path = folder / "catalog.sqlite"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE topics SET settings = '{}' WHERE name = CAST('clicks' AS BLOB)")
    # SQLite puts all into one file.
    connection.close()
    assert not path.with_name(path.name + "-wal").exists()


def damage_catalog_with_log(folder):
    """What only the log of the catalog has stays there, as a server that was killed leaves it."""
    path, log = folder / "catalog.sqlite", folder / "catalog.sqlite-wal"
    kept = path.read_bytes()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    with connection:
        connection.execute("UPDATE topics SET settings = '{}' WHERE name = CAST('clicks' AS BLOB)")
    logged = log.read_bytes()
    connection.close()
    path.write_bytes(kept)
    log.write_bytes(logged)


@pytest.mark.parametrize("damages", [
    pytest.param((damage_segment,), id="segment"),
    pytest.param((damage_index, damage_catalog), id="index and catalog"),
    pytest.param((damage_segment, damage_catalog), id="segment and catalog"),
    pytest.param((damage_catalog_with_log,), id="catalog with log"),
])
def test_a_repair_that_was_killed_is_done_again_and_loses_nothing_more(made, disk, tmp_path, damages):
    folder, broken = tmp_path / "data", again(tmp_path / "broken", made)
    for damage in damages:
        damage(broken)
    before = topics(made)
    again(folder, broken)
    at = places(disk, "repair", "--yes", folder)
    undisturbed = topics(folder)
    for place in at:
        again(folder, broken)
        kill_halfway(disk, place, "repair", "--yes", folder)
        repaired = data("repair", "--yes", folder)
        assert repaired.returncode == 0, (place, repaired.stdout, repaired.stderr)
        assert "all is well" in data("check", folder).stdout, place
        found = topics(folder)
        assert without_epochs(found) == without_epochs(undisturbed), place
        # A topic that got a new epoch has one now.
        for name, (line, _) in before.items():
            renewed = undisturbed[name][0]["epoch"] != line["epoch"]
            assert not renewed or found[name][0]["epoch"] != line["epoch"], (place, name)
    with Server("--data", str(folder)) as server:
        assert [message["offset"] for message in history(server, TOPIC)] \
            == [line["offset"] for line in undisturbed[TOPIC][1]]


def starts(folder):
    """Whether a server starts with the folder; if not, the sentence that it says."""
    program = [os.environ["APUS_BIN"], "serve", "--port", "0", "--data", str(folder)]
    with subprocess.Popen(program, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "listening" in line:
                process.kill()
                return True, lines
    assert process.returncode in (73, 78), lines
    return False, lines


def content(folder):
    return {path.name: path.read_bytes() for path in (folder / "segments").iterdir()}


def has_segments(target):
    return any((target / "segments").glob("*.seg"))


def test_a_backup_that_was_killed_is_whole_or_refused_and_leaves_its_source_alone(made, disk, tmp_path):
    folder, target = again(tmp_path / "data", made), tmp_path / "target"
    with Server("--data", str(folder)) as server:
        whole, before = topics(folder), content(folder)
        for place in places(disk, "backup", folder, tmp_path / "first"):
            kill_halfway(disk, place, "backup", folder, target)
            assert content(folder) == before, place
            checked = data("check", target)
            if checked.returncode == 0:
                assert topics(target) == whole, place
            else:
                assert checked.returncode in (73, 78), (place, checked)
                assert str(target) in checked.stdout + checked.stderr, (place, checked)
                if target.exists() and has_segments(target):
                    does, said = starts(target)
                    assert not does and len(said) == 1, (place, said)
                    assert "the backup that was to make this folder was interrupted" in said[0], (place, said)
            shutil.rmtree(target, ignore_errors=True)
        assert data("backup", folder, tmp_path / "last").returncode == 0
        fill(server)
        assert len(history(server, TOPIC)) == 40
    assert topics(tmp_path / "last") == whole


def test_no_server_starts_with_a_backup_that_was_killed_before_its_first_segment(made, disk, tmp_path):
    target = tmp_path / "target"
    at = places(disk, "backup", made, tmp_path / "first")
    for place in at:
        assert kill_halfway(disk, place, "backup", made, target)
        if (target / "catalog.sqlite.partial").exists():
            break
        shutil.rmtree(target, ignore_errors=True)
    assert not has_segments(target), "none of the places is early enough"
    does, said = starts(target)
    assert not does, said


def test_a_long_backup_says_how_far_it_is_on_a_terminal(made, disk, tmp_path):
    # Each of the three segments takes so long that the third begins after more than a second.
    disk.segments.write.delay = 600
    with small_disk("tmpfs", tmp_path, 300) as place:
        ours, its = pty.openpty()
        with open(ours, "rb", buffering=0) as terminal:
            program = [os.environ["APUS_BIN"], "data", "backup", str(made), str(place / "to")]
            with subprocess.Popen(program, env=environment(disk.env), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=its) as process:
                assert process.wait(10 * TIMEOUT) == 0
                os.close(its)
                said = terminal.read(10_000)
    assert said.startswith(b"\r\x1b[Ksegments  66 % ") and b"2 of 3" in said and said.endswith(b"\r\x1b[K"), said


def test_a_backup_to_another_file_system_is_copied_and_has_what_was_acked_before(made, tmp_path):
    folder = again(tmp_path / "data", made)
    with small_disk("tmpfs", tmp_path, 300) as place, Server("--data", str(folder)) as server:
        stop, acked = threading.Event(), []

        def storm():
            while not stop.is_set():
                answer = post(server, TOPIC, '{"storm":1}')
                assert answer.status == 201, answer.body
                acked.append(answer.json["offset"])

        with ThreadPoolExecutor() as pool:
            storming = pool.submit(storm)
            try:
                eventually(lambda: len(acked) > 50 or storming.done(), "messages that were acknowledged")
                before = acked[-1]
                copied, linked = (data("backup", folder, target) for target in (place / "copy", tmp_path / "links"))
                more = len(acked)
                eventually(lambda: len(acked) > more or storming.done(), "a message after the backup")
            finally:
                stop.set()
            storming.result()
        for result in (copied, linked):
            assert result.returncode == 0, result.stderr
        assert "linked" in linked.stdout and "linked" not in copied.stdout
        assert {path.stat().st_nlink for path in (place / "copy" / "segments").iterdir()} == {1}
        kept = history(server, TOPIC)
        assert "all is well" in data("check", place / "copy").stdout
        with Server("--data", str(place / "copy")) as copy:
            found = history(copy, TOPIC)
        assert found[-1]["offset"] >= before
        assert found == kept[:len(found)]
