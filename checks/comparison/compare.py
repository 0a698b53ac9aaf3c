"""The comparison of candidate, champion, anchor and baseline on the same fresh rows.

The candidate passes a metric if the confidence interval of its gain lies above minus the margin (non-inferiority; Wellek
2010), fails if it lies below, and is inconclusive otherwise. Compared with the champion alone, each model might be a
little worse than the last; the anchor bounds the sum of such steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from checks.comparison.baseline import baseline
from checks.comparison.bootstrap import Blocks, Gap, measures, paired
from checks.comparison.gain_effect import widening
from checks.comparison.period_effect import PeriodEffect
from checks.comparison.weighted_metrics import RELATIVE
from checks.evidence import Array, Evidence
from checks.verdict import Finding, Outcome
from contracts.comparison_limits import Margins
from contracts.thresholds import Calibration, Compare

#: Measures of calibration by task: name in rules and limits -> metric.
CALIBRATION = {
    "binary": {"ece": "ece", "brier": "brier", "mean": "mean"},
    "multiclass": {"ece": "ece", "brier": "brier", "mean": "mean"},
    "regression": {"mean": "offset"},
}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@dataclass(frozen=True)
class Compared:
    """A row of the metrics table: the metric of all models, and the gain over the champion with its interval.

    *difference* is the gain: larger is better, and for regression it is a share of the champion's error. It is None
    without a champion; *low* and *high*, its interval at the *confidence*, are None with too few days. *outcome* and *limit* are those of the rule `compare.<metric>`.
    *evaluated* is the champion's metric when it was evaluated, None without that. *widened* is the factor on the interval
    for the effect of the period. *over_baseline* is the lower bound of the primary metric's gain over the baseline.
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
    outcome: Outcome | None = None
    limit: str = ""
    confidence: float = 0.95
    evaluated: float | None = None
    widened: float = 1.0
    over_baseline: float | None = None


def fresh_blocks(evidence: Evidence, rules: Compare) -> Blocks:
    """Days and keys of the fresh rows, and the bootstrap draws."""
    fresh = evidence.fresh
    all_rows = Blocks(evidence.day_codes, evidence.key_codes, rules.draws, rules.seed)
    return all_rows.of(fresh)


def compare(
    evidence: Evidence, rules: Compare, effects: Mapping[str, PeriodEffect] | None = None
) -> tuple[list[Compared], list[Finding]]:
    """The metrics table of the task, and the findings on the gains over champion, anchor and baseline.

    *effects* are those of the period on each metric's gain, by which intervals are widened.
    """
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
            gap = _gap(metric, truth, (ours, evidence.champion[fresh]), blocks, rules, effects)
            margin, superior = margins.margins[metric], metric in margins.superior
            champion.append(finding(f"compare.{metric}", gap, margin, "the champion", superior))
            row = replace(
                row,
                champion=gap.theirs,
                difference=gap.value,
                low=gap.low,
                high=gap.high,
                margin=margin,
                outcome=champion[-1].outcome,
                limit=champion[-1].limit,
                confidence=gap.confidence,
                widened=widening(effects or {}, metric),
            )
        if evidence.anchor is not None and metric in margins.anchor:
            gap = _gap(metric, truth, (ours, evidence.anchor[fresh]), blocks, rules, effects)
            row = replace(row, anchor=gap.theirs)
            anchor.append(finding(f"compare.anchor.{metric}", gap, margins.anchor[metric], "the anchor"))
        table.append(row)
    findings = [*combined(champion, margins, "compare."), *combined(anchor, margins, "compare.anchor.")]
    gap = _gap(margins.primary, truth, (ours, simple), blocks, rules, effects)
    table[0] = replace(table[0], over_baseline=gap.low)
    return table, [*findings, _against_baseline(gap, margins.margins[margins.primary])]


