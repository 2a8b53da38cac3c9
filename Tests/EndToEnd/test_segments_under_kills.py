"""The server is killed while it gives up segments, and moves what is still wanted of them."""

import json
import os
import random
import signal
import threading
import time
from http.client import HTTPException

import pytest

from apus_e2e import TIMEOUT, Server
from extensions import configure, describe
from history import page, post

pytestmark = pytest.mark.one_server("it is about a server's own folder")

# 64 MiB take some 70 of these.
BIG = json.dumps("x" * 900_000)
QUIET = [f"quiet-{number}" for number in range(20)]
ROUNDS = max(1, int(os.environ.get("APUS_STORM_ROUNDS", "4")) // 4)
# Segments are moved when all take more than 256 MiB.
MEBIBYTES = 400


class Load:
    """One loud topic of which little is kept, and quiet ones that pin the segments which it fills."""

    def __init__(self):
        self.loud, self.kept = 0, {topic: [] for topic in QUIET}
        self.number = 0

    def run(self, server):
        """Until the server is gone."""
        try:
            while True:
                for _ in range(10):
                    answer = post(server, "loud", BIG)
                    assert answer.status == 201, answer.body
                    self.loud = answer.json["offset"]
                topic = QUIET[self.number % len(QUIET)]
                self.number += 1
                answer = post(server, topic, str(self.number))
                assert answer.status == 201 and answer.json["offset"] > len(self.kept[topic])
                self.kept[topic].append(self.number)
        except (OSError, HTTPException):
            return

    def check(self, server):
        loud = describe(server, "loud")
        assert loud["last"] >= self.loud and loud["last"] - loud["first"] == min(loud["last"], 10) - 1, (loud, self.loud)
        for topic, numbers in self.kept.items():
            messages = page(server, topic, since="all", limit=1000)["messages"]
            found = [message["message"]["payload"] for message in messages]
            # One more may be there than was acknowledged, each time.
            assert [number for number in found if number in set(numbers)] == numbers, (topic, numbers, found)
            assert [message["offset"] for message in messages] == list(range(1, len(found) + 1))
            assert found == sorted(set(found))
            self.kept[topic] = found


def test_nothing_is_lost_when_the_server_is_killed_while_it_makes_room(tmp_path):
    load, generator = Load(), random.Random(7)
    for turn in range(ROUNDS + 1):
        with Server("--data", str(tmp_path / "data"), "--history", "1000", exit_code=None) as server:
            configure(server, "loud", history=10)
            for topic in QUIET:
                configure(server, topic)
            load.check(server) if turn else None
            if turn == ROUNDS:
                break
            target = load.loud + generator.randrange(MEBIBYTES // 2, MEBIBYTES)
            thread = threading.Thread(target=load.run, args=[server])
            thread.start()
            deadline = time.monotonic() + 6 * TIMEOUT
            while load.loud < target and thread.is_alive() and time.monotonic() < deadline:
                time.sleep(0.001)
            server.process.send_signal(signal.SIGKILL)
            server.process.wait(TIMEOUT)
            thread.join()
            assert load.loud >= target
