"""One issue per incident: opened, updated, resolved, reopened; and the decisions of people are respected."""

from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.monitoring_limits import Incident
from monitoring.incidents.actions import LogLine, OpenAlert, PostComment, ResolveAlert, StartWorkflow
from monitoring.incidents.cause import Cause
from monitoring.incidents.expected_causes import ExpectedCause
from monitoring.incidents.incident import RunFindings, decide
from monitoring.incidents.incident_state import MAX_LINES, IncidentState

RULES = Incident(7, 14, 1.5, "never", 7, 2)
DRIFT = Cause("score_drift", "issue", "", "2026-01-10", "2026-01-14", 2.0, 2.5, "scores moved")
LOSS = replace(DRIFT, kind="estimated_performance", severity="page", summary="accuracy fell")
BROKEN = replace(DRIFT, kind="missing_values", severity="page", family="web", summary="wind is missing")
SLOW = replace(DRIFT, kind="latency", severity="page", summary="p99 120 ms")
MARKER = "watch:flights:issue/score_drift/"


def days(last, count=20):
    end = date.fromisoformat(last)
    return tuple((end - timedelta(days=n)).isoformat() for n in reversed(range(count)))


def look(*causes, at="2026-01-15", **more):
    kinds = ("score_drift", "estimated_performance", "missing_values")
    newest = (date.fromisoformat(at) - timedelta(days=1)).isoformat()
    judged = dict.fromkeys(kinds, days(newest))
    return RunFindings("flights", "v", f"{at}T06:00Z", judged, causes, **more)


def words(look, memory, state, why):
    return f"{state} since {memory.since}", f"{state}: {why}"


class Board:
    """A forge's alerts, in memory."""

    def __init__(self):
        self.alerts, self.notes = [], {}

    def run(self, seen, rules=RULES, waivers=(), quiet=3):
        acts = decide(seen, self.alerts[::-1], waivers, quiet, rules, words)
        for act in acts:
            mine = [a for a in self.alerts if a.marker == getattr(act, "marker", None)]
            if isinstance(act, OpenAlert):
                alert = (
                    mine[0] if mine else SimpleNamespace(number=len(self.alerts) + 1, marker=act.marker, closed_at="")
                )
                vars(alert).update(vars(act) | {"state": "open", "by_hand": False})
                self.alerts += [] if mine else [alert]
            elif isinstance(act, ResolveAlert):
                vars(mine[0]).update(body=act.body, memory=act.memory, state="closed", by_hand=False, closed_at=seen.at)
            elif isinstance(act, PostComment):
                self.notes[act.number, act.marker] = act.body
        return acts

    def by_hand(self, state, at="2026-01-15T09:00Z"):
        vars(self.alerts[0]).update(state=state, by_hand=True, closed_at=at)

    @property
    def memory(self):
        return IncidentState.from_json(self.alerts[0].memory)


@pytest.fixture
def board():
    board = Board()
    board.run(look(DRIFT))
    return board


def test_an_incident_opens_once_and_is_updated(board):
    """The same cause on another day, for another version, is the same incident."""
    board.run(replace(look(replace(DRIFT, last="2026-01-15", now=3, peak=3), at="2026-01-16"), version="w"))

    (alert,) = board.alerts
    assert (alert.marker, alert.state, alert.title) == (MARKER, "open", "open since 2026-01-10")
    assert (board.memory.last, board.memory.peak, board.memory.peak_day) == ("2026-01-15", 3, "2026-01-15")
    assert [at for at, _ in board.memory.runs] == ["2026-01-15T06:00Z", "2026-01-16T06:00Z"]


def test_a_run_that_is_repeated_changes_nothing(board):
    """Neither title nor body nor memory."""
    before = vars(board.alerts[0]).copy()
    board.run(replace(look(DRIFT), at="2026-01-15T07:00Z"))

    assert vars(board.alerts[0]) == before


def test_causes_that_began_together_are_one_incident(board):
    """A loss that is known late belongs to the drift that it began with; a later cause has its own incident."""
    board.run(look(DRIFT, LOSS, replace(BROKEN, since="2026-01-25"), at="2026-01-27"))

    assert [a.marker for a in board.alerts] == [MARKER, "watch:flights:page/missing_values/web"]
    assert board.memory.causes == ("issue/score_drift/", "page/estimated_performance/")


def test_another_model_s_incident_is_left_alone(board):
    """Two models may share a forge."""
    other = replace(look(DRIFT), model="fli")

    assert len(decide(other, board.alerts, [], 3, RULES, words)) == 1
    assert board.run(replace(look(), model="fli")) == []


