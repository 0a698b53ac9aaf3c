"""The waiver to paste: what stops a candidate and can be accepted by a person."""

import tomllib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.rules.registry import RULES
from checks.verdict import Finding
from checks.waiver_answers import NOT_OF_THE_STREAM, to_paste, waivers_to_paste
from checks.waivers import read_waivers, waive

TODAY = date(2026, 11, 28)


def failing(rule, outcome="FAIL", severity="block"):
    return Finding(rule, outcome, "", "", "", severity)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_it_is_a_waiver_that_works_whatever_the_rule_is_called(tmp_path_factory, name):
    """A slice has a value of the data in its name."""
    rule = f"slice.x={name}"
    text = waivers_to_paste([failing(rule)], TODAY)
    path = tmp_path_factory.mktemp("w") / "waivers.toml"
    path.write_text(text, encoding="utf-8")
    waived = waive([failing(rule)], read_waivers(path), TODAY)

    assert [(f.rule, f.severity) for f in waived if f.outcome == "FAIL"] == [(rule, "warn")]
    assert sum(line.startswith("```") for line in to_paste(text).splitlines()) == 2


@pytest.mark.parametrize("rule", [name.replace("*", "x") for name in RULES])
def test_every_rule_that_depends_on_the_stream_can_be_answered(rule):
    """A rule on the bundle or the proposal is not about the stream."""
    assert bool(waivers_to_paste([failing(rule)], TODAY)) is not rule.startswith(NOT_OF_THE_STREAM)


@pytest.mark.parametrize(
    ("outcome", "severity", "answerable"),
    [
        ("FAIL", "block", True),
        ("FAIL", "hold", True),
        ("FAIL", "warn", False),
        ("INCONCLUSIVE", "block", True),
        ("INCONCLUSIVE", "warn", False),
        ("NOT_RUN", "block", False),
        ("PASS", "block", False),
    ],
)
def test_what_stops_the_candidate_is_answered(outcome, severity, answerable):
    """What could not be checked cannot be accepted."""
    assert bool(waivers_to_paste([failing("data.rate", outcome, severity)], TODAY)) is answerable


def test_each_rule_has_one_entry_with_an_end():
    """Found slices share a rule."""
    found = tomllib.loads(waivers_to_paste([failing("slice.discovered")] * 2 + [failing("data.rate")], TODAY))

    assert [(each["rule"], each["until"]) for each in found["waiver"]] == [
        ("slice.discovered", date(2026, 12, 12)),
        ("data.rate", date(2026, 12, 12)),
    ]
