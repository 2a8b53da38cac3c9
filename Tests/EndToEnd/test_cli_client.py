"""`apus pub` and `apus sub` on the client library: outcomes, positions, patterns, and what a lost connection costs."""

import json
import os
import subprocess

import pytest

from apus_e2e import TIMEOUT, apus, client_environment, eventually
from cli_processes import Cutter, Sub, cli, publish, subscribed

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")

MESSAGE = ("type", "topic", "message")


def test_pub_tells_the_outcome_to_people_and_to_programs(server, topic):
    text = cli(server, "pub", topic, "1", "--outcome")
    assert text.startswith("offset 1 of epoch ") and text.endswith(", 0 subscribers, memory\n")
    lines = cli(server, "pub", topic, "-", "--outcome", "--json", stdin="2\n3\n").splitlines()
    assert [json.loads(line)["offset"] for line in lines] == [2, 3]
    outcome = json.loads(lines[0])
    assert outcome.keys() == {"topic", "id", "epoch", "offset", "subscribers", "stored", "duplicate", "ts"}
    assert outcome["topic"] == topic and outcome["stored"] == "memory" and outcome["duplicate"] is False


def test_a_plain_sub_prints_the_plain_event_and_an_extended_one_its_key_and_offset(server, topic, tmp_path):
    cli(server, "pub", topic, "1", "--key", "k", "--ttl", "1h")
    with Sub(tmp_path, topic, "--last", "1", url=server.url) as sub:
        assert tuple(sub.events(1)[0]) == (*MESSAGE, "ts")
    with Sub(tmp_path, topic, "--since", "all", url=server.url) as sub:
        event = sub.events(2)[1]
        assert tuple(event) == (*MESSAGE, "key", "offset", "ts")
        assert event["key"] == "k" and event["offset"] == 1


@pytest.mark.parametrize("since", ["all", "10m", "2020-01-01T00:00:00Z"])
def test_since_replays(server, topic, since):
    publish(server, topic, range(3))
    lines = cli(server, "sub", topic, "--since", since, "--count", "3").splitlines()
    assert [json.loads(line)["message"]["payload"] for line in lines] == [0, 1, 2]


def test_since_takes_a_position(server, topic):
    publish(server, topic, range(3))
    epoch = json.loads(cli(server, "pub", topic, "3", "--outcome", "--json"))["epoch"]
    lines = cli(server, "sub", topic, "--since", f"{epoch}:2", "--count", "2").splitlines()
    assert [json.loads(line)["offset"] for line in lines] == [3, 4]


def test_a_filter_follows_the_topics_that_match(server, topic, tmp_path):
    for name in ("eu", "us"):
        assert server.create(f"{topic}.{name}").status == 201
    with Sub(tmp_path, "--filter", f"{topic}.*", url=server.url) as sub:
        subscribed(server, f"{topic}.us")
        cli(server, "pub", f"{topic}.eu", "1")
        cli(server, "pub", f"{topic}.us", "2")
        assert sorted((event["topic"], event["message"]["payload"]) for event in sub.events(2)) == [
            (f"{topic}.eu", 1), (f"{topic}.us", 2)]


def test_resume_goes_on_where_the_last_run_ended(server, topic, tmp_path):
    position = tmp_path / "position"
    for run in range(3):
        with Sub(tmp_path, topic, "--resume", str(position), url=server.url) as sub:
            subscribed(server, topic)
            publish(server, topic, range(run * 10, run * 10 + 5))
            sub.payloads(run * 10 + 5)
        subscribed(server, topic, 0)
        publish(server, topic, range(run * 10 + 5, run * 10 + 10))
    with Sub(tmp_path, topic, "--resume", str(position), url=server.url) as sub:
        assert sub.payloads(30) == list(range(30))
    assert json.loads(position.read_text())[topic]["offset"] == 30
    assert {entry.name for entry in tmp_path.iterdir()} == {"events.ndjson", "position"}


def test_resume_says_what_is_gone(server, topic, tmp_path):
    position = tmp_path / "position"
    position.write_text(json.dumps({topic: {"epoch": "another", "offset": 7}}))
    cli(server, "pub", topic, "1")
    with Sub(tmp_path, topic, "--resume", str(position), url=server.url) as sub:
        assert sub.payloads(1) == [1]
    assert "began anew" in sub.stderr


def test_a_sub_whose_connection_is_cut_gets_every_event_once(server, topic, tmp_path):
    with Cutter(server) as cutter, Sub(tmp_path, topic, url=cutter.url) as sub:
        subscribed(server, topic)
        for run in range(5):
            publish(server, topic, range(run * 10, run * 10 + 10))
            accepted = cutter.accepted
            cutter.cut()
            publish(server, topic, range(run * 10 + 1000, run * 10 + 1010))
            eventually(lambda: cutter.accepted > accepted, "reconnected")
        expected = [base + run * 10 + number for run in range(5) for base in (0, 1000) for number in range(10)]
        assert sub.payloads(100) == expected
    assert "reconnecting" in sub.stderr and "reconnected" in sub.stderr


@pytest.mark.parametrize("stump", [b"", b"HTTP/1.1 101 Switching Pro", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web"],
                         ids=["nothing", "half a line", "half a head"])
def test_a_sub_whose_new_handshake_is_cut_tries_again(server, topic, tmp_path, stump):
    with Cutter(server) as cutter, Sub(tmp_path, topic, url=cutter.url) as sub:
        subscribed(server, topic)
        cutter.stumps = [stump] * 3
        cutter.cut()
        eventually(lambda: cutter.accepted == 2, "came through")
        publish(server, topic, range(3))
        assert sub.payloads(3) == [0, 1, 2]


def test_a_pub_whose_connection_is_cut_publishes_everything_once_where_repeats_are_recognized(server):
    topic = "deduped"
    assert server.rest("PUT", f"/topics/{topic}", {"history": 1000, "dedupe_window": "10m"}).status == 201
    with Cutter(server) as cutter:
        process = subprocess.Popen([os.environ["APUS_BIN"], "pub", topic, "-", "--url", cutter.url], env=client_environment(),
                                   stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for number in range(100):
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
            if number % 30 == 10:
                eventually(lambda: server.rest("GET", f"/topics/{topic}").json["last"] > 0, "connected")
                accepted = cutter.accepted
                cutter.cut()
                eventually(lambda: cutter.accepted > accepted, "reconnected")
        _, stderr = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, stderr
    lines = cli(server, "sub", topic, "--since", "all", "--count", "100").splitlines()
    assert [json.loads(line)["message"]["payload"] for line in lines] == list(range(100))
    assert server.rest("GET", f"/topics/{topic}").json["last"] == 100


def test_no_reconnect_ends_with_the_connection(server, topic, tmp_path):
    with Cutter(server) as cutter:
        process = subprocess.Popen([os.environ["APUS_BIN"], "sub", topic, "--no-reconnect", "--url", cutter.url],
                                   env=client_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        subscribed(server, topic)
        cutter.cut()
        _, stderr = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1 and "the connection broke" in stderr


@pytest.mark.parametrize("arguments", [
    ["sub", "t", "--last", "1", "--since", "all"], ["sub", "t", "--since", "yesterday"], ["sub", "t", "--overflow", "x"],
    ["sub", "t", "--queue", "0"], ["sub", "a.*", "--since", "all"], ["sub", "--filter", "a.*", "--resume", "file"],
    ["sub", "a", "b", "--since", "e:1"], ["pub", "t", "1", "--key", ""], ["pub", "t", "1", "--ttl", "0"],
])
def test_flags_that_contradict_are_exit_64(arguments):
    assert apus(*arguments).returncode == 64
