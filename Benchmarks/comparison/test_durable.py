"""The logic of `compare --durable`, on made-up results: `python -m pytest Benchmarks/comparison`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from comparison import disk, durable, durable_tables, others
from comparison.durable_servers import all_of_them
from comparison.server import Failed

KNOWN = {
    "date": "2026-01-02",
    "time": "03:04",
    "command": "Benchmarks/compare --durable",
    "commit": "abc",
    "machine": "a machine",
    "system": "a system",
    "file_system": "a file system",
    "load_before": 0.5,
    "load_after": 3,
    "repetitions": 3,
    "duration": 4,
    "servers": [
        {"name": "apus-disk", "title": "Apus, `disk`", "note": "", "versions": {}},
        {"name": "redis-always", "title": "Redis", "note": "", "versions": {"redis-server": "7"}},
    ],
}
PRINTED = {
    "sent": 10,
    "answers": 10,
    "refusals": 0,
    "out_of_order": 0,
    "deliveries": 20,
    "expected": 20,
    "counted_answers": 8,
    "counted_deliveries": 16,
    "measured_ns": 2_000_000_000,
    "server_cpu_ns": 80_000,
    "generator_cpu_ns": 1_000_000_000,
    "p50_us": 5,
    "p99_us": 6,
    "max_us": 7,
}


def row(server="apus-disk", workload="pubs50", repetition=0, **figures):
    usual = {"acked_per_s": 600_000.0, "p50_us": 1000, "p99_us": 2000, "cpu_us_per_publish": 1.0}
    return {"server": server, "workload": workload, "repetition": repetition} | usual | figures


def summary(*rows):
    return durable_tables.summary(durable_tables.Results(rows, KNOWN))


def line(text, part):
    return next(line for line in text.splitlines() if part in line)


def test_an_aim_is_met_or_not():
    assert line(summary(row()), "acknowledged on `disk`").endswith("| ≥ 500,000/s | 600,000/s | yes |")
    assert line(summary(row(acked_per_s=499_000.0)), "acknowledged on `disk`").endswith("| 499,000/s | no |")
    late = summary(row(workload="topics1000", p99_us=5100))
    assert line(late, "99 % of the acks").endswith("| ≤ 5.00 ms | 5.10 ms | no |")


def test_disturbed_runs_count_only_where_there_is_no_other():
    own = [row(acked_per_s=600_000.0), row(acked_per_s=60_000.0, others_percent=50)]
    other = [row("redis-always", acked_per_s=value, others_percent=50) for value in (200_000.0, 100_000.0)]
    text = summary(*own, *other)
    assert line(text, "Redis that syncs always").endswith("| ≥ 3.00× | 2.20×‡ | no |")
    assert line(text, "| Apus, `disk` |").startswith("| Apus, `disk` | 600,000 |")
    assert line(text, "| Apus, `disk` |").endswith("| 1 of 2 |")
    assert line(text, "| Redis |").startswith("| Redis | 150,000‡ |")


def test_acks_are_compared_with_the_flushes_beside_them():
    text = summary(row(workload="single", p50_us=300, p99_us=800, floor_p50_us=100.0, floor_p99_us=400.0))
    assert line(text, "to a flush").endswith("| 3.00× | no |")
    assert line(text, "to 99 % of flushes").endswith("| 2.00× | yes |")


def test_aims_without_a_measurement_are_left_out():
    text = summary(row())
    assert "JetStream" not in text and "1,000 topics" not in text


def test_columns_without_a_figure_are_left_out():
    assert "floor" not in summary(row())
    assert "floor" in summary(row(floor_bytes_per_s=1e6, bytes_per_s=1e6))


def test_failed_runs_are_said_and_do_not_count():
    text = summary(row(), {"server": "redis-always", "workload": "pubs50", "repetition": 0, "failed": "it broke"})
    assert "Runs that failed: 1, the first of them redis-always in pubs50: it broke." in text
    assert "| Redis |" not in text


def test_disturbed_runs_have_a_mark_that_is_explained():
    text = summary(row(others_percent=21))
    assert "600,000‡" in text and "\n‡ all runs were disturbed" in text


def test_a_disturbed_run_is_repeated_for_as_long_as_there_is_patience(monkeypatch):
    runs = [{"others_percent": percent} for percent in (90, 50, 10, 0)]
    monkeypatch.setattr(durable, "run_once", lambda *_: runs.pop(0))
    monkeypatch.setattr(durable, "wait_until_quiet", lambda *_: None)
    options = SimpleNamespace(patience=600, neighbours=[])
    assert durable.run_in_peace(None, None, None, options, None) == {"others_percent": 10}
    runs[:] = [{"others_percent": 90}, {"others_percent": 10}]
    options.patience = 0
    assert durable.run_in_peace(None, None, None, options, None) == {"others_percent": 90}
    runs[:] = [{"failed": "it broke"}]
    assert durable.run_in_peace(None, None, None, options, None) == {"failed": "it broke"}


def test_what_cores_do_while_they_wait_is_not_busy():
    assert others.busy_ticks("cpu  1 2 4 1000 1000 8 16 0 0 0\n") == 31


def test_what_the_generator_printed_is_read():
    found = durable.read(json.dumps(PRINTED), kept=10)
    assert found["acked_per_s"] == 4
    assert found["cpu_us_per_publish"] == 10
    assert found["cpu_us_per_delivery"] == 5
    assert found["generator_cpu_percent"] == 50


@pytest.mark.parametrize(
    ("figures", "kept", "reason"),
    [
        ({"refusals": 1}, 10, "1 publishes were refused"),
        ({"answers": 9}, 9, "1 publishes were not acknowledged"),
        ({"deliveries": 19}, 10, "19 deliveries in place of 20"),
        ({}, 9, "10 were acknowledged, and the server says it has 9"),
        ({"counted_answers": 0}, 10, "nothing was acknowledged"),
    ],
)
def test_a_run_that_lost_something_has_failed(figures, kept, reason):
    with pytest.raises(Failed, match=reason):
        durable.read(json.dumps(PRINTED | figures), kept)


def test_commits_are_those_of_the_run():
    before = {"commits": 10, "committed_messages": 100, "committed_bytes": 1000}
    after = {"commits": 12, "committed_messages": 140, "committed_bytes": 21_000}
    found = durable.commits(before, after, [2, 1], acked_per_s=3.0)
    assert found == {
        "messages_per_commit": 20,
        "bytes_per_commit": 10_000,
        "bytes_per_s": 1500,
        "flushes_per_commit": 1.5,
    }
    assert durable.commits(before, after, [], 3.0)["flushes_per_commit"] is None
    with pytest.raises(Failed, match="committed nothing"):
        durable.commits(before, before, [], 3.0)


def test_the_counts_of_perf_are_read():
    text = "12,,syscalls:sys_enter_fdatasync,10,100.00,,\n3,,syscalls:sys_enter_fsync,10,100.00,,\n"
    assert disk.counted(text) == [12, 3]
    assert disk.counted("<not supported>,,syscalls:sys_enter_fsync,0,0.00,,\n") == []


def test_a_log_goes_on_in_the_next_segment(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "SEGMENT", 100_000)
    found = disk.floor(40_000, tmp_path, 0.05)
    assert found["floor_bytes_per_s"] > 0 and found["floor_p99_us"] >= found["floor_p50_us"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_closed_loop_has_a_window_and_an_open_loop_a_rate():
    server = SimpleNamespace(port=1, pids=[2, 3])
    seconds = SimpleNamespace(warmup=1, duration=2)
    apus = all_of_them("apus")[0]
    closed = durable.command("load", apus, durable.LOADS["pubs50"], server, seconds)
    assert "--window=32" in closed and "--pid=3" in closed and not any("rate" in word for word in closed)
    open_loop = durable.command("load", apus, durable.LOADS["topics1000"], server, seconds)
    assert "--rate=1000" in open_loop and not any("window" in word for word in open_loop)


@pytest.mark.skipif("APUS_BIN" not in os.environ, reason="needs the program: APUS_BIN")
def test_each_level_has_its_figures(tmp_path):
    command = [sys.executable, Path(__file__).parents[1] / "compare", "--durable", "--reps", "1", "--duration", "0.2"]
    command += ["--warmup", "0.1", "--servers", "apus-memory,apus-os,apus-disk", "--loads", "single,fanout"]
    command += ["--folder", tmp_path, "--results", tmp_path / "results", "--apus", os.environ["APUS_BIN"]]
    environment = os.environ | {"BENCH_TMP": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(text) for text in (tmp_path / "results").read_text().splitlines()]
    assert [row.get("failed") for row in rows] == [None] * 7
    assert all(row["acked_per_s"] > 0 for row in rows[:-1])
    assert [row["server"] for row in rows[:-1] if "floor_p50_us" in row] == ["apus-disk"] * 2
