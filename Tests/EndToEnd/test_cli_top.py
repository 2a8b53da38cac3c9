"""`apus top` and `apus trace`: on a terminal and in a pipe, beside a server that says what a console asks for."""

import json
import os
import signal
import subprocess

import pytest

from apus_e2e import TIMEOUT, Server, apus, client_environment
from cli_processes import cli
from console_server import ConsoleServer, problem, sample, subscriber, topic
from pseudo_terminal import BACK, FULL, PseudoTerminal

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")


@pytest.fixture
def console():
    with ConsoleServer() as server:
        yield server


def top(console, *arguments, **options):
    return PseudoTerminal("top", "--url", console.url, "--interval", "100ms", *arguments, **options)


# In a pipe.

def test_a_pipe_gets_a_line_per_interval_below_a_header(console):
    result = apus("top", "--count", "3", "--interval", "100ms", "--url", console.url)
    assert result.returncode == 0, result.stderr
    header, *lines = result.stdout.splitlines()
    assert header.split()[:4] == ["TIME", "PUBL/S", "DELIV/S", "IN/S"] and len(lines) == 3
    assert lines[0].split()[:3] == ["10:00:00", "1.23k", "56.8k"] and "\x1b" not in result.stdout


def test_json_is_an_object_per_interval(console):
    console.topics = [topic("a"), topic("b")]
    result = apus("top", "--json", "--count", "2", "--interval", "100ms", "--sort", "name", "--filter", "b", "--url", console.url)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 2 and lines[0].keys() == {"sample", "topics", "subscribers"}
    assert lines[0]["sample"]["publishes"] == 1234
    assert [row["name"] for row in lines[0]["topics"]["rows"]] == ["b"]
    assert ("/console/topics", {"sort": "name", "order": "asc", "limit": "20", "offset": "0", "search": "b"}) in console.asked


