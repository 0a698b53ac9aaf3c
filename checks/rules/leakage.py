"""Does the model know what it cannot know? Answers among the features, and on both sides of the split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from checks.evidence import Array, Evidence, target
from checks.verdict import Finding
from contracts.gate_limits import Leakage
from contracts.row_contract import Feature
from contracts.tolerance import spread_of

#: A category's mean target is pulled towards the whole's by so many rows.
SHRINK = 20
#: Parts of equally many rows, from the rarest to the commonest.
STRATA = 20


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
    """No more rows to judge with have a copy among those learnt from than would by chance.

    Chance depends on the row: of coarse, common or missing values there are many alike. So of the rows
    learnt from, those as common tell how many have a twin (post-stratification; Cochran 1977, 5A.9).
    """
    columns = [*evidence.contract.feature_names, evidence.contract.target.name]
    rows = pd.concat([each[columns] for each in (evidence.train, evidence.holdout)])
    codes = rows.apply(lambda values: pd.factorize(values.astype(object))[0]).reset_index(drop=True)
    learnt = len(evidence.train)
    whole = pd.util.hash_pandas_object(codes, index=False).to_numpy()
    _, which, times = np.unique(whole[:learnt], return_inverse=True, return_counts=True)
    twin, copies = times[which] > 1, np.isin(whole[learnt:], whole[:learnt])
    stratum = _strata(_commonness(codes, learnt), learnt)
    chance = pd.Series(twin).groupby(stratum[:learnt]).mean()
    expected = float(chance[stratum[learnt:]].mean())
    return Finding(
        "leak.split",
        "PASS" if copies.mean() - expected <= limits.max_split_copies else "FAIL",
        f"{copies.mean():.1%} of the rows to judge with have a copy among those learnt from;"
        f" {expected:.1%} would by chance, as common as their values are",
        f"at most {limits.max_split_copies:.0%} more",
        "A model judged on rows it has seen is asked what it remembers.",
        limits.severity,
    )


def _commonness(codes: pd.DataFrame, learnt: int) -> Array:
    """The log likelihood of each row by how often its values come in the first *learnt*, itself not counted."""
    found = np.zeros(len(codes))
    own = np.arange(len(codes)) < learnt
    for name in codes:
        code = codes[name].to_numpy() + 1  # a missing value is 0, and as good as another
        times = np.bincount(code[:learnt], minlength=code.max() + 1)[code] - own
        found += np.log((times + 0.5) / learnt)
    return found


def _strata(values: Array, learnt: int) -> Any:
    """The stratum of each value, between quantiles of the first *learnt*; none is without any of those."""
    places = np.linspace(0, 1, STRATA, endpoint=False)
    edges = np.unique(np.quantile(values[:learnt], places, method="lower"))
    return np.maximum(np.searchsorted(edges, values, side="right") - 1, 0)


def _power(evidence: Evidence, feature: Feature) -> float:
    """How far a model of *feature* alone goes, from 0 (guessing) to 1, on the holdout.

    Classification: |2 AUC - 1| (Gini) of the class that it separates best; regression: R², and 0 where every
    outcome is the same.
    """
    contract, truth = evidence.contract, evidence.truth
    labels = target(evidence.train, contract)
    if contract.task == "regression":
        found = _alone(evidence, feature, labels, regression=True)
        variance = float(spread_of(truth)) ** 2
        return 1 - float(((truth - found) ** 2).mean()) / variance if variance else 0.0
    classes = range(1, 2) if contract.task == "binary" else range(len(contract.target.classes))
    return max(
        _gini(truth == k, _alone(evidence, feature, (labels == k).astype(float), regression=False)) for k in classes
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
