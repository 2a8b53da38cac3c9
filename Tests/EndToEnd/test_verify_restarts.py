"""`apus verify` with a server of its own that is killed again and again."""

import json
import os

import pytest

from apus_e2e import PATIENCE, apus

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")

# How often, and for how long; more by command, see docs/durability.md.
RESTARTS = int(os.environ.get("APUS_VERIFY_RESTARTS", "3"))


def test_verify_loses_nothing_over_kills_of_its_server(tmp_path):
    run = apus("verify", "--data", str(tmp_path / "data"), "--restarts", str(RESTARTS), "--duration", f"{RESTARTS + 1}s",
               "--subscribers", "16", "--json", timeout=(60 + 10 * RESTARTS) * PATIENCE)
    assert run.returncode == 0, run.stdout + run.stderr
    verdict = json.loads(run.stdout)
    assert (verdict["proven"], verdict["restarts"], verdict["vanished"]) == (True, RESTARTS, 0)
    assert verdict["published"] > 0 and verdict["reconnects"] >= 16
