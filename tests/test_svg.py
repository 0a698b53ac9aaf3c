"""Scales and parts of charts: every value has a place, every axis has ticks, all text is escaped."""

import math
import re
import xml.etree.ElementTree as ET
from datetime import date

import pytest

from reporting import svg
from reporting.html import Chip, Figure, Table, render


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.0, 1.0], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ([-0.012, 0.031], ["-0.02", "-0.01", "0", "0.01", "0.02", "0.03", "0.04"]),
        ([0.0, 26_000.0], ["0", "10,000", "20,000", "30,000"]),
        ([3.0, 3.0], ["3", "4"]),
        ([], ["0", "0.2"]),
        ([math.nan, math.inf, 2.0], ["2", "2.4"]),
    ],
)
def test_a_linear_scale_has_round_ticks_around_its_values(values, texts):
    """What is not finite has no place."""
    scale = svg.linear(values, 0, 100)
    found = [text for _, text in scale.ticks]

    assert found[0] == texts[0]
    assert 2 <= len(found) <= 8
    assert scale.low <= min(filter(math.isfinite, values), default=0)
    assert scale.high >= max(filter(math.isfinite, values), default=0)
    assert len(values) != 2 or values[0] == values[1] or found == texts


@pytest.mark.parametrize("value", [-1e9, 0.0, 0.4, 1e9])
def test_a_value_beyond_a_scale_is_at_its_end(value):
    """Nothing is drawn outside a chart."""
    assert 10 <= svg.linear([0.0, 1.0], 10, 90)(value) <= 90
    assert 10 <= svg.logarithmic([1.0, 30.0], 10, 90)(value) <= 90


def test_a_logarithmic_scale_has_a_tick_at_each_power_of_ten():
    """Equal values, too, have two ends."""
    assert [text for _, text in svg.logarithmic([3.0, 4_000.0], 0, 1).ticks] == ["1", "10", "100", "1,000", "10,000"]
    assert svg.logarithmic([10.0, 10.0], 0, 1).high == 100


def test_days_are_written_at_both_ends_and_in_the_middle():
    """A single day is written once."""
    axis = svg.day_axis(svg.daily(date(2026, 9, 1), date(2026, 9, 11), 0, 100), 20)

    assert re.findall(r">([^<]+)</text>", axis) == ["01 Sep", "06 Sep", "11 Sep"]
    assert svg.day_axis(svg.daily(date(2026, 9, 1), date(2026, 9, 1), 0, 100), 20).count("<text") == 1


def test_an_axis_has_ticks_and_its_quantity():
    """Below each other, so that long numbers do not overlap."""
    scale = svg.linear([0.0, 1.0], 0, 300)

    assert re.findall(r">([^<]+)</text>", svg.x_axis(scale, 0, 10, "gain in ms"))[-1] == "gain in ms"
    assert re.findall(r">([^<]+)</text>", svg.y_axis(scale, 0, 10, "% of rows"))[0] == "% of rows"
    narrow = svg.linear([0.0, 100_000.0], 0, 120)
    assert svg.x_axis(narrow, 0, 10).count("<text") < len(narrow.ticks)


def test_styles_and_marks_differ_by_their_shape():
    """A reader who sees no colour distinguishes them."""
    shapes = {re.sub(r"v\d|[\d.-]+", "", svg.shape(style, 0, 0)) for style in range(svg.STYLES)}
    marks = ("tick", "cross", "ring", "dot", "half", "triangle", "alarm", "equal", "question")

    assert len(shapes) == svg.STYLES
    assert len({svg.mark(name) for name in marks}) == len(marks)


HOSTILE = "</title></svg><script>\"&'"


def test_a_document_is_one_file_that_needs_nothing_and_escapes_text():
    """Its style sheet is within, with dark mode."""
    document = svg.document(HOSTILE, (10, 10), [svg.text(0, 0, HOSTILE), svg.shape(0, 1, 1)])
    tree = ET.fromstring(document)

    assert tree.find("{*}text").text == tree.find("{*}title").text == HOSTILE
    assert "prefers-color-scheme: dark" in document
    assert "href" not in document


def test_templates_escape_what_they_are_given():
    """Tables, figures and words."""
    table = Table([HOSTILE], [[HOSTILE]])
    figure = Figure(HOSTILE, svg.drawing(HOSTILE, HOSTILE, (1, 1), []), table, HOSTILE, [("", HOSTILE)])

    for html in (table.__html__(), str(figure), Chip(HOSTILE).__html__()):
        assert "<script>" not in html
        assert "&lt;script&gt;" in html


def test_a_template_without_a_value_is_an_error():
    """Rather than a page with a gap."""
    with pytest.raises(Exception, match="word"):
        render("chip.html", tone="", mark="")