def calibration(evidence: Evidence, rules: Compare, limits: Calibration) -> list[Finding]:
    """Findings on the candidate's calibration against the champion's.

    Expected calibration error, Brier score, and mean predicted against mean observed. The first and the last are
    imprecise on few rows: INCONCLUSIVE does not block there.
    """
    names = CALIBRATION[evidence.contract.task]
    if evidence.champion is None:
        findings = [_without_champion(name, evidence, "calibration") for name in names]
    else:
        fresh, blocks = evidence.fresh, fresh_blocks(evidence, rules)
        scores = evidence.holdout_scores[fresh], evidence.champion[fresh]
        findings = [
            finding(
                f"calibration.{name}",
                _gap(metric, evidence.truth[fresh], scores, blocks, rules),
                getattr(limits, name),
                "the champion",
            )
            for name, metric in names.items()
        ]
    imprecise = {f"calibration.{name}" for name in names if name != "brier"}
    return [
        replace(each, severity="warn" if each.outcome == "INCONCLUSIVE" and each.rule in imprecise else limits.severity)
        for each in findings
    ]


def required_comparisons(evidence: Evidence, rules: Compare) -> list[str]:
    """The rules of the comparison that must have a finding."""
    margins = rules.margins(evidence.contract.task)
    anchored = margins.anchor if evidence.anchor is not None else ()
    return [
        *(f"compare.{name}" for name in margins.metrics),
        *(f"compare.{each.name}" for each in margins.combinations()),
        *(f"compare.anchor.{name}" for name in anchored),
        "compare.baseline",
        *(f"calibration.{name}" for name in CALIBRATION[evidence.contract.task]),
    ]


def promotion_summary(table: Sequence[Compared], champion: str, waived: Sequence[str]) -> str:
    """The sentence of a PROMOTE: the gain over the version *champion* ("" without one), and waived rules."""
    if not table:
        return ""
    row = table[0]
    note = f" Waived: {', '.join(waived)}." if waived else ""
    if row.champion is None or row.low is None or row.high is None:
        return f"Every rule passes; {row.metric} {row.candidate:.4f}. There is no champion yet to compare with.{note}"
    result = "Better than" if row.low > 0 else "Worse, within the margin, than"
    if row.low <= 0 <= row.high:
        result = "As good as"
    return (
        f"{result} {champion}: {row.metric} {row.candidate:.4f} against {row.champion:.4f},"
        f" gain {gain(row.metric, row.difference or 0.0)}"
        f" ({row.confidence:.0%} confidence interval {gain(row.metric, row.low)} to {gain(row.metric, row.high)}).{note}"
    )


def gain(metric: str, value: float) -> str:
    """A gain in the *metric* as text, with its sign."""
    return f"{value:+.2%}" if metric in RELATIVE else f"{value:+.4f}"


def gain_over(gap: Gap, against: str) -> str:
    """The gain over *against* with its confidence interval, as text."""
    interval = f"{gap.days} days: too few for an interval"
    if gap.low is not None and gap.high is not None:
        interval = f"{gap.confidence:.0%} CI {gain(gap.metric, gap.low)} to {gain(gap.metric, gap.high)}"
    return f"gain {gain(gap.metric, gap.value)} over {against} ({interval})"


def finding(rule: str, gap: Gap, margin: float, against: str, superior: bool = False) -> Finding:
    """The finding on a gain: not worse than the *margin* (non-inferiority), or *superior*: better."""
    limit = 0.0 if superior else -margin
    outcome = settled(gap, limit)
    required = f"better than {against}" if superior else f"not worse than {against} by more than the margin"
    why = {
        "PASS": f"The candidate is {required}.",
        "FAIL": f"The candidate must be {required}.",
        "INCONCLUSIVE": missing(gap, limit),
    }[outcome]
    more = more_rows(gap, limit) if outcome == "INCONCLUSIVE" else None
    return Finding(
        rule,
        outcome,
        gain_over(gap, against),
        "above 0" if superior else f"at least {gain(gap.metric, -margin)}",
        why,
        more_rows=more,
    )


def settled(gap: Gap, limit: float) -> Outcome:
    """Whether the gain is at least *limit*, with the stated confidence."""
    if gap.low is None or gap.high is None:
        return "INCONCLUSIVE"
    return "PASS" if gap.low >= limit else "FAIL" if gap.high < limit else "INCONCLUSIVE"


