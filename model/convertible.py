"""Why skl2onnx could not convert an estimator, and what to use in its place."""

from __future__ import annotations

import re
from typing import Any

from sklearn.preprocessing import OneHotEncoder

#: Steps that skl2onnx has no converter for -> what does the same and has one.
INSTEAD = {
    "FunctionTransformer": "the calculation in load(), as a feature of its own",
    "TransformedTargetRegressor": "the transformed target in load(), or a loss such as loss='poisson'",
    "SplineTransformer": "KBinsDiscretizer, or PolynomialFeatures",
}


def why_not(estimator: Any, error: Exception) -> str:
    """One sentence: the step that cannot be converted, and what to write."""
    words = " ".join(str(error).split())
    found = re.search(r"for type '?<class '([\w.]+)'>", words)
    if found:
        name = found[1].rpartition(".")[2]
        cure = INSTEAD.get(
            name, "an estimator on sklearn-onnx's list of supported scikit-learn models"
        )
        return f"{name} cannot be exported to ONNX: skl2onnx has no converter for it; use {cure}"
    if any(step.handle_unknown == "infrequent_if_exist" for step in one_hot(estimator)):
        return (
            "OneHotEncoder(handle_unknown='infrequent_if_exist') cannot be exported to ONNX;"
            " use handle_unknown='ignore', with min_frequency as it is"
        )
    words = words if len(words) <= 300 else words[:297] + "..."
    steps = ", ".join(sorted(_steps(estimator)))
    return (
        f"the estimator cannot be exported to ONNX: {type(error).__name__}: {words}; its steps are {steps}:"
        " see sklearn-onnx's list of supported scikit-learn models"
    )


def one_hot(estimator: Any) -> list[OneHotEncoder]:
    """Every OneHotEncoder in *estimator*."""
    return [step for step in _all(estimator) if isinstance(step, OneHotEncoder)]


def _steps(estimator: Any) -> set[str]:
    return {type(step).__name__ for step in _all(estimator)}


def _all(estimator: Any) -> list[Any]:
    inner = estimator.get_params().values() if hasattr(estimator, "get_params") else ()
    return [
        estimator,
        *(step for step in inner if hasattr(step, "get_params") and not isinstance(step, type)),
    ]
