"""Every command of the program in a pipe, and on a terminal, where people read the same and may press keys."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass

import pytest

from apus_e2e import TIMEOUT, Server, apus, client_environment
from pseudo_terminal import BACK, FULL, SEQUENCE, PseudoTerminal
from test_cli_manual import WITHOUT_JSON, help_tree

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")

CTRL_C, CTRL_D, QUIT = "\x03", "\x04", "q"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x9b]")
STYLE, MODE = re.compile(r"\x1b\[([\d;]*)m"), re.compile(r"\x1b\[\?(\d+)([hl])")
# The other screen, the cursor and the wrapping of lines, as a terminal has them.
MODES = {("1049", "l"), ("25", "h"), ("7", "h")}
# A line that is written over, as of progress.
ERASED = re.compile(r"[^\n]*\r\x1b\[K")
# What has no --json.
PLAIN = ("echo", "help", *(" ".join(words) for words in WITHOUT_JSON))


class Stage(dict):
    """What the words of a row name in braces, made when it is first named, anew for each run."""

    count = 0

    def __init__(self, server, kept, folder):
        Stage.count += 1
        self._server, self._kept, self._number = server, kept, f"{Stage.count:04}"
        self._place = folder / self._number
        self._place.mkdir()
        super().__init__(url=server.url, nowhere="http://127.0.0.1:1", new=f"new-{self._number}",
                         folder=str(self._place / "folder"))
        self.env = {"XDG_CONFIG_HOME": str(self._place), "APUS_URL": server.url}

    def __missing__(self, name):
        return self.setdefault(name, str(getattr(self, f"_{name}")()))

    def fill(self, text):
        return re.sub(r"{(\w+)}", lambda found: self[found[1]], text)

    def forget(self, text):
        """The text without what differs from run to run."""
        for name, value in sorted(self.items(), key=lambda item: -len(item[1])):
            text = text.replace(value, f"{{{name}}}")
        return text

    def _file(self, name, text):
        (self._place / name).write_text(text)
        return self._place / name

    def _apus(self, *words):
        result = apus(*words, env=self.env)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def _topic(self):
        name = f"topic-{self._number}"
        assert self._server.create(name).status == 201
        self["id"] = self._server.rest("POST", f"/v1/topics/{name}/messages", b'"hello"').json["id"]
        return name

    def _event(self):
        return json.dumps({"topic": self["topic"], "message": {"payload": 1}}) + "\n"

    def _events(self):
        return self._file("events", self["event"])

    def _data(self):
        return shutil.copytree(self._kept, self._place / "data")

    def _damaged(self):
        folder = shutil.copytree(self._kept, self._place / "damaged")
        with open(next(folder.glob("segments/*.seg")), "r+b") as segment:
            segment.seek(60)
            segment.write(b"XXXX")
        return folder

    def _export(self):
        return self._file("export", self["lines"])

    def _lines(self):
        return self._apus("data", "export", str(self._kept), "--all")

    def _keys(self):
        self._apus("keys", "create", "shop", "--file", str(self._place / "keys"), "--allow", "publish:orders")
        return self._place / "keys"

    def _secret(self):
        return self._file("secret", "0123456789abcdef" * 3)

    def _token(self):
        mint = ["--key-file", self["secret"], "--alg", "HS256", "--jti", "one", "--allow", "publish:orders"]
        return self._file("token", self._apus("token", "mint", *mint))

    def _context(self):
        self._apus("context", "add", "shop", "--url", self["nowhere"])
        return "shop"


@dataclass(frozen=True)
class Row:
    words: str
    says: str
    code: int = 0
    # What it is told on its standard input; a terminal's user waits for `prompt`.
    told: str = ""
    prompt: str = ""
    # What ends it; Ctrl-C and q once it has said what it must. In a pipe that is SIGINT, and the end of the input.
    key: str = ""
    # What a terminal shows instead. Without that, the whole text is the same in both places, unless it `varies`.
    shows: str | None = None
    varies: bool = False

    def __str__(self):
        return re.sub(r"[{}]", "", self.words) + {CTRL_C: ", Ctrl-C", CTRL_D: ", Ctrl-D", QUIT: ", q"}.get(self.key, "")


ROWS = [
    Row("serve --port 0", "listening address=http", key=CTRL_C, varies=True),
    Row("serve --port 0 --queue 0", "queue: '0' (from flag --queue)", code=78),
    Row("echo --port 0", "listening address=http", key=CTRL_C, varies=True),
    Row("pub {topic} 1", "", shows="published 1 message to {topic}\n"),
    Row("pub {topic} 1 --key a --outcome", "offset 2 of epoch ", varies=True),
    Row("pub {topic} -", "", told="1\n2\n", key=CTRL_D, shows="published 2 messages to {topic}\n"),
    Row("pub {new} 1", "topic '{new}' not found", code=1),
    Row("sub {topic} --last 1", '"payload":"hello"', key=CTRL_C, shows='{topic}  "hello"'),
    Row("sub {topic} --last 1 --count 1", '"payload":"hello"', shows='{topic}  "hello"'),
    Row("tail {topic} --last 1", '"payload":"hello"', key=CTRL_C, shows='{topic}  "hello"'),
    Row("tail {topic} --where payload.n>", "a value was expected", code=64),
    Row("replay {events}", "", shows="published 1 message in "),
    Row("replay -", "", told="{event}", key=CTRL_D, shows="published 1 message in "),
    Row("topics create {new}", "created {new}\n"),
    Row("topics create {topic}", "'{topic}' already exists", code=1),
    Row("topics list", "{topic} ", varies=True),
    Row("topics delete {topic}", "deleted {topic}\n"),
    Row("topics delete {topic} {new}", "'{new}' not found", code=1),
    Row("shell", "{topic}", told="topics\n", prompt="apus> ", key=CTRL_D, varies=True),
    Row("shell", "{topic}", told="topics\nquit\n", prompt="apus> ", varies=True),
    Row("shell", "{topic}", told="topics\n", prompt="apus> ", key=CTRL_C, varies=True),
    Row("cluster", "{url} has no cluster: it was not started with --nats", code=1),
    Row("top", "PUBL/S", key=QUIT, shows="q quit"),
    Row("top --interval 100ms", "PUBL/S", key=CTRL_C, shows="q quit"),
    Row("top --url {nowhere}", "connection refused", code=69),
    Row("trace {id} --topic {topic}", "topic    {topic}, offset 1\n", varies=True),
    Row("trace {new}", "no message '{new}'", code=1),
    Row("verify --duration 1s --subscribers 2 --topics 1 --rate 50", "nothing lost, nothing doubled", varies=True),
    Row("conformance server --only ping.pong", "2 passed, 0 failed, 0 skipped\n"),
    Row("conformance server --only no-such", "no check matches no-such", code=64),
    Row("conformance client --wait 100ms", "no client came", code=1, varies=True),
    Row("bench --duration 100ms --warmup 100ms --subs 2 --window 1", "nothing lost, nothing doubled", varies=True),
    Row("healthcheck", "healthy: up ", varies=True),
    Row("healthcheck --url {nowhere}", "connection refused", code=1),
    Row("doctor --no-machine", "the server at {url}", varies=True),
    Row("doctor --no-machine --url {nowhere}", "1 failure", code=1),
    Row("config print --queue 7", "queue: 7 ", varies=True),
    Row("config check", "configuration is valid\n"),
    Row("context add {new} --url {nowhere}", "added {new}\n"),
    Row("context add {new} --url {url} --api-key-stdin", "", told="secret\n", key=CTRL_D, shows="added {new}\n"),
    Row("context list", "{context}  {nowhere}  none\n"),
    Row("context list", "no contexts; add one with: apus context add"),
    Row("context use {context}", "using {context}\n"),
    Row("context show {context}", "{nowhere}\n"),
    Row("context remove {context}", "removed {context}\n"),
    Row("context remove {new}", "no context '{new}'", code=1),
    Row("keys create office --file {keys} --allow publish:orders", "apus_office_", varies=True),
    Row("keys list --file {keys}", "shop  never    publish:orders\n"),
    Row("keys revoke shop --file {keys}", "revoked shop\n"),
    Row("keys revoke nobody --file {keys}", "there is no key 'nobody'", code=1),
    Row("token mint --key-file {secret} --alg HS256 --allow publish:orders", "eyJ", varies=True),
    Row("token inspect --token-file {token}", "rule 1     publish:orders\n", varies=True),
    Row("token can publish orders --token-file {token}", "yes: rule 1 allows it\n"),
    Row("token can publish other --token-file {token}", "no", code=1),
    Row("data check {data}", "1 topic, 1 message in 1 record, "),
    Row("data check {damaged}", "is damaged at byte", code=78),
    Row("data repair {data}", "there is nothing to repair\n"),
    Row("data repair {damaged}", "nothing was changed", code=78, told="n\n", prompt="[y/N] ", varies=True),
    Row("data repair {damaged} --yes", "repaired; damaged files are in ", varies=True),
    Row("data stats {data}", "1 topic, 1 segment, "),
    Row("data export {data} kept", '"payload":1'),
    Row("data import {folder} {export}", "{folder}: 1 topic, 1 message\n"),
    Row("data import {folder}", "{folder}: ", told="{lines}", key=CTRL_D, shows="{folder}: "),
    Row("data backup {data} {folder}", "{folder}: 1 topic, "),
    Row("completions bash", "complete "),
    Row("man {folder}", "apus-serve.1\n"),
    Row("help topics", "USAGE: apus topics"),
]


def leaves(node=None, words=()):
    """Every command that has none below it, also those that help does not list."""
    node = node or help_tree()
    if not node.get("subcommands"):
        yield words
    for each in node.get("subcommands", []):
        yield from leaves(each, (*words, each["commandName"]))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "data"
    with Server("--data", str(folder)) as running:
        assert running.rest("PUT", "/topics/kept", {"durability": "os"}).status == 201
        assert running.rest("POST", "/topics/kept/messages", b"1").status == 201
    return folder


@pytest.fixture
def stage(server, kept, tmp_path):
    return lambda: Stage(server, kept, tmp_path)


def read_until(text, streams):
    """What each of the streams says until one has said the text."""
    said, end = {stream: b"" for stream in streams}, time.monotonic() + TIMEOUT
    while not any(text.encode() in each for each in said.values()):
        assert time.monotonic() < end, f"'{text}' does not come: {said}"
        for stream in select.select(streams, [], [], 0.1)[0]:
            said[stream] += (chunk := os.read(stream.fileno(), 65536))
            assert chunk, f"it ends without '{text}': {said}"
    return list(said.values())


def in_a_pipe(row, stage, *more):
    """What it says on standard output and on standard error."""
    says, words, told = (stage.fill(text) for text in (row.says, row.words, row.told))
    with subprocess.Popen([os.environ["APUS_BIN"], *words.split(), *more], env=client_environment(stage.env),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            first = [b"", b""]
            if row.key in (CTRL_C, QUIT):
                process.stdin.write(told.encode())
                process.stdin.flush()
                told, first = "", read_until("}\n" if more else says, [process.stdout, process.stderr])
                process.send_signal(signal.SIGINT)
            rest = process.communicate(told.encode(), TIMEOUT)
        finally:
            process.kill()
    output, errors = ((before + after).decode() for before, after in zip(first, rest))
    assert process.returncode == row.code, output + errors
    for text in (output, errors):
        assert not CONTROL.search(text) and text[-1:] in ("", "\n"), text
    assert more or says in output + errors
    return output, errors


def on_a_terminal(row, stage):
    """What its user has read in the end, with the terminal as it was before."""
    says, words, told = (stage.fill(text) for text in (row.says, row.words, row.told))
    shows = says if row.shows is None else stage.fill(row.shows)
    with PseudoTerminal(*words.split(), env=stage.env, rows=50, columns=200) as terminal:
        terminal.says(row.prompt)
        terminal.send(told)
        if row.key in (CTRL_C, QUIT):
            terminal.says(shows)
        terminal.send(row.key)
        assert terminal.wait() == row.code, terminal.output
        assert terminal.settings == terminal.before
        output = terminal.output.replace("\r\n", "\n")
    assert set(dict(MODE.findall(output)).items()) <= MODES and STYLE.findall(output)[-1:] in ([], ["0"]), output
    # A terminal that echoes shows the Ctrl-C itself.
    assert output.endswith(BACK) if FULL in output else output.removesuffix("^C")[-1:] in ("", "\n"), output
    text = SEQUENCE.sub("", ERASED.sub("", output))
    assert shows in text
    return text


each_row = pytest.mark.parametrize("row", ROWS, ids=str)


def test_every_command_has_a_row():
    rows = [tuple(row.words.split()) for row in ROWS]
    assert [leaf for leaf in leaves() if not any(words[:len(leaf)] == leaf for words in rows)] == []


@each_row
def test_in_a_pipe_it_says_what_it_must_and_nothing_that_controls_a_terminal(row, stage):
    in_a_pipe(row, stage())


@pytest.mark.parametrize("row", [row for row in ROWS if not row.words.startswith(PLAIN)], ids=str)
def test_json_in_a_pipe_is_an_object_or_an_object_a_line(row, stage):
    output, _ = in_a_pipe(row, stage(), "--json")
    assert output or row.code != 0
    try:
        json.loads(output or "null")
    except ValueError:
        assert all(isinstance(json.loads(line), dict) for line in output.splitlines())


@each_row
def test_on_a_terminal_it_says_the_same_and_leaves_the_terminal_as_it_was(row, stage):
    there, here = stage(), stage()
    text = on_a_terminal(row, there)
    if row.shows is None and not row.varies:
        assert there.forget(text) == here.forget("".join(in_a_pipe(row, here)))
