"""`Benchmarks/tls`, once and shortly: that it measures all three servers, not what it measures."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif("APUS_BIN" not in os.environ, reason="needs the program: APUS_BIN")
def test_each_server_has_its_figures():
    command = [sys.executable, Path(__file__).parents[1] / "tls", "--reps", "1", "--duration", "0.2", "--workloads", "W1a"]
    done = subprocess.run([*command, "--apus", os.environ["APUS_BIN"]], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    [figures] = re.findall(r"^\| W1a: .*? \| (.*) \|$", done.stdout, re.MULTILINE)
    plain, tls, nginx, to_plain, to_nginx = (float(figure.rstrip("×").replace(",", "")) for figure in figures.split(" | "))
    assert min(plain, tls, nginx) > 0
    assert to_plain == pytest.approx(tls / plain, rel=0.1) and to_nginx == pytest.approx(tls / nginx, rel=0.1)
