"""The comparison of candidate, champion, anchor and baseline on the same fresh rows.

A candidate that is surely worse than the champion by more than a margin fails. Otherwise `decide` in thresholds.toml says
what lands it: an expected gain (`checks.decision.expected_findings`), or a proof (`checks.decision.proven_findings`).
Compared with the champion alone, each model might be a little worse than the last; the anchor bounds the sum of such steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from checks.comparison.anchor import over_anchor
from checks.comparison.baseline import baseline
from checks.comparison.bootstrap import Blocks, Gap, measures, paired
from checks.comparison.gain_effect import widening
from checks.comparison.period_effect import PeriodEffect
from checks.comparison.pooled_gain import Series
from checks.decision.against_baseline import against_baseline
from checks.decision.expected_findings import anchored, guardrail, primary
from checks.decision.expected_gain import Ages, ExpectedGain, sentence
from checks.decision.gain_text import gain
from checks.decision.money import per_day
from checks.decision.outlook import Outlook
from checks.decision.proven_findings import combined, finding
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


@dataclass(frozen=True)
class Compared:
    """A row of the metrics table: the metric of all models, and the gain over the champion with its interval.

    *difference* is the gain: larger is better, and for regression it is a share of the champion's error. It is None
    without a champion; *low* and *high*, its interval at the *confidence*, are None with too few days. *outcome* and *limit* are those of the rule `compare.<metric>`.
    *evaluated* is the champion's metric when it was evaluated, None without that. *widened* is the factor on the interval
    for the effect of the period. *over_baseline* is the lower bound of the primary metric's gain over the baseline.
    *least* is the limit of the interval: minus the margin, or 0 for a metric that must be better. *tonight* is the gain on these rows alone, where *periods* earlier ones count in *difference* and its interval.
    *expected* is the expected gain of landing the candidate, None where only a proof lands it, and *money* what that is a
    day.
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
    least: float | None = None
    tonight: Gap | None = None
    periods: int = 0
    expected: ExpectedGain | None = None
    money: str = ""


def fresh_blocks(evidence: Evidence, rules: Compare) -> Blocks:
    """Days and keys of the fresh rows, and the bootstrap draws."""
    fresh = evidence.fresh
    codes = evidence.day_codes
    all_rows = Blocks(codes, evidence.key_codes, rules.draws, rules.seed, int(codes.max()) + 1 if len(codes) else 0)
    return all_rows.of(fresh)


