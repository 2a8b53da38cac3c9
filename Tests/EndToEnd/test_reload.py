"""SIGHUP: what a running server takes from its configuration anew, and what it says about the rest."""

import asyncio
import json
import os
import pty
import re
import signal
import time
import uuid

import pytest
from websockets.exceptions import InvalidStatus

from apus_e2e import PATIENCE, Client, Server, apus, environment, eventually, until
from event_stream import EventStream
from prometheus import scrape
from test_systemd import Manager

pytestmark = pytest.mark.one_server("it is about how a server starts, listens and ends")

ALL = [{"actions": ["*"], "topics": [">"]}]
BOSS = {"id": "boss", "key": "boss-secret-1", "rights": ALL}
ANN = {"id": "ann", "key": "ann-secret-1", "rights": ALL}
END = re.compile(r"configuration (not )?reloaded|nothing to reload")


class Reloadable(Server):
    """A server with a file of settings, whose log must never have a key of these tests."""

    def __init__(self, folder, settings, *flags, **options):
        self.file = folder / "apus.json"
        self.write(settings)
        super().__init__("--config", str(self.file), *flags, **options)

    def __exit__(self, *error):
        super().__exit__(*error)
        log = "\n".join(self.log)
        assert not any(secret in log for secret in ("-secret-", "a" * 32, "b" * 32))

    def write(self, settings):
        self.file.write_text(settings if isinstance(settings, str) else json.dumps(settings))

    def reload(self, settings=None):
        """Sends SIGHUP, and returns the line that the log has about it."""
        if settings is not None:
            self.write(settings)
        before = self.ends()
        self.process.send_signal(signal.SIGHUP)
        return eventually(lambda: self.ends()[len(before):], "the end of a reload")[0]

    def ends(self):
        return [line for line in self.log if END.search(line)]

    def metric(self, name, headers=None, **labels):
        return scrape(self, headers=headers).samples[name, tuple(sorted(labels.items()))]


def as_key(key):
    return {"X-API-Key": key["key"]}


async def reload(server, settings=None):
    return await asyncio.to_thread(server.reload, settings)


async def test_keys_that_are_taken_out_or_changed_end_and_those_that_are_narrowed_lose_what_they_may_not(tmp_path):
    changed = {"id": "eve", "key": "eve-secret-1", "rights": ALL}
    with Reloadable(tmp_path, {"keys": [BOSS, ANN, changed]}) as server:
        for topic in ("a", "b"):
            assert server.create(topic, headers=as_key(BOSS)).status == 201
        async with await Client.open(server, additional_headers=as_key(BOSS)) as boss, \
                await Client.open(server, additional_headers=as_key(ANN)) as ann, \
                await Client.open(server, additional_headers=as_key(changed)) as eve:
            for client in (boss, ann, eve):
                await client.subscribe("a")
            await ann.subscribe("b")
            narrowed = ANN | {"rights": [{"actions": ["subscribe"], "topics": ["a"]}]}
            other = changed | {"key": "eve-secret-2"}
            line = await reload(server, {"keys": [BOSS, narrowed, other]})
            assert 'keys="1 narrowed, 1 gone"' in line and "changed=keys" in line
            assert await eve.expect_close(1008, "REVOKED") == []
            await ann.expect(type="info", topic="b", msg="unsubscribed", reason="FORBIDDEN")
            message = await boss.publish("a", 1)
            await boss.expect_event("a", message)
            await ann.expect_event("a", message)
            await ann.send_publish("a", 2)
            await ann.expect_error("FORBIDDEN")
            assert "keys=\"1 gone\"" in await reload(server, {"keys": [BOSS, other]})
            assert await ann.expect_close(1008, "REVOKED") == []
            await boss.expect_alive()
            assert server.rest("GET", "/topics", headers=as_key(changed)).status == 401
            assert server.rest("GET", "/topics", headers=as_key(other)).status == 200


