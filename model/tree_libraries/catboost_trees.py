"""The trees of CatBoost's estimators."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model.tree_libraries.split_trees import ConversionError, Ensemble, Leaf, Link, Split

#: How scores are computed from sums, by loss.
LINKS: dict[str, Link] = {
    "Logloss": "logistic",
    "CrossEntropy": "logistic",
    "MultiClass": "softmax",
    "MultiClassOneVsAll": "logistic",
    "Poisson": "exp",
    "Tweedie": "exp",
    **dict.fromkeys(  # type: ignore[dict-item]
        ("RMSE", "MAE", "Quantile", "Huber", "MAPE", "Expectile", "LogCosh", "Lq"), "identity"
    ),
}
#: A node of a symmetric tree: how many of its splits are decided, and which sides they took.
_Place = tuple[int, int]


def ensemble(estimator: Any) -> Ensemble:
    """The trees of a fitted *estimator*. Raises `ConversionError`."""
    name, loss = type(estimator).__name__, estimator.get_all_params()["loss_function"].partition(":")[0]
    if loss not in LINKS:
        raise ConversionError(
            f"{name} cannot be exported to ONNX with loss_function={loss!r}; use one of {', '.join(LINKS)}"
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.json"
        estimator.save_model(str(file), format="json")
        model = json.loads(file.read_bytes())
    if model["features_info"].get("categorical_features") or model["features_info"].get("text_features"):
        raise ConversionError(
            f"{name}(cat_features=...) cannot be exported to ONNX; encode categories with"
            " OneHotEncoder(handle_unknown='ignore') or TargetEncoder before it"
        )
    scale, start = model["scale_and_bias"]
    columns = {each["feature_index"]: each for each in model["features_info"]["float_features"]}
    symmetric = (((0, 0), _symmetric(tree, columns, scale, len(start))) for tree in model.get("oblivious_trees", ()))
    others = ((tree, _reader(columns, scale)) for tree in model.get("trees", ()))
    return Ensemble([*symmetric, *others], start, LINKS[loss])


def _split(split: Mapping[str, Any], columns: Mapping[int, Any], left: Any, right: Any) -> Split:
    """Rows go to the right if x > border. A missing value is not, unless the column's treatment says so."""
    column = columns[split["float_feature_index"]]
    missing_left = column["nan_value_treatment"] != "AsTrue"
    return Split(column["flat_feature_index"], split["border"], missing_left, left, right)


def _adds(values: Sequence[float], scale: float) -> Leaf:
    return Leaf([(target, value * scale) for target, value in enumerate(values)])


def _symmetric(tree: Mapping[str, Any], columns: Mapping[int, Any], scale: float, sums: int) -> Any:
    """All nodes of a level have one split, and the sides taken are the bits of the leaf's number."""

    def read(place: _Place) -> Split | Leaf:
        level, leaf = place
        splits = tree.get("splits") or ()
        if level == len(splits):
            return _adds(tree["leaf_values"][leaf * sums : (leaf + 1) * sums], scale)
        return _split(splits[level], columns, (level + 1, leaf), (level + 1, leaf | 1 << level))

    return read


def _reader(columns: Mapping[int, Any], scale: float) -> Any:
    def read(node: Mapping[str, Any]) -> Split | Leaf:
        if "split" not in node:
            value = node["value"]
            return _adds(value if isinstance(value, list) else [value], scale)
        return _split(node["split"], columns, node["left"], node["right"])

    return read
