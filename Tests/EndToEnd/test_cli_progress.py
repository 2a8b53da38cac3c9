"""Bars of commands that take long: on a terminal, and nowhere else."""

import json
import os
import shlex
import subprocess
import threading
import time

import pytest

from apus_e2e import Server, apus, client_environment
from pseudo_terminal import SEQUENCE, PseudoTerminal

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A server's folder with 3 MB of messages."""
    path = tmp_path_factory.mktemp("progress") / "data"
    with Server("--data", str(path)) as server:
        for topic in ("a", "b", "c"):
            assert server.rest("PUT", f"/topics/{topic}", {"durability": "os"}).status == 201
            for _ in range(10):
                assert server.rest("POST", f"/topics/{topic}/messages", json.dumps("x" * 100_000).encode()).status == 201
    return path


class SlowFile:
    """A pipe that gets a line now and then, until the end of the block."""

    def __init__(self, path, lines):
        os.mkfifo(path)
        self._path, self._lines, self._ends = path, lines, threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def _write(self):
        with open(self._path, "w") as file:
            for line in self._lines:
                file.write(line)
                file.flush()
                if self._ends.wait(0.05):
                    return

    def __enter__(self):
        self._thread.start()
        return self

    def end(self):
        self._ends.set()

    def __exit__(self, *_):
        self.end()


def events():
    number = 0
    while True:
        number += 1
        yield json.dumps({"topic": "progress", "message": {"payload": number}}) + "\n"


def test_replay_shows_a_bar_on_a_terminal_and_none_in_a_pipe(tmp_path):
    with Server() as server:
        assert server.create("progress").status == 201
        with SlowFile(tmp_path / "one", events()) as source, \
                PseudoTerminal("replay", str(tmp_path / "one"), "--url", server.url) as terminal:
            terminal.says("replaying")
            source.end()
            assert terminal.wait() == 0 and terminal.settings == terminal.before
        with SlowFile(tmp_path / "two", events()) as source, \
                subprocess.Popen([os.environ["APUS_BIN"], "replay", str(tmp_path / "two"), "--url", server.url],
                                 env=client_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            time.sleep(1)  # Longer than a bar keeps back, so that it would be seen.
            source.end()
            assert process.communicate(timeout=60) == (b"", b"")


def test_export_shows_a_bar_on_a_terminal_unless_the_lines_go_there(folder, tmp_path):
    os.mkfifo(tmp_path / "lines")
    command = f"{shlex.quote(os.environ['APUS_BIN'])} data export {folder} --all > {tmp_path}/lines"
    with PseudoTerminal("-c", command, program="/bin/sh") as terminal:
        with open(tmp_path / "lines", "rb", buffering=0) as lines:
            size = 0
            while chunk := lines.read(16384):
                size += len(chunk)
                time.sleep(0.01)  # A reader that takes more than a second for all.
        assert terminal.wait() == 0 and size > 3_000_000
        assert "exporting" in terminal.output and "topic" in terminal.output
        assert SEQUENCE.sub("", terminal.output.rpartition("\r")[2]) == ""
    with PseudoTerminal("data", "export", str(folder), "a", "--limit", "1") as terminal:
        assert terminal.wait() == 0 and "exporting" not in terminal.output


def test_import_shows_a_bar_on_a_terminal_and_none_in_a_pipe(folder, tmp_path):
    lines = apus("data", "export", str(folder), "--all").stdout.splitlines(keepends=True)
    with SlowFile(tmp_path / "one", lines), \
            PseudoTerminal("data", "import", str(tmp_path / "first"), str(tmp_path / "one")) as terminal:
        assert terminal.wait() == 0
        assert "importing" in terminal.output and "3 topics, 30 messages\r\n" in terminal.output
    with SlowFile(tmp_path / "two", lines):
        result = apus("data", "import", str(tmp_path / "second"), str(tmp_path / "two"))
    assert result.stderr == "" and result.stdout == f"{tmp_path}/second: 3 topics, 30 messages\n"
