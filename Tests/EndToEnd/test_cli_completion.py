"""The completion scripts in the shells they are for: what Tab makes of a line that somebody types."""

import os
import shlex
import shutil
from contextlib import contextmanager

import pytest

from apus_e2e import Server, apus, client_environment
from pseudo_terminal import PseudoTerminal

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")

PROMPT = "ready> "
# How each is started without what a user has configured, and what is said to it first.
SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], "PS1='ready''> '; source {home}/script"),
    "zsh": (["-f", "-i"], "PROMPT='ready''> '; unsetopt beep; fpath=({home}/zsh $fpath); autoload -Uz compinit; compinit -u -D"),
    "fish": (["--private", "-i"], "function fish_prompt; echo -n 'ready''> '; end; function fish_right_prompt; end"),
}


@pytest.fixture(scope="module")
def server():
    with Server(tls=False) as running:
        for name in ("orders", "payments"):
            assert running.create(name).status == 201
        yield running


@pytest.fixture
def home(tmp_path, server):
    """A home with the scripts, a context, and a program that prints its arguments instead of doing what they say."""
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert apus("context", "add", "prod", "--url", server.url, env=env).returncode == 0
    program = tmp_path / "bin" / "apus"
    program.parent.mkdir()
    program.write_text(f"""#!/bin/sh
case $1 in
    ---completion) exec {shlex.quote(os.environ["APUS_BIN"])} "$@" ;;
    *) echo "given: $*." ;;
esac
""")
    program.chmod(0o755)
    for shell, place in (("bash", "script"), ("zsh", "zsh/_apus"), ("fish", "fish/completions/apus.fish")):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(apus("completions", shell).stdout)
    return tmp_path


@contextmanager
def shell_of(name, home, env):
    program = shutil.which(name)
    assert program, f"needs {name}: apt-get install {name} (dev/install does)"
    options, setup = SHELLS[name]
    env = client_environment({"HOME": str(home), "XDG_CONFIG_HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8",
                              "PATH": f"{home}/bin:{os.environ['PATH']}"} | env)
    with PseudoTerminal(*options, program=program, env=env, columns=200) as terminal:
        terminal.send(setup.format(home=home) + "\r")
        terminal.says(PROMPT)
        yield terminal


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.parametrize("typed, given", [
    ("apus ta", "tail"),
    ("apus data bac", "data backup"),
    ("apus tail x --whe", "tail x --where"),
    ("apus sub pay", "sub payments"),
    ("apus tail ord", "tail orders"),
    ("apus topics list --context pr", "topics list --context prod"),
])
def test_tab_completes_what_is_typed(name, typed, given, home, server):
    with shell_of(name, home, {"APUS_URL": server.url}) as terminal:
        terminal.send(f"{typed}\t\r")
        terminal.says(f"given: {given}.")


@pytest.mark.parametrize("name", SHELLS)
def test_without_a_server_tab_leaves_the_line_as_it_is(name, home):
    with shell_of(name, home, {"APUS_URL": "http://127.0.0.1:1"}) as terminal:
        terminal.send("apus sub pay\t\r")
        terminal.says("given: sub pay.")
