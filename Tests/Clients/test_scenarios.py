"""Every scenario of the table, by all clients at once against one server."""

import contextlib
import json
import os
import subprocess
import uuid

import pytest

from apus_e2e import TIMEOUT, Server, environment, eventually
from players import APART, PROGRAMS, Player, Way
from table import SCENARIOS

KEY = {"X-API-Key": "boss-key"}


class Stage:
    """The server, and what the test itself does to it."""

    def __init__(self, scenario, folder, stack):
        self.scenario, self.folder, self.stack = scenario, folder, stack
        self.flags = list(scenario.flags)
        self.token_file, self.headers = None, {}
        if scenario.has_data:
            self.flags += ["--data", str(folder / "data")]
        if scenario.asks_for_tokens:
            self.secret, self.token_file = folder / "secret", folder / "token"
            self.secret.write_text("0123456789abcdef0123456789abcdef")
            keys = json.dumps([{"alg": "HS256", "file": str(self.secret)}])
            # Tokens that have ended may begin, so that no client has to be fast; and end at once.
            self.flags += ["--api-key", "boss-key", "--tokens-keys", keys]
            self.flags += ["--token-leeway", "10m", "--token-grace", "0s"]
            self.headers = KEY
            self.token("1s")
        self.start()
        self.other = stack.enter_context(Server(*self.flags)) if scenario.has_other else None

    def start(self):
        self.server = self.stack.enter_context(Server(*self.flags))

    def stop(self):
        self.server.stop()
        self.server.process.wait()

    def kill(self):
        self.server.kill()
        self.server._exit_code = None

    def token(self, lifetime):
        minted = subprocess.run(
            [os.environ["APUS_BIN"], "token", "mint", "--key-file", self.secret, "--alg", "HS256", "--sub", "ann",
             "--expires", lifetime, "--allow", "*:>"], env=environment(), check=True, capture_output=True, text=True)
        fresh = self.folder / "token.new"
        fresh.write_text(minted.stdout)
        fresh.replace(self.token_file)

    def call(self, method, path, body=None, headers=None):
        answer = self.server.rest(method, path, body, self.headers | (headers or {}))
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body}"
        return answer.json

    def outside(self, topic, payloads):
        lines = "".join(f"{json.dumps(payload)}\n" for payload in payloads).encode()
        self.call("POST", f"/topics/{topic}/messages", lines, {"Content-Type": "application/x-ndjson"})

    def log(self, topic):
        kept = []
        while True:
            page = self.call("GET", f"/topics/{topic}/messages?after={len(kept)}&limit=1000")
            if not page["messages"]:
                return kept
            kept += [message["message"]["payload"] for message in page["messages"]]


def perform(step, stage, player):
    """One step for one client, apart from those that concern the server as a whole."""
    word, value = step[0], step[1] if len(step) > 1 else None
    topic = player.topic
    match word:
        case "topic":
            stage.call("PUT", f"/topics/{topic}", value)
        case "elsewhere":
            assert stage.other.rest("PUT", f"/topics/{topic}", value).status == 201
        case "delete":
            stage.call("DELETE", f"/topics/{topic}")
        case "gone":
            assert stage.server.rest("GET", f"/topics/{topic}", headers=stage.headers).status == 404
        case "outside":
            stage.outside(topic, value)
        case "pause" | "resume":
            player.do(word)
        case "cut" | "shut" | "open":
            getattr(player.way, word)()
        case "lost":
            player.is_lost(value)
        case "log":
            assert stage.log(topic) == value
        case "ended":
            assert player.next("ended") == {"event": "ended", "code": None} or player.name in APART
        case _:
            talk(word, value, player)


def talk(word, value, player):
    """What is between the test and the client alone."""
    match word:
        case "publish" | "offer":
            for payload in value:
                player.do("publish", topic=player.topic, payload=payload, id=None)
            if word == "publish":
                for _ in value:
                    assert player.next("outcome", "refused")["event"] == "outcome"
        case "outcomes":
            assert [player.next("outcome", "refused").get("offset") for _ in value] == value
        case "twice":
            name, outcomes = str(uuid.uuid4()), []
            for _ in range(2):
                player.do("publish", topic=player.topic, payload="twice", id=name)
                outcomes.append(player.next("outcome"))
            assert [outcome["duplicate"] for outcome in outcomes] == [False, True]
            assert outcomes[0]["offset"] == outcomes[1]["offset"]
        case "too_big":
            player.do("publish", topic=player.topic, payload="x" * value, id=None)
            assert player.next("outcome", "refused") == {"event": "refused", "code": "MESSAGE_TOO_BIG"}
        case "expect":
            expect(value, player)
        case "accounted":
            accounted(value, player)
        case _:
            raise AssertionError(f"no step {word}")


def expect(wanted, player):
    """These items come, in this order; where notices come by another way, both in their own order."""
    def plain(item):
        return {"notice": item["notice"], "missed": item.get("missed")} if "notice" in item else item["payload"]

    def is_notice(item):
        return isinstance(item, dict) and "notice" in item

    got = [plain(item) for item in player.items(len(wanted))]
    want = [{"missed": None} | item if is_notice(item) else item for item in wanted]
    if player.name in APART:
        got.sort(key=is_notice)
        want.sort(key=is_notice)
    assert got == want, f"{player.name}: {str(got)[:2000]}"


def accounted(count, player):
    """Everything up to this offset came or is said to be missing, in order, nothing twice."""
    offsets, missed = [], []
    while len(offsets) + sum(last - first + 1 for first, last in missed) < count:
        (item,) = player.items(1)
        if "notice" in item:
            missed.append(tuple(item["missed"]))
        else:
            offsets.append(item["offset"])
    assert offsets == sorted(set(offsets)), player.name
    said = [offset for first, last in missed for offset in range(first, last + 1)]
    assert sorted(offsets + said) == list(range(1, count + 1)), player.name
    assert said, f"{player.name}: it was not slow"


def subscribe(options, stage, players):
    for player in players:
        player.do("subscribe", topic=player.topic, options=options)
    listed = {topic["name"] for topic in stage.call("GET", "/topics")["topics"]}
    for player in players:
        if player.topic in listed:
            count = lambda topic=player.topic: stage.call("GET", f"/topics/{topic}")["subscribers"]  # noqa: E731
            # Its program may have only just begun.
            eventually(count, f"{player.name} is subscribed", 3 * TIMEOUT)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_all_clients(scenario, tmp_path):
    with contextlib.ExitStack() as servers, contextlib.ExitStack() as clients:
        stage = Stage(scenario, tmp_path, servers)
        players = []
        for name in PROGRAMS:
            ways = [clients.enter_context(Way(server)) for server in (stage.server, stage.other) if server is not None]
            players.append(clients.enter_context(Player(name, f"t-{name}", ways, stage.token_file)))
        for step in scenario.steps:
            match step:
                case ("subscribe", options):
                    subscribe(options, stage, players)
                case ("stop",) | ("kill",):
                    getattr(stage, step[0])()
                case ("move",):
                    stage.server = stage.other
                    for player in players:
                        player.move()
                case ("start",):
                    stage.start()
                    for player in players:
                        player.way.lead_to(stage.server)
                case ("token", lifetime):
                    stage.token(lifetime)
                case _:
                    for player in players:
                        perform(step, stage, player)
