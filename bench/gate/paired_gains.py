"""Paired gains of a known size, decided by the gate's own rules: normal errors by day instead of scored rows.

A gain over a holdout is the mean of its days' differences, so its error is close to normal; `tests/bench` compares the
decisions with those on scored rows. Errors of a model's days persist: two nights that share days share their errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from scipy import special

from checks.comparison.bootstrap import Gap
from checks.comparison.gain_effect import PRIOR, widening
from checks.decision.age_ledger import AgedGain
from checks.decision.expected_findings import anchored, primary
from checks.decision.expected_gain import Ages
from checks.decision.outlook import Outlook
from checks.decision.proven_findings import finding
from checks.decision.staleness import Staleness
from checks.verdict import Outcome
from contracts.thresholds import Compare

METRIC, DAYS = "log_loss", 14
RULES = ("expected", "proven")
_START = date(2026, 1, 1)


@dataclass(frozen=True)
class Decided:
    """The shares of *repeats* with each verdict under a *rule*, by the true gain and the error of one comparison."""

    rule: str
    error: float
    gain: float
    known: bool
    promote: float
    hold: float
    reject: float
    repeats: int


@dataclass(frozen=True)
class Realised:
    """The mean loss of what serves, over the *nights*, more than that of the first model at no age; and the promotions.

    *loss* has its standard error over the runs, *most* is the largest loss of the last live model.
    """

    rule: str
    error: float
    daily: float
    loss: float
    of_loss: float
    most: float
    promoted: float
    runs: int


def measured(value: float, error: float) -> Gap:
    """A gain as the gate measures it on a holdout: with Student's t, and widened for the effect of the period."""
    wide = error * widening({METRIC: PRIOR}, METRIC)
    far = wide * float(special.stdtrit(DAYS - 1, 0.975))
    return Gap(METRIC, 0.5 - value, 0.5, value, value - far, value + far, wide, DAYS - 1.0, 10_000, DAYS, 0.95, DAYS)


def verdict(gap: Gap, rules: Compare, outlook: Outlook, over_anchor: Gap | None = None) -> Outcome:
    """FAIL for REJECT, INCONCLUSIVE for HOLD and PASS for PROMOTE, by the champion and the anchor."""
    margins = rules.binary
    margin, limit = margins.margins[METRIC], margins.anchor[METRIC]
    if rules.decide == "proven":
        found = [finding("compare", gap, margin, "it")]
        found += [finding("compare", over_anchor, limit, "it")] if over_anchor else []
    else:
        found = [primary("compare", gap, margin, outlook.expected(gap, margin, outlook.champion), rules.max_risk)]
        if over_anchor:
            expected = outlook.expected(over_anchor, limit, outlook.anchor, of_many=True)
            found.append(anchored("compare", over_anchor, limit, expected, rules.max_risk))
    outcomes = {each.outcome for each in found}
    return "FAIL" if "FAIL" in outcomes else "INCONCLUSIVE" if "INCONCLUSIVE" in outcomes else "PASS"


def decided(
    rules: Compare, rule: str, error: float, gain: float, known: Staleness | None, repeats: int, seed: int
) -> Decided:
    """A candidate with a true *gain* in all, over a champion that is a week older."""
    random = np.random.default_rng([seed, round(error * 1e6), round((gain + 1) * 1e6)])
    rules = replace(rules, decide=rule)  # type: ignore[arg-type]
    outlook = Outlook(Ages(7, 7), Ages(7, 7), known)
    found = [verdict(measured(float(each), error), rules, outlook) for each in random.normal(gain, error, repeats)]
    shares = [found.count(each) / repeats for each in ("PASS", "INCONCLUSIVE", "FAIL")]
    return Decided(rule, error, gain, known is not None, shares[0], shares[1], shares[2], repeats)


def realised(
    rules: Compare,
    rule: str,
    error: float,
    daily: float,
    *,
    nights: int,
    every: int,
    quality: Callable[[int, np.random.Generator], float],
    runs: int,
    seed: int,
) -> Realised:
    """What serves under a rule, where a model loses *daily* by each day of age and *quality* is a candidate's by its number.

    The first model is the anchor. "always" and "never" are rules, too. Gains are recorded as the gate records them.
    """
    of_runs = [_run(rules, rule, error, daily, nights, every, quality, [seed, number]) for number in range(runs)]
    losses, last, promoted = (np.array(each) for each in zip(*of_runs, strict=True))
    spread = float(losses.std(ddof=1) / math.sqrt(runs)) if runs > 1 else math.nan
    return Realised(rule, error, daily, float(losses.mean()), spread, float(last.max()), float(promoted.mean()), runs)


def _run(
    rules: Compare,
    rule: str,
    error: float,
    daily: float,
    nights: int,
    every: int,
    quality: Callable[[int, np.random.Generator], float],
    seed: Sequence[int],
) -> tuple[float, float, int]:
    random = np.random.default_rng(seed)
    days = DAYS + nights * every
    by_day = error * math.sqrt(DAYS / 2)  # of one model's day, so that a difference of two over a holdout has *error*
    good = [0.0, *(quality(night, random) for night in range(1, nights + 1))]
    noise = (
        random.normal(0, by_day, (nights + 1, days))
        if rule not in ("always", "never")
        else np.zeros((nights + 1, days))
    )
    if rule in RULES:
        rules = replace(rules, decide=rule)  # type: ignore[arg-type]
    champion, promoted, total = 0, 0, 0.0
    ledger: list[AgedGain] = []
    for night in range(1, nights + 1):
        holdout = slice(night * every, night * every + DAYS)

        def gain(other: int, night: int = night, holdout: slice = holdout) -> float:
            true = good[night] - good[other] + daily * every * (night - other)
            return true + float((noise[night, holdout] - noise[other, holdout]).mean())

        if rule in RULES:
            gap, first = measured(gain(champion), error), measured(gain(0), error)
            ages = [Ages(float(every * (night - other)), float(every * (night - other))) for other in (champion, 0)]
            outlook = Outlook(ages[0], ages[1], None, tuple(ledger))
            found = verdict(gap, rules, outlook, first if champion or rule == "proven" else None)
            first_day = _START + timedelta(days=night * every)
            when = (str(first_day), str(first_day + timedelta(days=DAYS - 1)))
            ledger.append(AgedGain("c", METRIC, *when, f"{night:04}", ages[0].compared, gap.value, gap.error))
        else:
            found = "PASS" if rule == "always" else "INCONCLUSIVE"
        if found == "PASS":
            champion, promoted = night, promoted + 1
        total += daily * every * (night - champion + 0.5) - good[champion]
    return total / nights, -good[champion], promoted