async def test_streams_and_polls_follow_the_keys_too(tmp_path):
    with Reloadable(tmp_path, {"keys": [BOSS, ANN]}) as server:
        for topic in ("a", "b"):
            server.create(topic, headers=as_key(BOSS))

        def poll():
            return server.rest("GET", "/topics/b/messages?after=0&wait=2m", headers=as_key(ANN), timeout=60 * PATIENCE)

        def waits():
            listed = server.rest("GET", "/topics/b/subscribers", headers=as_key(BOSS)).json["subscribers"]
            return {"sse", "poll"} <= {subscriber["transport"] for subscriber in listed}

        async with await EventStream.open(server, "/events?topic=a&topic=b", as_key(ANN)) as stream:
            polling = asyncio.create_task(asyncio.to_thread(poll))
            await until(waits, "both wait")
            await reload(server, {"keys": [BOSS, ANN | {"rights": [{"actions": ["subscribe"], "topics": ["a"]}]}]})
            assert (await stream.next()).json["reason"] == "FORBIDDEN"
            answer = await polling
            assert (answer.status, answer.json["code"]) == (403, "FORBIDDEN")
            await reload(server, {"keys": [BOSS]})
            assert (await stream.next()).json["error"]["code"] == "UNAUTHORIZED"


async def test_a_key_that_a_reload_lets_expire_ends(tmp_path):
    with Reloadable(tmp_path, {"keys": [BOSS, ANN]}) as server:
        async with await Client.open(server, additional_headers=as_key(ANN)) as ann:
            await ann.expect_alive()
            await reload(server, {"keys": [BOSS, ANN | {"expires": "2020-01-01T00:00:00Z"}]})
            [error] = await ann.expect_close(1008, "TOKEN_EXPIRED")
            assert error["error"]["code"] == "UNAUTHORIZED"


async def test_a_server_is_closed_but_never_opened(tmp_path):
    with Reloadable(tmp_path, {}) as server:
        server.create("a")
        async with await Client.open(server) as client:
            await client.subscribe("a")
            await reload(server, {"keys": [BOSS], "anonymous": [{"actions": ["publish"], "topics": ["a"]}]})
            await client.expect(type="info", topic="a", msg="unsubscribed", reason="FORBIDDEN")
            await client.publish("a", 1)
            await reload(server, {"keys": [BOSS]})
            await client.send(type="auth", api_key=BOSS["key"])
            await client.expect(type="ack", status="ok")
            for settings in ({}, {"queue": 5}):
                assert "would open the server to everybody" in await reload(server, settings)
            await client.subscribe("a")
        assert server.rest("GET", "/topics").status == 401


def mint(folder, secret, *more):
    file = folder / "mint.txt"
    file.write_text(secret)
    made = apus("token", "mint", "--key-file", file, "--alg", "HS256", "--allow", "*:>", *more)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


async def test_tokens_end_with_their_key_and_their_issuer(tmp_path):
    file = tmp_path / "secret.txt"
    file.write_text("a" * 32)
    settings = {"keys": [BOSS], "tokens": {"keys": [{"alg": "HS256", "file": str(file)}]}}
    with Reloadable(tmp_path, settings) as server:
        old = mint(tmp_path, "a" * 32, "--issuer", "one")
        async with await Client.open(server, query=f"?token={old}") as client:
            await client.expect_alive()
            # The settings are the same, and so is the file.
            await reload(server)
            await client.expect_alive()
            file.write_text("b" * 32)
            await reload(server)
            assert await client.expect_close(1008, "REVOKED") == []
        new = mint(tmp_path, "b" * 32, "--issuer", "one")
        async with await Client.open(server, query=f"?token={new}") as client:
            await client.expect_alive()
            await reload(server, settings | {"tokens": settings["tokens"] | {"issuer": "two"}})
            assert await client.expect_close(1008, "REVOKED") == []
        with pytest.raises(InvalidStatus):
            await Client.open(server, query=f"?token={new}")


