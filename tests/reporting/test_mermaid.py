"""Charts that Mermaid can read, whatever the numbers and words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.mermaid import number, xychart

NUMBER = r"-?\d+(?:\.\d+)?"
LIST = rf"\[{NUMBER}(?:, {NUMBER})*\]"
QUOTED = r'"[A-Za-z0-9_ .,%=-]*"'
CHART = re.compile(
    rf"```mermaid\nxychart-beta\n    title {QUOTED}\n    x-axis {QUOTED} \[({QUOTED}(?:, {QUOTED})*)\]\n"
    rf"    y-axis {QUOTED}( 0 --> {NUMBER})?\n(?:    bar {LIST}\n)?(?:    line {LIST}\n)*```"
)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12),
    st.text(),
    st.text(min_size=1),
    st.booleans(),
    st.booleans(),
)
def test_any_number_and_any_word_give_a_chart_that_can_be_read(values, title, label, bars, from_zero):
    """No exponent, no quote within quotes, and no two labels alike: they would be drawn as one."""
    chart = xychart(
        title,
        title,
        [label] * len(values),
        values if bars else [],
        [values, values],
        across=f"each {label}",
        from_zero=from_zero,
    )
    found = CHART.fullmatch(chart)
    labels = found.group(1).split('", "')

    assert len(set(labels)) == len(labels) == len(values)
    assert bool(found.group(2)) == from_zero
    assert chart.count("    line ") == 2
    assert chart.count("    bar ") == bars


@given(st.floats(-1e9, 1e9))
def test_a_number_is_written_out(value):
    """And is what it was, to four digits."""
    assert re.fullmatch(NUMBER, number(value))
    assert float(number(value)) == pytest.approx(value, rel=1e-3)