def compare(
    evidence: Evidence,
    rules: Compare,
    effects: Mapping[str, PeriodEffect] | None = None,
    outlook: Outlook | None = None,
    series: Series | None = None,
) -> tuple[list[Compared], list[Finding]]:
    """The metrics table of the task, and the findings on the gains over champion, anchor and baseline.

    *effects* are those of the period on each metric's gain, by which intervals are widened; *outlook* is what is known of
    the stream's staleness. The gain over the champion is pooled with the earlier periods of the *series*.
    """
    fresh, margins, outlook = evidence.fresh, rules.margins(evidence.contract.task), outlook or Outlook()
    blocks, truth = fresh_blocks(evidence, rules), evidence.truth[fresh]
    ours, simple = evidence.holdout_scores[fresh], baseline(evidence)[fresh]
    table, champion, anchor = [], [], []
    for metric in margins.metrics:
        here, there = measures(metric, truth, ours, simple)
        row = Compared(metric, here(), there())
        if evidence.champion is None:
            champion.append(_without_champion(metric, evidence))
        else:
            both, margin = (ours, evidence.champion[fresh]), margins.margins[metric]
            tonight = _gap(metric, truth, both, blocks, rules, effects)
            gap = series.pooled(tonight) if series else tonight
            expected = outlook.expected(gap, margin, outlook.champion) if rules.decide == "expected" else None
            money = per_day(evidence.contract, truth, both, blocks.days, expected)
            champion.append(_over_champion(gap, margins, rules, expected, money))
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
                least=0.0 if metric in margins.superior else -margin,
                tonight=tonight,
                periods=gap.periods,
                expected=expected,
                money=money,
            )
        if evidence.anchor is not None and metric in margins.anchor:
            gap = _gap(metric, truth, (ours, evidence.anchor[fresh]), blocks, rules, effects)
            row = replace(row, anchor=gap.theirs)
            anchor.append(_over_anchor(gap, margins, rules, outlook, evidence.anchor_is_champion))
        table.append(row)
    findings = [*combined(champion, margins, "compare."), *combined(anchor, margins, "compare.anchor.")]

    def over_tree(scores: Array) -> Gap:
        return _gap(margins.primary, truth, (scores, simple), blocks, rules, effects)

    tree = over_tree(ours)
    table[0] = replace(table[0], over_baseline=tree.low)
    own = None if evidence.champion is None else over_tree(evidence.champion[fresh])
    first = rules.first if rules.decide == "expected" else None
    return table, [*findings, against_baseline(tree, margins.margins[margins.primary], table[0].outcome, own, first)]


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
        findings = []
        for name, metric in names.items():
            gap, margin = _gap(metric, evidence.truth[fresh], scores, blocks, rules), getattr(limits, name)
            found = Outlook().expected(gap, margin, Ages()) if rules.decide == "expected" else None
            findings.append(guardrail(f"calibration.{name}", gap, margin, "the champion", found))
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
        return (
            f"Every rule passes; {row.metric} {row.candidate:.4f}, a tree of depth three has {row.baseline:.4f}."
            f" There is no champion yet to compare with.{note}"
        )
    values = f"{row.metric} {row.candidate:.4f} against {row.champion:.4f}"
    if row.expected:
        text = sentence(row.expected, row.money)
        return f"{text[0].upper()}{text[1:]}. Against {champion}: {values}.{note}"
    result = "Better than" if row.low > 0 else "Worse, within the margin, than"
    if row.low <= 0 <= row.high:
        result = "As good as"
    return (
        f"{result} {champion}: {values}, gain {gain(row.metric, row.difference or 0.0)}"
        f" ({row.confidence:.0%} confidence interval {gain(row.metric, row.low)} to {gain(row.metric, row.high)}).{note}"
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
    return paired(metric, (ours, theirs), blocks, rules.confidence, rules.min_days, widening(effects or {}, metric))


def _over_champion(gap: Gap, margins: Margins, rules: Compare, expected: ExpectedGain | None, money: str) -> Finding:
    rule, margin, superior = f"compare.{gap.metric}", margins.margins[gap.metric], gap.metric in margins.superior
    if superior or rules.decide == "proven":
        return finding(rule, gap, margin, "the champion", superior)
    if gap.metric == margins.primary:
        return primary(rule, gap, margin, expected, rules.max_risk, money)
    return guardrail(rule, gap, margin, "the champion", expected)


def _over_anchor(gap: Gap, margins: Margins, rules: Compare, outlook: Outlook, is_champion: bool) -> Finding:
    rule, margin = f"compare.anchor.{gap.metric}", margins.anchor[gap.metric]
    if is_champion and rules.decide == "expected":
        why = "One loss cannot have added up: the comparison with the champion decides."
        return Finding(rule, "PASS", "the anchor is the champion", "none", why)
    if rules.decide == "proven":
        return over_anchor(finding(rule, gap, margin, "the anchor"), gap, margin)
    expected = outlook.expected(gap, margin, outlook.anchor, of_many=True)
    if gap.metric == margins.primary:
        return anchored(rule, gap, margin, expected, rules.max_risk)
    return guardrail(rule, gap, margin, "the anchor", expected)


def _without_champion(metric: str, evidence: Evidence, kind: str = "compare") -> Finding:
    rule = f"{kind}.{metric}"
    if evidence.unreadable:
        return Finding(
            rule, "NOT_RUN", evidence.unreadable, "the champion's scores", "Nothing can be compared without them."
        )
    return Finding(rule, "PASS", "no champion yet", "none", "Without a champion the other rules decide.")
