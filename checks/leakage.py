"""Does the model know what it cannot know? Answers among the features, and on both sides of the split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from checks.evidence import Array, Evidence, target
from checks.limits import Leakage
from checks.verdict import Finding
from model.contract import Feature

#: A category's mean target is pulled towards the whole's by so many rows.
SHRINK = 20


def solo(evidence: Evidence, limits: Leakage) -> Finding:
    """No feature predicts nearly everything alone: what does is known only with the outcome.

    One that the champion lacks must not go further alone than the champion with all of its own,
    either, once it is beyond *max_new*.
    """
    contract, before = evidence.contract, evidence.past.before
    power = {feature.name: _power(evidence, feature) for feature in contract.features}
    most = dict.fromkeys(power, limits.max_solo)
    if before is not None and evidence.champion is not None and contract.task == "binary":
        whole = _gini(evidence.truth == 1, evidence.champion)
        new = [name for name in power if name not in before]
        most |= dict.fromkeys(new, min(limits.max_solo, max(limits.max_new, whole)))
    name = max(power, key=lambda each: power[each] - most[each])
    return Finding(
        "leak.solo",
        "PASS" if power[name] <= most[name] else "FAIL",
        f"{name} alone goes {power[name]:.0%} of the way from guessing to perfection",
        f"at most {most[name]:.0%}",
        "A feature that alone gives the outcome away will not be known when the row is scored.",
        limits.severity,
    )


def split(evidence: Evidence, limits: Leakage) -> Finding:
    """No more rows to judge with have a copy among those learnt from than those have among themselves."""
    columns = [*evidence.contract.feature_names, evidence.contract.target.name]
    train, holdout = (_hashed(rows, columns) for rows in (evidence.train, evidence.holdout))
    _, which, times = np.unique(train, return_inverse=True, return_counts=True)
    natural = float((times[which] > 1).mean())
    copies = float(np.isin(holdout, train).mean())
    return Finding(
        "leak.split",
        "PASS" if copies - natural <= limits.max_split_copies else "FAIL",
        f"{copies:.1%} of the rows to judge with have a copy among those learnt from; {natural:.1%} of"
        " those have one among themselves",
        f"at most {limits.max_split_copies:.0%} more",
        "A model judged on rows it has seen is asked what it remembers.",
        limits.severity,
    )


def _hashed(rows: pd.DataFrame, columns: list[str]) -> Any:
    plain = pd.DataFrame(
        {name: rows[name].astype(object).where(rows[name].notna(), None) for name in columns}
    )
    return pd.util.hash_pandas_object(plain.astype(str), index=False).to_numpy()


def _power(evidence: Evidence, feature: Feature) -> float:
    """How far a model of *feature* alone goes, from 0 (guessing) to 1, on the holdout.

    Classification: |2 AUC - 1| (Gini) of the class that it tells best; regression: R².
    """
    contract, truth = evidence.contract, evidence.truth
    labels = target(evidence.train, contract)
    if contract.task == "regression":
        found = _alone(evidence, feature, labels, regression=True)
        spread = float(((truth - truth.mean()) ** 2).sum())
        return 1 - float(((truth - found) ** 2).sum()) / spread if spread else 0.0
    classes = range(1, 2) if contract.task == "binary" else range(len(contract.target.classes))
    return max(
        _gini(truth == k, _alone(evidence, feature, (labels == k).astype(float), regression=False))
        for k in classes
    )


def _alone(evidence: Evidence, feature: Feature, labels: Array, *, regression: bool) -> Array:
    """The holdout's scores by *feature* alone: a small tree, or the mean of each category."""
    seen, new = evidence.train[feature.name], evidence.holdout[feature.name]
    if feature.kind == "category":
        words = seen.astype(object).where(seen.notna(), "")
        groups = pd.Series(labels).groupby(words.to_numpy())
        overall = float(labels.mean())
        means = (groups.sum() + SHRINK * overall) / (groups.count() + SHRINK)
        asked = new.astype(object).where(new.notna(), "")
        return np.asarray(asked.map(means).astype(float).fillna(overall))
    if len(np.unique(labels)) < 2:
        return np.full(len(new), float(labels.mean()))
    low = float(seen.astype(float).min()) - 1 if seen.notna().any() else 0.0
    tree = (DecisionTreeRegressor if regression else DecisionTreeClassifier)(
        max_depth=5, min_samples_leaf=20, random_state=0
    )
    tree.fit(seen.astype(float).fillna(low).to_numpy().reshape(-1, 1), labels)
    asked = new.astype(float).fillna(low).to_numpy().reshape(-1, 1)
    return np.asarray(tree.predict(asked) if regression else tree.predict_proba(asked)[:, 1])


def _gini(positive: Any, scores: Array) -> float:
    """|2 AUC - 1| by ranks, ties counting half (Mann and Whitney 1947); 0 if a class is absent."""
    count = int(positive.sum())
    pairs = count * (len(positive) - count)
    if not pairs:
        return 0.0
    ranks = pd.Series(scores).rank().to_numpy()
    area = (ranks[positive].sum() - count * (count + 1) / 2) / pairs
    return abs(2 * float(area) - 1)
