"""Faults of monitoring have issues of their own, and are never a pass."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from monitoring.charts.signals import Unknown
from monitoring.incidents.actions import OpenAlert, PostComment, ResolveAlert
from monitoring.incidents.self_check import MonitoringFault, crashed_checks, fault_issues, fault_of, no_recent_rows
from monitoring.journal.window import JournalError

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def alert(kind, state="open", by_hand=False, closed_at="", memory=None):
    return SimpleNamespace(
        number=1,
        memory=memory or {},
        marker=f"monitor:{kind}",
        state=state,
        by_hand=by_hand,
        closed_at=closed_at,
        body="it was so",
    )


@pytest.mark.parametrize(
    ("answered", "live_since", "words"),
    [
        ("2026-01-14T12:00:00+00:00", "2026-01-01T00:00:00Z", None),
        (
            "2026-01-13T11:00:00+00:00",
            "2026-01-01T00:00:00Z",
            "the newest response is of 2026-01-13T11:00:00+00:00: more than 2 days ago",
        ),
        ("", "2026-01-01T00:00:00Z", "no response since 2026-01-01T00:00:00Z, when it went live: more than 2 days ago"),
        ("", "2026-01-14T00:00:00Z", None),
        ("2026-01-01T00:00:00Z", "2026-01-14T00:00:00+01:00", None),
        ("", "", None),
    ],
)
def test_missing_rows_are_a_fault_after_some_days(answered, live_since, words):
    """A version that just went live has none yet."""
    assert no_recent_rows(answered, live_since, NOW, 2) == ([MonitoringFault("rows", (words,))] if words else [])


def test_a_check_that_crashed_is_a_fault_and_one_with_too_little_data_is_not():
    """The first days of a model are no fault."""
    few = Unknown("score_drift", "the reference has 3 full days")
    torn = Unknown("realised_performance", "ValueError: no", crashed=True)

    assert crashed_checks([few]) == []
    words = "realised_performance: ValueError: no"
    assert crashed_checks([few, torn]) == [MonitoringFault("checks", (words,), {"realised_performance": words})]


def test_an_error_is_a_fault_of_a_kind():
    """The first kind that fits; any other is a fault of the run."""
    kinds = {JournalError: "journal", OSError: "journal"}

    assert fault_of(JournalError("gone"), kinds) == MonitoringFault("journal", ("JournalError: gone",))
    assert fault_of(KeyError("x"), kinds) == MonitoringFault("run", ("KeyError: 'x'",))


def test_each_kind_has_an_issue_and_a_complete_run_closes_the_resolved_ones():
    """A run that failed closes none."""
    broken = [MonitoringFault("rows", ("none since Monday",))]
    raised, closed = fault_issues(broken, [alert("journal"), alert("rows"), alert("run", "closed")], NOW, 14)

    assert isinstance(raised, OpenAlert)
    assert (raised.marker, raised.title) == ("monitor:rows", "Monitoring: no rows arrive")
    assert raised.body == (
        "**No rows arrive.** The model may be healthy, but it is not monitored until this is fixed.\n\n"
        "- none since Monday\n\n"
        "**What to do:** Check that the scorer responds (`/health`), that the website calls it, and that its journal is"
        " uploaded. The next complete run closes this issue.\n"
    )
    assert isinstance(closed, ResolveAlert)
    assert (closed.marker, closed.body) == ("monitor:journal", "Resolved: the last run was complete.\n\nit was so")
    assert len(fault_issues(broken, [alert("journal")], NOW, 14, whole=False)) == 1


@pytest.mark.parametrize(("closed_at", "left"), [("2026-01-14T00:00:00Z", True), ("2026-01-01T00:00:00Z", False)])
def test_one_that_a_person_closed_stays_closed_for_some_days(closed_at, left):
    """Then it reopens."""
    known = [alert("rows", "closed", by_hand=True, closed_at=closed_at)]

    assert bool(fault_issues([MonitoringFault("rows", ())], known, NOW, 14)) is not left


def checks(*kinds):
    return crashed_checks([Unknown(kind, "KeyError: 'x'", crashed=True) for kind in kinds])


#: The alert as it was left, the checks that crash now -> what is done, and which checks the comment names.
JOINED = [
    ({}, ["score_drift"], [OpenAlert], ""),
    ({}, ["score_drift", "row_rate"], [PostComment, OpenAlert], "row_rate"),
    ({}, ["row_rate"], [PostComment, OpenAlert], "row_rate"),
    ({"state": "closed"}, ["row_rate"], [OpenAlert], ""),
    ({"state": "closed", "by_hand": True, "closed_at": "2026-01-14T00:00:00Z"}, ["score_drift"], [], ""),
    (
        {"state": "closed", "by_hand": True, "closed_at": "2026-01-14T00:00:00Z"},
        ["score_drift", "row_rate"],
        [PostComment, OpenAlert],
        "row_rate",
    ),
    ({"state": "closed", "by_hand": True, "closed_at": "2026-01-01T00:00:00Z"}, ["score_drift"], [OpenAlert], ""),
]


@pytest.mark.parametrize(("left", "kinds", "done", "named"), JOINED)
def test_a_new_check_in_an_issue_is_announced_by_one_comment(left, kinds, done, named):
    """Editing notifies nobody; nothing is announced twice, by interrupted runs either."""
    (opened,) = fault_issues(checks("score_drift"), [], NOW, 14)
    known = alert("checks", **left, memory=opened.memory)
    found = fault_issues(checks(*kinds), [known], NOW, 14)

    assert [type(act) for act in found] == done
    later = fault_issues(checks(*kinds), [known], NOW + timedelta(hours=1), 14)
    assert [act.marker for act in later] == [act.marker for act in found]
    if named:
        note, raised = found
        assert f"- {named}: KeyError" in note.body
        assert "score" not in note.body
        assert ("a person closed" in note.body) is (known.state == "closed")
        after = fault_issues(checks(*kinds), [alert("checks", memory=raised.memory)], NOW, 14)
        assert [type(act) for act in after] == [OpenAlert]


def test_a_check_that_returns_after_the_issue_was_resolved_has_a_new_comment():
    """Updating the earlier comment would notify nobody."""
    markers = []
    for day in (1, 3):
        now = NOW + timedelta(days=day)
        (opened,) = fault_issues(checks("score_drift"), [alert("checks", "closed")], now, 14)
        both = checks("score_drift", "row_rate")
        note, _ = fault_issues(both, [alert("checks", memory=opened.memory)], now, 14)
        markers.append(note.marker)

    assert markers[0] != markers[1]


@pytest.mark.parametrize("memory", [{}, {"announced": "x"}, {"announced": None, "since": 3}])
def test_an_issue_without_recorded_causes_announces_none_and_records_them(memory):
    """From an earlier version, or edited by a person."""
    (raised,) = fault_issues(checks("score_drift"), [alert("checks", memory=memory)], NOW, 14)

    assert raised.memory["announced"] == ["score_drift"]


@pytest.mark.parametrize("kind", ["journal", "evidence", "rows", "checks", "settings", "run"])
def test_words_from_an_error_cannot_break_out(kind):
    """A message may hold anything."""
    (raised,) = fault_issues([MonitoringFault(kind, ("<!-- @all\n# x",))], [], NOW, 14)

    for sign in ("<!--", "@all", "\n# x"):
        assert sign not in raised.body
