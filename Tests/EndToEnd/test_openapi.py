"""No answer that the OpenAPI document does not have: schemathesis against a server, by that document.

It asks of every operation what the document allows and what it forbids: the examples, the bounds of every schema
("coverage"), random requests ("fuzzing"), and requests that follow from one another ("stateful"). CI asks for few of the
random ones. The long form is

    APUS_OPENAPI_EXAMPLES=1000 APUS_OPENAPI_SEED=7 APUS_BIN=… .venv/bin/python -m pytest Tests/EndToEnd/test_openapi.py

with so many random requests for each operation, from a seed that is 1 if it is not given. A failure shows the seed, and a
curl command for each finding.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from websockets.sync.client import connect

from apus_e2e import PATIENCE, TIMEOUT, Server, environment, websocket_url

pytestmark = [pytest.mark.plain("it is about what requests mean"),
              pytest.mark.one_server("it is about pages that name one server")]

FOLDER = Path(__file__).parent
EXAMPLES = int(os.environ.get("APUS_OPENAPI_EXAMPLES", "5"))
SEED = int(os.environ.get("APUS_OPENAPI_SEED", "1"))
TOPICS = ["orders", "a b c", "ünïcode", "a.b.c"]
KEY = "openapi-key"
# The bounds of every schema take the longest. With a key they are no others: in CI they are tried once.
WITH_KEY = "examples,coverage,fuzzing" if EXAMPLES > 5 else "examples,fuzzing"

CONFIG = f"""
hooks = "{FOLDER / "openapi_hooks.py"}"
continue-on-failure = true
request-timeout = {TIMEOUT}

[generation]
database = "none"

# Schemathesis makes no handshakes: whatever it asks, 426 is the answer, after 401 for a wrong key.
[[operations]]
include-path-regex = "/ws$"
checks.positive_data_acceptance.expected-statuses = ["401", "426"]
checks.negative_data_rejection.expected-statuses = ["401", "426"]
"""


def run(server, folder, phases, *arguments, topics=(), key=None):
    """Runs schemathesis to its end, which must have no finding; all checks that it has are on."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", "--no-color",
               "--phases", phases, "--checks", "all", "--warnings", "off", "--seed", str(SEED),
               "--max-examples", str(EXAMPLES), *arguments, f"{server.url}/openapi.json"]
    variables = {"OPENAPI_BASE": server.url, "OPENAPI_TOPICS": json.dumps(topics)} | ({"OPENAPI_KEY": key} if key else {})
    done = subprocess.run(command, cwd=folder, env=environment(variables), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"seed {SEED}: {' '.join(command)}\n{done.stdout}"
    print(done.stdout)
    assert int(re.search(r"(\d+) generated", done.stdout)[1]) > 0
    assert server.rest("GET", "/livez").status == 200
    assert not [line for line in server.log if "request failed" in line]


@contextlib.contextmanager
def filled(*flags, **headers):
    """A server with topics that have messages and keys, and a subscriber that is told of the others."""
    with Server(*flags) as server:
        for topic in TOPICS:
            assert server.create(topic, headers=headers).status == 201
            path = f"/topics/{quote(topic, safe='')}/messages?key=k"
            assert all(server.rest("POST", path, {"n": n}, headers).status == 201 for n in range(3))
        with connect(websocket_url(server, "/ws"), ssl=server.tls, additional_headers=headers, proxy=None) as socket:
            reader = threading.Thread(target=lambda: [None for _ in socket], daemon=True)
            reader.start()
            for topic in TOPICS:
                socket.send(json.dumps({"type": "subscribe", "topic": topic, "client_id": "watcher", "wait": True,
                                        "presence": True, "positions": True}))
            yield server
        reader.join(TIMEOUT)


@pytest.fixture(scope="module")
def server():
    with filled() as running:
        yield running


def test_requests_are_answered_as_documented(server, tmp_path):
    run(server, tmp_path, "examples,coverage,fuzzing", topics=TOPICS)


def test_requests_that_follow_one_another_are_answered_as_documented(server, tmp_path):
    run(server, tmp_path, "stateful")


def test_requests_with_a_key_are_answered_as_documented(tmp_path):
    """Also without one and with a wrong one, which schemathesis tries by itself: 401, but for what needs none."""
    with filled("--api-key", KEY, **{"X-API-Key": KEY}) as server:
        assert server.rest("GET", "/openapi.json").json["security"] == [{"ApiKeyAuth": []}, {"BearerAuth": []}]
        run(server, tmp_path, WITH_KEY, "--header", f"X-API-Key:{KEY}", topics=TOPICS, key=KEY)


def test_requests_without_the_key_are_answered_as_documented(tmp_path):
    with filled("--api-key", KEY, **{"X-API-Key": KEY}) as server:
        run(server, tmp_path, WITH_KEY)
