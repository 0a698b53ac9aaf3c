"""Deepchecks: its checks with the limits of thresholds.toml. The only module that imports it.

A suite of Deepchecks passes although a check crashed. Here each rule has a finding by name: a check that crashed, or
that gave no result, is NOT_RUN. Deepchecks gets the scores of the ONNX model, not a model.

Its telemetry is switched off before the import, which takes ten seconds and more.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ["DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY"] = "1"
os.environ["DISABLE_LATEST_VERSION_CHECK"] = "1"

import numpy as np
import pandas as pd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Deepchecks needs old versions of pkg_resources and scikit-learn
    from deepchecks.core import CheckFailure, CheckResult, ConditionCategory
    from deepchecks.tabular import Dataset, Suite, checks
    from deepchecks.utils.logger import set_verbosity

set_verbosity(logging.ERROR)  # no progress bars

from checks.evidence import Array, Evidence  # noqa: E402
from checks.insights.evidence_sample import sample, sampled  # noqa: E402
from checks.rules.stream_habits import judged_by_habit  # noqa: E402
from checks.verdict import Finding  # noqa: E402
from contracts.limit_types import Severity  # noqa: E402
from contracts.thresholds import Gate  # noqa: E402

#: Rows of each part for the predictive power score, with up to so many features; with more there are fewer rows each,
#: and the finding states how many.
POWER_ROWS, POWER_FEATURES = 5_000, 100
SCORERS = {"binary": "roc_auc", "multiclass": "roc_auc_ovr", "regression": "neg_mae"}


@dataclass(frozen=True)
class Rule:
    """A rule: its name, check, limit as text, and why it matters.

    *sample* states which rows the check reads, where that is not all.
    """

    name: str
    check: Any
    limit: str
    why: str
    severity: Severity
    sample: str = ""


class TopFeatureDrift(checks.FeatureDrift):  # type: ignore[misc]
    """Feature drift, with figures only of the features that drift most.

    Deepchecks draws a figure of each feature before it selects, which takes longer than all scores.
    """

    def _calculate_feature_drift(
        self, *, common_columns: dict[str, str], with_display: bool, **more: Any
    ) -> tuple[dict[str, Any], list[Any]]:
        calculate = super()._calculate_feature_drift
        scores, _ = calculate(common_columns=common_columns, with_display=False, **more)
        if not with_display:
            return scores, []
        most = sorted(scores, key=lambda name: scores[name]["Drift score"] or 0, reverse=True)
        top = {name: common_columns[name] for name in most[: self.n_top_columns]}
        return scores, calculate(common_columns=top, with_display=True, **more)[1]


def chosen(gate: Gate, task: str, features: int = 0) -> list[Rule]:
    """The rules that Deepchecks checks, for so many *features*."""
    rows = int(POWER_ROWS * min(1, POWER_FEATURES / max(features, 1)))
    data, drift, model = gate.data, gate.drift, gate.model
    scorer = [SCORERS[task]]
    return [
        Rule(
            "data.missing",
            checks.PercentOfNulls().add_condition_percent_of_nulls_not_greater_than(data.max_missing),
            f"at most {data.max_missing:.0%} of a feature",
            "A feature that is mostly missing carries little information, or broke upstream.",
            data.severity,
        ),
        Rule(
            "data.duplicates",
            checks.DataDuplicates().add_condition_ratio_less_or_equal(data.max_duplicates),
            f"at most {data.max_duplicates:.0%} of rows",
            "Duplicated rows count twice, and make intervals too narrow.",
            data.severity,
        ),
        Rule(
            "data.variants",
            checks.StringMismatch().add_condition_ratio_variants_less_or_equal(data.max_variants),
            f"at most {data.max_variants:.0%} of a category's values",
            "The model reads two spellings of one value as two categories.",
            data.severity,
        ),
        Rule(
            "data.mixed_types",
            checks.MixedDataTypes().add_condition_rare_type_ratio_not_in_range((data.max_mixed_types, 0.5)),
            f"at most {data.max_mixed_types:.0%} of a feature",
            "Numbers among text are a parsing error upstream.",
            data.severity,
        ),
        Rule(
            "data.label_correlation",
            checks.FeatureLabelCorrelation(
                ppscore_params={"sample": rows}, random_state=0
            ).add_condition_feature_pps_less_than(data.max_label_correlation),
            f"predictive power below {data.max_label_correlation:g}",
            "A feature that gives the outcome away is usually known only after it.",
            data.severity,
            f" (on {rows:,} rows of each part, with {features} features)" if rows < POWER_ROWS else "",
        ),
        Rule(
            "data.time_overlap",
            checks.DateTrainTestLeakageOverlap().add_condition_leakage_ratio_less_or_equal(data.max_time_overlap),
            f"at most {data.max_time_overlap:.0%} of rows",
            "A holdout that is not later than the training window overstates performance.",
            data.severity,
        ),
        Rule(
            "drift.features",
            TopFeatureDrift().add_condition_drift_score_less_than(drift.max_feature_drift, drift.max_feature_drift),
            f"below {drift.max_feature_drift:g}",
            "Data drift: the holdout differs from the training rows, and later rows may differ more.",
            drift.severity,
        ),
        Rule(
            "drift.label",
            checks.LabelDrift().add_condition_drift_score_less_than(drift.max_label_drift),
            f"below {drift.max_label_drift:g}",
            "Label shift: the outcome became more or less frequent.",
            drift.severity,
        ),
        Rule(
            "drift.predictions",
            checks.PredictionDrift().add_condition_drift_score_less_than(drift.max_prediction_drift),
            f"below {drift.max_prediction_drift:g}",
            "The predictions in the holdout are distributed differently from those in training.",
            drift.severity,
        ),
        Rule(
            "drift.new_categories",
            checks.NewCategoryTrainTest().add_condition_new_category_ratio_less_or_equal(drift.max_new_categories),
            f"at most {drift.max_new_categories:.0%} of rows",
            "The model has no information about a category that training does not have.",
            drift.severity,
        ),
        Rule(
            "model.gain",
            checks.SimpleModelComparison(strategy="stratified", scorers=scorer).add_condition_gain_greater_than(
                model.min_gain
            ),
            f"more than {model.min_gain:.0%} of the gap between guessing and a perfect model",
            "A model that is hardly better than guessing is not useful.",
            model.severity,
        ),
    ]


def run(
    evidence: Evidence, rules: Sequence[Rule], gate: Gate, html: Path | None = None, seed: int = 0
) -> list[Finding]:
    """A finding for each rule, whether its check ran or not; Deepchecks' own page goes to *html*."""
    train, test = (
        sample(rows, scores, gate.max_rows, seed)
        for rows, scores in ((evidence.train, evidence.train_scores), (evidence.holdout, evidence.holdout_scores))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from Deepchecks' own use of pandas and scikit-learn
        try:
            result = Suite("gate", *(rule.check for rule in rules)).run(
                _dataset(*train, evidence), _dataset(*test, evidence), **_predictions(train, test, evidence)
            )
        except Exception as error:
            return [_crashed(rule, error) for rule in rules]
        if html:
            result.save_as_html(str(html), as_widget=False, requirejs=False)
    findings = [_finding(rule, [r for r in result.results if type(r.check) is type(rule.check)]) for rule in rules]
    findings = [judged_by_habit(each, evidence, gate.data) for each in findings]
    note = sampled(evidence, gate.max_rows)
    return [
        replace(each, observed=each.observed + rule.sample + note) for rule, each in zip(rules, findings, strict=True)
    ]


def _finding(rule: Rule, results: Sequence[CheckResult | CheckFailure]) -> Finding:
    """The finding on *rule*: the worst of its results (a check may have one for each part)."""
    if not results:
        return _not_run(rule, "Deepchecks gave no result")
    for result in results:
        if isinstance(result, CheckFailure):
            return _crashed(rule, result.exception)
    conditions = [condition for result in results for condition in result.conditions_results]
    if not conditions:
        return _not_run(rule, "its condition was not evaluated")
    by_category = {category: [c for c in conditions if c.category == category] for category in ConditionCategory}
    if by_category[ConditionCategory.ERROR]:
        return _not_run(rule, by_category[ConditionCategory.ERROR][0].details)
    failed = by_category[ConditionCategory.FAIL] + by_category[ConditionCategory.WARN]
    shown = (failed or conditions)[0].details or "within the limit"
    return Finding(
        rule.name,
        "FAIL" if failed else "PASS",
        "; ".join(" ".join(line.split()).rstrip(".") for line in shown.splitlines()).replace(":; ", ": "),
        rule.limit,
        rule.why,
        rule.severity,
    )


def _crashed(rule: Rule, error: object) -> Finding:
    return _not_run(rule, f"{type(error).__name__}: {error}")


def _not_run(rule: Rule, why: str) -> Finding:
    return Finding(rule.name, "NOT_RUN", why, rule.limit, rule.why, rule.severity)


def _dataset(rows: pd.DataFrame, _: Array, evidence: Evidence) -> Dataset:
    contract = evidence.contract
    columns = [contract.key, contract.time, *contract.feature_names, contract.target.name]
    table = rows[columns].copy()
    table[contract.time] = table[contract.time].dt.tz_localize(None)
    categorical = [f.name for f in contract.features if f.kind != "number"]
    for name in categorical:
        values = table[name].astype(object)
        table[name] = values.where(values.isna(), values.astype(str)).where(values.notna(), None)
    if contract.task != "regression":
        table[contract.target.name] = table[contract.target.name].astype(int)
    return Dataset(
        table,
        label=contract.target.name,
        features=list(contract.feature_names),
        cat_features=categorical,
        datetime_name=contract.time,
        label_type=contract.task,
    )


def _predictions(train: tuple[Any, Array], test: tuple[Any, Array], evidence: Evidence) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for part, (_, scores) in (("train", train), ("test", test)):
        if evidence.contract.task == "regression":
            arguments[f"y_pred_{part}"] = scores
            continue
        probabilities = np.column_stack([1 - scores, scores]) if scores.ndim == 1 else scores
        arguments[f"y_proba_{part}"] = probabilities
        arguments[f"y_pred_{part}"] = probabilities.argmax(axis=1)
    if evidence.contract.task != "regression":
        arguments["model_classes"] = list(range(len(evidence.contract.target.classes)))
    return arguments