@pytest.mark.parametrize(("at", "state"), [("2026-01-16", "open"), ("2026-01-17", "open"), ("2026-01-18", "closed")])
def test_it_is_resolved_after_enough_days_within_limits(board, at, state):
    """The 15th, the 16th and the 17th are three."""
    board.run(look(at=at))

    assert board.alerts[0].state == state


def test_a_resolved_incident_has_a_summary(board):
    """Duration, peak, actions."""
    moves = (("2026-01-09T03:17", "too early"), ("2026-01-15T03:17", "v2 went live: a new model"))
    board.run(look(at="2026-01-18", deployments=moves))

    assert board.notes == {
        (1, "closed:2026-01-14"): (
            "Resolved: within control limits for the last 3 days.\n\n"
            "- Duration: 5 days, from 2026-01-10 to 2026-01-14.\n"
            "- Peak: 2.5 times the control limit, on 2026-01-14.\n"
            "- Actions: 2026-01-15T03:17: v2 went live: a new model.\n\n"
            "It reopens if the signals leave their limits again.\n"
        )
    }


def test_a_single_breach_restarts_the_count_of_days_within_limits(board):
    """Though it does not last long enough to alert."""
    board.run(look(at="2026-01-18", last_breach={DRIFT.fingerprint: "2026-01-16"}))
    assert board.alerts[0].state == "open"
    board.run(look(at="2026-01-20"))

    assert board.alerts[0].state == "closed"


def test_what_cannot_be_monitored_keeps_it_open(board):
    """So does a kind without an evaluated day (label delay)."""
    board.run(look(at="2026-01-25", not_monitored=("score_drift",)))
    assert board.alerts[0].body == "inactive: could not be monitored: score_drift"
    board.run(replace(look(at="2026-01-25"), evaluated={"missing_values": days("2026-01-24")}))

    assert board.alerts[0].state == "open"


def test_a_breach_that_returns_reopens_the_same_issue(board):
    """With a new peak and duration."""
    board.run(look(at="2026-01-18"))
    back = replace(DRIFT, since="2026-03-01", last="2026-03-05", now=1.2, peak=1.2)
    board.run(look(back, at="2026-03-06"))

    (alert,) = board.alerts
    assert (alert.state, board.memory.since, board.memory.peak) == ("open", "2026-03-01", 1.2)
    assert board.memory.actions == (("2026-03-06T06:00Z", "reopened: outside control limits again"),)


@pytest.mark.parametrize(
    ("causes", "at", "state"),
    [
        ([replace(DRIFT, now=2.4)], "2026-01-16", "closed"),
        ([replace(DRIFT, now=3.7)], "2026-01-16", "closed"),
        ([replace(DRIFT, now=3.8)], "2026-01-16", "open"),  # 1.5 times the peak of 2.5
        ([DRIFT, LOSS], "2026-01-16", "open"),  # from issue to page
        ([DRIFT], "2026-01-28", "closed"),
        ([DRIFT], "2026-01-29", "open"),  # two weeks later
    ],
)
def test_an_incident_that_a_person_closed_stays_closed(board, causes, at, state):
    """Unless it becomes clearly worse, or persists."""
    board.by_hand("closed")
    acts = board.run(look(*causes, at=at))

    assert [a.state for a in board.alerts] == [state]
    assert any(isinstance(act, LogLine) and "a person closed it" in act.text for act in acts) == (state == "closed")


def test_one_that_a_person_reopened_is_not_resolved_automatically(board):
    """However long it is within limits."""
    board.run(look(at="2026-01-18"))
    board.by_hand("open")
    for day in range(19, 30):
        board.run(look(at=f"2026-01-{day}"))

    assert board.alerts[0].state == "open"
    assert "a person closes it" in board.alerts[0].body


def test_a_waived_cause_raises_no_alert_until_the_waiver_expires(board):
    """The incident is resolved, and reopens if the cause persists."""
    waiver = ExpectedCause(("issue/score_drift/",), date(2026, 1, 20), "a sale", "dana", "#1")
    board.run(look(DRIFT, at="2026-01-16"), waivers=[waiver])
    assert board.alerts[0].state == "closed"
    assert "expected until 2026-01-20, because a sale" in board.notes[1, "closed:2026-01-14"]
    board.run(look(DRIFT, LOSS, at="2026-01-17"), waivers=[waiver])
    assert [a.state for a in board.alerts] == ["closed", "open"]  # the loss is not waived
    board.run(look(DRIFT, at="2026-01-21"), waivers=[waiver])

    assert board.alerts[0].state == "open"


