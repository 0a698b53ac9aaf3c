"""Candidate against champion, anchor and a simple baseline, on the same fresh rows.

Two point estimates say little: rows of one day go together, and the difference of two good models
is small. So the candidate passes a metric when its difference is, with the stated confidence, no
worse than a margin (non-inferiority; Wellek 2010), fails when it surely is, and else it is not
settled. Against the champion alone, each night may be a little worse than the last; the anchor
stays, and so the sum of such steps is bounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from checks.comparison.baseline import baseline
from checks.comparison.bootstrap import Blocks, Gap, measures, paired
from checks.comparison.weighted_metrics import RELATIVE
from checks.evidence import Array, Evidence
from checks.verdict import Finding, Outcome
from contracts.comparison_limits import Margins
from contracts.thresholds import Calibration, Compare

#: What is measured of a calibration, by task; the contract's name of it -> ours.
CALIBRATION = {
    "binary": {"ece": "ece", "brier": "brier", "mean": "mean"},
    "multiclass": {"ece": "ece", "brier": "brier", "mean": "mean"},
    "regression": {"mean": "offset"},
}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@dataclass(frozen=True)
class Compared:
    """One metric: candidate, baseline, champion and anchor, and the interval of the difference.

    The difference is candidate minus champion, turned so that more is better; for regression it is
    a share of the champion's error. None where there is no champion, or too few days.
    """

    metric: str
    candidate: float
    baseline: float
    champion: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    anchor: float | None = None


def fresh_blocks(evidence: Evidence, rules: Compare) -> Blocks:
    """Days and keys of the fresh rows, and the draws."""
    fresh = evidence.fresh
    all_rows = Blocks(evidence.day_codes, evidence.key_codes, rules.draws, rules.seed)
    return all_rows.of(fresh)


def compare(evidence: Evidence, rules: Compare) -> tuple[list[Compared], list[Finding]]:
    """Every metric of the task, and the findings on those with a margin."""
    fresh, margins = evidence.fresh, rules.margins(evidence.contract.task)
    blocks, truth = fresh_blocks(evidence, rules), evidence.truth[fresh]
    ours, simple = evidence.holdout_scores[fresh], baseline(evidence)[fresh]
    table, champion, anchor = [], [], []
    for metric in margins.metrics:
        here, there = measures(metric, truth, ours, simple)
        row = Compared(metric, here(), there())
        if evidence.champion is None:
            champion.append(_without_champion(metric, evidence))
        else:
            gap = _gap(metric, truth, (ours, evidence.champion[fresh]), blocks, rules)
            margin, superior = margins.margins[metric], metric in margins.superior
            row = replace(row, champion=gap.theirs, difference=gap.value, low=gap.low, high=gap.high, margin=margin)
            champion.append(finding(f"compare.{metric}", gap, margin, "the champion", superior))
        if evidence.anchor is not None and metric in margins.anchor:
            gap = _gap(metric, truth, (ours, evidence.anchor[fresh]), blocks, rules)
            row = replace(row, anchor=gap.theirs)
            anchor.append(finding(f"compare.anchor.{metric}", gap, margins.anchor[metric], "the anchor"))
        table.append(row)
    found = [*combined(champion, margins, "compare."), *combined(anchor, margins, "compare.anchor.")]
    gap = _gap(margins.primary, truth, (ours, simple), blocks, rules)
    return table, [*found, _against_baseline(gap, margins.margins[margins.primary])]


def calibration(evidence: Evidence, rules: Compare, limits: Calibration) -> list[Finding]:
    """Findings on whether the candidate's probabilities are as true as the champion's.

    Calibration error, Brier score, and the mean predicted against the mean observed. The first and
    the last are coarse on few rows: not settled is said of them, and holds nobody up.
    """
    names = CALIBRATION[evidence.contract.task]
    if evidence.champion is None:
        found = [_without_champion(name, evidence, "calibration") for name in names]
    else:
        fresh, blocks = evidence.fresh, fresh_blocks(evidence, rules)
        scores = evidence.holdout_scores[fresh], evidence.champion[fresh]
        found = [
            finding(
                f"calibration.{name}",
                _gap(metric, evidence.truth[fresh], scores, blocks, rules),
                getattr(limits, name),
                "the champion",
            )
            for name, metric in names.items()
        ]
    mild = {f"calibration.{name}" for name in names if name != "brier"}
    return [
        replace(each, severity="warn" if each.outcome == "INCONCLUSIVE" and each.rule in mild else limits.severity)
        for each in found
    ]


def gain(metric: str, value: float) -> str:
    """A difference of the *metric*, as people read it: more is better."""
    return f"{value:+.2%}" if metric in RELATIVE else f"{value:+.4f}"


def finding(rule: str, gap: Gap, margin: float, against: str, superior: bool = False) -> Finding:
    """What a difference comes to: no worse than the *margin*, or, if *superior*, better."""
    limit = 0.0 if superior else -margin
    outcome = settled(gap, limit)
    need = "be better" if superior else "be no worse by more than the margin"
    why = {
        "PASS": f"It is better than {against}, as it must be."
        if superior
        else f"It is no worse than {against} by more than the margin.",
        "FAIL": f"It is not better than {against}, as it must be."
        if superior
        else f"It is worse than {against} by more than the margin.",
        "INCONCLUSIVE": missing(gap, limit, need),
    }[outcome]
    interval = f"{gap.days} days give no interval"
    if gap.low is not None and gap.high is not None:
        low, high = gain(gap.metric, gap.low), gain(gap.metric, gap.high)
        interval = f"{gap.confidence:.0%}: {low} to {high}"
    more = more_rows(gap, limit) if outcome == "INCONCLUSIVE" else None
    return Finding(
        rule,
        outcome,
        f"{gain(gap.metric, gap.value)} against {against} ({interval})",
        "above 0" if superior else gain(gap.metric, -margin),
        why,
        more_rows=more,
    )


def settled(gap: Gap, limit: float) -> Outcome:
    """Whether the difference is, with the stated confidence, at least *limit*."""
    if gap.low is None or gap.high is None:
        return "INCONCLUSIVE"
    return "PASS" if gap.low >= limit else "FAIL" if gap.high < limit else "INCONCLUSIVE"


def more_rows(gap: Gap, limit: float) -> int | None:
    """About how many more labelled rows would settle it, to two digits; None if no number would."""
    days = gap.days_to_tell(limit)
    if days is None or not gap.days:
        return None
    return int(float(f"{days * gap.rows / gap.days:.2g}"))


def missing(gap: Gap, limit: float, need: str) -> str:
    """What a comparison that is not settled needs."""
    if not math.isfinite(gap.value):
        why = "the error to compare with is 0" if gap.metric in RELATIVE else "one of the classes is absent"
        return f"It cannot be measured on these rows: {why}."
    if gap.low is None:
        return f"The rows are of {_count(gap.days, 'day')}; an interval needs more days."
    rows, days = more_rows(gap, limit), gap.days_to_tell(limit)
    if rows is None or days is None:
        return f"It lies so close to the limit that no number of rows within reach tells. To pass it must {need}."
    told = f"about {rows:,} more labelled rows, {_count(days, 'day')} at this rate"
    if gap.value < limit:
        return f"As it looks it is worse than allowed; to be sure of that needs {told}."
    return f"Needs {told}."


def combined(findings: list[Finding], margins: Margins, prefix: str) -> list[Finding]:
    """The findings, and one for each combination; what a combination takes in does not block alone."""
    by_metric = {found.rule.removeprefix(prefix): found for found in findings}
    told = [
        replace(found, severity="warn") if margins.is_free(metric) else found for metric, found in by_metric.items()
    ]
    for each in margins.combinations():
        parts = [by_metric[name] for name in each.metrics if name in by_metric]
        if len(parts) == len(each.metrics):
            told.append(_combination(each.name, each.least, each.outcome(f.outcome for f in parts), parts, prefix))
    return told


def _combination(name: str, least: int, outcome: str, parts: Iterable[Finding], prefix: str) -> Finding:
    parts = list(parts)
    nearest = min((f for f in parts if f.more_rows is not None), key=lambda f: f.more_rows or 0, default=None)
    why = "These metrics count together, as `require` in thresholds.toml says."
    if outcome == "INCONCLUSIVE" and nearest:
        why += f" The nearest is {nearest.rule.removeprefix(prefix)}. {nearest.why}"
    words = {"PASS": "holds", "FAIL": "fails", "INCONCLUSIVE": "is not settled"}
    told = "; ".join(f"{f.rule.removeprefix(prefix)} {words.get(f.outcome, 'could not be checked')}" for f in parts)
    return Finding(
        f"{prefix}{name}",
        outcome,  # type: ignore[arg-type]
        told,
        f"at least {least} of {len(parts)} hold",
        why,
        more_rows=nearest.more_rows if outcome == "INCONCLUSIVE" and nearest else None,
    )


def _gap(metric: str, truth: Array, scores: tuple[Array, Array], blocks: Blocks, rules: Compare) -> Gap:
    ours, theirs = measures(metric, truth, *scores)
    return paired(metric, (ours, theirs), blocks, rules.confidence, rules.min_days)


def _count(number: int, what: str) -> str:
    word = _NUMBERS[number] if number < len(_NUMBERS) else f"{number:,}"
    return f"{word} {what}" + ("" if number == 1 else "s")


def _without_champion(metric: str, evidence: Evidence, kind: str = "compare") -> Finding:
    rule = f"{kind}.{metric}"
    if evidence.unreadable:
        return Finding(
            rule, "NOT_RUN", evidence.unreadable, "the champion's scores", "Without them nothing is compared."
        )
    return Finding(
        rule, "PASS", "no champion yet", "none", "There is nothing to compare with: the other rules decide alone."
    )


def _against_baseline(gap: Gap, margin: float) -> Finding:
    found = finding("compare.baseline", gap, margin, "a tree of depth three")
    values = f"{gap.metric} {gap.ours:.4f} against {gap.theirs:.4f}; {found.observed}"
    why = found.why
    if found.outcome != "INCONCLUSIVE":
        why = "A model that a tree of depth three beats is not worth its upkeep."
    return replace(found, observed=values, why=why)
