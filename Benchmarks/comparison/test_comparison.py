"""The comparison's own logic, on made-up results: `python -m pytest Benchmarks/comparison`."""

import json
from types import SimpleNamespace

import pytest

from comparison import generator, tables
from comparison.measure import Seconds
from comparison.peers import PEERS
from comparison.server import Apus, Failed, Installed, Other
from comparison.workloads import WORKLOADS

FACTS = {
    "date": "2026-01-02",
    "command": "Benchmarks/compare",
    "commit": "abc",
    "machine": "a machine",
    "system": "a system",
    "repetitions": 3,
    "duration": 4,
    "generator": "peer-load",
    "servers": [
        {"name": "apus", "title": "Apus", "note": "", "versions": {}},
        {"name": "uwebsockets", "title": "uWebSockets", "note": "a note", "versions": {"socketify": "1"}},
    ],
}


def row(server="apus", workload="W1a", **figures):
    usual = {
        "cpu_us_per_delivery": 0.1,
        "deliveries_per_s": 1000.0,
        "lost": 0,
        "expected": 10,
        "server_cpu_percent": 99,
    }
    return {"server": server, "workload": workload} | usual | figures


def line(text, start):
    return next(line for line in text.splitlines() if line.startswith(f"| {start}"))


def test_medians_and_the_ratio_of_apus_to_uwebsockets():
    rows = [row(cpu_us_per_delivery=cost) for cost in (0.1, 0.3, 0.2)] + [row("uwebsockets", cpu_us_per_delivery=0.4)]
    text = tables.summary(tables.Results(rows, FACTS))
    assert line(text, "W1a").endswith("| 0.200 | 0.400 | 0.500× |")
    assert "uWebSockets: socketify 1; a note." in text
    assert "2026-01-02 with `Benchmarks/compare` at commit abc: medians of 3" in text


@pytest.mark.parametrize(
    ("figures", "sign"),
    [
        ({"generator_cpu_percent": 99, "server_cpu_percent": 60}, "†"),
        ({"generator_cpu_percent": 99, "server_cpu_percent": 99}, ""),
        ({"server_wait_percent": 11}, "‡"),
        ({"generator_wait_percent": 11}, "‡"),
        ({"lost": 1}, "*"),
    ],
)
def test_figures_that_need_a_word_have_a_mark_that_is_explained(figures, sign):
    text = tables.summary(tables.Results([row(**figures)], FACTS))
    assert line(text, "W1a").endswith(f"| 0.100{sign} | – | – |")
    assert not sign or f"{sign} " in text.partition("Measured")[2]


def test_an_open_loop_may_keep_the_generator_busy():
    results = tables.Results([row(workload="W4", generator_cpu_percent=100, server_cpu_percent=9)], FACTS)
    assert results.signs("W4", "apus") == ""


def test_stalled_readers_are_compared_with_none():
    rows = [
        row(workload="W6", deliveries_per_s=900.0, memory_growth_bytes=3 << 20),
        row(workload="W6ref", deliveries_per_s=1000.0),
    ]
    text = tables.summary(tables.Results(rows, FACTS))
    assert line(text, "W6: deliveries").endswith("| 0.900× | – |")
    assert line(text, "W6: memory").endswith("| 3.00 | – |")


def test_a_failed_run_is_said_and_does_not_count():
    rows = [row(), {"server": "apus", "workload": "W1a", "failed": "it broke"}]
    text = tables.details(tables.Results(rows, FACTS))
    assert line(text, "Apus").endswith("| 1, 1 failed: it broke |")
    assert "uWebSockets" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (0.0479, "0.048"),
        (0.9999, "1.00"),
        (9.87, "9.87"),
        (47.61, "47.6"),
        (12345.6, "12,346"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert tables.number(value) == text


def test_the_summary_takes_the_place_between_the_marks():
    document = f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n"
    assert tables.insert(document, "new") == f"before\n{tables.BEGIN}\nnew\n{tables.END}\nafter\n"
    assert tables.insert("no marks", "new") is None


@pytest.mark.parametrize("make", [generator.PeerLoad, generator.NeutralGenerator])
def test_only_a_workload_without_publishers_is_idle_for_the_generators(make):
    server = SimpleNamespace(port=1, pids=[2, 3])
    redis = Installed(PEERS["redis"])
    words = " ".join(map(str, make("load").command(redis, WORKLOADS["W2"], server, Seconds(1, 2), "x"))).replace(
        "=", " "
    )
    assert "--pubs 50" in words and "--window 32" in words and "--pid 2" in words
    assert "--credit delivery" in words
    words = " ".join(map(str, make("load").command(Apus("apus"), WORKLOADS["W5"], server, Seconds(1, 2), "x")))
    assert "--window" not in words and "--rate" not in words and "credit" not in words


def test_another_server_is_a_name_and_a_command_with_a_port():
    assert Other("floor=/bin/floor {port}").start(7, "")[0] == ["/bin/floor", "7"]
    for text in ("floor", "floor=/bin/floor"):
        with pytest.raises(ValueError):
            Other(text)


def test_results_of_peer_load_are_read():
    latency = {"p50": 1, "p99": 2, "p999": 3, "max": 4}
    printed = {
        "measured_seconds": 4.01,
        "options": {"duration": 4},
        "publishes": {"per_second": 10},
        "deliveries": {"per_second": 20, "expected": 5, "lost": 1, "doubled": 0, "out_of_order": 0},
        "connections": {"per_second": 1, "resident_bytes_each": 2, "cpu_microseconds_each": 3},
        "server_usage": {"cpu_percent": 50, "resident_bytes_peak": 9, "resident_bytes_connected": 4},
        "generator": {"busy_percent": 40},
        "latency": latency,
        "errors": 0,
        "closed": 0,
    }
    found = generator.PeerLoad("load").read(json.dumps(printed), WORKLOADS["W1a"])
    assert found["memory_growth_bytes"] == 5
    assert found["cpu_us_per_delivery"] is None
    assert found["stalled_closed"] is None
    assert generator.PeerLoad("load").read(json.dumps(printed), WORKLOADS["W5"])["bytes_per_connection"] == 2
    late = json.dumps(printed | {"measured_seconds": 0.2})
    with pytest.raises(Failed, match="too busy"):
        generator.PeerLoad("load").read(late, WORKLOADS["W1a"])