@pytest.mark.parametrize(
    ("setting", "cause", "calls"),
    [
        ("never", LOSS, 0),
        ("page", BROKEN, 0),
        ("issue", BROKEN, 0),
        ("page", LOSS, 1),
        ("page", DRIFT, 0),
        ("issue", DRIFT, 1),
        ("issue", LOSS, 1),
        ("page", SLOW, 0),
        ("issue", SLOW, 0),
    ],
)
def test_an_incident_may_start_a_retrain(setting, cause, calls):
    """Once, if the rules allow it; never on broken data, nor for latency."""
    board, rules = Board(), replace(RULES, retrain=setting)
    acts = [act for at in range(15, 22) for act in board.run(look(cause, at=f"2026-01-{at}"), rules)]

    assert sum(isinstance(act, StartWorkflow) for act in acts) == calls
    assert (("2026-01-15", "started a retrain") in board.memory.actions) == bool(calls)


def test_it_starts_another_retrain_after_some_days_unless_acknowledged():
    """A retrain that did not help may help with more rows."""
    board, rules = Board(), replace(RULES, retrain="page")
    board.run(look(LOSS), rules)
    assert any(isinstance(act, StartWorkflow) for act in board.run(look(LOSS, at="2026-01-22"), rules))
    board.alerts[0].memory |= {"ack": "2026-02-05"}

    assert not any(isinstance(act, StartWorkflow) for act in board.run(look(LOSS, at="2026-02-05"), rules))
    assert any(isinstance(act, StartWorkflow) for act in board.run(look(LOSS, at="2026-02-06"), rules))


def test_an_alert_without_recorded_state_is_continued():
    """From an earlier version."""
    board = Board()
    board.alerts.append(
        SimpleNamespace(
            number=1,
            marker="watch:flights",
            state="open",
            by_hand=False,
            memory={},
            title="drift",
            body="",
            closed_at="",
        )
    )
    board.run(look(DRIFT))
    assert [a.title for a in board.alerts] == ["open since 2026-01-10"]
    board.alerts[0].memory = {}
    board.run(look(at="2026-01-18"))

    assert board.alerts[0].state == "closed"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([(), (DRIFT,), (LOSS,), (DRIFT, LOSS, BROKEN)]), st.sampled_from(["", "open", "closed"])
        ),
        max_size=12,
    )
)
def test_runs_are_idempotent_and_no_cause_has_two_issues(story):
    """For runs and people in any order."""
    board = Board()
    for number, (causes, hand) in enumerate(story):
        at = f"2026-01-{15 + number}"
        newest = (date.fromisoformat(at) - timedelta(days=1)).isoformat()
        seen = look(*(replace(cause, last=newest) for cause in causes), at=at)
        board.run(seen)
        before = [vars(alert).copy() for alert in board.alerts], dict(board.notes)
        board.run(seen)
        assert ([vars(alert) for alert in board.alerts], board.notes) == before
        if hand and board.alerts and board.alerts[0].state != hand:
            board.by_hand(hand, f"{at}T09:00Z")

    known = [cause for a in board.alerts for cause in IncidentState.from_json(a.memory).causes]
    assert len(known) == len({*known})


@given(
    st.dictionaries(
        st.sampled_from([*IncidentState().__dict__, "x"]),
        st.none() | st.text() | st.floats() | st.booleans() | st.lists(st.text() | st.lists(st.text())),
    )
)
def test_of_an_edited_state_valid_values_are_read(data):
    """Anybody who may edit the issue may edit its hidden line."""
    memory = IncidentState.from_json(data)

    assert IncidentState.from_json(memory.to_json()) == memory
    assert memory.acknowledged("2026-01-01") in (True, False)


def test_the_history_has_one_line_for_each_earlier_day():
    """And all of today: hourly runs leave room for weeks."""
    memory = IncidentState()
    for at, words in (
        ("2026-01-14T05:00Z", "a"),
        ("2026-01-14T06:00Z", "b"),
        ("2026-01-15T05:00Z", "c"),
        ("2026-01-15T06:00Z", "d"),
    ):
        memory = memory.with_run(at, words)

    assert [words for _, words in memory.runs] == ["b", "c", "d"]


