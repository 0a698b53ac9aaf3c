"""What the rules and the report read: everything that is computed once, and takes time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bundles.bundle import Bundle
from checks.comparison.compare import Compared, calibration, compare
from checks.comparison.earlier_gains import EarlierGain, recorded_gains
from checks.comparison.gain_effect import gain_effects, gains_over_anchor
from checks.comparison.own_evaluation import Evaluation, own_evaluation
from checks.comparison.period_effect import PeriodEffect
from checks.comparison.pooled_gain import Series, procedure
from checks.comparison.slices import by_slice, slices
from checks.decision.age_ledger import AgedGain, recorded
from checks.decision.outlook import Outlook, ages
from checks.decision.realised_ledger import realised_gains
from checks.evidence import Evidence, rows_of_champion
from checks.gate_inputs import GateInputs
from checks.insights.distribution_shift import shifts
from checks.insights.gate_steps import Steps
from checks.insights.permutation_importance import importances
from checks.insights.prediction_churn import churn_by_slice, churn_share
from checks.insights.review import Review
from checks.late_outcomes.looked_again import LookedAgain, looked_again
from checks.late_outcomes.second_look import LateVerdict, Rule, late_verdict
from checks.late_outcomes.unknown_outcomes import Dependence, dependence
from checks.rules.holdout_reuse import Use, count_earlier, recorded_uses
from checks.rules.rows.source_changes import upstream
from checks.rules.serving.serving_limits import SERVING, check_serving
from checks.rules.serving.serving_load import Served
from checks.verdict import Finding
from contracts.thresholds import Gate

#: A slice for the reader: name, rows, the metric of candidate and champion.
Slice = tuple[str, int, float, float | None]
#: Steps that a replay of many nights leaves out: what they check does not depend on which model is the champion.
DEEPCHECKS, SERVER = "deepchecks", "server"


@dataclass(frozen=True)
class Comparison:
    """Candidate against champion, anchor and baseline: empty with too few fresh rows.

    *slices* has the contract's slices for the report, *churn* the share of decisions that change, *late* how much depends
    on outcomes that are not known yet, and *verdict* its record for a second look.
    """

    table: list[Compared] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)
    churn: float | None = None
    late: Dependence | None = None
    verdict: LateVerdict | None = None


@dataclass(frozen=True)
class Measurements:
    """What was measured of the candidate in *inputs* under the limits of *gate*.

    *champion_rows* are the champion's own holdout, None without it. *upstream*, *serving* and *deepchecks* are the
    findings of those steps, *step_rules* the names that the last two must give. *use* is this use of the holdout
    and *earlier_uses* how many other candidates were compared on each of its days. *evaluations* are the own evaluations
    of champion and anchor, or the reason why one is missing; *gains* over anchor and champion are recorded for later
    verdicts. *again* are second looks. *failed* has a finding on each step that ended with an error.
    """

    inputs: GateInputs
    evidence: Evidence
    gate: Gate
    review: Review = field(default_factory=lambda: Review(None, (), (), (), ()))
    comparison: Comparison = field(default_factory=Comparison)
    champion_rows: pd.DataFrame | None = None
    upstream: tuple[Finding, ...] = ()
    serving: tuple[Finding, ...] = ()
    deepchecks: tuple[Finding, ...] = ()
    step_rules: tuple[str, ...] = ()
    use: Use = field(default_factory=lambda: Use("", "", "", ""))
    earlier_uses: Mapping[str, int] = field(default_factory=dict)
    evaluations: Mapping[str, Evaluation | str] = field(default_factory=dict)
    gains: tuple[EarlierGain, ...] = ()
    again: LookedAgain = field(default_factory=LookedAgain)
    failed: tuple[Finding, ...] = ()

    @property
    def primary(self) -> Compared | None:
        """The comparison of the primary metric; None with too few fresh rows."""
        return next(iter(self.comparison.table), None)

    @property
    def fresh_rows(self) -> int:
        """How many rows of the holdout no compared model was trained on."""
        return int(self.evidence.fresh.sum())


def measure(
    evidence: Evidence,
    inputs: GateInputs,
    gate: Gate,
    deepchecks_page: Path,
    progress: Callable[[str], None],
    without: Collection[str] = (),
) -> Measurements:
    """Run every step that takes time, except those named in *without*; *progress* gets a line before each."""
    candidate, champion, steps = inputs.candidate, inputs.champion, Steps()
    champion_rows = rows_of_champion(champion, evidence)
    progress(f"permutation importance of {len(candidate.contract.features)} features ...")
    judged = champion.evaluation if champion else None
    importance = steps.run(
        "importance", lambda: tuple(importances(candidate.evaluation, judged, evidence, champion_rows)), ()
    )
    served: list[Served] = []
    serving: list[Finding] = []
    if SERVER not in without:
        progress("starting the scorer with candidate and champion ...")
        served, serving = steps.run(
            "serving", lambda: check_serving(candidate, champion, evidence, gate.serving), (served, serving)
        )
    source, changes = steps.run("source", lambda: _upstream(inputs, evidence, gate), ([], []))
    evaluations, use = steps.run("evaluations", lambda: _evaluations(inputs), {}), this_use(evidence, candidate)
    comparison, gains = Comparison(), list[EarlierGain]()
    if evidence.fresh.sum() >= gate.min_fresh_rows:
        progress(f"comparing on {int(evidence.fresh.sum()):,} fresh rows ...")
        comparison, gains = steps.run(
            "comparison",
            lambda: _compared(inputs, evidence, gate, use, evaluations.get("champion")),
            (comparison, gains),
        )
    deepchecks, names = ([], ()) if DEEPCHECKS in without else _deepchecks(evidence, gate, deepchecks_page, progress)
    days = sorted(set(evidence.days[evidence.fresh]))
    return Measurements(
        inputs,
        evidence,
        gate,
        Review(
            steps.run("churn", lambda: churn_by_slice(evidence), None),
            importance,
            steps.run("shifts", lambda: tuple(shifts(evidence)), ()),
            tuple(changes),
            tuple(served),
        ),
        comparison,
        champion_rows,
        tuple(source),
        tuple(serving),
        tuple(deepchecks),
        (*names, *(() if SERVER in without else SERVING)),
        use,
        dict(zip(days, count_earlier(use, days, recorded_uses(inputs.notes)), strict=True)),
        evaluations,
        tuple(gains),
        looked_again(inputs.past, candidate, lambda past, then: _rule(past, then, gate)),
        tuple(steps.failed),
    )


def _upstream(inputs: GateInputs, evidence: Evidence, gate: Gate) -> tuple[list[Finding], list[Any]]:
    findings, changes = upstream(
        inputs.candidate.manifest,
        inputs.champion.manifest if inputs.champion else None,
        gate,
        lambda: pd.concat([evidence.train, evidence.holdout], ignore_index=True),
    )
    return list(findings), list(changes)


def _compared(
    inputs: GateInputs, evidence: Evidence, gate: Gate, use: Use, evaluation: Evaluation | str | None
) -> tuple[Comparison, list[EarlierGain]]:
    """The comparison, and the gains to be recorded."""
    rule, series = _comparing(inputs, evidence, gate, use)
    found = _compare(inputs, evidence, gate, evaluation, rule)
    gains = gains_over_anchor(evidence, _digests(inputs), gate.compare)
    if series:
        gains += series.recorded(inputs.candidate.digest, [row.tonight for row in found.table])
    return found, gains


def _deepchecks(
    evidence: Evidence, gate: Gate, page: Path, progress: Callable[[str], None]
) -> tuple[list[Finding], tuple[str, ...]]:
    """The findings of Deepchecks' checks, and the names that must be among them."""
    progress("loading Deepchecks ...")
    from checks.rules import deepchecks_suite  # noqa: PLC0415 -- takes ten seconds and more

    rules = deepchecks_suite.chosen(gate, evidence.contract.task, len(evidence.contract.features))
    progress(f"running {len(rules)} Deepchecks checks ...")
    return deepchecks_suite.run(evidence, rules, gate, page), tuple(rule.name for rule in rules)


