"""Online corrections as a signal: slices that stay moved, corrections that stopped, and their issues."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from monitoring.corrections.correction_issues import correction_issues, moved_line
from monitoring.corrections.moved_slices import moved_slices
from monitoring.corrections.recorded_corrections import RecordedCorrection, read_corrections, recorded
from monitoring.incidents.actions import OpenAlert, ResolveAlert

NOW = datetime(2026, 4, 14, tzinfo=UTC)


def correction(hours_ago: float, terms: Mapping[str, float], state: str = "applied", version: str = "v1") -> Any:
    return RecordedCorrection(NOW - timedelta(hours=hours_ago), version, state, "it gains", terms)


def history(days: float, term: float, name: str = "carrier=EWR", **more: Any) -> list[RecordedCorrection]:
    return [correction(hours, {name: term}, **more) for hours in range(int(days * 24), -1, -1)]


@pytest.mark.parametrize(
    ("words", "found", "names"),
    [
        ("nothing recorded", [], []),
        ("six days", history(6, 0.4), ["carrier=EWR"]),
        ("down as well as up", history(6, -0.4), ["carrier=EWR"]),
        ("all rows", history(6, 0.4, "all rows"), ["all rows"]),
        ("too short", history(2.9, 0.4), []),
        ("exactly three days", history(3, 0.3), ["carrier=EWR"]),
        ("too small", history(6, 0.29), []),
        ("has not earned its place", history(6, 0.4, state="shadow"), []),
        ("costs more than it gains", history(6, 0.4, state="fallback"), []),
        (
            "was a shadow at first",
            [*history(6, 0.4, state="shadow"), correction(0, {"carrier=EWR": 0.4})],
            ["carrier=EWR"],
        ),
        ("is over", [*history(6, 0.4), correction(0, {"carrier=EWR": 0.1})], []),
        ("the value has gone", [*history(6, 0.4), correction(0, {})], []),
        ("changed sign two days ago", [*history(6, -0.4)[:-48], *history(2, 0.4)], []),
        (
            "below the limit for an hour",
            [*history(6, 0.4)[:-24], correction(23.5, {"carrier=EWR": 0.2}), *history(0.9, 0.4)],
            [],
        ),
        ("nothing for a day and a half", [*history(6, 0.4)[:-48], *history(0.4, 0.4)], []),
        ("the last one is old", [each for each in history(9, 0.4) if each.at < NOW - timedelta(days=2)], []),
    ],
)
def test_a_slice_is_moved_if_its_term_stays_large(words: str, found: Any, names: list[str]) -> None:
    assert [each.name for each in moved_slices(found, NOW)] == names, words


def test_it_says_by_how_much_for_how_long_and_across_which_models() -> None:
    found = [*history(6, 0.5)[:72], *history(3, 0.4, version="v2")]
    (moved,) = moved_slices(found, NOW)
    assert (moved.amount, round(moved.days, 1), moved.versions, moved.retrained) == (0.4, 6.0, ("v1", "v2"), True)
    assert moved_line("binary", moved) == (
        "corrections have moved carrier=EWR by +0.40 on the logit for 6 days (since 2026-04-08 00:00 UTC)"
    )
    assert "+0.40 standard deviations of the target" in moved_line("regression", moved)


def test_the_most_moved_is_first() -> None:
    found = [correction(hours, {"all rows": 0.3, "a=b": -0.9, "a=c": 0.5}) for hours in range(96, -1, -1)]
    assert [each.name for each in moved_slices(found, NOW)] == ["a=b", "a=c", "all rows"]


FLIGHTS: Any = SimpleNamespace(name="flights", task="binary")
MOVED, CALM = history(6, 0.4), [correction(0, {})]
STOPPED = [correction(1, {"carrier=EWR": 2.0, "all rows": 0.0}, "stopped")]


def alert(kind: str, state: str = "open", by_hand: bool = False, names: Any = ()) -> Any:
    return SimpleNamespace(
        marker=f"corrections:flights:{kind}", state=state, by_hand=by_hand, memory={"names": names}, body="what was"
    )


@pytest.mark.parametrize(
    ("words", "found", "alerts", "expected"),
    [
        ("no correction", [], [], []),
        ("none now, an issue is open", [], [alert("moved")], []),
        ("the newest is old: unknown is not resolved", [correction(48, {})], [alert("moved"), alert("stopped")], []),
        ("moved", MOVED, [], [(OpenAlert, "moved")]),
        ("moved, and open already", MOVED, [alert("moved")], [(OpenAlert, "moved")]),
        ("a person closed it", MOVED, [alert("moved", "closed", True, ["carrier=EWR"])], []),
        ("closed, another is moved", MOVED, [alert("moved", "closed", True, ["a=b"])], [(OpenAlert, "moved")]),
        ("closed by itself", MOVED, [alert("moved", "closed", names=["carrier=EWR"])], [(OpenAlert, "moved")]),
        ("an edited memory", MOVED, [alert("moved", "closed", True, 7)], [(OpenAlert, "moved")]),
        ("over", CALM, [alert("moved")], [(ResolveAlert, "moved")]),
        ("stopped", STOPPED, [], [(OpenAlert, "stopped")]),
        ("stopped while moved", MOVED + STOPPED, [alert("moved")], [(ResolveAlert, "moved"), (OpenAlert, "stopped")]),
        ("a stop that a person closed", STOPPED, [alert("stopped", "closed", True, ["v1"])], []),
        ("goes on", CALM, [alert("stopped")], [(ResolveAlert, "stopped")]),
        ("another model's issue", CALM, [SimpleNamespace(marker="corrections:bike:moved", state="open")], []),
    ],
)
def test_issues_follow_what_is_moved_and_stopped(words: str, found: Any, alerts: Any, expected: Any) -> None:
    actions: Any = correction_issues(FLIGHTS, found, alerts, NOW)
    assert [(type(each), each.marker.rpartition(":")[2]) for each in actions] == expected, words


def test_the_issues_say_what_happened_and_what_to_type() -> None:
    moved: Any = correction_issues(FLIGHTS, MOVED, [], NOW)[0]
    assert moved.title == "flights: a retrain is due, corrections keep moving carrier=EWR"
    for words in (
        "moved carrier=EWR by +0.40 on the logit for 6 days",
        "`make retrain gate land`",
        "can wait until the day",
    ):
        assert words in moved.body
    again: Any = correction_issues(FLIGHTS, [*MOVED, correction(0, {"carrier=EWR": 0.4}, version="v2")], [], NOW)[0]
    assert "did not absorb it" in again.body
    stopped: Any = correction_issues(FLIGHTS, STOPPED, [], NOW)[0]
    for words in (
        "it gains",
        "carrier=EWR +2.00.",
        "`python -m forge online off`",
        "`max_flips`",
        "`make retrain gate land`",
    ):
        assert words in stopped.body


def line(**changes: Any) -> dict[str, Any]:
    content = {
        "version": "v1",
        "state": "applied",
        "why": "it gains",
        "terms": {"intercept": 0.1, "slope": 0.2, "slices": {"origin": {"EWR": 0.4, "": -0.1}}},
    }
    return {"at": "2026-04-13T12:00:00Z", "content": json.dumps(content | changes)}


def test_a_line_of_the_journal_has_the_terms_by_name() -> None:
    found = recorded(line())
    assert found
    assert found.terms == {"all rows": 0.1, "origin=EWR": 0.4, "origin=": -0.1}
    many = recorded(line(terms={"biases": [0.1, -0.1], "slope": 0.0}))
    assert many
    assert many.terms == {"all rows": 0.0}


@pytest.mark.parametrize(
    "bad", [None, {}, {"content": "{"}, line(terms=7), line() | {"at": "soon"}, line() | {"content": 3}]
)
def test_a_line_that_is_not_whole_is_left_out(bad: Any) -> None:
    assert recorded(bad) is None


def test_corrections_are_read_from_open_files_in_order(tmp_path: Any) -> None:
    lines = [line() | {"at": f"2026-04-{day:02}T12:00:00Z"} for day in (13, 2, 12)]
    text = "".join(json.dumps(each) + "\n" for each in lines)
    (tmp_path / "corrections-20260413T000000000000-1.jsonl").write_text(text + '{"at": "2026')
    found = read_corrections(tmp_path, 10, NOW)
    assert [each.at.day for each in found] == [12, 13]
