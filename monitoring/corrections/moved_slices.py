"""Slices whose scores corrections keep moving: the model below has decayed there, although its answers are good. Pure.

Monitoring evaluates the model's own scores, but a loss in one slice may be too small for its charts. A term that stays
large, with one sign, says where the model is wrong and for how long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitoring.corrections.recorded_corrections import RecordedCorrection

#: A term is large from here on: on the logit, or in standard deviations of a regression's target. A share of one in two
#: becomes 57 %.
MIN_TERM = 0.3
#: A term must be large for so long before it is reported.
LASTS = timedelta(days=3)
#: Corrections older than this say nothing of now: none is computed, or the scorers do not take them up.
CURRENT = timedelta(days=1)
APPLIED = "applied"


@dataclass(frozen=True)
class MovedSlice:
    """A slice (*name*: "all rows", "carrier=EWR") that is moved by *amount* now, by `MIN_TERM` or more since a time.

    *versions* are the models below meanwhile, the oldest first.
    """

    name: str
    amount: float
    since: datetime
    until: datetime
    versions: tuple[str, ...]

    @property
    def days(self) -> float:
        """For how many days."""
        return (self.until - self.since) / timedelta(days=1)

    @property
    def retrained(self) -> bool:
        """Whether a retrain was released meanwhile, and the slice is moved still."""
        return len(self.versions) > 1


def moved_slices(history: Sequence[RecordedCorrection], now: datetime) -> list[MovedSlice]:
    """The slices that are moved *now*, the most first; *history* is the oldest first.

    The newest correction must have earned its place (`applied`): otherwise its terms are not evidence of anything.
    """
    if not history or now - history[-1].at > CURRENT or history[-1].state != APPLIED:
        return []
    found = [_moved(name, history) for name, term in history[-1].terms.items() if abs(term) >= MIN_TERM]
    return sorted((each for each in found if each.until - each.since >= LASTS), key=lambda each: -abs(each.amount))


def _moved(name: str, history: Sequence[RecordedCorrection]) -> MovedSlice:
    """How long the term *name* has been large with its present sign, without a gap of more than `CURRENT`."""
    newest = history[-1]
    amount, oldest, versions = newest.terms[name], newest, [newest.version]
    for each in reversed(history[:-1]):
        same = each.terms.get(name, 0.0) * amount > 0 and abs(each.terms.get(name, 0.0)) >= MIN_TERM
        if not same or oldest.at - each.at > CURRENT:
            break
        oldest = each
        if each.version != versions[-1]:
            versions.append(each.version)
    return MovedSlice(name, amount, oldest.at, newest.at, tuple(reversed(versions)))