def test_origins_hosts_limits_and_topics_are_taken_anew(tmp_path):
    page, host = {"Origin": "https://a.example"}, {"Host": "b.example"}
    with Reloadable(tmp_path, {"topics": {"declare": [{"name": "a", "history": 5}, {"name": "b"}]}}) as server:
        assert server.rest("PUT", "/topics/c", {}, page).status == 403
        assert server.rest("GET", "/topics", headers=host).status == 403
        server.rest("POST", "/topics/a/messages", {"kept": True})
        line = server.reload({"allowed_origins": ["https://a.example"], "allowed_hosts": ["b.example"], "max_batch": 1,
                              "max_queue": 7,
                              "topics": {"declare": [{"name": "a", "history": 9}, {"name": "d", "queue": 3}],
                                         "create_existing": "ok"}})
        assert "needs a restart" not in "\n".join(server.log)
        assert 'changed="allowed_origins, allowed_hosts, max_queue, max_batch, topics.create_existing, topics.declare"' \
            in line
        assert server.rest("PUT", "/topics/c", {}, page).status == 201
        assert server.rest("GET", "/topics", headers=host).status == 200
        assert server.create("a").status == 200
        assert server.rest("POST", "/topics/a/messages", b"1\n2", {"Content-Type": "application/x-ndjson"}).status == 400
        assert server.rest("PUT", "/topics/c", {"queue": 8}).status == 400
        assert '"maximum": 7' in server.rest("GET", "/openapi.json").body.decode().replace('"maximum":7', '"maximum": 7')
        names = {topic["name"] for topic in server.rest("GET", "/topics").json["topics"]}
        assert names == {"a", "b", "c", "d"}
        changed = server.rest("GET", "/topics/a").json
        assert (changed["settings"]["history"], changed["last"]) == (9, 1)
        assert server.rest("GET", "/topics/d").json["settings"]["queue"] == 3


async def test_a_connection_limit_holds_for_the_next_client(tmp_path):
    with Reloadable(tmp_path, {"max_connections": 1}) as server:
        async with await Client.open(server) as client:
            with pytest.raises(InvalidStatus):
                await Client.open(server)
            await reload(server, {"max_connections": 2})
            async with await Client.open(server) as second:
                await reload(server, {"max_connections": 1})
                await second.expect_alive()
            await client.expect_alive()


def test_the_memory_limit_changes(tmp_path):
    with Reloadable(tmp_path, {"max_memory": "2GiB"}) as server:
        def limit():
            return server.metric("apus_memory_limit_bytes")

        eventually(lambda: limit() == 2 << 30, "the limit of the start")
        for text, size in [("1GiB", 1 << 30), ("0", 0), ("3GiB", 3 << 30)]:
            assert "changed=max_memory" in server.reload({"max_memory": text})
            eventually(lambda: limit() == size, f"a limit of {text}")


@pytest.mark.parametrize("level", ["debug", "notice"])
async def test_the_log_has_what_the_new_level_lets_through(tmp_path, level):
    with Reloadable(tmp_path, {"log_level": "info" if level == "debug" else "debug"}) as server:
        await reload(server, {"log_level": level})
        before = len(server.log)
        async with await Client.open(server) as client:
            await client.expect_alive()
        await reload(server)
        lines = [line for line in server.log[before:] if " debug connection " in line]
        assert bool(lines) == (level == "debug")


def test_what_cannot_change_is_named_with_both_values(tmp_path):
    with Reloadable(tmp_path, {"history": 5}, "--port", "0") as server:
        line = server.reload({"history": 7, "log_format": "json", "ping_interval": "1s", "queue": 5, "port": 1})
        assert "configuration reloaded" in line and "changed=queue" in line
        said = [entry for entry in server.log if "needs a restart" in entry]
        assert len(said) == 3
        assert any("setting=history" in entry and "running=5" in entry and "new=7" in entry
                   and f'"file {server.file}:' in entry for entry in said)
        assert server.rest("GET", "/livez").status == 200


BAD = {
    "not a file of settings": "[1]",
    "broken": '{"queue": 5',
    "a bad value": {"queue": "many"},
    "an unknown limit": {"max_conections": 5},
    "a bad rule": {"anonymous": [{"actions": ["fly"], "topics": ["a"]}]},
    "a bad key": {"keys": [{"id": "x", "key": "very-secret-2", "right": []}]},
    "a missing file of keys": {"keys_file": "/nowhere/keys.yaml"},
    "a bad token key": {"tokens": {"keys": [{"alg": "HS256", "secret": "very-secret-2"}]}},
    "a missing JWK set": {"tokens": {"jwks_file": "/nowhere/jwks.json"}},
}


