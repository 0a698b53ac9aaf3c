"""What an experiment's intervals amount to: running, wins, loses, equivalent or broken. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.release_policy import Experiment
from monitoring.experiment.aggregates import LABELLED, Tally
from monitoring.experiment.confidence_sequences import Band, band, ratio_p_value, tuned
from monitoring.experiment.experiment_units import Split

State = Literal["running", "wins", "loses", "equivalent", "broken"]
WEEK = 7
#: What must not be believed is told only when it is this sure: a false "broken" stops good work.
SURE = 0.001
#: Units in both arms, and units that a shadow left out, that are still no more than a trifle.
CROSSED, UNSCORED = 0.001, 0.5
#: Nobody plans further.
FARTHEST = 730


@dataclass(frozen=True)
class Reading:
    """A measure over the units of both arms: the challenger's gain as a sequence, the arms' means.

    Above zero it is better, whatever the measure. *margin* is in the measure's own unit; *saved* is
    the share of the variance that the features took away.
    """

    name: str
    band: Band
    champion: float
    challenger: float
    margin: float
    saved: float = 0.0

    @property
    def gain(self) -> tuple[float, float, float]:
        """The newest of the sequence: mean, low, high."""
        if not len(self.band.mean):
            return 0.0, -math.inf, math.inf
        return float(self.band.mean[-1]), float(self.band.low[-1]), float(self.band.high[-1])

    def days_until(self, target: float) -> float:
        """How many days more until the half-width is *target*, if units come as they did."""
        units, days = self.band.units, len(self.band.units)
        if not days or not units[-1]:
            return math.inf
        ever = self.band.units_until(target) / float(units[-1]) * days
        return max(0.0, math.ceil(ever) - days) if math.isfinite(ever) else math.inf


@dataclass(frozen=True)
class Judgement:
    """The state, why, and how many days more it may take (None: nobody can say)."""

    state: State
    why: str
    needs: int | None = None


def judge(  # noqa: PLR0911 -- one for each thing that can be the case
    readings: Sequence[Reading], days: int, wrong: Sequence[str], rules: Experiment
) -> Judgement:
    """The state after *days* days; the first of the *readings* decides, the others are guardrails.

    Harm beyond a margin ends it at once. All else waits until each weekday was seen.
    """
    if wrong:
        return Judgement("broken", "; ".join(wrong))
    primary, guardrails = readings[0], readings[1:]
    mean, low, high = primary.gain
    harmed = [each.name for each in readings if each.gain[2] < -each.margin]
    if harmed:
        return Judgement("loses", f"{', '.join(harmed)}: worse by more than the margin")
    undecided = min(primary.days_until(abs(mean)), primary.days_until(primary.margin - abs(mean)))
    left = rules.min_weeks * WEEK - days
    if left > 0:
        why = f"{rules.min_weeks} whole weeks are the least"
        return Judgement("running", why, _whole(max(undecided, left)))
    if low > 0:
        return _better(primary, guardrails)
    if high < 0:
        return Judgement("loses", f"{primary.name}: worse than the champion")
    if -primary.margin < low and high < primary.margin:
        return Judgement("equivalent", f"{primary.name}: the difference is within the margin")
    return Judgement("running", "not decided yet", _whole(undecided))


def _better(primary: Reading, guardrails: Sequence[Reading]) -> Judgement:
    """The primary measure is better for sure: do the guardrails let it win?"""
    unsure = [each for each in guardrails if each.gain[1] <= -each.margin]
    if not unsure:
        held = f"; {', '.join(each.name for each in guardrails)}: no worse than the margin"
        return Judgement("wins", f"{primary.name}: better{held if guardrails else ''}")
    names = ", ".join(each.name for each in unsure)
    needs = max(each.days_until(each.margin + each.gain[0]) for each in unsure)
    why = f"{primary.name}: better; {names}: not yet sure to be no worse than the margin"
    return Judgement("running", why, _whole(needs))


def faults(tally: Tally, split: Split, least: int) -> list[str]:
    """Why nothing of it may be believed; [] if nothing speaks against it.

    An interval is told from *least* units on.
    """
    sums = tally.units.sums(LABELLED, tally.days)
    if split.shadow:
        return list(_shadow_faults(int(sums[:, 0].sum()), tally.unscored))
    if not 0 < split.chance < 1:
        return ["one arm has all the rows: there is nothing to compare"]
    found, (champions, challengers, *known) = [], sums.sum(axis=0)[:4]
    total = int(champions + challengers)
    p = ratio_p_value(sums[:, :2], (1 - split.chance, split.chance))
    if p < SURE or (total >= least and not (champions and challengers)):
        found.append(
            f"sample ratio: {int(challengers):,} of {total:,} units are the challenger's, where"
            f" {split.chance:.1%} should be (p = {p:.1g}); one arm's rows get lost, or are not dealt"
        )
    if tally.misdealt:
        found.append(f"{tally.misdealt:,} units were answered by another arm than their point says")
    if tally.crossed > CROSSED * total:
        found.append(f"{tally.crossed:,} units were in both arms")
    # How much more often outcomes are known for the challenger's units.
    gains, rho = tally.units.gains(LABELLED, tally.days), rho_of(tally.units.first, SURE)
    told = band(gains, SURE, rho, least)
    if told.units.any() and (told.low[-1] > 0 or told.high[-1] < 0):
        shares = [k / max(count, 1) for k, count in zip(known, (champions, challengers), strict=True)]
        found.append(
            f"outcomes are known for {shares[0]:.1%} of the champion's units and for"
            f" {shares[1]:.1%} of the challenger's: what is left cannot be compared"
        )
    return found


def rho_of(first: float, alpha: float) -> float:
    """Tightest about two weeks' units, by those of the *first* day; later days change nothing."""
    return tuned(2 * WEEK * first, alpha)


def _shadow_faults(asked: int, unscored: int) -> list[str]:
    scored = asked - unscored
    if asked and scored < UNSCORED * asked:
        return [f"the shadow scored {scored:,} of {asked:,} units only; /ready of the scorers says why"]
    return []


def _whole(days: float) -> int | None:
    return int(days) if days <= FARTHEST else None