def test_the_size_of_the_state_is_limited():
    """As that of a GitHub issue."""
    memory = IncidentState()
    for number in range(100):
        memory = memory.with_run(str(number), "x" * 999 + str(number)).with_action(str(number), "y" * 999)

    assert (len(memory.runs), len(memory.actions)) == (1, MAX_LINES)  # what is cut says the same
    assert len(str(memory.to_json())) < 25_000


@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_a_new_page_in_an_open_incident_is_announced_by_one_comment(board, acknowledged, held):
    """Editing the issue notifies nobody; hourly and interrupted runs repeat nothing."""
    if acknowledged:
        board.alerts[0].memory = dict(board.memory.to_json(), ack="2026-02-01", ack_by="dana")
    if held:
        board.by_hand("open")
    before = board.alerts[0].memory
    board.run(look(DRIFT, BROKEN, at="2026-01-16"))
    board.alerts[0].memory = before  # killed between the comment and the edit
    for hour in range(3):
        board.run(replace(look(DRIFT, BROKEN, at="2026-01-16"), at=f"2026-01-16T0{hour}:00Z"))

    ((number, _), body), *more = board.notes.items()
    assert (number, more, len(board.alerts)) == (1, [], 1)
    assert "**missing values** (page): wind is missing" in body
    board.run(look(DRIFT, BROKEN, LOSS, at="2026-01-16"))
    assert len(board.notes) == 2


def test_a_cause_that_rises_to_a_page_is_announced_once(board):
    """The same kind, of the same features."""
    risen = replace(DRIFT, severity="page")
    board.run(look(risen, at="2026-01-16"))
    assert [body.count("score drift") for body in board.notes.values()] == [1]
    board.run(look(DRIFT, at="2026-01-17"))
    board.run(look(risen, at="2026-01-18"))

    assert len(board.notes) == 1


def test_a_new_cause_of_severity_issue_is_not_announced(board):
    """It is in the body."""
    board.run(look(DRIFT, replace(DRIFT, kind="multivariate_drift")))

    assert board.notes == {}


def test_a_page_of_an_earlier_breach_is_announced_again_in_the_next(board):
    """The incident lists it, but people were notified weeks ago."""
    board.run(look(DRIFT, LOSS, at="2026-01-15"))
    board.run(look(at="2026-01-19"))
    assert board.alerts[0].state == "closed"
    notes = len(board.notes)
    again = replace(DRIFT, since="2026-02-01", last="2026-02-03")
    board.run(look(again, at="2026-02-04"))
    board.run(look(again, replace(LOSS, since="2026-02-02", last="2026-02-04"), at="2026-02-05"))

    assert len(board.alerts) == 1
    assert len(board.notes) == notes + 1


@pytest.mark.parametrize(
    "joined",
    [LOSS, replace(DRIFT, kind="multivariate_drift"), replace(DRIFT, severity="page"), replace(DRIFT, family="web")],
)
def test_a_new_cause_reopens_an_incident_that_a_person_closed(board, joined):
    """Who did not know of it; closed again, it stays closed."""
    board.by_hand("closed")
    acts = board.run(look(DRIFT, joined, at="2026-01-16"))

    assert [type(act) for act in acts] == [PostComment, OpenAlert]
    assert "Reopened: new since a person closed this incident" in acts[0].body
    opened = "reopened: new since a person closed it"
    assert board.memory.actions[-1][1].startswith(opened)
    board.by_hand("closed", "2026-01-16T09:00Z")
    assert [type(act) for act in board.run(look(DRIFT, joined, at="2026-01-16"))] == [LogLine]


def test_a_new_cause_in_a_waived_incident_is_not_waived(board):
    """A waiver lists its causes."""
    waiver = ExpectedCause((DRIFT.fingerprint,), date(2026, 2, 1), "sale", "dana", "#1")
    board.run(look(DRIFT, at="2026-01-16"), waivers=[waiver])
    board.run(look(DRIFT, LOSS, at="2026-01-17"), waivers=[waiver])

    assert [alert.state for alert in board.alerts] == ["closed", "open"]


def test_an_incident_without_recorded_announcements_announces_only_new_causes(board):
    """It has announced those it lists."""
    board.run(look(DRIFT, LOSS))
    board.notes.clear()
    memory = dict(board.alerts[0].memory)
    del memory["announced"]
    board.alerts[0].memory = memory
    board.run(look(DRIFT, at="2026-01-16"))
    board.run(look(DRIFT, LOSS, BROKEN, at="2026-01-17"))

    (body,) = board.notes.values()
    assert ("accuracy fell" in body, "wind" in body) == (False, True)
