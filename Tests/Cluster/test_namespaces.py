"""The short form of `faults/run`: some rounds over six machines with a network of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from apus_e2e import PATIENCE

FAULTS = Path(__file__).with_name("faults")
sys.path.insert(0, str(FAULTS))

import namespaces  # noqa: E402

REASON = namespaces.missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"no network namespaces: {REASON}")
# The network and a disk; test_faults.py kills and stops processes.
KINDS = ["cut-off-leader", "power-loss"]


def rounds(kinds, seed, *more):
    flags = [flag for kind in kinds for flag in ("--only", kind)]
    # How long it takes without an ack depends on the machine, so that is a figure and no fault here.
    return subprocess.run([FAULTS / "run", *flags, "--gap", "120", "--rounds", str(len(kinds)), "--seed", str(seed), *more],
                          capture_output=True, text=True, timeout=200 * PATIENCE)


def test_nothing_is_lost_doubled_or_elsewhere_whatever_happens_to_machines():
    done = rounds(KINDS, 1)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"| all | {len(KINDS)} |" in done.stdout and "Anomalies: none." in done.stdout


def test_a_round_says_how_it_is_repeated():
    done = subprocess.run([FAULTS / "run", "--help"], capture_output=True, text=True, timeout=60 * PATIENCE)
    # It is broken into lines, also at hyphens.
    text = "".join(done.stdout.split())
    assert "--seed" in text and "power-losses" in text