def test_a_reader_that_has_seen_enough_and_a_signal_end_it_well(console):
    command = [os.environ["APUS_BIN"], "top", "--interval", "100ms", "--url", console.url]
    shell = f"'{command[0]}' {' '.join(command[1:])} | head -1"
    result = subprocess.run(["bash", "-o", "pipefail", "-c", shell], env=client_environment(), capture_output=True, timeout=TIMEOUT)
    assert result.returncode == 0 and result.stdout.startswith(b"    TIME")
    with subprocess.Popen(command, env=client_environment(), stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 0


def test_an_older_server_is_told_of_in_a_sentence(console):
    console.answers["/console/sample"] = problem(404, "NOT_FOUND", "There is nothing at /console/sample")
    for arguments in (["top", "--count", "1"], ["top", "--json", "--count", "1"], ["trace", "x"]):
        result = apus(*arguments, "--url", console.url)
        assert result.returncode == 1 and "is an older Apus server" in result.stderr and result.stderr.count("\n") == 1


def test_a_server_that_is_away_for_a_while_is_said_once(console):
    command = [os.environ["APUS_BIN"], "top", "--interval", "100ms", "--count", "2", "--url", console.url]
    with subprocess.Popen(command, env=client_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.readline()
        console.answers["/console/sample"] = problem(503, "UNAVAILABLE", "The server is shutting down")
        assert "The server is shutting down; trying again" in process.stderr.readline()
        del console.answers["/console/sample"]
        assert process.wait(TIMEOUT) == 0
        assert process.stderr.read() == ""


# On a terminal.

def test_the_screen_is_filled_and_restored(console):
    console.sample = sample()
    console.subscribers = [subscriber("orders", "slow", 812, 37, "queue full"), subscriber("orders", "quick")]
    with top(console) as terminal:
        terminal.shows("q quit")
        assert FULL in terminal.output and len(terminal.screen()) == 24
        text = "\n".join(terminal.screen())
        for shown in (console.url, "10:00:00", "1.23k", "56.8k", "64.0 MiB of 1.00 GiB", "37 %", "12 % 50 %", "orders",
                      "slow < orders (queue full)", "812", "16s", "▃"):
            assert shown in text, shown
        assert terminal.settings != terminal.before
        terminal.send("q")
        assert terminal.wait() == 0
        assert terminal.output.endswith(BACK) and terminal.settings == terminal.before


def test_keys_sort_filter_scroll_and_pause(console):
    console.topics = [topic(f"t.{number:03}") for number in range(100)]
    with top(console) as terminal:
        terminal.shows("t.000")
        terminal.shows("of 100")
        terminal.send("s")
        terminal.shows("sort:bytes")
        terminal.until(lambda _: console.asked[-3:] and any(query.get("sort") == "bytes" for _, query in console.asked), "sorted")
        terminal.send("\x1b[B")
        terminal.until(lambda terminal: "t.000" not in "\n".join(terminal.screen()), "scrolled")
        terminal.shows("t.001")
        terminal.send("\x1b[F")
        terminal.shows("t.099")
        terminal.send("/05")
        terminal.shows("filter: 05_")
        terminal.send("\r")
        terminal.shows("[05]")
        terminal.until(lambda terminal: "t.050" in "\n".join(terminal.screen()) and "t.099" not in "\n".join(terminal.screen()), "filtered")
        terminal.send("\x1b")
        terminal.shows("of 100")
        terminal.send("p")
        terminal.shows("PAUSED")
        console.sample = sample(publishes=777)
        terminal.send("p")
        terminal.shows("777")
        terminal.send("q")
        assert terminal.wait() == 0


@pytest.mark.parametrize("rows, columns", [(24, 80), (50, 200), (12, 50), (5, 20)])
def test_it_fits_every_window_and_follows_a_new_size(console, rows, columns):
    console.topics = [topic(f"a-rather-long-name-of-a-topic.{number:03}" * 2) for number in range(100)]
    with top(console) as terminal:
        terminal.shows("q quit")
        terminal.resize(rows, columns)
        terminal.until(lambda terminal: len(terminal.screen()) == rows, f"{rows} lines")
        terminal.until(lambda terminal: max(map(len, terminal.screen())) <= columns, f"{columns} columns")
        terminal.send("q")
        assert terminal.wait() == 0


def test_what_the_credential_may_not_see_is_left_out(console):
    console.answers["/console/topics"] = problem(403, "FORBIDDEN", "The right stats is needed")
    console.answers["/subscribers"] = problem(403, "FORBIDDEN", "The right stats is needed")
    with top(console) as terminal:
        terminal.shows("your credential shows no topics")
        terminal.shows("your credential shows no subscribers")
        terminal.send("q")
        assert terminal.wait() == 0
    console.answers["/console/sample"] = problem(403, "FORBIDDEN", "The right stats is needed")
    with top(console) as terminal:
        assert terminal.wait() == 1
        assert "the right stats is needed (FORBIDDEN)" in terminal.output and FULL not in terminal.output


def test_a_server_that_is_away_is_told_of_on_the_screen(console):
    with top(console) as terminal:
        terminal.shows("q quit")
        console.answers["/console/sample"] = problem(503, "UNAVAILABLE", "The server is shutting down")
        terminal.shows("The server is shutting down; trying again")
        del console.answers["/console/sample"]
        terminal.until(lambda terminal: "trying again" not in "\n".join(terminal.screen()), "figures again")
        terminal.send("q")
        assert terminal.wait() == 0


def test_names_do_not_control_the_terminal(console):
    console.topics = [topic("evil\x1b]0;title\x07\x1b[2J")]
    console.subscribers = [subscriber("orders", "a\x1b[31mb", 1)]
    with top(console) as terminal:
        terminal.shows("evil\\u{1b}]0;title")
        assert "\x1b]0;" not in terminal.output and "\x1b[31m" not in terminal.output and "\x1b[2J" not in terminal.output
        terminal.send("q")
        assert terminal.wait() == 0


# Trace.

TRACE = {"found": True, "topic": "orders", "offset": 42, "at": "2026-11-30T10:00:00.123Z", "key": "k", "bytes": 120, "stored": "disk",
         "subscribers": [
             {"connection": 7, "client_id": "a", "address": "127.0.0.1:5", "transport": "websocket", "outcome": "delivered",
              "at": "2026-11-30T10:00:00.124Z"},
             {"connection": 8, "client_id": "b", "address": "127.0.0.1:6", "transport": "sse", "outcome": "dropped",
              "reason": "queue full"}],
         "gone": [{"client_id": "c", "outcome": "pending"}], "others": [{"topic": "orders", "offset": 3, "at": "2026-11-30T09:00:00Z"}]}


def test_trace_tells_where_a_message_went(console):
    console.answers["/trace"] = 200, TRACE
    result = apus("trace", "i d", "--topic", "orders", "--limit", "5", "--url", console.url)
    assert result.returncode == 0, result.stderr
    assert ("/trace", {"id": "i d", "topic": "orders", "limit": "5"}) in console.asked
    text = result.stdout
    for shown in ("orders, offset 42, key k", "120 B, stored in disk", "1 delivered, 1 dropped", "queue full", "that are gone", "also in  orders at offset 3"):
        assert shown in text, text
    result = apus("trace", "x", "--json", "--url", console.url)
    assert json.loads(result.stdout) == TRACE
    with PseudoTerminal("trace", "x", "--url", console.url, columns=160) as terminal:
        assert terminal.wait() == 0 and "queue full" in terminal.output


def test_a_message_that_is_not_there_is_exit_1(console):
    console.answers["/trace"] = 200, {"found": False}
    result = apus("trace", "x", "--url", console.url)
    assert result.returncode == 1 and "no message 'x' in their history" in result.stderr and result.stdout == ""
    result = apus("trace", "x", "--json", "--url", console.url)
    assert result.returncode == 1 and json.loads(result.stdout) == {"found": False}


# Beside the real server.

@pytest.fixture(scope="module")
def busy():
    with Server() as server:
        if server.rest("GET", "/console/sample").status == 404:
            pytest.skip("this server has no console yet")
        assert server.create("orders").status == 201
        yield server


def test_the_server_itself_has_the_figures(busy):
    cli(busy, "pub", "orders", "-", stdin="1\n2\n3\n")
    lines = cli(busy, "top", "--json", "--count", "1").splitlines()
    assert json.loads(lines[0])["topics"]["rows"][0]["name"] == "orders"
    with PseudoTerminal("top", "--url", busy.url) as terminal:
        terminal.shows("orders")
        terminal.send("q")
        assert terminal.wait() == 0


def test_the_server_itself_traces_a_message(busy):
    if busy.rest("GET", "/trace?id=x").status == 404:
        pytest.skip("this server has no trace yet")
    found = json.loads(cli(busy, "pub", "orders", "1", "--outcome", "--json"))
    trace = json.loads(cli(busy, "trace", found["id"], "--json"))
    assert trace["found"] and trace["topic"] == "orders" and trace["offset"] == found["offset"]
    assert "orders, offset" in cli(busy, "trace", found["id"])
    assert apus("trace", "0f7c4d3e-6d3a-4b0e-9f57-0a5f6f7f2d11", "--url", busy.url).returncode == 1
