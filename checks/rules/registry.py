"""The table of all rules of the gate, in the order of the verdict. A new rule is a line here.

A rule is a function of the measurements that returns its finding, or for a family (`serving.*`) the findings of all
its rules. A rule that crashes is NOT_RUN, and so is a required one without a finding: neither is a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from checks.comparison.anchor import anchor_state
from checks.comparison.compare import required_comparisons
from checks.comparison.performance_decay import decayed
from checks.comparison.slices import FOUND
from checks.late_outcomes.newest_rows import newest_evidence, worse
from checks.measurements import Measurements
from checks.rules import bundle_sanity as bundle
from checks.rules import contract_compatibility as contract
from checks.rules import holdout_reuse, overfitting, rewritten_outcomes
from checks.rules import model_behaviour as behaviour
from checks.rules.changes import missing_steps, pile_ups, row_rates, slice_values
from checks.rules.release_model import RELEASE, release_rules, same_estimator
from checks.rules.rows import column_values as columns
from checks.rules.rows import conflicts, hours, labels, leakage, replayed_rows, running_ids, sent_rows
from checks.rules.rows import row_counts as counts
from checks.verdict import Finding


def _compatible(m: Measurements) -> Finding:
    requests = {"fresh rows": m.evidence.holdout[m.evidence.fresh]}
    if m.champion_rows is not None:
        requests["rows of the champion's holdout"] = m.champion_rows
    champion = m.inputs.champion.contract if m.inputs.champion else None
    return contract.compatible(champion, m.evidence.contract, requests, m.gate.contract.severity)


def _retired(m: Measurements) -> list[Finding]:
    if m.inputs.anchor_unreadable:  # the anchor may read any column
        return []
    live = [each.contract for each in (m.inputs.champion, m.inputs.anchor) if each]
    return contract.retired(m.evidence.contract, live)


def _decayed(m: Measurements) -> list[Finding]:
    champion, before = m.inputs.champion, m.evidence.past.before
    history = None if champion is None or before is None else (before, champion.contract)
    return decayed(m.evidence, m.evaluations, m.gate, history)


Rule = Callable[[Measurements], Finding | Sequence[Finding]]
RULES: Mapping[str, Rule] = {
    "measured.*": lambda m: m.failed,
    "bundle.onnx": lambda m: [m.inputs.content] if m.inputs.content else [],
    "bundle.scores": lambda m: bundle.scores(m.evidence),
    "bundle.quarantine": lambda m: bundle.quarantine(m.inputs.candidate, m.inputs.quarantine),
    "data.fresh_rows": lambda m: bundle.fresh_rows(m.evidence, m.inputs.candidate, m.gate),
    "model.calibration": lambda m: behaviour.calibration(m.evidence, m.gate),
    "contract.compatible": _compatible,
    "upstream.*": lambda m: m.upstream,
    "serving.*": lambda m: m.serving,
    "leak.solo": lambda m: leakage.solo(m.evidence, m.champion_rows, m.gate.leakage),
    "leak.added": lambda m: leakage.added(m.evidence, m.review.importances, m.gate.leakage),
    "leak.running_id": lambda m: running_ids.running_ids(m.evidence, m.gate.leakage),
    "leak.split": lambda m: leakage.split(m.evidence, m.gate.leakage),
    "leak.replay": lambda m: replayed_rows.replayed(m.inputs.candidate, m.gate.leakage),
    "labels.maturing": lambda m: labels.maturing(m.evidence, m.gate.labels),
    "labels.balance": lambda m: labels.balance(m.evidence, m.gate.labels),
    "labels.rewritten": lambda m: rewritten_outcomes.rewritten_outcomes(m.evidence, m.gate.rows),
    "data.rewritten": lambda m: columns.rewritten(m.evidence, m.gate.rows),
    "data.lost": lambda m: counts.lost(m.evidence, m.gate.rows),
    "data.added": lambda m: counts.added(m.evidence, m.inputs.champion, m.gate.rows),
    "data.missing_jump": lambda m: columns.missing_jump(m.evidence, m.gate.rows),
    "data.sentinels": lambda m: columns.sentinels(m.evidence, m.gate.rows),
    "data.frozen": lambda m: columns.frozen(m.evidence, m.gate.rows),
    "data.repeated": lambda m: counts.repeated(m.evidence, m.gate.rows),
    "data.conflicts": lambda m: conflicts.conflicts(m.evidence, m.gate.rows),
    "data.pile_ups": lambda m: pile_ups.pile_ups(m.evidence, m.gate.changes),
    "data.missing_steps": lambda m: missing_steps.missing_steps(m.evidence, m.gate.changes),
    "data.slice_values": lambda m: slice_values.slice_values(m.evidence, m.gate.changes),
    "data.segments": lambda m: row_rates.segments(m.evidence, m.gate.changes),
    "data.identical": lambda m: row_rates.identical(m.evidence, m.gate.changes),
    "data.rate": lambda m: counts.rate(m.evidence, m.gate.rows),
    "data.stale": lambda m: counts.stale(m.evidence, m.gate.rows),
    "data.clock": lambda m: hours.clock(m.evidence, m.gate.rows),
    "data.skew": lambda m: sent_rows.skew(m.inputs.candidate, m.gate.rows),
    "model.constant": lambda m: behaviour.spread(m.evidence, m.gate.behaviour, m.gate.compare),
    "model.direction": lambda m: behaviour.direction(m.evidence, m.inputs.candidate, m.gate.behaviour),
    "model.stability": lambda m: behaviour.stability(m.inputs.candidate, m.gate.behaviour),
    "release.*": lambda m: release_rules(m.evidence, m.inputs.candidate, m.gate.release),
    "release.estimator": lambda m: same_estimator(m.inputs.candidate, m.gate.release),
    "bundle.metadata": lambda m: bundle.metadata(m.evidence, m.inputs.candidate, m.gate.behaviour),
    "bundle.clock": lambda m: bundle.clock(m.inputs.candidate, m.gate.behaviour),
    "compare.anchor": lambda m: anchor_state(m.evidence, m.inputs.anchor_slot, m.inputs.quarantine),
    "contract.retired": _retired,
    "compare.*": lambda m: m.comparison.findings,
    "champion.*": _decayed,
    "model.degradation": lambda m: overfitting.degradation(
        m.evidence, m.inputs.champion, m.gate.model, m.gate.compare, m.primary
    ),
    "deepchecks.*": lambda m: m.deepchecks,
    "live.*": lambda m: m.inputs.slots,
    "data.looks": lambda m: holdout_reuse.earlier_uses(m.use, m.earlier_uses, m.gate.max_looks, m.primary),
}
#: Rules on rows that need no outcome: where outcomes come late, they judge the newest rows as well.
OF_FEATURES = {
    "data.missing_jump",
    "data.sentinels",
    "data.frozen",
    "data.repeated",
    "data.pile_ups",
    "data.missing_steps",
    "data.identical",
    "data.rate",
    "data.clock",
}
#: Not for every task, or only where there is something to report.
OPTIONAL = {"contract.retired", "labels.rewritten", "model.calibration", "release.estimator"}


def run_rules(measured: Measurements, rules: Mapping[str, Rule] = RULES) -> list[Finding]:
    """The findings of all *rules*, in their order."""
    findings: list[Finding] = []
    for name, rule in rules.items():
        try:
            found = rule(measured)
            if name in OF_FEATURES and isinstance(found, Finding) and (newest := newest_evidence(measured.evidence)):
                found = worse(found, rule(replace(measured, evidence=newest)), newest)
        except Exception as error:  # data of any shape: the other rules must run all the same
            found = _crashed(name, error)
        findings += [found] if isinstance(found, Finding) else found
    return findings


def required_rules(measured: Measurements) -> list[str]:
    """The names of the rules that must have a finding."""
    single = [name for name in RULES if not name.endswith("*") and name not in OPTIONAL]
    compared = required_comparisons(measured.evidence, measured.gate.compare)
    released = RELEASE if measured.evidence.release_scores is not None else ()
    return [*single, *compared, *released, FOUND, *measured.step_rules]


def _crashed(name: str, error: Exception) -> Finding:
    return Finding(
        name, "NOT_RUN", f"{type(error).__name__}: {error}", "the rule must run", "A rule that crashed checked nothing."
    )
