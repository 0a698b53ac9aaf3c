"""The trees of LightGBM's estimators (4.6 and later)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.tree_libraries.split_trees import ConversionError, Ensemble, Leaf, Link, Split

#: How scores are computed from sums, by objective.
LINKS: dict[str, Link] = {
    "binary": "logistic",
    "cross_entropy": "logistic",
    "multiclass": "softmax",
    "multiclassova": "logistic",
    "poisson": "exp",
    "gamma": "exp",
    "tweedie": "exp",
    **dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), "identity"),  # type: ignore[dict-item]
}


def ensemble(estimator: Any) -> Ensemble:
    """The trees of a fitted *estimator*. Raises `ConversionError`."""
    model = estimator.booster_.dump_model()
    objective, *settings = model["objective"].split()
    if objective not in LINKS or "sqrt" in settings:
        raise ConversionError(
            f"{type(estimator).__name__} cannot be exported to ONNX with objective {model['objective']!r}; use one of"
            f" {', '.join(LINKS)}"
        )
    named = dict(each.split(":") for each in settings if ":" in each)
    sums, trees = model["num_tree_per_iteration"], model["tree_info"]
    # A random forest's sum is a mean.
    scale = float(named.get("sigmoid", 1)) / (len(trees) // sums if model["average_output"] else 1)
    read = [
        (tree["tree_structure"], _reader(type(estimator).__name__, at % sums, scale)) for at, tree in enumerate(trees)
    ]
    return Ensemble(read, [0.0] * sums, LINKS[objective])


def _reader(name: str, target: int, scale: float) -> Any:
    def read(node: Mapping[str, Any]) -> Split | Leaf:
        if "leaf_const" in node or "leaf_coeff" in node:
            raise ConversionError(f"{name}(linear_tree=True) cannot be exported to ONNX; leave linear_tree out")
        if "split_feature" not in node:
            return Leaf([(target, node["leaf_value"] * scale)])
        if node["decision_type"] != "<=":
            raise ConversionError(
                f"{name}(categorical_feature=...) cannot be exported to ONNX; encode categories with"
                " OneHotEncoder(handle_unknown='ignore') or TargetEncoder before it"
            )
        if node["missing_type"] == "Zero":
            raise ConversionError(f"{name}(zero_as_missing=True) cannot be exported to ONNX; write NaN in load()")
        most = float(node["threshold"])
        # A split that saw no missing value takes one as 0.
        left = node["default_left"] if node["missing_type"] == "NaN" else most >= 0
        return Split(node["split_feature"], most, left, node["left_child"], node["right_child"])

    return read