def this_use(evidence: Evidence, candidate: Bundle) -> Use:
    """The use of the holdout that this run makes."""
    days = sorted(set(evidence.days[evidence.fresh]))
    first, last = (days[0], days[-1]) if days else ("", "")
    return Use(evidence.contract.name, first, last, candidate.digest)


def outlook_of(inputs: GateInputs, series: Series | None = None) -> Outlook:
    """What is known of the stream's staleness, and how much older champion and anchor are.

    A gain on days that are pooled with tonight's by the *series* does not count in what is known before.
    """
    candidate, contract = inputs.candidate.manifest, inputs.candidate.contract.name
    champion, anchor = (ages(candidate, each.manifest if each else None) for each in (inputs.champion, inputs.anchor))
    gains = tuple(
        each
        for each in recorded(inputs.notes)
        if each.contract == contract and not (series and series.counts(each.metric, each.first, each.last))
    )
    return Outlook(champion, anchor, inputs.staleness, gains, tuple(realised_gains(inputs.notes, contract)))


def aged_gains(measured: Measurements) -> list[AgedGain]:
    """The gains over the champion with its age, to be recorded for later verdicts."""
    inputs, days = measured.inputs, sorted(set(measured.evidence.days[measured.evidence.fresh]))
    if inputs.champion is None or inputs.champion.digest == inputs.candidate.digest:
        return []
    older = ages(inputs.candidate.manifest, inputs.champion.manifest).compared
    pair = (days[0], days[-1], inputs.candidate.digest, older)
    return [
        AgedGain(inputs.candidate.contract.name, row.metric, *pair, row.tonight.value, row.tonight.error)
        for row in measured.comparison.table
        if row.tonight is not None
    ]


