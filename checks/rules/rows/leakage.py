"""Target leakage: features that give the outcome away, and holdout rows that are copies of training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from checks.evidence import Array, Evidence, target
from checks.verdict import Finding, ruled
from contracts.gate_limits import Leakage
from contracts.row_contract import Feature
from contracts.tolerance import spread_of

#: Weight of the overall mean in a category's mean target, in rows.
SHRINK = 20
#: Strata of equally many rows, from the rarest values to the commonest.
STRATA = 20


def solo(evidence: Evidence, limits: Leakage) -> Finding:
    """No feature alone predicts nearly everything.

    Beyond *max_new*, a feature that the champion lacks must not predict better alone than the champion does with
    all of its features.
    """
    contract, before = evidence.contract, evidence.past.before
    power = {feature.name: _power(evidence, feature) for feature in contract.features}
    most = dict.fromkeys(power, limits.max_solo)
    if before is not None and evidence.champion is not None and contract.task == "binary":
        whole = _gini(evidence.truth == 1, evidence.champion)
        new = [name for name in power if name not in before]
        most |= dict.fromkeys(new, min(limits.max_solo, max(limits.max_new, whole)))
    name = max(power, key=lambda each: power[each] - most[each])
    return ruled(
        "leak.solo",
        power[name] <= most[name],
        f"{name} alone has {power[name]:.0%} of a perfect model's predictive power",
        f"at most {most[name]:.0%}",
        "A feature that gives the outcome away is usually known only after it.",
        limits.severity,
    )


def split(evidence: Evidence, limits: Leakage) -> Finding:
    """Holdout rows are not copies of training rows more often than expected by chance.

    The expected share depends on how common the values of a row are, so it is estimated from the training rows
    that are as common: the share with a duplicate (post-stratification; Cochran 1977, 5A.9).
    """
    columns = [*evidence.contract.feature_names, evidence.contract.target.name]
    rows = pd.concat([each[columns] for each in (evidence.train, evidence.holdout)])
    codes = rows.apply(lambda values: pd.factorize(values.astype(object))[0]).reset_index(drop=True)
    trained = len(evidence.train)
    whole = pd.util.hash_pandas_object(codes, index=False).to_numpy()
    _, which, times = np.unique(whole[:trained], return_inverse=True, return_counts=True)
    duplicate, copies = times[which] > 1, np.isin(whole[trained:], whole[:trained])
    stratum = _strata(_commonness(codes, trained), trained)
    chance = pd.Series(duplicate).groupby(stratum[:trained]).mean()
    expected = float(chance[stratum[trained:]].mean())
    return ruled(
        "leak.split",
        copies.mean() - expected <= limits.max_split_copies,
        f"{copies.mean():.1%} of the holdout rows are copies of training rows; {expected:.1%} are expected by chance",
        f"at most {limits.max_split_copies:.0%} more",
        "A model evaluated on its training rows is rewarded for overfitting.",
        limits.severity,
    )


def _commonness(codes: pd.DataFrame, trained: int) -> Array:
    """The log likelihood of each row by the frequency of its values in the first *trained* rows, itself excluded."""
    likelihood = np.zeros(len(codes))
    own = np.arange(len(codes)) < trained
    for name in codes:
        code = codes[name].to_numpy() + 1  # a missing value is 0, and counts as a value
        times = np.bincount(code[:trained], minlength=code.max() + 1)[code] - own
        likelihood += np.log((times + 0.5) / trained)
    return likelihood


def _strata(values: Array, trained: int) -> Any:
    """The stratum of each value, between quantiles of the first *trained*; each has some of those."""
    places = np.linspace(0, 1, STRATA, endpoint=False)
    edges = np.unique(np.quantile(values[:trained], places, method="lower"))
    return np.maximum(np.searchsorted(edges, values, side="right") - 1, 0)


def _power(evidence: Evidence, feature: Feature) -> float:
    """Predictive power of *feature* alone on the holdout, from 0 (guessing) to 1.

    Classification: |2 AUC - 1| (Gini) of the class that it separates best. Regression: R², and 0 where all outcomes
    are the same.
    """
    contract, truth = evidence.contract, evidence.truth
    labels = target(evidence.train, contract)
    if contract.task == "regression":
        predicted = _alone(evidence, feature, labels, regression=True)
        variance = float(spread_of(truth)) ** 2
        return 1 - float(((truth - predicted) ** 2).mean()) / variance if variance else 0.0
    classes = range(1, 2) if contract.task == "binary" else range(len(contract.target.classes))
    return max(
        _gini(truth == k, _alone(evidence, feature, (labels == k).astype(float), regression=False)) for k in classes
    )


def _alone(evidence: Evidence, feature: Feature, labels: Array, *, regression: bool) -> Array:
    """The holdout's scores by *feature* alone: a small tree, or the mean of each category."""
    seen, new = evidence.train[feature.name], evidence.holdout[feature.name]
    if feature.kind == "category":
        categories = seen.astype(object).where(seen.notna(), "")
        groups = pd.Series(labels).groupby(categories.to_numpy())
        overall = float(labels.mean())
        means = (groups.sum() + SHRINK * overall) / (groups.count() + SHRINK)
        later = new.astype(object).where(new.notna(), "")
        return np.asarray(later.map(means).astype(float).fillna(overall))
    if len(np.unique(labels)) < 2:
        return np.full(len(new), float(labels.mean()))
    low = float(seen.astype(float).min()) - 1 if seen.notna().any() else 0.0
    tree = (DecisionTreeRegressor if regression else DecisionTreeClassifier)(
        max_depth=5, min_samples_leaf=20, random_state=0
    )
    tree.fit(seen.astype(float).fillna(low).to_numpy().reshape(-1, 1), labels)
    later = new.astype(float).fillna(low).to_numpy().reshape(-1, 1)
    return np.asarray(tree.predict(later) if regression else tree.predict_proba(later)[:, 1])


def _gini(positive: Any, scores: Array) -> float:
    """|2 AUC - 1| by ranks, ties counting half (Mann and Whitney 1947); 0 if a class is absent."""
    count = int(positive.sum())
    pairs = count * (len(positive) - count)
    if not pairs:
        return 0.0
    ranks = pd.Series(scores).rank().to_numpy()
    area = (ranks[positive].sum() - count * (count + 1) / 2) / pairs
    return abs(2 * float(area) - 1)
