"""The client commands with tokens: from a file that is replaced while they run, renewed, expired, revoked, forbidden.

The server's leeway of 30 s lets a token begin that has ended, so nothing here has to be fast: under a long grace such a
client has to renew it, under none it is cut within a second.
"""

import contextlib
import json
import os
import subprocess

import pytest

from apus_e2e import TIMEOUT, Server, apus, client_environment, eventually
from cli_processes import Sub

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")

SECRET = "0123456789abcdef0123456789abcdef"
BOSS = {"X-API-Key": "boss-key"}
HINT = "give a key with --api-key or APUS_API_KEY, or a token with --token-file or APUS_TOKEN_FILE"


MINTED = []


class Tokens:
    """A file with a token, replaced as a sidecar would do it."""

    def __init__(self, folder):
        self._key, self.path, self._next = folder / "secret", folder / "token", folder / "token.next"
        self._key.write_text(SECRET)

    def put(self, *rights, sub="ann", expires="1h"):
        made = apus("token", "mint", "--key-file", self._key, "--alg", "HS256", "--sub", sub, "--expires", expires,
                    *(rights or ("--allow", "*:>")))
        assert made.returncode == 0, made.stderr
        self._next.write_text(made.stdout)
        self._next.replace(self.path)
        MINTED.append(made.stdout.strip())
        return MINTED[-1]


@pytest.fixture
def tokens(tmp_path_factory):
    return Tokens(tmp_path_factory.mktemp("tokens"))


def guarded(grace="60s"):
    keys = json.dumps([{"alg": "HS256", "secret": SECRET}])
    return Server("--api-key", "boss-key", "--tokens-keys", keys, "--token-grace", grace, "--log-level", "trace")


@pytest.fixture(scope="module")
def server():
    with guarded() as running:
        assert running.create("open", headers=BOSS).status == 201
        yield running
    log = "\n".join(running.log)
    assert not [secret for secret in (SECRET, *(token.split(".")[2] for token in MINTED)) if secret in log]


def publish(server, topic, *payloads):
    for payload in payloads:
        assert server.rest("POST", f"/topics/{topic}/messages", payload, BOSS).status == 201


def subscribers(server, topic):
    return server.rest("GET", f"/topics/{topic}/subscribers", headers=BOSS).json["subscribers"]


def subscribed(server, topic):
    return eventually(lambda: subscribers(server, topic), "subscribed")


def test_every_command_takes_a_token_from_flags_and_environment(server, tokens):
    token = tokens.put()
    verify = ("verify", "--duration", "2s", "--subscribers", "4", "--publishers", "2", "--topics", "1")
    bench = ("bench", "--subs", "2", "--duration", "100ms", "--warmup", "100ms")
    sub = ("sub", "open", "--since", "all", "--count", "1")
    for command in (("topics",), ("pub", "open", "1"), sub, ("shell",), bench, verify):
        place = [server.url] if command[0] in ("bench", "verify") else ["--url", server.url]
        given = [(["--token-file", tokens.path], {}), (["--token", token], {}), ([], {"APUS_TOKEN": token}),
                 ([], {"APUS_TOKEN_FILE": str(tokens.path)})]
        for flags, env in given if command == ("topics",) else given[:1]:
            done = apus(*command, *place, *flags, env=env, stdin="", timeout=3 * TIMEOUT)
            assert done.returncode == 0, (command, done.stderr)
        refused = apus(*command, *place, "--token", "s3cret.in.valid", stdin="")
        assert refused.returncode == 77 and "s3cret" not in refused.stdout + refused.stderr, (command, refused.stderr)


def test_a_flag_counts_before_the_environment_and_two_of_a_kind_are_refused(server, tokens):
    token = tokens.put()
    wrong = {"APUS_API_KEY": "wrong"}
    assert apus("topics", "--url", server.url, "--token", token, env=wrong).returncode == 0
    assert apus("topics", "--url", server.url, "--api-key", "boss-key", env={"APUS_TOKEN": "x"}).returncode == 0
    assert apus("topics", "--url", server.url, env=wrong).stderr.endswith(f"; {HINT}\n")
    for flags in (["--api-key", "s3cret", "--token", "s3cret"], ["--token", "s3cret", "--token-file", "f"]):
        both = apus("topics", "--url", server.url, *flags)
        assert both.returncode == 64 and "exclude each other" in both.stderr and "s3cret" not in both.stderr
    for env in ({"APUS_API_KEY": "s3cret", "APUS_TOKEN": "s3cret"}, {"APUS_TOKEN": "s3cret", "APUS_TOKEN_FILE": "f"}):
        both = apus("topics", "--url", server.url, env=env)
        assert both.returncode == 78 and "only one" in both.stderr and "s3cret" not in both.stderr


@pytest.mark.parametrize(("content", "reason"), [
    (None, "no such file or directory"), ("", "it has no token in it"), ("s3cret one\n", "it has no token in it"),
    ("s3cret" * 5_000, "it is larger than"), (b"\xff", "it is not UTF-8"),
])
@pytest.mark.parametrize("command", [("topics",), ("sub", "open"), ("pub", "open", "1")])
def test_a_file_that_has_no_token_is_named_with_the_reason(server, tmp_path, command, content, reason):
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    failed = apus(*command, "--url", server.url, "--token-file", file)
    assert failed.returncode == 78 and f"'{file}': " in failed.stderr and reason in failed.stderr
    assert "s3cret" not in failed.stderr


