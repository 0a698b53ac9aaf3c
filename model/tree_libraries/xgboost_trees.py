"""The trees of XGBoost's estimators (2.0 and later)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model.tree_libraries.split_trees import ConversionError, Ensemble, Leaf, Link, Split

#: How scores are computed from sums, by objective.
LINKS: dict[str, Link] = {
    "binary:logistic": "logistic",
    "reg:logistic": "logistic",
    "multi:softprob": "softmax",
    "count:poisson": "exp",
    "reg:gamma": "exp",
    "reg:tweedie": "exp",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:squaredlogerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
}


def ensemble(estimator: Any) -> Ensemble:
    """The trees of a fitted *estimator*. Raises `ConversionError`."""
    name, booster = type(estimator).__name__, estimator.get_booster()
    best = booster.attr("best_iteration")  # set by early stopping
    learner = json.loads((booster if best is None else booster[: int(best) + 1]).save_raw("json"))["learner"]
    objective, parameters = learner["objective"]["name"], learner["learner_model_param"]
    boosted = learner["gradient_booster"]
    for why, instead in (
        (objective not in LINKS and f"objective={objective!r}", f"one of {', '.join(LINKS)}"),
        (boosted["name"] == "gblinear" and "booster='gblinear'", "LogisticRegression or Ridge"),
        (not math.isnan(estimator.missing) and f"missing={estimator.missing}", "NaN for missing values, in load()"),
        (int(parameters.get("num_target", 1)) > 1 and "several targets", "one model for each target"),
    ):
        if why:
            raise ConversionError(f"{name} cannot be exported to ONNX with {why}; use {instead}")
    inner = boosted.get("gbtree", boosted)["model"]  # dart: trees with weights
    weights = boosted.get("weight_drop") or [1.0] * len(inner["trees"])
    trees = [
        (0, _reader(name, tree, target, weight))
        for tree, target, weight in zip(inner["trees"], inner["tree_info"], weights, strict=True)
    ]
    sums = max(int(parameters["num_class"]), 1)
    return Ensemble(trees, _start(parameters["base_score"], LINKS[objective], sums), LINKS[objective])


def _start(text: str, link: Link, sums: int) -> Sequence[float]:
    """The value before any tree: one score for all sums, or (since XGBoost 3.1) one for each."""
    found = json.loads(text)
    scores = found if isinstance(found, list) else [found]
    if link == "logistic":
        scores = [math.log(p / (1 - p)) for p in scores]
    elif link == "exp":
        scores = [math.log(mean) for mean in scores]
    return scores * (sums // len(scores))


def _reader(name: str, tree: Mapping[str, Any], target: int, weight: float) -> Any:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise ConversionError(f"{name}(multi_strategy='multi_output_tree') cannot be exported to ONNX; leave it out")
    if any(tree["split_type"]):
        raise ConversionError(
            f"{name}(enable_categorical=True) cannot be exported to ONNX with categories; encode them with"
            " OneHotEncoder(handle_unknown='ignore') or TargetEncoder before it"
        )

    def read(node: int) -> Split | Leaf:
        value = np.float32(tree["split_conditions"][node])
        left = tree["left_children"][node]
        if left == -1:
            return Leaf([(target, float(value) * weight)])
        # Rows go to the left if x < value.
        most = float(np.nextafter(value, np.float32(-np.inf)))
        return Split(
            tree["split_indices"][node], most, bool(tree["default_left"][node]), left, tree["right_children"][node]
        )

    return read