def _evaluations(inputs: GateInputs) -> dict[str, Evaluation | str]:
    """The own evaluation of champion and anchor, once where they are the same."""
    models = {"champion": inputs.champion}
    if inputs.anchor and (inputs.champion is None or inputs.anchor.digest != inputs.champion.digest):
        models["anchor"] = inputs.anchor
    return {role: own_evaluation(bundle) for role, bundle in models.items() if bundle}


def _digests(inputs: GateInputs) -> dict[str, str]:
    models = {"candidate": inputs.candidate, "champion": inputs.champion, "anchor": inputs.anchor}
    return {role: bundle.digest if bundle else "" for role, bundle in models.items()}


def _series(
    inputs: GateInputs, use: Use, gate: Gate, earlier: Sequence[EarlierGain], effects: Mapping[str, PeriodEffect]
) -> Series | None:
    """The candidates of this procedure against this champion; None without one, or where the candidate is the champion."""
    champion, candidate = inputs.champion, inputs.candidate
    if champion is None or champion.digest == candidate.digest:
        return None
    name = procedure(candidate, gate.compare)
    return Series(name, use.contract, champion.digest, use.first, use.last, earlier, effects)


def _comparing(inputs: GateInputs, evidence: Evidence, gate: Gate, use: Use) -> tuple[Rule, Series | None]:
    """The comparison as a function of the evidence, with what is known of the stream before; and the series."""
    earlier = recorded_gains(inputs.notes)
    effects = gain_effects(evidence, gate.compare, earlier)
    series = _series(inputs, use, gate, earlier, effects)
    outlook = outlook_of(inputs, series)
    return lambda filled: compare(filled, gate.compare, effects, outlook, series), series


def _rule(past: GateInputs, then: Evidence, gate: Gate) -> Rule:
    """The comparison of an earlier night, with what was known then, and calibration."""
    rule, _ = _comparing(past, then, gate, this_use(then, past.candidate))

    def judged(evidence: Evidence) -> tuple[list[Compared], list[Finding]]:
        table, findings = rule(evidence)
        return table, [*findings, *calibration(evidence, gate.compare, gate.calibration)]

    return judged


def _compare(
    inputs: GateInputs, evidence: Evidence, gate: Gate, evaluation: Evaluation | str | None, rule: Rule
) -> Comparison:
    table, findings = rule(evidence)
    if isinstance(evaluation, Evaluation):
        table = [replace(row, evaluated=evaluation.value(row.metric)) for row in table]
    findings += calibration(evidence, gate.compare, gate.calibration)
    late, verdict = dependence(evidence, lambda filled: rule(filled)[0][0]), None
    if late and inputs.champion:
        verdict = late_verdict(inputs.candidate, inputs.champion, evidence, late, findings)
    findings += slices(evidence, gate)
    return Comparison(table, findings, by_slice(evidence, table[0].metric), churn_share(evidence), late, verdict)
