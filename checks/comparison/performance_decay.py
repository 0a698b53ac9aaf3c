"""The performance of champion and anchor on rows that arrived since their own evaluation.

A paired comparison cancels what changes for both models: with noisy labels, or a feature that broke for every model, the
candidate can still be better. The champion does not change, so its own performance shows it. How much a fixed model
moves without a fault differs between streams: the limit comes from a backtest on the rows that the champion was released
with, which later faults cannot touch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from checks.comparison.baseline import constant_scores
from checks.comparison.own_evaluation import Evaluation
from checks.comparison.period_effect import Level, PeriodEffect, level, period_effect
from checks.comparison.rolling_origin import Period, rolling_origin
from checks.comparison.weighted_metrics import (
    METRICS,
    RELATIVE,
    Means,
    Measure,
    by_spread,
    certain_errors,
    certain_errors_of_numbers,
    least_error,
    odds_ratio,
    spread,
)
from checks.evidence import Array, Evidence
from checks.verdict import Finding, ruled
from contracts.comparison_limits import LARGER_IS_BETTER
from contracts.limit_types import Severity
from contracts.row_contract import Contract
from contracts.thresholds import Gate

#: The share of wrong outcomes among the rows of which a model is most certain, beyond what its scores expect: noise in the
#: labels shows there first.
CERTAIN = "certain_errors"
#: How much a fixed model moves from period to period where nothing is known of the stream. As a variance ratio it was 1.0
#: to 6.8 on flights, hotel bookings, rented bikes and two generated streams.
PRIOR = PeriodEffect(1.7, 6.0)
#: The logarithm of the odds of a positive outcome, over those of the mean score: rows of one outcome that are missing move it,
#: while the scores of the others stay.
BIAS = "bias"
#: One-sided, that the spread of the outcomes moves more than this explains; up to there a relative error may move with it.
SPREAD_CONFIDENCE = 0.975
#: Fewest new rows; lengths of the evaluation after which the loss of an anchor is only reported.
MIN_ROWS, MAX_LENGTHS = 100, 6
_WHY = (
    "A comparison of two models cancels what changes for both. Repair the labels or features of these days; if the world"
    " changed, merge the proposal, or waive the rule."
)


@dataclass(frozen=True)
class Change:
    """A metric of one model *now* and *then*, when it was evaluated, on *rows* new rows of so many *days*.

    *loss* is the change for the worse: of a `RELATIVE` metric as a logarithm. *limit* is its limit, *candidate* the
    candidate's metric on the new rows, *moved* the largest change in the history, of so many *periods* of *length* days.
    *lag* is the distance to the evaluation in such lengths, *guess* the metric of a constant prediction. *spread* is the
    logarithm of the change of the outcomes' spread that a `RELATIVE` metric may follow; 0 for others.
    """

    metric: str
    then: float
    now: float
    candidate: float
    guess: float
    limit: float
    rows: int
    days: int
    moved: float
    periods: int
    length: int
    lag: float
    spread: float = 0.0

    @property
    def loss(self) -> float:
        """How much worse the model is than when it was evaluated."""
        return worse(self.metric, self.then, self.now) - self.spread

    @property
    def is_every_model(self) -> bool:
        """Whether the candidate loses on the new rows, too."""
        return worse(self.metric, self.then, self.candidate) - self.spread > self.limit / 2

    @property
    def is_blind(self) -> bool:
        """Whether the limit allows a model that is no better than a constant prediction."""
        return worse(self.metric, self.then, self.guess) <= self.limit


def decayed(
    evidence: Evidence,
    evaluations: Mapping[str, Evaluation | str],
    gate: Gate,
    history: tuple[pd.DataFrame, Contract] | None,
) -> list[Finding]:
    """The findings `champion.<metric>` and `anchor.<metric>`.

    *evaluations* are those of "champion" and "anchor", as far as there are any; *history* are rows that are known to be
    older than the new ones, with their contract.
    """
    scores = {"champion": evidence.champion, "anchor": evidence.anchor}
    findings: list[Finding] = []
    periods: dict[int, list[Period]] = {}
    for role, evaluation in evaluations.items():
        reason = evaluation if isinstance(evaluation, str) else _lacking(evidence, evaluation, scores[role])
        for metric in metrics(evidence.contract.task, gate):
            if metric == BIAS and evidence.unknown is not None:  # outcomes that are known early are of one class
                continue
            rule = f"champion.{metric}" if role == "champion" else f"anchor.{metric}"
            if reason or isinstance(evaluation, str):
                findings.append(
                    Finding(rule, "PASS", f"cannot be compared: {reason}", "none", _WHY, gate.decay.severity)
                )
                continue
            length = evaluation.length
            if length not in periods:
                periods[length] = rolling_origin(*history, length) if history else []
            change = _change(metric, evidence, np.asarray(scores[role]), evaluation, periods[length], gate)
            severity = gate.decay.severity
            if role == "anchor" and severity == "hold" and change.lag > MAX_LENGTHS:  # it decays, and stays
                severity = "warn"
            findings.append(_finding(rule, role, change, severity))
    return findings


def metrics(task: str, gate: Gate) -> list[str]:
    """The metrics that are followed."""
    return [*gate.compare.margins(task).metrics, CERTAIN, *([BIAS] if task == "binary" else [])]


def worse(metric: str, then: float, now: float) -> float:
    """By how much *now* is worse than *then*; for a `RELATIVE` metric the logarithm of the ratio, for the bias any change."""
    if metric == BIAS:
        return abs(now - then)
    if metric in RELATIVE:
        return math.log(now / then) if now > 0 and then > 0 else math.nan
    return then - now if metric in LARGER_IS_BETTER else now - then


def _lacking(evidence: Evidence, evaluation: Evaluation, scores: Array | None) -> str:
    """The reason why there is nothing to compare; "" if there is."""
    if scores is None:
        return "it cannot score the candidate's rows"
    rows = int(_new(evidence, evaluation).sum())
    if rows < MIN_ROWS:
        return f"{rows} rows are later than its evaluation and have only categories that it saw; {MIN_ROWS} are needed"
    return "" if evaluation.length > 1 else "it was evaluated on one day"


def _new(evidence: Evidence, evaluation: Evaluation) -> Any:
    """The fresh rows that are later than the evaluation: (n,).

    Without those of a category that the model never saw: it cannot be good on a new segment, which is no fault.
    """
    later = (evidence.holdout[evidence.contract.time] > evaluation.end).to_numpy()
    return evidence.fresh & later & evaluation.knows(evidence.holdout)


def _change(
    metric: str, evidence: Evidence, scores: Array, evaluation: Evaluation, periods: Sequence[Period], gate: Gate
) -> Change:
    new = _new(evidence, evaluation)
    truth, days = evidence.truth[new], evidence.days[new]
    of_certain = certain_errors_of_numbers if evidence.contract.task == "regression" else certain_errors
    measure = {CERTAIN: of_certain, BIAS: odds_ratio}.get(metric) or METRICS[metric]
    relative = metric in RELATIVE
    parts = [
        (evaluation.truth, evaluation.scores, evaluation.day),
        *((each.truth, each.scores[0], each.day) for each in periods),
    ]

    def seen(error: Measure, day: Any) -> Level:
        found = level(error, day, gate.compare.draws, gate.compare.seed, relative)
        if metric == CERTAIN and isinstance(error, Means):
            return replace(found, error=max(found.error, least_error(error)))
        return found

    levels = []
    for outcomes, scored, day in parts:
        error = measure(outcomes, scored)
        levels.append(seen(by_spread(error, outcomes) if relative and isinstance(error, Means) else error, day))
    known = _limit(levels, evaluation, days, gate.decay.confidence)
    grown = 0.0
    if relative:
        spreads = [seen(spread(outcomes), day) for outcomes, _, day in parts]
        most = _limit(spreads, evaluation, days, SPREAD_CONFIDENCE)
        grown = float(np.clip(seen(spread(truth), days).value - spreads[0].value, -most, most))
    values = [each.value for each in levels[1:]]
    moved = max((abs(b - a) for a, b in itertools.pairwise(values) if math.isfinite(b - a)), default=0.0)
    return Change(
        metric,
        measure(evaluation.truth, evaluation.scores)(),
        measure(truth, scores[new])(),
        measure(truth, evidence.holdout_scores[new])(),
        measure(evaluation.truth, constant_scores(evaluation.truth, evaluation.scores))(),
        max(known, moved, _least(metric, evidence.contract.task, gate)),
        len(truth),
        len(np.unique(days)),
        moved,
        len(periods),
        evaluation.length,
        _lag(evaluation, days),
        grown,
    )


def _limit(levels: Sequence[Level], evaluation: Evaluation, days: Any, confidence: float) -> float:
    """How far a value on the new *days* may be from that of the evaluation, the first of the *levels*.

    The others are successive periods of the history. The error on the new rows is taken from the days of the evaluation:
    a fault must not widen its own limit.
    """
    then, *history = levels
    effect = period_effect([history], PRIOR)
    rows = len(days)
    shorter = max(then.days / len(np.unique(days)), then.rows / rows)
    variance = then.error**2 * (1 + shorter) * effect.after(_lag(evaluation, days))
    return float(special.stdtrit(effect.freedom, confidence)) * math.sqrt(variance)


def _lag(evaluation: Evaluation, days: Any) -> float:
    """The distance from the middle of the evaluation to that of the new days, in lengths of the evaluation."""
    then, now = (pd.to_datetime(np.unique(each)) for each in (evaluation.day, days))
    middles = [each.min() + (each.max() - each.min()) / 2 for each in (then, now)]
    return float((middles[1] - middles[0]) / pd.Timedelta(days=evaluation.length))


def _least(metric: str, task: str, gate: Gate) -> float:
    """The smallest change that can fail."""
    if metric == CERTAIN:
        return gate.decay.certain_errors
    if metric == BIAS:
        return gate.decay.bias
    return gate.decay.min_margins * gate.compare.margins(task).margins[metric]


def _finding(rule: str, role: str, change: Change, severity: Severity) -> Finding:
    name = f"the {role}'s own {change.metric}"
    if not math.isfinite(change.loss) or not math.isfinite(change.limit):
        return Finding(rule, "PASS", f"{name} is undefined on these rows", "none", _WHY, severity)
    rises = change.metric not in LARGER_IS_BETTER and (change.metric != BIAS or change.now > change.then)
    way = "rose" if rises else "fell"
    later = f"{change.days} later day{'s' if change.days > 1 else ''}"
    holds = change.loss <= change.limit
    if holds:
        observed = f"{name} was {change.then:.4f} when evaluated and is {change.now:.4f} on {later}"
    else:
        observed = f"{name} {way} from {change.then:.4f} to {change.now:.4f} on {later}: {_cause(change, role)}"
    relative = change.metric in RELATIVE
    beyond = f" beyond the outcomes' spread, {math.exp(change.spread):.2f} times that of then" if relative else ""
    limit, moved = (f"{math.expm1(x):.1%}" if relative else f"{x:.4f}" for x in (change.limit, change.moved))
    known = f"a fixed model moved by up to {moved} between {change.periods} earlier periods of {change.length} days"
    if not change.periods:
        known = "there are too few earlier days to see how much a fixed model moves"
    if change.is_blind:
        known += "; only a model worse than a constant prediction would be noticed"
    return ruled(
        rule, holds, observed, f"{'a fall' if way == 'fell' else 'a rise'} of {limit}{beyond}: {known}", _WHY, severity
    )


def _cause(change: Change, role: str) -> str:
    """What it means, by the candidate's performance on the same rows."""
    if change.metric == BIAS:
        return f"{'more' if change.now > change.then else 'fewer'} positive outcomes than the scores expect"
    if change.is_every_model:
        return "labels or features changed for every model"
    return (
        f"labels or features changed for the {role}, and the candidate, with {change.candidate:.4f}, was trained on changed"
        " rows"
    )