def more_rows(gap: Gap, limit: float) -> int | None:
    """About how many more labelled rows would settle the comparison, to two digits; None beyond the forecast."""
    days = gap.days_to_settle(limit)
    if days is None or not gap.days:
        return None
    return int(float(f"{days * gap.rows / gap.days:.2g}"))


def missing(gap: Gap, limit: float) -> str:
    """What an inconclusive comparison needs."""
    if not math.isfinite(gap.value):
        why = "the error to compare with is 0" if gap.metric in RELATIVE else "one of the classes is absent"
        return f"The metric is undefined on these rows: {why}."
    if gap.low is None:
        return f"The rows cover {_count(gap.days, 'day')}; a confidence interval needs more."
    rows, days = more_rows(gap, limit), gap.days_to_settle(limit)
    if rows is None or days is None:
        return "The gain is so close to the limit that no realistic number of rows settles it."
    more = f"about {rows:,} more labelled rows, {_count(days, 'day')} at this rate"
    return f"The estimate is below the limit; confirming it needs {more}." if gap.value < limit else f"Needs {more}."


def combined(findings: list[Finding], margins: Margins, prefix: str) -> list[Finding]:
    """The findings, and one for each combination; a metric in a combination does not block alone."""
    by_metric = {each.rule.removeprefix(prefix): each for each in findings}
    result = [replace(each, severity="warn") if margins.is_free(metric) else each for metric, each in by_metric.items()]
    for each in margins.combinations():
        parts = [by_metric[name] for name in each.metrics if name in by_metric]
        if len(parts) == len(each.metrics):
            result.append(_combination(each.name, each.least, each.outcome(f.outcome for f in parts), parts, prefix))
    return result


def _combination(name: str, least: int, outcome: str, parts: Iterable[Finding], prefix: str) -> Finding:
    parts = list(parts)
    nearest = min((f for f in parts if f.more_rows is not None), key=lambda f: f.more_rows or 0, default=None)
    why = "`require` in thresholds.toml combines these metrics."
    if outcome == "INCONCLUSIVE" and nearest:
        why += f" Closest: {nearest.rule.removeprefix(prefix)}. {nearest.why}"
    results = {"PASS": "passes", "FAIL": "fails", "INCONCLUSIVE": "is inconclusive"}
    observed = "; ".join(
        f"{f.rule.removeprefix(prefix)} {results.get(f.outcome, 'could not be checked')}" for f in parts
    )
    return Finding(
        f"{prefix}{name}",
        outcome,  # type: ignore[arg-type]
        observed,
        f"at least {least} of {len(parts)} pass",
        why,
        more_rows=nearest.more_rows if outcome == "INCONCLUSIVE" and nearest else None,
    )


def _gap(
    metric: str,
    truth: Array,
    scores: tuple[Array, Array],
    blocks: Blocks,
    rules: Compare,
    effects: Mapping[str, PeriodEffect] | None = None,
) -> Gap:
    ours, theirs = measures(metric, truth, *scores)
    widened = widening(effects or {}, metric)
    return paired(metric, (ours, theirs), blocks, rules.confidence, rules.min_days, widened)


def _count(number: int, what: str) -> str:
    word = _NUMBERS[number] if number < len(_NUMBERS) else f"{number:,}"
    return f"{word} {what}" + ("" if number == 1 else "s")


def _without_champion(metric: str, evidence: Evidence, kind: str = "compare") -> Finding:
    rule = f"{kind}.{metric}"
    if evidence.unreadable:
        return Finding(
            rule, "NOT_RUN", evidence.unreadable, "the champion's scores", "Nothing can be compared without them."
        )
    return Finding(rule, "PASS", "no champion yet", "none", "Without a champion the other rules decide.")


def _against_baseline(gap: Gap, margin: float) -> Finding:
    result = finding("compare.baseline", gap, margin, "a tree of depth three")
    values = f"{gap.metric} {gap.ours:.4f} against {gap.theirs:.4f}; {result.observed}"
    why = result.why
    if result.outcome != "INCONCLUSIVE":
        why = "A model that a tree of depth three beats is not worth its maintenance."
    return replace(result, observed=values, why=why)
