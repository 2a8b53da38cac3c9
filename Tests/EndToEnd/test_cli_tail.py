"""`apus tail`: which events it prints."""

import json
import os
import signal
import subprocess

import pytest

from apus_e2e import TIMEOUT, apus, client_environment
from cli_processes import Cutter, cli, subscribed
from pseudo_terminal import PseudoTerminal

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")


def publish(server, topic, *payloads, key=None):
    keyed = ["--key", key] if key else []
    cli(server, "pub", topic, "-", *keyed, stdin="".join(json.dumps(payload) + "\n" for payload in payloads))


def tail(server, *arguments):
    lines = cli(server, "tail", *arguments).splitlines()
    return [json.loads(line)["message"]["payload"] for line in lines]


@pytest.mark.parametrize("flags, numbers", [
    (["--where", "payload.n > 2"], [3, 4]),
    (["--where", "payload.n >= 2 and not payload.n = 3"], [2, 4]),
    (["--where", "payload.name ~ 'b*' or payload.tags contains 'x'"], [1, 2]),
    (["--where", 'payload.name ~ /^[cd]/ and topic ~ "topic-*"'], [3, 4]),
    (["--text", "\"B"], [2]),
    (["--key", "k"], [4]),
    (["--key", "k", "--where", "payload.n > 1"], [4]),
])
def test_events_that_meet_the_condition_are_printed(server, topic, flags, numbers):
    publish(server, topic, {"n": 1, "name": "a", "tags": ["x"]}, {"n": 2, "name": "b"}, {"n": 3, "name": "c"})
    publish(server, topic, {"n": 4, "name": "d"}, key="k")
    found = tail(server, topic, "--last", "10", "--count", str(len(numbers)), *flags)
    assert [payload["n"] for payload in found] == numbers


def test_an_id_finds_its_message(server, topic):
    publish(server, topic, 1, 2)
    wanted = json.loads(cli(server, "pub", topic, "3", "--outcome", "--json"))["id"]
    assert tail(server, topic, "--since", "all", "--id", wanted.upper(), "--count", "1") == [3]


@pytest.mark.parametrize("condition, said, column", [
    ("amount > 100", "did you mean payload.amount", 0),
    ("payload.a = 1 and", "a value was expected", 17),
    ("(payload.a = 1", "this bracket is not closed", 0),
    ("payload.a && payload.b", "write and", 10),
    ("payload.a ~ b", "after ~ comes a glob in quotes", 12),
    ("payload.a = 'x", "has no closing '", 12),
])
def test_a_mistake_in_the_condition_is_shown_where_it_is(condition, said, column):
    result = apus("tail", "t", "--where", condition)
    assert result.returncode == 64 and said in result.stderr
    assert result.stderr.splitlines()[-2:] == [f"  {condition}", f"  {' ' * column}^"]


def test_it_follows_through_a_lost_connection(server, topic, tmp_path):
    with Cutter(server) as way, open(tmp_path / "out", "wb") as output:
        command = [os.environ["APUS_BIN"], "tail", topic, "--where", "payload > 1", "--count", "2", "--url", way.url]
        with subprocess.Popen(command, env=client_environment(), stdout=output, stderr=subprocess.PIPE) as process:
            subscribed(server, topic)
            publish(server, topic, 1, 2)
            way.cut()
            publish(server, topic, 1, 3)
            assert process.wait(TIMEOUT) == 0, process.stderr.read()
    lines = (tmp_path / "out").read_text().splitlines()
    assert [json.loads(line)["message"]["payload"] for line in lines] == [2, 3]
    assert [json.loads(line)["offset"] for line in lines] == [2, 4]


def test_on_a_terminal_lines_are_for_people(server, topic):
    publish(server, topic, {"n": 1}, {"n": 2})
    command = ["tail", topic, "--last", "5", "--where", "payload.n = 2", "--url", server.url]
    with PseudoTerminal(*command) as terminal:
        terminal.says(f'{topic}  {{"n": 2}}')
        assert '{"n": 1}' not in terminal.output
        terminal.signal(signal.SIGINT)
        assert terminal.wait() == 0
