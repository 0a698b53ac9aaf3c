"""Decides an experiment: running, wins, loses, equivalent or broken. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.release_policy import Experiment
from monitoring.experiment.aggregates import LABELLED, ExperimentSums
from monitoring.experiment.confidence_sequences import ConfidenceSequence, confidence_sequence, ratio_p_value, tuned
from monitoring.experiment.experiment_units import Split

State = Literal["running", "wins", "loses", "equivalent", "broken"]
WEEK = 7
#: Error probability of the checks of validity: a false "broken" stops a valid experiment.
VALIDITY_ALPHA = 0.001
#: Tolerated shares of units in both variants, and of units that a shadow did not score.
IN_BOTH, UNSCORED = 0.001, 0.5
#: Longest estimate of the days needed.
MAX_DAYS = 730


@dataclass(frozen=True)
class MeasureResult:
    """A measure over the units of both variants: the challenger's gain as a sequence, the variants' means.

    A gain above 0 is in favour of the challenger, whatever the measure. *margin* is in the measure's unit; *saved* is
    the share of the variance that the adjustment for features removed.
    """

    name: str
    sequence: ConfidenceSequence
    champion: float
    challenger: float
    margin: float
    saved: float = 0.0

    @property
    def gain(self) -> tuple[float, float, float]:
        """The newest gain: mean, low, high."""
        if not len(self.sequence.mean):
            return 0.0, -math.inf, math.inf
        return float(self.sequence.mean[-1]), float(self.sequence.low[-1]), float(self.sequence.high[-1])

    def days_until(self, target: float) -> float:
        """Days until the half-width is *target*, if units arrive at the same rate."""
        units, days = self.sequence.units, len(self.sequence.units)
        if not days or not units[-1]:
            return math.inf
        total = self.sequence.units_until(target) / float(units[-1]) * days
        return max(0.0, math.ceil(total) - days) if math.isfinite(total) else math.inf


@dataclass(frozen=True)
class Decision:
    """The state, why, and how many more days are needed (None: unknown)."""

    state: State
    why: str
    needs: int | None = None


def decide(  # noqa: PLR0911 -- one for each case
    measures: Sequence[MeasureResult], days: int, problems: Sequence[str], rules: Experiment
) -> Decision:
    """The state after *days* days; the first of the *measures* is primary, the others are guardrails.

    Harm beyond a margin ends the experiment at once; everything else waits for `min_weeks` whole weeks.
    """
    if problems:
        return Decision("broken", "; ".join(problems))
    primary, guardrails = measures[0], measures[1:]
    mean, low, high = primary.gain
    harmed = [each.name for each in measures if each.gain[2] < -each.margin]
    if harmed:
        return Decision("loses", f"{', '.join(harmed)}: worse than the margin allows")
    undecided = min(primary.days_until(abs(mean)), primary.days_until(primary.margin - abs(mean)))
    left = rules.min_weeks * WEEK - days
    if left > 0:
        return Decision("running", f"the minimum is {rules.min_weeks} whole weeks", _whole(max(undecided, left)))
    if low > 0:
        return _superior(primary, guardrails)
    if high < 0:
        return Decision("loses", f"{primary.name}: worse than the champion")
    if -primary.margin < low and high < primary.margin:
        return Decision("equivalent", f"{primary.name}: the difference is within the margin")
    return Decision("running", "not decided yet", _whole(undecided))


def _superior(primary: MeasureResult, guardrails: Sequence[MeasureResult]) -> Decision:
    """The primary measure is superior; the challenger wins if all guardrails are non-inferior."""
    open_ = [each for each in guardrails if each.gain[1] <= -each.margin]
    if not open_:
        held = f"; {', '.join(each.name for each in guardrails)}: non-inferior" if guardrails else ""
        return Decision("wins", f"{primary.name}: superior{held}")
    names = ", ".join(each.name for each in open_)
    needs = max(each.days_until(each.margin + each.gain[0]) for each in open_)
    return Decision("running", f"{primary.name}: superior; {names}: non-inferiority not shown yet", _whole(needs))


def validity_problems(sums: ExperimentSums, split: Split, least: int) -> list[str]:
    """Why the results are not valid; [] if they are. Intervals exist from *least* units on."""
    labelled = sums.units.sums(LABELLED, sums.days)
    if split.shadow:
        return list(_shadow_problems(int(labelled[:, 0].sum()), sums.unscored))
    if not 0 < split.chance < 1:
        return ["one variant has all the rows: there is nothing to compare"]
    problems, (champions, challengers, *known) = [], labelled.sum(axis=0)[:4]
    total = int(champions + challengers)
    p = ratio_p_value(labelled[:, :2], (1 - split.chance, split.chance))
    if p < VALIDITY_ALPHA or (total >= least and not (champions and challengers)):
        problems.append(
            f"sample ratio mismatch: {int(challengers):,} of {total:,} units are the challenger's, {split.chance:.1%}"
            f" were expected (p = {p:.1g}); rows of one variant are lost, or not assigned"
        )
    if sums.misassigned:
        problems.append(f"{sums.misassigned:,} units were answered by another variant than their key is assigned to")
    if sums.in_both > IN_BOTH * total:
        problems.append(f"{sums.in_both:,} units were in both variants")
    # The difference of the label coverage of the variants.
    gains, rho = sums.units.gains(LABELLED, sums.days), rho_of(sums.units.first, VALIDITY_ALPHA)
    coverage = confidence_sequence(gains, VALIDITY_ALPHA, rho, least)
    if coverage.units.any() and (coverage.low[-1] > 0 or coverage.high[-1] < 0):
        shares = [k / max(count, 1) for k, count in zip(known, (champions, challengers), strict=True)]
        problems.append(
            f"label coverage differs: {shares[0]:.1%} of the champion's units and {shares[1]:.1%} of the"
            " challenger's; the labelled units are not comparable"
        )
    return problems


def rho_of(first: float, alpha: float) -> float:
    """The rho that is tightest about two weeks' units, from those of the *first* day, so that it never changes."""
    return tuned(2 * WEEK * first, alpha)


def _shadow_problems(units: int, unscored: int) -> list[str]:
    scored = units - unscored
    if units and scored < UNSCORED * units:
        return [f"the shadow scored only {scored:,} of {units:,} units; /ready of the scorers says why"]
    return []


def _whole(days: float) -> int | None:
    return int(days) if days <= MAX_DAYS else None
