"""`apus context`: names for servers, and which of flags, environment, context and default counts."""

import json
import stat

import pytest

from apus_e2e import Server, apus
from pseudo_terminal import PseudoTerminal

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def home(tmp_path):
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def context(home, *arguments, code=0, stdin=None):
    result = apus("context", *arguments, env=home, stdin=stdin)
    assert result.returncode == code, result.stderr
    return result


@pytest.fixture(scope="module")
def guarded():
    with Server("--api-key", "right") as server:
        yield server


def test_a_context_has_the_server_and_the_file_of_the_key(guarded, home, tmp_path):
    key = tmp_path / "key"
    key.write_text("right\n")
    context(home, "add", "prod", "--url", guarded.url, "--api-key-file", str(key))
    assert apus("topics", "--context", "prod", env=home).returncode == 0
    assert apus("topics", env=home | {"APUS_CONTEXT": "prod"}).returncode == 0
    assert apus("topics", env=home | {"APUS_URL": guarded.url}).returncode == 77
    context(home, "use", "prod")
    assert apus("topics", env=home).returncode == 0
    for command in (["pub", "t", "1", "--create"], ["sub", "t", "--last", "1", "--count", "1"], ["healthcheck", "--context", "prod"]):
        assert apus(*command, env=home).returncode == 0, command
    key.write_text("wrong\n")
    assert apus("topics", env=home).returncode == 77


def test_the_file_is_for_its_owner_alone_and_has_no_secret_unless_asked(home, tmp_path):
    key = tmp_path / "key"
    key.write_text("very-secret")
    context(home, "add", "a", "--url", NOWHERE, "--api-key-file", str(key))
    file = tmp_path / "config" / "apus" / "contexts.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "very-secret" not in file.read_text()
    context(home, "add", "b", "--url", NOWHERE, "--api-key-stdin", stdin="very-secret\n")
    assert "very-secret" in file.read_text()
    shown = context(home, "show", "b").stdout + context(home, "show", "b", "--json").stdout
    assert "very-secret" not in shown and "***" in shown
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["contexts.json"]


def test_a_credential_does_not_go_to_a_server_that_is_named_otherwise(guarded, home):
    context(home, "add", "prod", "--url", NOWHERE, "--api-key-stdin", "--use", stdin="right\n")
    for named in ({"APUS_URL": guarded.url}, {"APUS_URL": guarded.url, "APUS_CONTEXT": "prod"}):
        assert apus("topics", env=home | named).returncode == 77
    assert apus("topics", "--url", guarded.url, env=home).returncode == 77
    # The flag says that it is meant.
    assert apus("topics", "--url", guarded.url, "--context", "prod", env=home).returncode == 0


def test_the_flag_counts_more_than_the_environment(guarded, home):
    context(home, "add", "prod", "--url", guarded.url, "--api-key-stdin", stdin="right\n")
    env = home | {"APUS_URL": NOWHERE, "APUS_API_KEY": "wrong"}
    assert apus("topics", "--context", "prod", env=env).returncode == 0
    assert apus("topics", "--context", "prod", "--api-key", "wrong", env=env).returncode == 77


def test_contexts_are_listed_shown_used_and_removed(home):
    assert "apus context add" in context(home, "list").stderr
    context(home, "add", "one", "--url", "http://one.example", "--use")
    context(home, "add", "two", "--url", "http://two.example")
    lines = context(home, "list").stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["*", "one"], ["two", "http://two.example"]]
    listed = json.loads(context(home, "list", "--json").stdout)
    assert listed["current"] == "one" and [each["name"] for each in listed["contexts"]] == ["one", "two"]
    assert json.loads(context(home, "show", "--json").stdout) == {"name": "one", "url": "http://one.example"}
    assert json.loads(context(home, "use", "two", "--json").stdout) == {"current": "two"}
    assert "http://two.example" in context(home, "show").stdout
    context(home, "remove", "two", "nobody", code=1)
    assert context(home, "remove", "two").stdout == "removed two\n"
    assert json.loads(context(home, "list", "--json").stdout)["current"] is None
    context(home, "use", "--none")
    context(home, "add", "one", "--url", "http://x.example", code=1)
    context(home, "add", "one", "--url", "http://x.example", "--replace")


@pytest.mark.parametrize("arguments, said, code", [
    (["topics", "--context", "prdo"], "--context: no context 'prdo'; there are: prod", 64),
    (["context", "use", "prdo"], "no context 'prdo'; there are: prod", 1),
    (["context", "add", "-x", "--url", NOWHERE], "", 64),
    (["context", "add", "a b", "--url", NOWHERE], "a context's name has", 64),
    (["context", "add", "a", "--url", "nowhere"], "'nowhere' is not a server address", 64),
])
def test_mistakes_are_explained(home, arguments, said, code):
    context(home, "add", "prod", "--url", NOWHERE)
    result = apus(*arguments, env=home)
    assert result.returncode == code and said in result.stderr


def test_a_context_that_is_gone_and_a_file_that_is_none_are_explained(home, tmp_path):
    result = apus("topics", env=home | {"APUS_CONTEXT": "x"})
    assert result.returncode == 78 and "APUS_CONTEXT: no context 'x'" in result.stderr
    file = tmp_path / "config" / "apus" / "contexts.json"
    file.parent.mkdir(parents=True)
    file.write_text("hello")
    result = apus("topics", env=home)
    assert result.returncode == 78 and str(file) in result.stderr and "remove it" in result.stderr


def test_a_list_is_printed_on_a_terminal(home):
    context(home, "add", "one", "--url", "http://one.example")
    with PseudoTerminal("context", env=home) as terminal:
        assert terminal.wait() == 0
        assert "http://one.example" in terminal.output