@pytest.mark.parametrize("settings", BAD.values(), ids=BAD.keys())
async def test_a_bad_file_changes_nothing_and_says_what_the_check_says(tmp_path, settings):
    good = {"keys": [BOSS], "max_batch": 5}
    with Reloadable(tmp_path, good) as server:
        async with await Client.open(server, additional_headers=as_key(BOSS)) as client:
            if isinstance(settings, dict):
                settings = {"allowed_origins": ["https://a.example"], "max_batch": 1} | settings
            line = await reload(server, settings)
            checked = apus("config", "check", "--config", server.file)
            assert checked.returncode == 78 and checked.stdout == ""
            reason = checked.stderr.strip().splitlines()[-1].removeprefix("apus: ")
            assert " error configuration not reloaded" in line
            assert reason in line.replace('\\"', '"').replace("\\\\", "\\"), line
            await client.expect_alive()
            await client.send(type="publish", topic="a", messages=[{"id": str(uuid.uuid4()), "payload": 1}] * 2)
            await client.expect_error("TOPIC_NOT_FOUND")
            assert server.rest("PUT", "/topics/a", {}, as_key(BOSS) | {"Origin": "https://a.example"}).status == 403
            assert server.metric("apus_config_last_reload_success", as_key(BOSS)) == 0
            assert server.metric("apus_config_reloads_total", as_key(BOSS), result="failure") == 1
            assert "configuration reloaded" in await reload(server, good)
            assert server.metric("apus_config_last_reload_success", as_key(BOSS)) == 1
            assert server.metric("apus_config_reloads_total", as_key(BOSS), result="success") == 1
            stamp = server.metric("apus_config_last_reload_success_timestamp_seconds", as_key(BOSS))
            assert abs(stamp - time.time()) < 60 * PATIENCE


async def test_messages_flow_over_many_reloads_and_none_is_lost(tmp_path):
    settings = [{"keys": [BOSS, ANN], "queue": queue, "max_batch": queue} for queue in (50_000, 60_000)]
    with Reloadable(tmp_path, settings[0]) as server:
        server.create("a", headers=as_key(BOSS))
        async with await Client.open(server, additional_headers=as_key(BOSS)) as publisher, \
                await Client.open(server, additional_headers=as_key(ANN)) as subscriber, \
                await EventStream.open(server, "/topics/a/events", as_key(ANN)) as stream:
            await subscriber.subscribe("a")
            over, sent = asyncio.Event(), 0

            async def publish():
                nonlocal sent
                while not over.is_set():
                    await publisher.publish("a", sent)
                    sent += 1

            async def receive(count):
                for number in range(count):
                    assert (await subscriber.receive())["message"]["payload"] == number

            publishing = asyncio.create_task(publish())
            for number in range(20):
                assert "configuration reloaded" in await reload(server, settings[number % 2])
            over.set()
            await publishing
            assert sent > 20
            await receive(sent)
            for number in range(sent):
                assert (await stream.next()).json["message"]["payload"] == number
            await subscriber.expect_alive()
    assert len(server.ends()) == 20


def test_signals_in_a_row_are_one_reload_or_two(tmp_path):
    with Reloadable(tmp_path, {}) as server:
        server.process.send_signal(signal.SIGSTOP)
        for _ in range(10):
            server.process.send_signal(signal.SIGHUP)
        server.process.send_signal(signal.SIGCONT)
        eventually(server.ends, "a reload")
        server.reload()
        assert 2 <= len(server.ends()) <= 3


def test_a_signal_during_the_drain_is_harmless(tmp_path):
    with Reloadable(tmp_path, {}) as server:
        server.process.send_signal(signal.SIGHUP)
        server.stop()
        for _ in range(5):
            server.process.send_signal(signal.SIGHUP)


@pytest.mark.plain("a certificate is something to reload")
def test_without_a_file_there_is_nothing_to_reload():
    with Server("--queue", "5") as server:
        server.process.send_signal(signal.SIGHUP)
        assert "notice nothing to reload" in server.wait_for_log("nothing to reload")
        assert server.rest("GET", "/livez").status == 200


