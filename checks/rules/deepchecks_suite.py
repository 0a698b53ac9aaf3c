"""Deepchecks: chosen checks with our limits -> findings. The only module that imports it.

Deepchecks fails open: a check that crashed is filed under "not run", and the suite "passes". So
each rule here is answered for by name: a check that crashed, or that nobody heard of again, is
NOT_RUN. It is handed the ONNX model's own scores and never sees a model.

Its telemetry is off before the import, which takes ten seconds and more.
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
    warnings.simplefilter("ignore")  # pkg_resources and scikit-learn are old here, by Deepchecks' need
    from deepchecks.core import CheckFailure, CheckResult, ConditionCategory
    from deepchecks.tabular import Dataset, Suite, checks
    from deepchecks.utils.logger import set_verbosity

set_verbosity(logging.ERROR)  # no progress bars of its own

from checks.evidence import Array, Evidence  # noqa: E402
from checks.insights.evidence_sample import sample, sampled  # noqa: E402
from checks.verdict import Finding  # noqa: E402
from contracts.thresholds import Gate, Severity  # noqa: E402

#: Rows of each part that a predictive power is measured on, shared by so many features at most: more
#: features get fewer rows each, and the finding says how many.
POWER_ROWS, POWER_FEATURES = 5_000, 100
SCORERS = {"binary": "roc_auc", "multiclass": "roc_auc_ovr", "regression": "neg_mae"}


@dataclass(frozen=True)
class Rule:
    """A rule by name: the check that answers for it, its limit in words, and why it matters.

    *seen* says what of the rows the check looks at, where that is not all.
    """

    name: str
    check: Any
    limit: str
    why: str
    severity: Severity
    seen: str = ""


class TopFeatureDrift(checks.FeatureDrift):  # type: ignore[misc]
    """Feature drift, with figures of the features that drift most alone: no others are shown.

    Deepchecks draws one of each before it chooses, which takes longer than all the scores.
    """

    def _calculate_feature_drift(
        self, *, common_columns: dict[str, str], with_display: bool, **more: Any
    ) -> tuple[dict[str, Any], list[Any]]:
        calculate = super()._calculate_feature_drift
        found, _ = calculate(common_columns=common_columns, with_display=False, **more)
        if not with_display:
            return found, []
        far = sorted(found, key=lambda name: found[name]["Drift score"] or 0, reverse=True)
        top = {name: common_columns[name] for name in far[: self.n_top_columns]}
        return found, calculate(common_columns=top, with_display=True, **more)[1]


def chosen(gate: Gate, task: str, features: int = 0) -> list[Rule]:
    """The rules that are checked with Deepchecks, for so many *features*."""
    rows = int(POWER_ROWS * min(1, POWER_FEATURES / max(features, 1)))
    data, drift, model = gate.data, gate.drift, gate.model
    scorer = [SCORERS[task]]
    return [
        Rule(
            "data.missing",
            checks.PercentOfNulls().add_condition_percent_of_nulls_not_greater_than(data.max_missing),
            f"at most {data.max_missing:.0%} of a feature",
            "A feature that is mostly missing carries little, or broke upstream.",
            data.severity,
        ),
        Rule(
            "data.duplicates",
            checks.DataDuplicates().add_condition_ratio_less_or_equal(data.max_duplicates),
            f"at most {data.max_duplicates:.0%} of rows",
            "Rows that come twice count twice, and make the model look surer than it is.",
            data.severity,
        ),
        Rule(
            "data.variants",
            checks.StringMismatch().add_condition_ratio_variants_less_or_equal(data.max_variants),
            f"at most {data.max_variants:.0%} of a category's values",
            "One value under two spellings is two values to the model.",
            data.severity,
        ),
        Rule(
            "data.mixed_types",
            checks.MixedDataTypes().add_condition_rare_type_ratio_not_in_range((data.max_mixed_types, 0.5)),
            f"at most {data.max_mixed_types:.0%} of a feature",
            "Numbers among words are a parsing mistake upstream.",
            data.severity,
        ),
        Rule(
            "data.label_correlation",
            checks.FeatureLabelCorrelation(
                ppscore_params={"sample": rows}, random_state=0
            ).add_condition_feature_pps_less_than(data.max_label_correlation),
            f"predictive power below {data.max_label_correlation:g}",
            "A feature that alone gives the outcome away will not be known when the row is scored.",
            data.severity,
            f" (by {rows:,} rows of each part, for there are {features} features)" if rows < POWER_ROWS else "",
        ),
        Rule(
            "data.time_overlap",
            checks.DateTrainTestLeakageOverlap().add_condition_leakage_ratio_less_or_equal(data.max_time_overlap),
            f"at most {data.max_time_overlap:.0%} of rows",
            "A model judged on the past of what it learnt from knows the answers.",
            data.severity,
        ),
        Rule(
            "drift.features",
            TopFeatureDrift().add_condition_drift_score_less_than(drift.max_feature_drift, drift.max_feature_drift),
            f"below {drift.max_feature_drift:g}",
            "The rows to judge with differ from those learnt from; the next ones will too.",
            drift.severity,
        ),
        Rule(
            "drift.label",
            checks.LabelDrift().add_condition_drift_score_less_than(drift.max_label_drift),
            f"below {drift.max_label_drift:g}",
            "The outcome itself became more or less frequent.",
            drift.severity,
        ),
        Rule(
            "drift.predictions",
            checks.PredictionDrift().add_condition_drift_score_less_than(drift.max_prediction_drift),
            f"below {drift.max_prediction_drift:g}",
            "The model answers the new rows otherwise than the old.",
            drift.severity,
        ),
        Rule(
            "drift.new_categories",
            checks.NewCategoryTrainTest().add_condition_new_category_ratio_less_or_equal(drift.max_new_categories),
            f"at most {drift.max_new_categories:.0%} of rows",
            "To the model, a category it never saw is no category.",
            drift.severity,
        ),
        Rule(
            "model.gain",
            checks.SimpleModelComparison(strategy="stratified", scorers=scorer).add_condition_gain_greater_than(
                model.min_gain
            ),
            f"more than {model.min_gain:.0%} of the way to perfection",
            "A model that guessing rivals has learnt nothing.",
            model.severity,
        ),
        Rule(
            "model.degradation",
            checks.TrainTestPerformance(scorers=scorer).add_condition_train_test_relative_degradation_less_than(
                model.max_degradation
            ),
            f"less than {model.max_degradation:.0%} from training to holdout",
            "A model that is much better on what it learnt from has learnt it by heart.",
            model.severity,
        ),
    ]


def run(
    evidence: Evidence, rules: Sequence[Rule], gate: Gate, html: Path | None = None, seed: int = 0
) -> list[Finding]:
    """A finding per rule, whatever became of its check; Deepchecks' own page goes to *html*."""
    train, test = (
        sample(rows, scores, gate.max_rows, seed)
        for rows, scores in ((evidence.train, evidence.train_scores), (evidence.holdout, evidence.holdout_scores))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Deepchecks' use of pandas and scikit-learn, not ours
        try:
            result = Suite("gate", *(rule.check for rule in rules)).run(
                _dataset(*train, evidence), _dataset(*test, evidence), **_predictions(train, test, evidence)
            )
        except Exception as error:
            return [_crashed(rule, error) for rule in rules]
        if html:
            result.save_as_html(str(html), as_widget=False, requirejs=False)
    found = [_finding(rule, [r for r in result.results if type(r.check) is type(rule.check)]) for rule in rules]
    seen = sampled(evidence, gate.max_rows)
    return [replace(each, observed=each.observed + rule.seen + seen) for rule, each in zip(rules, found, strict=True)]


def _finding(rule: Rule, results: Sequence[CheckResult | CheckFailure]) -> Finding:
    """The finding on *rule*: the worst of its results (a check may look at both parts)."""
    if not results:
        return _not_run(rule, "Deepchecks gave no result")
    for result in results:
        if isinstance(result, CheckFailure):
            return _crashed(rule, result.exception)
    conditions = [condition for result in results for condition in result.conditions_results]
    if not conditions:
        return _not_run(rule, "its condition was not looked at")
    by_category = {category: [c for c in conditions if c.category == category] for category in ConditionCategory}
    if by_category[ConditionCategory.ERROR]:
        return _not_run(rule, by_category[ConditionCategory.ERROR][0].details)
    failed = by_category[ConditionCategory.FAIL] + by_category[ConditionCategory.WARN]
    shown = (failed or conditions)[0].details or "as it should be"
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
    found = rows[columns].copy()
    found[contract.time] = found[contract.time].dt.tz_localize(None)
    words = [f.name for f in contract.features if f.kind != "number"]
    for name in words:
        values = found[name].astype(object)
        found[name] = values.where(values.isna(), values.astype(str)).where(values.notna(), None)
    if contract.task != "regression":
        found[contract.target.name] = found[contract.target.name].astype(int)
    return Dataset(
        found,
        label=contract.target.name,
        features=list(contract.feature_names),
        cat_features=words,
        datetime_name=contract.time,
        label_type=contract.task,
    )


def _predictions(train: tuple[Any, Array], test: tuple[Any, Array], evidence: Evidence) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part, (_, scores) in (("train", train), ("test", test)):
        if evidence.contract.task == "regression":
            found[f"y_pred_{part}"] = scores
            continue
        chances = np.column_stack([1 - scores, scores]) if scores.ndim == 1 else scores
        found[f"y_proba_{part}"] = chances
        found[f"y_pred_{part}"] = chances.argmax(axis=1)
    if evidence.contract.task != "regression":
        found["model_classes"] = list(range(len(evidence.contract.target.classes)))
    return found
