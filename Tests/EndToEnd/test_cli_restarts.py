"""`apus sub` and `apus pub` when a server in memory is started again: their topics are gone, until somebody makes them."""

import json
import os
import subprocess
from contextlib import contextmanager

import pytest

from apus_e2e import TIMEOUT, Server, apus, client_environment, eventually
from cli_processes import Cutter, Sub, cli, publish, subscribed

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")


@contextmanager
def restartable(*flags):
    """A way to a server, and what has it lead to a fresh one after the old one was shut down."""
    servers = [Server(*flags).__enter__()]

    def restart():
        old, new = servers[-1], Server(*flags).__enter__()
        servers.append(new)
        cutter.lead_to(new)
        old.__exit__(None, None, None)
        return new

    try:
        with Cutter(servers[0]) as cutter:
            yield cutter, servers[0], restart
    finally:
        servers[-1].__exit__(None, None, None)


def topics(server):
    return {entry["name"] for entry in server.rest("GET", "/topics").json["topics"]}


def test_a_sub_waits_for_its_topic_over_restarts_and_goes_on_with_its_first_message(tmp_path):
    position = tmp_path / "position"
    with restartable() as (cutter, server, restart):
        assert server.create("t").status == 201
        with Sub(tmp_path, "t", "--resume", str(position), url=cutter.url) as sub:
            subscribed(server, "t")
            publish(server, "t", range(3))
            sub.payloads(3)
            for run in range(1, 3):
                server = restart()
                eventually(lambda: sub.stderr.count("topic 't' is not there; waiting for it") == run, "said to be gone")
                assert server.create("t").status == 201
                publish(server, "t", range(run * 10, run * 10 + 3))
                assert sub.payloads(3 + run * 3)[-3:] == list(range(run * 10, run * 10 + 3))
                assert sub.stderr.count("topic 't' is there") == run
                assert sub.stderr.count("'t' began anew") == run
            epoch = server.rest("GET", "/topics/t").json["epoch"]
            eventually(lambda: json.loads(position.read_text())["t"] == {"epoch": epoch, "offset": 3}, "position saved")
        assert "deleted" not in sub.stderr


def test_with_create_a_sub_makes_its_topics_again(tmp_path):
    with restartable() as (cutter, server, restart):
        with Sub(tmp_path, "a", "b", "--create", url=cutter.url) as sub:
            for run in range(3):
                eventually(lambda: {"a", "b"} <= topics(server), "created")
                subscribed(server, "a")
                subscribed(server, "b")
                publish(server, "a", [run])
                assert sub.payloads(run + 1)[-1] == run
                server = restart() if run < 2 else server


def test_a_deletion_that_is_told_ends_a_sub_also_after_a_restart(tmp_path):
    for flags in [], ["--create"]:
        with restartable() as (cutter, server, restart):
            assert server.create("t").status == 201
            process = subprocess.Popen([os.environ["APUS_BIN"], "sub", "t", *flags, "--url", cutter.url],
                                       env=client_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            subscribed(server, "t")
            server = restart()
            if not flags:
                assert server.create("t").status == 201
            eventually(lambda: "t" in topics(server), "there")
            subscribed(server, "t")
            assert server.delete("t").status == 200
            _, stderr = process.communicate(timeout=TIMEOUT)
            assert process.returncode == 1
            assert stderr.endswith("topic 't' was deleted; nothing is left to wait for\n")


def test_with_wait_a_sub_waits_at_first_and_after_a_deletion(server, tmp_path):
    missing = apus("sub", "later", "--url", server.url)
    assert missing.returncode == 1 and "topic 'later' not found" in missing.stderr
    with Sub(tmp_path, "later", "--wait", url=server.url) as sub:
        sub.says("topic 'later' is not there; waiting for it")
        for run in range(2):
            assert server.create("later").status == 201
            publish(server, "later", [run, run])
            assert sub.payloads(2 * run + 2)[-2:] == [run, run]
            assert server.delete("later").status == 200
            eventually(lambda: sub.stderr.count("is not there; waiting for it") == run + 2, "waits again")
        assert sub.stderr.count("topic 'later' was deleted") == 2
        assert "lost" not in sub.stderr and "anew" not in sub.stderr


@pytest.mark.parametrize("flags", [[], ["--create"]])
def test_a_pub_waits_for_its_topic_after_a_restart(flags):
    with restartable() as (cutter, server, restart):
        assert server.create("t").status == 201
        process = subprocess.Popen([os.environ["APUS_BIN"], "pub", "t", "-", *flags, "--url", cutter.url],
                                   env=client_environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdin.write("0\n")
        process.stdin.flush()
        eventually(lambda: server.rest("GET", "/topics/t").json["last"] == 1, "published")
        server = restart()
        process.stdin.write("".join(f"{number}\n" for number in range(1, 50)))
        process.stdin.close()
        if not flags:
            assert process.poll() is None
            assert server.create("t").status == 201
        assert process.wait(TIMEOUT) == 0, process.stderr.read()
        lines = cli(server, "sub", "t", "--since", "all", "--count", "49").splitlines()
        assert [json.loads(line)["message"]["payload"] for line in lines] == list(range(1, 50))
        process.stderr.close()


def test_a_line_over_max_message_is_refused_alone(tmp_path):
    with Server("--max-message", "2000", "--history", "1000") as server:
        assert server.create("t").status == 201
        lines = [json.dumps("x" * (3000 + number if number % 40 == 7 else 10)) for number in range(200)]
        result = apus("pub", "t", "-", "--url", server.url, stdin="\n".join(lines) + "\n")
        assert result.returncode == 1
        assert "5 of 200 messages refused (lines 8, 48, 88, 128, 168)" in result.stderr
        assert "the message is larger than the server takes (1009 MESSAGE_TOO_BIG)" in result.stderr
        count = server.rest("GET", "/topics/t").json["last"]
        # What had no answer when the connection was closed may be there twice.
        assert count >= 195
        one = apus("pub", "t", "x" * 3000, "--url", server.url)
        assert one.returncode == 1 and "larger than the server takes" in one.stderr