def test_files_that_flags_and_the_environment_name_are_read_again(tmp_path):
    secret, keys = tmp_path / "api-keys", tmp_path / "keys.yaml"
    secret.write_text("first-secret")
    keys.write_text(json.dumps({"keys": [ANN]}))
    with Server("--keys-file", keys, env={"APUS_API_KEYS_FILE": str(secret)}) as server:
        def statuses():
            return [server.rest("GET", "/topics", headers={"X-API-Key": key}).status
                    for key in ("first-secret", "second-secret", ANN["key"], BOSS["key"])]

        assert statuses() == [200, 401, 200, 401]
        secret.write_text("second-secret")
        keys.write_text(json.dumps({"keys": [ANN, BOSS]}))
        server.process.send_signal(signal.SIGHUP)
        line = server.wait_for_log("configuration reloaded")
        assert str(secret) in line and str(keys) in line
        assert statuses() == [401, 200, 200, 200]
        # The last key goes: nobody gets in, where a server without any would be open to everybody.
        keys.write_text("keys:\n")
        secret.write_text("third-secret")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: statuses() == [401] * 4, "no key is left")
    assert "-secret" not in "\n".join(server.log)


def test_an_empty_file_of_keys_lets_nobody_in(tmp_path):
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys:\n")
    with Server("--keys-file", keys) as server:
        assert server.rest("GET", "/topics").status == 401
        assert any("warning there is no key in keys_file" in line for line in server.log)
    checked = apus("config", "check", "--keys-file", keys)
    assert checked.returncode == 0 and "warning: there is no key in keys_file" in checked.stderr


def test_the_manager_is_told_of_a_reload_even_if_the_file_is_bad(tmp_path):
    with Manager() as manager, Reloadable(tmp_path, {}, env={"NOTIFY_SOCKET": manager.name}) as server:
        assert manager.next() == "READY=1"
        for settings in ({"queue": 5}, {"queue": "many"}):
            asked = time.monotonic_ns() // 1000
            server.reload(settings)
            first, moment = manager.next().split("\n")
            assert first == "RELOADING=1"
            assert asked <= int(moment.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
            assert manager.next() == "READY=1"


def test_a_closed_terminal_ends_the_server(tmp_path):
    log = tmp_path / "log"
    log.touch()
    child, terminal = pty.fork()
    if child == 0:
        # Whoever runs the tests may ignore it, as nohup does.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with open(log, "w") as file:
            os.dup2(file.fileno(), 2)
        os.execve(os.environ["APUS_BIN"], ["apus", "serve", "--port", "0", "--queue", "5"], environment())
    try:
        eventually(lambda: "listening" in log.read_text(), "the server listens")
        os.kill(child, signal.SIGHUP)
        eventually(lambda: "nothing to reload" in log.read_text(), "a reload, as the terminal is there")
    finally:
        os.close(terminal)
    ended = []

    def has_ended():
        ended[:] = os.waitpid(child, os.WNOHANG)
        return ended[0] == child

    eventually(has_ended, "the server ends")
    assert os.waitstatus_to_exitcode(ended[1]) == 0
    assert "stopped" in log.read_text()


@pytest.mark.parametrize("is_ignored", [False, True])
def test_a_signal_during_the_start_is_a_reload_after_it(tmp_path, is_ignored):
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    class Impatient(Reloadable):
        """Signals as soon as the process has taken the signal over."""

        def wait_for_log(self, *texts, **options):
            def is_taken_over():
                with open(f"/proc/{self.process.pid}/status") as status:
                    mask = next(line.split()[1] for line in status if line.startswith("SigCgt:"))
                return int(mask, 16) & 1

            eventually(is_taken_over, "SIGHUP does not end the process any more")
            self.process.send_signal(signal.SIGHUP)
            return super().wait_for_log(*texts, **options)

    with Impatient(tmp_path, {}, popen={"preexec_fn": ignore} if is_ignored else None) as server:
        eventually(server.ends, "a reload")
        assert "configuration reloaded" in server.reload({"queue": 5})
