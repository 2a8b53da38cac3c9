"""The commands that change the settings of a terminal give it back, whatever ends or stops them."""

import os
import signal

import pytest

from apus_e2e import Server, eventually
from cli_processes import Cutter
from console_server import ConsoleServer, sample
from pseudo_terminal import BACK, FULL, JobShell, PseudoTerminal

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")

CTRL_BACKSLASH, CTRL_C, CTRL_Q, CTRL_S, CTRL_Z = "\x1c", "\x03", "\x11", "\x13", "\x1a"
# What each shows when it is ready.
READY = {"shell": "apus> ", "top": "q quit"}


@pytest.fixture
def console():
    with ConsoleServer() as server:
        yield server


@pytest.fixture(scope="module")
def url():
    with Server() as server:
        yield server.url


def ready(terminal, command):
    terminal.says(READY[command])
    assert terminal.settings != terminal.before


def ended_well(terminal, command, code=0):
    assert terminal.wait() == code, terminal.output
    assert terminal.settings == terminal.before
    assert terminal.output.endswith(BACK if command == "top" else "\r\n"), terminal.output


@pytest.mark.parametrize("command", READY)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP], ids=lambda each: each.name)
def test_a_signal_ends_it_and_leaves_the_terminal_as_it_was(url, command, number):
    with PseudoTerminal(command, "--url", url) as terminal:
        ready(terminal, command)
        terminal.signal(number)
        ended_well(terminal, command)


@pytest.mark.parametrize("command", READY)
@pytest.mark.parametrize("key", [CTRL_C, CTRL_BACKSLASH])
def test_the_keys_for_that_do_the_same(url, command, key):
    with PseudoTerminal(command, "--url", url) as terminal:
        ready(terminal, command)
        terminal.send(key)
        ended_well(terminal, command)


@pytest.mark.parametrize("command", READY)
def test_a_second_signal_does_not_wait_and_leaves_the_terminal_as_it_was(url, command):
    with Server() as server, Cutter(server) as way, PseudoTerminal(command, "--url", way.url) as terminal:
        ready(terminal, command)
        # Nothing answers any more, so that the shell would wait.
        server.process.send_signal(signal.SIGSTOP)
        try:
            terminal.signal(signal.SIGINT)
            terminal.signal(signal.SIGTERM)
            # The first may have been enough.
            assert terminal.wait() in (0, 130)
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert terminal.settings == terminal.before and terminal.output.endswith(("\r\n", BACK))


def test_what_ends_the_shell_is_not_said_behind_its_prompt(url):
    with Server() as server, Cutter(server) as way, PseudoTerminal("shell", "--url", way.url) as terminal:
        ready(terminal, "shell")
        terminal.send("publish half a li")
        terminal.says("half a li")
        way.cut()
        ended_well(terminal, "shell", code=1)
        assert "\r\napus shell: the connection broke (1006)\r\n" in terminal.output


@pytest.mark.parametrize("command", READY)
def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(url, command):
    with JobShell(command, "--url", url) as terminal:
        terminal.says(READY[command])
        assert terminal.is_raw
        if command == "shell":
            terminal.send("top")
            terminal.says("top")
        for _ in range(2):
            terminal.send(CTRL_Z)
            if command == "top":
                terminal.says(BACK)
            terminal.says("Stopped")
            terminal.says("prompt$ ")
            assert terminal.settings == terminal.before
            terminal.send("fg\n")
            if command == "top":
                terminal.says(FULL)
            terminal.says(READY[command] if command == "top" else "top")
            assert terminal.is_raw
        terminal.send("q" if command == "top" else "ics\nquit\n")
        terminal.says("prompt$ ")
        assert terminal.settings == terminal.before
        terminal.send("exit\n")
        assert terminal.wait() == 0


@pytest.mark.parametrize("command", READY)
def test_in_the_background_it_does_not_touch_the_terminal(url, command):
    with JobShell(command, "--url", url) as terminal:
        terminal.says(READY[command])
        job = terminal.job
        terminal.send(CTRL_Z)
        terminal.says("prompt$ ")
        terminal.send("bg\n")
        terminal.says("prompt$ ")
        # At once, as it wants the terminal.
        eventually(lambda: terminal.is_stopped(job), "stopped again")
        terminal.send("echo still $((40 + 2))\n")
        terminal.says("still 42")
        assert terminal.settings == terminal.before
        terminal.send("fg\n")
        terminal.says(READY[command])
        assert terminal.is_raw
        terminal.send(CTRL_C)
        terminal.says("prompt$ ")
        assert terminal.settings == terminal.before


@pytest.mark.parametrize("command", READY)
def test_without_a_shell_that_could_go_on_ctrl_z_stops_nothing(url, command):
    with PseudoTerminal(command, "--url", url) as terminal:
        ready(terminal, command)
        seen = len(terminal.output)
        terminal.send(CTRL_Z)
        terminal.until(lambda terminal: READY[command] in terminal.output[seen:], "the drawing again")
        terminal.send("q\r" if command == "shell" else "q")
        ended_well(terminal, command)


# A terminal that takes nothing.

def top(console):
    return PseudoTerminal("top", "--url", console.url, "--interval", "100ms")


def asked(console, times):
    """Waits until it has asked so many times more."""
    before = len(console.asked)
    eventually(lambda: len(console.asked) >= before + 3 * times, "it asks on")


def test_top_goes_on_with_present_figures_after_ctrl_q(console):
    with top(console) as terminal:
        ready(terminal, "top")
        terminal.send(CTRL_S)
        asked(console, 20)
        console.sample = sample(publishes=777)
        asked(console, 3)
        terminal.send("?")
        terminal.send(CTRL_Q)
        # The keys of that time have been taken as well.
        terminal.shows("any key leaves it")
        terminal.send("x")
        terminal.shows("777")
        terminal.send("q")
        ended_well(terminal, "top")


def test_a_slow_terminal_gets_the_last_drawing_and_not_all_of_them(console):
    with top(console) as terminal:
        ready(terminal, "top")
        asked(console, 60)
        console.sample = sample(publishes=777)
        asked(console, 3)
        seen = len(terminal.output)
        terminal.shows("777")
        # What was in the terminal already, one on its way, and the last.
        assert terminal.output[seen:].count("\x1b[H") < 40
        terminal.send("q")
        ended_well(terminal, "top")


@pytest.mark.parametrize("key", ["q", CTRL_C])
def test_a_key_leaves_top_while_ctrl_s_holds_the_terminal(console, key):
    with top(console) as terminal:
        ready(terminal, "top")
        terminal.send(CTRL_S)
        asked(console, 5)
        terminal.send(key)
        ended_well(terminal, "top")


@pytest.mark.parametrize("key", ["q", CTRL_C])
def test_a_key_leaves_top_while_nobody_reads_the_terminal(console, key):
    with top(console) as terminal:
        ready(terminal, "top")
        asked(console, 60)
        terminal.send(key)
        assert terminal.wait(reads=False) == 0
        assert terminal.settings == terminal.before


def test_a_signal_leaves_the_shell_while_ctrl_s_holds_the_terminal(url):
    with PseudoTerminal("shell", "--url", url) as terminal:
        ready(terminal, "shell")
        terminal.send(CTRL_S)
        terminal.send("topics\r")
        os.kill(terminal.pid, signal.SIGTERM)
        ended_well(terminal, "shell")
