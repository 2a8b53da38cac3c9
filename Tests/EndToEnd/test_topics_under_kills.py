"""The server is killed, or stopped, while topics are made, published to, changed and deleted."""

import os
import random
import signal
import threading
import time
from http.client import HTTPException

import pytest

from apus_e2e import TIMEOUT, Server
from history import page, post

pytestmark = pytest.mark.one_server("it is about a server's own folder")

ROUNDS = int(os.environ.get("APUS_STORM_ROUNDS", "4"))
TOPICS = [f"topic-{number}" for number in range(12)]
LEVELS = ("disk", "os")


class Owner:
    """The only one who does anything with a topic, and knows what has to be there."""

    def __init__(self, name, generator):
        self.name, self.random = name, generator
        self.path = f"/topics/{name}"
        # What was asked for and not answered: the topic may be as before, or so.
        self.asked = None
        self.epoch, self.level, self.former = None, None, set()
        # By offset; what was sent in this life of the topic; the last number of all.
        self.acked, self.sent, self.number = {}, set(), 0

    def run(self, server):
        """Until the server is gone. What it says before that has to be in order."""
        try:
            while True:
                self.step(server)
        except (OSError, HTTPException):
            return

    def ask(self, server, asked, expected, call, *arguments):
        self.asked = asked
        answer = call(*arguments)
        if answer.status == 503 and server.ends_in_order:
            raise ConnectionResetError
        assert answer.status == expected, (self.name, asked, answer.body)
        self.asked = None
        return answer.json

    def step(self, server):
        kind = self.random.random()
        level = self.random.choice(LEVELS)
        settings = {"history": 100_000, "durability": level}
        if self.epoch is None:
            made = self.ask(server, ("made", level), 201, server.rest, "PUT", self.path, settings)
            self.begin(made["epoch"], level)
        elif kind < 0.05:
            self.ask(server, ("deleted", None), 200, server.rest, "DELETE", self.path)
            self.end()
        elif kind < 0.1:
            self.ask(server, ("changed", level), 200, server.rest, "PUT", self.path, settings)
            self.level = level
        else:
            self.number += 1
            self.sent.add(self.number)
            told = self.ask(server, ("published", None), 201, post, server, self.name, str(self.number))
            assert told["epoch"] == self.epoch and told["offset"] > max(self.acked, default=0)
            self.acked[told["offset"]] = self.number

    def begin(self, epoch, level):
        assert epoch not in self.former, "an epoch that was before"
        self.epoch, self.level, self.acked, self.sent = epoch, level, {}, set()

    def end(self):
        self.former.add(self.epoch)
        self.epoch = None

    def check(self, server):
        """After a restart: everything answered is so, and of what was not, all or nothing."""
        kind, level = self.asked or (None, None)
        self.asked = None
        answer = server.rest("GET", self.path)
        if answer.status == 404:
            assert self.epoch is None or kind == "deleted", f"{self.name} is gone"
            if self.epoch is not None:
                self.end()
            return
        topic = answer.json
        if self.epoch is None:
            assert kind == "made", f"{self.name} is there again"
            self.begin(topic["epoch"], level)
        assert topic["epoch"] == self.epoch
        assert topic["settings"]["durability"] in {self.level, level} - {None}
        self.level = topic["settings"]["durability"]
        found, told = {}, page(server, self.name, since="all", limit=1000)
        while told["messages"]:
            found |= {message["offset"]: message["message"]["payload"] for message in told["messages"]}
            told = page(server, self.name, after=max(found), epoch=self.epoch, limit=1000)
        assert sorted(found) == list(range(1, topic["last"] + 1)), (self.name, kind, min(found, default=None))
        assert self.acked.items() <= found.items(), f"{self.name} has lost what it acknowledged"
        assert list(found.values()) == sorted(set(found.values())) and set(found.values()) <= self.sent
        assert len(found) <= len(self.acked) + (kind == "published")
        self.acked = found


def test_topics_are_as_they_were_answered_to_be_however_the_server_ends(tmp_path):
    generator = random.Random(3)
    owners = [Owner(name, random.Random(generator.random())) for name in TOPICS]
    for turn in range(ROUNDS + 1):
        with Server("--data", str(tmp_path / "data"), exit_code=None) as server:
            for owner in owners:
                owner.check(server)
            if turn == ROUNDS:
                break
            failures = []

            def run(owner):
                try:
                    owner.run(server)
                except AssertionError as failure:
                    failures.append(failure)

            server.ends_in_order = False
            threads = [threading.Thread(target=run, args=[owner]) for owner in owners]
            for thread in threads:
                thread.start()
            time.sleep(generator.uniform(0.05, 0.6))
            # Then it refuses what is new.
            server.ends_in_order = generator.random() < 0.3
            server.process.send_signal(signal.SIGTERM if server.ends_in_order else signal.SIGKILL)
            server.process.wait(2 * TIMEOUT)
            for thread in threads:
                thread.join()
            assert not failures, failures[0]
    assert sum(owner.number for owner in owners) > ROUNDS
