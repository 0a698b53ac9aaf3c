"""Does the exported graph give the estimator's scores?

Trees compare in float32 in ONNX Runtime and in float64 in scikit-learn, and a row close to a split
can go the other way (onnxruntime#4130, sklearn-onnx#1074). So thresholds are rounded first, and
then the holdout and rows on and beside every threshold are replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd

from model.contract import Contract
from model.data import model_inputs
from model.train import Fitted, Scores, scores_of

#: Columns (a list of values per feature) to scores.
Score = Callable[[Mapping[str, list[Any]]], Scores]
#: How many thresholds are tried for one feature.
NEAR_THRESHOLDS = 4_000


class ParityError(Exception):
    """The exported model does not give the estimator's scores. The message shows the worst row."""


def round_thresholds(estimator: Any) -> None:
    """Round the thresholds of histogram gradient boosting down to float32, in place.

    All inputs are float32, and for a float32 x the questions x <= t and x <= (t rounded down) have
    one answer; the converter would round t to the nearest, and rows on it would go the other way.
    """
    for step in _steps(estimator):
        for trees in getattr(step, "_predictors", []):
            for tree in trees:
                exact = tree.nodes["num_threshold"]
                near = exact.astype(np.float32)
                down = np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)
                tree.nodes["num_threshold"] = down


def replay(
    fitted: Fitted, score: Score, thresholds: np.ndarray[Any, Any], limit: float
) -> dict[str, Any]:
    """Compare estimator and graph on the holdout and close to *thresholds*.

    Returns how many rows were compared and the worst difference. Raises `ParityError`.
    """
    contract = fitted.contract
    inputs = model_inputs(fitted.split.holdout, contract)
    inputs = pd.concat([inputs, _near(inputs, contract, thresholds)], ignore_index=True)
    ours = score({name: inputs[name].tolist() for name in inputs})
    theirs = scores_of(fitted.estimator, inputs, contract)
    if ours.shape != theirs.shape:
        raise ParityError(f"the graph gives scores of shape {ours.shape}, expected {theirs.shape}")
    gap = np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs))
    gap = np.nan_to_num(gap.reshape(len(inputs), -1).max(axis=1), nan=np.inf)
    worst = int(np.argmax(gap))
    if gap[worst] > limit:
        raise ParityError(
            f"the ONNX model differs from the estimator by {gap[worst]:.3g}; allowed is {limit:g}"
            f" (thresholds.toml, export.parity), and {int((gap > limit).sum()):,} of"
            f" {len(inputs):,} rows are beyond it. The worst row: {inputs.iloc[worst].to_dict()}:"
            f" estimator {theirs[worst]}, ONNX {ours[worst]}"
        )
    return {"rows": len(inputs), "worst": float(f"{gap[worst]:.3g}"), "limit": limit}


def thresholds_of(graph: bytes) -> np.ndarray[Any, Any]:
    """Every value at which a tree of the graph splits, float32, sorted; empty without trees."""
    values: set[float] = set()
    for node in onnx.load_from_string(graph).graph.node:
        for attribute in node.attribute:
            if attribute.name == "nodes_values":
                values.update(attribute.floats)
    return np.array(sorted(values), dtype=np.float32)


def runner(graph: bytes, contract: Contract) -> Score:
    """A function from columns (a list of values per feature) to scores, by ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the order of a sum, and so its last bit, hangs on it
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])
    output = session.get_outputs()[-1].name
    categories = {f.name for f in contract.features if f.kind == "category"}

    def score(columns: Mapping[str, list[Any]]) -> Scores:
        feeds = {
            name: np.array(values, dtype=object if name in categories else np.float32).reshape(
                -1, 1
            )
            for name, values in columns.items()
        }
        found = np.asarray(session.run([output], feeds)[0], dtype=np.float64)
        if contract.task == "multiclass":
            return found
        return found[:, 1] if contract.task == "binary" else found.reshape(-1)

    return score


def _steps(estimator: Any) -> Iterable[Any]:
    yield estimator
    for _, step in getattr(estimator, "steps", []):
        yield from _steps(step)


def _near(
    inputs: pd.DataFrame, contract: Contract, thresholds: np.ndarray[Any, Any]
) -> pd.DataFrame:
    """Holdout rows with one number moved onto a threshold or to the float32 beside it."""
    rows = []
    generator = np.random.default_rng(0)
    for feature in contract.features:
        if feature.kind != "number" or not len(thresholds):
            continue
        seen = inputs[feature.name].dropna()
        if seen.empty:
            continue
        close = thresholds[(thresholds >= seen.min()) & (thresholds <= seen.max())]
        if len(close) > NEAR_THRESHOLDS:
            close = generator.choice(close, NEAR_THRESHOLDS, replace=False)
        beside = [np.nextafter(close, np.float32(way)) for way in (-np.inf, np.inf)]
        values = np.concatenate([close, *beside])
        moved = inputs.iloc[generator.integers(0, len(inputs), len(values))].copy()
        moved[feature.name] = values.astype(np.float32)
        rows.append(moved)
    return pd.concat(rows) if rows else inputs.iloc[:0]
