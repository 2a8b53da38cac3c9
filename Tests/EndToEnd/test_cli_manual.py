"""What the program says of itself: manual pages, completion, and `--json` on every command that prints something."""

import json
import os
import re
import shutil
import subprocess

import pytest

from apus_e2e import TIMEOUT, Server, apus, client_environment
from pseudo_terminal import PseudoTerminal

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("man")
    result = apus("man", str(folder))
    assert result.returncode == 0, result.stderr
    found = sorted(folder.iterdir())
    assert result.stdout.split() and sorted(result.stdout.split()) == [page.name for page in found]
    return found


def help_tree():
    return json.loads(apus("--experimental-dump-help").stdout)["command"]


def commands(node=None, words=()):
    """Each command with the words that call it."""
    node = node or help_tree()
    yield words, node
    for each in node.get("subcommands", []):
        if each["commandName"] != "help" and each.get("shouldDisplay", True):
            yield from commands(each, (*words, each["commandName"]))


def test_every_command_has_a_page(pages):
    assert {page.name for page in pages} == {"-".join(("apus", *words)) + ".1" for words, _ in commands()}


def test_the_pages_render_without_a_warning(pages):
    if mandoc := shutil.which("mandoc"):
        command = [mandoc, "-T", "utf8", "-W", "warning"]
    elif man := shutil.which("man"):
        command = [man, "--warnings", "-l"]
    else:
        pytest.skip("there is neither man nor mandoc")
    for page in pages:
        result = subprocess.run([*command, str(page)], capture_output=True, text=True, timeout=TIMEOUT,
                                env=os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"})
        assert result.returncode == 0 and result.stderr == "", (page, result.stderr)
        text = re.sub(".\x08", "", result.stdout)
        assert "NAME" in text and "SYNOPSIS" in text and page.stem in text


def test_the_same_program_writes_the_same_pages(pages, tmp_path):
    with PseudoTerminal("man", str(tmp_path / "new" / "folder")) as terminal:
        assert terminal.wait() == 0
    for page in pages:
        assert (tmp_path / "new" / "folder" / page.name).read_bytes() == page.read_bytes()
    names = json.loads(apus("man", str(tmp_path), "--json").stdout)["pages"]
    assert sorted(names) == [page.name for page in pages]


def test_a_folder_that_cannot_be_written_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    result = apus("man", str(tmp_path / "file"))
    assert result.returncode == 73 and str(tmp_path / "file") in result.stderr


# What cannot be JSON: servers, a conversation, scripts of shells, and what is JSON anyhow.
WITHOUT_JSON = {("serve",), ("shell",), ("completions",), ("data", "export")}


def test_every_command_that_prints_something_can_print_json():
    lacking = {words for words, node in commands() if not node.get("subcommands")
               and "json" not in {name["name"] for argument in node["arguments"] for name in argument.get("names", [])}}
    assert lacking == WITHOUT_JSON


def test_every_client_command_takes_a_context():
    for words, node in commands():
        names = {name["name"] for argument in node["arguments"] for name in argument.get("names", [])}
        if "api-key" in names and words != ("serve",) and words[0] != "config":
            assert "context" in names, words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_prints_the_script_of_a_shell(shell):
    result = apus("completions", shell)
    assert result.returncode == 0 and "healthcheck" in result.stdout and "replay" in result.stdout
    with PseudoTerminal("completions", shell) as terminal:
        assert terminal.wait() == 0 and "healthcheck" in terminal.output
    assert apus("completions", "csh").returncode == 64


def completed(words, env):
    script = apus("completions", "bash").stdout
    line = " ".join(words)
    ask = (f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'; COMP_POINT={len(line)}; "
           f"_apus apus {words[-1]} {words[-2]}; echo ${{COMPREPLY[@]}}")
    path = os.path.dirname(os.environ["APUS_BIN"]) + os.pathsep + os.environ["PATH"]
    result = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=TIMEOUT,
                            env=client_environment(env | {"PATH": path}))
    return result.stdout.split()


@pytest.mark.skipif(os.path.basename(os.environ.get("APUS_BIN", "")) != "apus", reason="the script calls apus")
def test_bash_completes_topics_and_contexts(tmp_path):
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    with Server() as server:
        for name in ("orders", "orders.eu", "payments"):
            assert server.create(name).status == 201
        env = home | {"APUS_URL": server.url}
        assert completed(["apus", "sub", "ord"], env) == ["orders", "orders.eu"]
        assert completed(["apus", "pub", "pay"], env) == ["payments"]
        apus("context", "add", "prod", "--url", server.url, env=home)
        assert completed(["apus", "topics", "list", "--context", "pr"], home) == ["prod"]
    assert completed(["apus", "sub", "ord"], home | {"APUS_URL": "http://127.0.0.1:1"}) == []


def test_config_check_and_token_mint_print_json(tmp_path):
    assert json.loads(apus("config", "check", "--json").stdout) == {"valid": True}
    result = apus("config", "check", "--json", "--port", "9000", env={"APUS_QUEUE": "x"})
    assert result.returncode == 78
    assert json.loads(result.stdout)["valid"] is False and "APUS_QUEUE" in json.loads(result.stdout)["reason"]
    (tmp_path / "secret").write_text("0123456789abcdef" * 4)
    mint = ["token", "mint", "--key-file", str(tmp_path / "secret"), "--alg", "HS256", "--allow", "publish:a"]
    minted = json.loads(apus(*mint, "--jti", "one", "--json").stdout)
    assert minted.keys() == {"token", "jti", "expires"} and minted["jti"] == "one" and minted["token"].count(".") == 2


def test_the_tools_for_folders_print_json(tmp_path):
    folder, copy, other = (str(tmp_path / name) for name in ("data", "copy", "other"))
    with Server("--data", folder) as server:
        assert server.rest("PUT", "/topics/t", b'{"durability":"os"}').status in (200, 201)
        assert server.rest("POST", "/topics/t/messages", b"1").status == 201
    checked = json.loads(apus("data", "check", folder, "--json").stdout)
    assert checked["ok"] is True and checked["messages"] == 1 and checked["failures"] == []
    assert json.loads(apus("data", "repair", folder, "--json").stdout) == {"repaired": False, "steps": []}
    assert json.loads(apus("data", "backup", folder, copy, "--json").stdout)["topics"] == 1
    exported = apus("data", "export", folder, "--all").stdout
    imported = json.loads(apus("data", "import", other, "--json", stdin=exported).stdout)
    assert imported == {"folder": other, "topics": 1, "messages": 1}


@pytest.mark.parametrize("typed, meant", [
    (["servee"], "serve"), (["tial", "orders"], "tail"), (["topics", "creat", "x"], "topics create"),
    (["data", "chekc", "/tmp"], "data check"), (["tail", "x", "--whre", "true"], "--where"),
])
def test_a_mistyped_word_is_answered_with_the_one_that_was_meant(typed, meant):
    result = apus(*typed)
    assert result.returncode == 64 and result.stdout == ""
    assert result.stderr.splitlines()[0].endswith(f"Did you mean '{meant}'?"), result.stderr


def test_a_word_that_is_like_nothing_is_only_refused():
    result = apus("frobnicate")
    assert result.returncode == 64 and "Did you mean" not in result.stderr and "frobnicate" in result.stderr
