"""Tests of the cluster model and its tables: units, and that more is never less. Nothing is measured."""

import json
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import fields, replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from clusters import report
from clusters.model import GIB, LOADS, Figures, Load, Machine, limit, plan, take, usage
from growth import plot

DOCUMENT = json.loads((Path(__file__).parent / "figures.json").read_text())
FIGURES = Figures.read(DOCUMENT)
MACHINE = Machine()
MILLIONS = [count * 1_000_000 for count in range(1, 11)]


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name.split(":")[0])
class TestEachLoad:
    def test_more_subscribers_never_take_fewer_nodes_or_less_of_nats(self, load):
        plans = [plan(FIGURES, load, MACHINE, count) for count in MILLIONS]
        fitting = [each for each in plans if each.fits]
        # Once something is full whatever the number of nodes, it stays full.
        assert fitting == plans[:len(fitting)]
        for fewer, more in zip(fitting, fitting[1:]):
            assert more.nodes >= fewer.nodes and more.topics >= fewer.topics
            assert more.nats_gigabits >= fewer.nats_gigabits

    def test_a_plan_fits_with_one_node_away_and_not_with_two(self, load):
        found = plan(FIGURES, load, MACHINE, 1_000_000)
        assert found.fits and max(found.usage.values()) <= 1
        if found.nodes > 2:
            assert max(usage(FIGURES, load, MACHINE, 1_000_000, found.nodes - 2).values()) > 1

    def test_larger_machines_never_take_more_nodes(self, load):
        twice = replace(MACHINE, cores=16, memory=64 * GIB, network=2e10, connections=200_000)
        for count in MILLIONS:
            small, large = plan(FIGURES, load, MACHINE, count), plan(FIGURES, load, twice, count)
            assert large.fits or not small.fits
            assert not small.fits or large.nodes <= small.nodes

    def test_below_the_limit_it_fits_and_well_above_not(self, load):
        most, what = limit(FIGURES, load, MACHINE)
        assert plan(FIGURES, load, MACHINE, most).fits
        above = plan(FIGURES, load, MACHINE, 2 * most)
        assert not above.fits and what in above.usage


def test_what_every_node_does_is_not_shared_by_more_nodes():
    load = Load("publishes alone", 1, 1.0)
    figures = replace(FIGURES, delivery_us=0, delivery_bytes=0, publish_us=100, other_publish_us=100)
    one, many = (usage(figures, load, MACHINE, 10_000, nodes)["processors of a node"] for nodes in (1, 10))
    assert one == pytest.approx(many)


def test_units_are_those_of_the_names():
    zero = Figures(**{field.name: 0 for field in fields(Figures)})
    machine = Machine(cores=1, memory=GIB, network=1e9, share=1, connections=1_000_000)
    load = Load("a message a second", 10, 1, kept_per_topic=0)

    def of(part, **some):
        return usage(replace(zero, **some), load, machine, 1_000, 1)[part]

    # 1,000 deliveries a second of a millisecond each are a core.
    assert of("processors of a node", delivery_us=1_000) == pytest.approx(1)
    # 1,000 connections of a MiB each.
    assert of("memory of a node", connection_bytes=1 << 20) == pytest.approx(1_000 / 1_024)
    # 1,000 deliveries a second of 125,000 bytes are a gigabit a second.
    assert of("network of a node", delivery_bytes=125_000) == pytest.approx(1)
    # 100 packs a second of 30 ms are three cores, which three servers have.
    assert of("processors of NATS", nats_us=30_000) == pytest.approx(1)
    # Each of 100 packs a second goes to a node and to two more servers.
    assert of("network of NATS", pack_bytes=1_250_000) == pytest.approx(1)


def test_every_figure_says_where_it_is_from():
    for name, figure in DOCUMENT["figures"].items():
        assert figure["value"] > 0, name
        assert all(figure["source"][key] for key in ("command", "date", "commit", "machine", "load")), name
    assert {field.name for field in fields(Figures)} == set(DOCUMENT["figures"])


RESULT = {
    "command": "x", "date": "d", "commit": "c", "machine": "m", "load": "l", "failed": [],
    "figures": {
        "ack": {"apus": {"p50_ms": 2.0, "p99_ms": 3, "per_second": 9},
                "jetstream": {"p50_ms": 1.6, "p99_ms": 2, "per_second": 9}},
        "shares": {f"{count} node{'s' * (count > 1)}": {
            "publishes_per_second": 1, "bytes_per_pack": 300, "node_us_per_pack": 50, "other_node_us_per_pack": 20,
            "nats_us_per_pack": 100 + 10 * count} for count in (1, 2, 3)},
    },
}


def test_a_result_takes_the_place_of_what_it_measured_and_of_nothing_else():
    taken = take(DOCUMENT, RESULT)
    found = Figures.read(taken)
    assert (found.nats_us, found.nats_us_per_node, found.publish_us, found.other_publish_us) == (100, 10, 50, 20)
    assert found.connection_bytes == FIGURES.connection_bytes
    assert taken["figures"]["publish_us"]["source"]["load"] == "l"


def test_targets_are_met_or_missed():
    assert [is_met for _, _, is_met in report.targets(RESULT["figures"])] == [True]
    late = {"ack": {"apus": {"p50_ms": 2.2}, "jetstream": {"p50_ms": 1.6}}}
    assert [is_met for _, _, is_met in report.targets(late)] == [False]
    assert "**missed**" not in report.text(RESULT) and "met" in report.text(RESULT)


def test_medians_are_taken_number_by_number():
    assert report.middle([{"a": 1, "b": [1, 9]}, {"a": 3, "b": [2, 8]}, {"a": 2, "b": [9, 7]}]) == {"a": 2, "b": [2, 8]}


def test_the_drawing_is_well_formed():
    points = [(count / 1e6, plan(FIGURES, LOADS[0], MACHINE, count).nodes) for count in MILLIONS]
    ElementTree.fromstring(plot.svg("Nodes", "million subscribers", "nodes", [("rooms", points)], False))