def test_the_server_knows_the_clients_variables_and_refuses_them_where_it_is_open():
    for name in ("APUS_TOKEN", "APUS_TOKEN_FILE"):
        refused = apus("serve", "--port", "0", env={name: "s3cret"})
        assert refused.returncode == 78 and name in refused.stderr and "s3cret" not in refused.stderr
        with Server("--api-key", "k", env={name: "s3cret"}) as running:
            assert not [line for line in running.log if " warning " in line]


def test_sub_renews_its_token_on_the_open_connection_while_messages_flow(server, tokens, tmp_path):
    """With the second token, the pattern has one topic more."""
    for topic in ("flow.a", "flow.b"):
        assert server.create(topic, headers=BOSS).status == 201
    tokens.put("--allow", "subscribe:flow.*", "--deny", "*:flow.b", expires="1s")
    with Sub(tmp_path, "--filter", "flow.*", "--token-file", tokens.path, url=server.url) as sub:
        [before] = subscribed(server, "flow.a")
        token = tokens.put("--allow", "subscribe:flow.*")
        count = 0
        while not count or '"flow.b"' not in sub.output.read_text():
            count += 1
            publish(server, "flow.a", count)
            publish(server, "flow.b", 0)
        publish(server, "flow.a", count + 1)
        eventually(lambda: payloads(sub, "flow.a") == list(range(1, count + 2)), "each message once and in order")
        [after] = subscribers(server, "flow.a")
        assert after["connection"] == before["connection"] and sub.stderr == ""
        with open(f"/proc/{sub.process.pid}/cmdline") as title:
            assert token not in title.read()


def payloads(sub, topic):
    events = [json.loads(line) for line in sub.output.read_text().splitlines()]
    return [event["message"]["payload"] for event in events if event["topic"] == topic]


def test_pub_renews_its_token_on_the_open_connection_and_ends_when_that_allows_no_more(server, tokens):
    assert server.create("less", headers=BOSS).status == 201
    tokens.put("--allow", "publish:less", expires="1s")
    command = [os.environ["APUS_BIN"], "pub", "less", "-", "--url", server.url, "--token-file", str(tokens.path)]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, "--outcome", "--json"], env=client_environment(), stdin=pipe, stdout=pipe, stderr=pipe,
                          text=True) as pub:
        pub.stdin.write("1\n")
        pub.stdin.flush()
        lines = [pub.stdout.readline()]
        tokens.put("--allow", "subscribe:less")
        with contextlib.suppress(BrokenPipeError):
            while pub.poll() is None:
                pub.stdin.write("2\n")
                pub.stdin.flush()
                lines.append(pub.stdout.readline())
        with contextlib.suppress(BrokenPipeError):
            pub.stdin.close()
        said = pub.stderr.read()
    offsets = [json.loads(line)["offset"] for line in lines if line]
    assert offsets == list(range(1, len(offsets) + 1))
    assert "FORBIDDEN" in said and "reconnect" not in said and pub.returncode == 1
    assert server.rest("GET", "/topics/less", headers=BOSS).json["last"] == len(offsets)


def test_the_shell_renews_its_token_too(server, tokens):
    tokens.put("--allow", "publish:none", expires="1s")
    with subprocess.Popen([os.environ["APUS_BIN"], "shell", "--url", server.url, "--token-file", str(tokens.path)],
                          env=client_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        def ask():
            shell.stdin.write("publish open hello\n")
            shell.stdin.flush()
            return shell.stdout.readline()

        assert "FORBIDDEN" in ask()
        tokens.put("--allow", "publish:open")
        eventually(lambda: ask().startswith("published "), "renewed")
        shell.stdin.close()
    assert shell.returncode == 0


def test_a_token_that_ended_is_replaced_with_a_reconnect_and_nothing_is_lost(tokens, tmp_path):
    with guarded(grace="0s") as server:
        assert server.create("ends", headers=BOSS).status == 201
        tokens.put(expires="1s")
        with Sub(tmp_path, "ends", "--token-file", tokens.path, url=server.url) as sub:
            subscribed(server, "ends")
            publish(server, "ends", 1, 2)
            sub.says("the key or token has expired (1008 TOKEN_EXPIRED); reconnecting")
            tokens.put()
            publish(server, "ends", 3, 4)
            assert sub.payloads(4) == [1, 2, 3, 4]
            assert "missing" not in sub.stderr and "lost" not in sub.stderr


@pytest.mark.parametrize(("reason", "grace"), [("TOKEN_EXPIRED", "0s"), ("REVOKED", "60s")])
def test_a_token_that_stays_the_same_ends_the_command_and_so_does_a_revocation(tokens, reason, grace):
    with guarded(grace) as server:
        assert server.create("ends", headers=BOSS).status == 201
        token = tokens.put(sub="eve", expires="1s" if reason == "TOKEN_EXPIRED" else "1h")
        given = ["--token", token] if reason == "TOKEN_EXPIRED" else ["--token-file", tokens.path]
        with subprocess.Popen([os.environ["APUS_BIN"], "sub", "ends", "--url", server.url, *given], env=client_environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as sub:
            if reason == "REVOKED":
                subscribed(server, "ends")
                assert server.rest("POST", "/revocations", {"sub": "eve"}, BOSS).status == 201
            _, said = sub.communicate(timeout=TIMEOUT)
        assert sub.returncode == 77 and f"(1008 {reason})" in said and "reconnect" not in said and token not in said
