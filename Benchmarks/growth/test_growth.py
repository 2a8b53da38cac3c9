"""Tests of the curves' own logic: axes, tables, pages. Nothing is measured."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from growth import page, plot
from growth.curves import CURVES, Curve, Figure, Series, decades

FIGURE = Figure("µs", lambda result: result["cost"], "processor time, µs")
CURVE = Curve("things", "things", (Series("all", (0, 1, 10), "--things {x}"),), (FIGURE,))


def results(*costs):
    return [
        {"curve": "things", "series": "all", "value": value, "cost": cost}
        for value, cost in zip((0, 1, 10), costs)
    ]


def test_decades_go_up_to_the_last():
    assert decades(10) == (1, 3, 10)
    assert decades(100, (1,)) == (1, 10, 100)


def test_zero_has_a_place_before_the_first_number_of_a_logarithmic_axis():
    axis = plot.Axis([0, 1, 100], is_logarithmic=True)
    assert [axis.place(tick) for tick in axis.ticks()] == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_a_linear_axis_begins_at_zero_and_has_few_ticks():
    for highest in (0.7, 3, 19_000, 54):
        axis = plot.Axis([highest], is_logarithmic=False)
        assert axis.ticks()[0] == 0 and axis.ticks()[-1] >= highest and 3 <= len(axis.ticks()) <= 11


def test_a_plot_is_well_formed_and_knows_light_and_dark():
    ((name, text),) = page.plots(CURVE, results(1, 2, 30))
    ElementTree.fromstring(text)
    assert name == "things.svg" and "prefers-color-scheme: dark" in text


def test_a_table_has_medians_and_leaves_out_what_was_not_measured():
    table = page.table(CURVE, results(1, 2) + results(3, 4))
    assert table.splitlines() == ["| things | µs |", "| ---: | ---: |", "| 0 | 2 |", "| 1 | 3 |"]


def test_only_what_is_between_the_marks_is_replaced():
    text = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb"
    assert page.fill(text, "x", "new") == "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb"
    with pytest.raises(ValueError):
        page.fill(text, "y", "new")


def test_a_line_through_points_on_a_line():
    assert page.fit([(1, 12), (2, 14), (10, 30)]) == pytest.approx((2, 10))


def test_every_run_names_its_value():
    for curve in CURVES:
        for series in curve.series:
            run = series.run(7)
            assert "7" in run["bench"] + run["server"] and not any("{" in word for word in run["bench"])
