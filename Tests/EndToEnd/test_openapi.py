"""No answer that the OpenAPI document does not have: schemathesis against a server, by that document.

It asks for every operation what the document allows and what it forbids: the examples, the bounds of every schema
("coverage"), random requests ("fuzzing"), and requests that follow from one another ("stateful"). CI asks for little of the
random ones. The long form is

    APUS_OPENAPI_EXAMPLES=1000 APUS_OPENAPI_SEED=7 … pytest Tests/EndToEnd/test_openapi.py

with so many random requests for each operation and mode, from a seed that is 1 if it is not given. A failure shows the
seed, and a curl command for each finding.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apus_e2e import PATIENCE, Server, environment

FOLDER = Path(__file__).parent
EXAMPLES = int(os.environ.get("APUS_OPENAPI_EXAMPLES", "20"))
SEED = int(os.environ.get("APUS_OPENAPI_SEED", "1"))
TOPICS = ["orders", "a/b c", "ünïcode", "a.b.c"]
KEY = "openapi-key"

CONFIG = f"""
hooks = "{{hooks}}"
continue-on-failure = true

[generation]
deterministic = false
database = "none"

# A handshake is nothing that schemathesis can do: without one the answer is 426.
[[operations]]
include-path-regex = "/ws$"
checks.positive_data_acceptance.expected-statuses = ["426"]
checks.negative_data_rejection.expected-statuses = ["426"]

# Streams do not end: the first event is enough, or that none comes.
[[operations]]
include-path-regex = "/events$"
max-stream-events = 1
request-timeout = {0.3 * PATIENCE}
"""


def run(server, folder, phases, *arguments, env=None):
    """Runs schemathesis to its end, which must have no finding."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG.replace("{hooks}", str(FOLDER / "openapi_hooks.py")))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", "--no-color",
               "--phases", phases, "--seed", str(SEED), "--max-examples", str(EXAMPLES), "--warnings", "off",
               "--request-timeout", str(10 * PATIENCE), *arguments, f"{server.url}/openapi.json"]
    done = subprocess.run(command, cwd=folder, env=environment({"OPENAPI_BASE": server.url} | (env or {})),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"seed {SEED}: {' '.join(command)}\n{done.stdout}"
    print(done.stdout[-1500:])
    assert server.rest("GET", "/livez").status == 200


@pytest.fixture(scope="module")
def filled():
    """A server at the defaults, with topics that have messages, some with keys."""
    with Server() as server:
        fill(server)
        yield server


def fill(server, **headers):
    for topic in TOPICS:
        assert server.create(topic, headers=headers).status == 201


def test_requests_of_one_operation_are_answered_as_documented(filled, tmp_path):
    run(filled, tmp_path, "examples,coverage,fuzzing", env={"OPENAPI_TOPICS": json.dumps(TOPICS)})


def test_requests_that_follow_one_another_are_answered_as_documented(filled, tmp_path):
    run(filled, tmp_path, "stateful")


def test_requests_to_a_server_with_keys_are_answered_as_documented(tmp_path):
    with Server("--api-keys", KEY) as server:
        fill(server, **{"X-API-Key": KEY})
        run(server, tmp_path, "examples,coverage,fuzzing", "--header", f"X-API-Key:{KEY}",
            env={"OPENAPI_TOPICS": json.dumps(TOPICS), "OPENAPI_KEY": KEY})
