"""A score as lines for the terminal, as Markdown for a job's summary, and as JSON. Pure."""

from __future__ import annotations

from datetime import date
from typing import Any

from checks.ml_test_score.ml_tests import SECTIONS
from checks.ml_test_score.test_states import NeedState, Score, TestState

FORMAT = 1
_POINTS = {0.0: "0", 0.5: "½", 1.0: "1"}


def headline(found: Score) -> str:
    """The score in a sentence."""
    sums = ", ".join(f"{name} {value:g}" for name, value in found.sections.items())
    return f"ML Test Score {found.score:g} of 7, the smallest of {sums}; {found.total:g} of 28 in all: {found.reading}"


def lines(found: Score) -> list[str]:
    """A line for each test, with what is missing and what to type, and one for what could not be read."""
    made = [headline(found)]
    for section in SECTIONS:
        made += ["", f"{section}: {found.sections[section]:g} of 7"]
        for each in found.states:
            if each.test.section == section:
                made.append(
                    f"  {_POINTS[each.points]}  {each.test.number}. {each.test.name}: {each.state}{_seen(each)}"
                )
                made += [f"       {line}" for line in _lacks(each)]
    if found.unread:
        made += ["", "could not be read, so that tests may be missing here that ran:"]
        made += [f"  {each}" for each in found.unread]
    return made


def to_json(found: Score, today: date) -> dict[str, Any]:
    """The content of score.json. Keys are an interface: the dashboard reads them."""
    return {
        "format": FORMAT,
        "day": f"{today}",
        "score": found.score,
        "total": found.total,
        "sections": found.sections,
        "reading": found.reading,
        "tests": [
            {
                "section": each.test.section,
                "number": each.test.number,
                "name": each.test.name,
                "state": each.state,
                "points": each.points,
                "needs": [_need(need) for need in each.needs],
            }
            for each in found.states
        ],
        "unread": [*found.unread],
    }


def _need(each: NeedState) -> dict[str, Any]:
    run = each.run
    return {
        "checks": [*each.need.checks],
        "state": each.state,
        "day": f"{run.day}" if run else None,
        "source": run.source if run else "",
        "cure": "" if each.state == "by machine" else each.need.cure,
    }


def _seen(each: TestState) -> str:
    """The oldest of the newest runs that the test needs."""
    runs = [need.run for need in each.needs if need.run]
    if not runs or each.state == "missing":
        return ""
    oldest = min(runs, key=lambda run: run.day)
    return (
        f", {oldest.check} on {oldest.day} ({oldest.source})" if oldest.source else f", {oldest.check} on {oldest.day}"
    )


def _lacks(each: TestState) -> list[str]:
    """What the test needs besides, a line for each thing to type."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for need in each.needs:
        if need.state != "by machine":
            what = "no run is recorded" if need.run is None else f"not regularly, last on {need.run.day}"
            lacking.setdefault((what, need.need.cure), []).append(" or ".join(need.need.checks))
    return [
        f"{', '.join(names)}: {what}; {f'type: {cure}' if cure else 'nothing here runs it yet'}"
        for (what, cure), names in lacking.items()
    ]
