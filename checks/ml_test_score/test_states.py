"""Runs of checks -> the state of each test, and the score. Pure.

As in the paper a test has half a point if it was run by hand, and one if it is run by machine and regularly. A check counts
as regular where its newest run is recent and it ran on several days, or where a scheduled workflow that is enabled runs it.
The score is the smallest of the sums of the four sections.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from checks.ml_test_score.ml_tests import MONTHLY, SECTIONS, TESTS, MlTest, Need

#: A run is recent within this many days, or one and a half times the days between two runs.
RECENT = 7
#: Days on which a check has to have run, and within how many days; fewer for what runs once a month.
DAYS, WITHIN = 3, 35
#: A run that is older than this shows nothing any more.
FORGOTTEN = 365
POINTS = {"missing": 0.0, "by hand": 0.5, "by machine": 1.0}
#: The paper's reading of a score: the first line with a limit at or above it.
READINGS = (
    (0.0, "more of a research project than a productionised system"),
    (1.0, "not totally untested, but there may be serious holes in reliability"),
    (2.0, "a first pass at basic productionisation; more investment may be needed"),
    (3.0, "reasonably tested; more of the tests and procedures could be automated"),
    (5.0, "strong levels of automated testing and monitoring, appropriate for mission-critical systems"),
    (7.0, "exceptional levels of automated testing and monitoring"),
)


@dataclass(frozen=True, order=True)
class Run:
    """The *check* ran on the *day*, as *source* records; *scheduled*: a scheduled, enabled workflow runs it."""

    check: str
    day: date
    source: str = ""
    scheduled: bool = False


@dataclass(frozen=True)
class NeedState:
    """How a *need* is met, "missing", "by hand" or "by machine", and by which newest *run*."""

    need: Need
    state: str
    run: Run | None


@dataclass(frozen=True)
class TestState:
    """The state of a *test* is the weakest of those of its needs."""

    __test__ = False  # for pytest

    test: MlTest
    needs: tuple[NeedState, ...]

    @property
    def state(self) -> str:
        """missing, by hand or by machine."""
        return min((each.state for each in self.needs), key=lambda state: POINTS[state])

    @property
    def points(self) -> float:
        """0, a half or 1."""
        return POINTS[self.state]


@dataclass(frozen=True)
class Score:
    """The states of all tests, and what could not be read: a test may be missing for that reason."""

    states: tuple[TestState, ...]
    unread: tuple[str, ...] = ()

    @property
    def sections(self) -> dict[str, float]:
        """The sum of each section."""
        return {name: sum(s.points for s in self.states if s.test.section == name) for name in SECTIONS}

    @property
    def score(self) -> float:
        """The smallest of the sums of the sections."""
        return min(self.sections.values())

    @property
    def total(self) -> float:
        """The sum of all sections, of 28."""
        return sum(self.sections.values())

    @property
    def reading(self) -> str:
        """What the paper says of such a score."""
        return next(words for limit, words in READINGS if self.score <= limit)


def score(runs: Iterable[Run], today: date, unread: Sequence[str] = (), tests: Sequence[MlTest] = TESTS) -> Score:
    """The state of each of the *tests* on the day *today*, from the *runs*."""
    past = [run for run in runs if 0 <= (today - run.day).days <= FORGOTTEN]
    return Score(
        tuple(TestState(test, tuple(_met(need, past, today) for need in test.needs)) for test in tests), tuple(unread)
    )


def _met(need: Need, runs: Sequence[Run], today: date) -> NeedState:
    """The best of the states that the checks of *need* have."""
    found = [_state(need, [run for run in runs if _matches(check, run)], today) for check in need.checks]
    return max(found, key=lambda each: (POINTS[each.state], each.run.day if each.run else date.min))


def _state(need: Need, runs: Sequence[Run], today: date) -> NeedState:
    if not runs:
        return NeedState(need, "missing", None)
    newest = max(runs, key=lambda run: run.day)
    recent = timedelta(days=max(RECENT, 1.5 * need.every))
    if today - newest.day > recent:
        return NeedState(need, "by hand", newest)
    if any(run.scheduled and today - run.day <= recent for run in runs):
        return NeedState(need, "by machine", newest)
    monthly = need.every >= MONTHLY
    within = timedelta(days=max(WITHIN, 2 * need.every + RECENT))
    days = {run.day for run in runs if today - run.day <= within}
    return NeedState(need, "by machine" if len(days) >= (2 if monthly else DAYS) else "by hand", newest)


def _matches(check: str, run: Run) -> bool:
    return run.check.startswith(check[:-1]) if check.endswith("*") else run.check == check
