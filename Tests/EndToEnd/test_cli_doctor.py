"""`apus doctor`: what it finds about the machine, a folder, a server, and what is in between."""

import contextlib
import json
import re
import socket
import threading

import pytest

from apus_e2e import OVER_TLS, Server, apus
from pseudo_terminal import PseudoTerminal

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")


def doctor(*arguments, code=0):
    result = apus("doctor", "--json", *arguments)
    assert result.returncode == code, result.stdout + result.stderr
    return {finding["check"]: finding for finding in json.loads(result.stdout)["findings"]}


class HoldingProxy:
    """A proxy that passes nothing of an answer's body on before it is complete, as one that buffers does."""

    def __init__(self, server):
        self._target = ("127.0.0.1", server.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.create_connection(self._target) as server, contextlib.suppress(OSError):
            holds = threading.Event()
            threading.Thread(target=self._pass_requests, args=(client, server, holds), daemon=True).start()
            held = b""
            while data := server.recv(65536):
                if not holds.is_set():
                    client.sendall(data)
                    continue
                held += data
                head, end, _ = held.partition(b"\r\n\r\n")
                if end and len(head) + len(end) > len(held) - len(data):
                    client.sendall(head + end)

    @staticmethod
    def _pass_requests(client, server, holds):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if b"/events" in data:
                    holds.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()


def test_a_server_that_is_well_is_found_well(server):
    found = doctor("--no-machine", "--url", server.url)
    assert ("certificate" in found) == OVER_TLS and (not OVER_TLS or "ends in " in found["certificate"]["found"])
    assert {check: finding["level"] for check, finding in found.items() if check != "certificate"} == {
        check: "ok" for check in ("answer", "version", "clock", "WebSocket", "event stream")}


def test_it_leaves_nothing_behind(server, tmp_path):
    before = server.rest("GET", "/topics").json
    doctor("--no-machine", "--url", server.url, "--data", str(tmp_path))
    assert server.rest("GET", "/topics").json == before and list(tmp_path.iterdir()) == []


def test_this_machine_is_looked_at(server):
    found = doctor("--url", server.url)
    assert {"open files", "somaxconn", "tcp_rmem", "tcp_wmem"} <= found.keys()
    for finding in found.values():
        assert finding["level"] == "ok" or finding["why"] and finding["advice"]


def test_a_folder_is_looked_at(server, tmp_path):
    found = doctor("--no-machine", "--url", server.url, "--data", str(tmp_path))
    assert found["folder"]["found"] == str(tmp_path) and "flush" in found and "file system" in found
    found = doctor("--no-machine", "--url", server.url, "--data", str(tmp_path / "none"), code=1)
    assert found["folder"]["level"] == "fail" and "no such file" in found["folder"]["found"]
    (tmp_path / "file").write_text("")
    found = doctor("--no-machine", "--url", server.url, "--data", str(tmp_path / "file"), code=1)
    assert found["folder"]["level"] == "fail"


def test_a_server_that_is_not_there_fails_only_if_it_was_named():
    found = doctor("--no-machine", "--url", "http://127.0.0.1:1", code=1)
    assert found["answer"]["level"] == "fail" and "connection refused" in found["answer"]["found"]


def test_something_else_at_the_address_fails(server):
    found = doctor("--no-machine", "--url", f"{server.url}/nothing/here", code=1)
    assert "not what an Apus server says" in found["answer"]["found"] and list(found) == ["answer"]


def test_a_proxy_that_holds_events_back_is_found():
    with Server(tls=False) as server, HoldingProxy(server) as proxy:
        found = doctor("--no-machine", "--url", proxy.url, code=1)
    assert found["event stream"]["level"] == "fail" and "no event came" in found["event stream"]["found"]
    assert "buffering off" in found["event stream"]["advice"] and found["WebSocket"]["level"] == "ok"


@pytest.mark.parametrize("secret, level", [("right", "ok"), ("wrong", "warn")])
def test_a_server_that_wants_a_key_can_be_looked_at(secret, level):
    with Server("--api-key", "right") as server:
        found = doctor("--no-machine", "--url", server.url, "--api-key", secret)
    assert found["answer"]["level"] == level
    assert ("opens" in found["WebSocket"]["found"]) == (secret == "right")


def test_on_a_terminal_and_in_a_pipe_it_is_text(server, tmp_path):
    result = apus("doctor", "--no-machine", "--url", server.url)
    assert result.returncode == 0 and re.search("all is well|0 failures", result.stdout) and "\x1b" not in result.stdout
    with PseudoTerminal("doctor", "--url", server.url, "--data", str(tmp_path / "none")) as terminal:
        assert terminal.wait() == 1
        terminal.says("this machine")
        terminal.says("FAIL  folder")
        terminal.says("1 failure")
