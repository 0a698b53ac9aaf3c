"""Rows that the contract admits but the holdout may lack: nulls, unseen categories, bounds, thresholds.

A case changes one or several fields of some holdout rows to values that a request may have.
`model.onnx_export.parity` compares exported graph and estimator on all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import MAX_FLOAT32, MAX_TEXT_LENGTH, Contract, Feature
from model.onnx_export.split_points import Points

#: How many holdout rows each case is tried on, and how many rows have several fields changed at once.
ROWS, COMBINED = 16, 256
#: The largest number of rows on and beside thresholds; of more, a regular sample is used.
MAX_BESIDE = 60_000
#: How many categories of a field are tried one by one.
MAX_KNOWN = 300
NULL, UNSEEN, CATEGORY, BOUND, FAR, SPLIT, BOTH = (
    "null",
    "an unseen category",
    "a category",
    "an extreme value",
    "a very large value",
    "a value beside a threshold",
    "several fields changed at once",
)


@dataclass(frozen=True)
class Case:
    """*rows* holdout rows with *changes*: one value for each changed field; *kind* describes the case."""

    field: str
    kind: str
    changes: Mapping[str, Any]
    rows: int = ROWS


def cases(contract: Contract, inputs: pd.DataFrame, known: Mapping[str, Sequence[str]]) -> list[Case]:
    """Cases with one field changed, and then with several fields changed at random.

    *inputs* are the holdout's rows as `model_inputs` gives them, *known* the categories of the
    training rows.
    """
    values = {f.name: list(_values(f, inputs[f.name], known.get(f.name, ()))) for f in contract.features}
    alone = [Case(name, kind, {name: value}) for name, of in values.items() for kind, value in of]
    near = {name: [pair for pair in of if pair[0] != FAR] for name, of in values.items()}
    return alone + [case for case in _together(near) if len(case.changes) > 1]


def beside(contract: Contract, points: Points) -> tuple[list[Case], int]:
    """Cases with one number on a threshold or at the float32 next to it, and the number of all such rows."""
    pairs = []
    for feature in contract.features:
        if feature.kind != "number" or not len(points.get(feature.name, ())):
            continue
        at = points[feature.name]
        near = np.unique(np.concatenate([at, *(np.nextafter(at, np.float32(w)) for w in (-np.inf, np.inf))]))
        pairs += [(feature.name, value) for value in near[_admitted(feature, near)]]
    picked = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), MAX_BESIDE)).astype(int))
    return [Case(pairs[i][0], SPLIT, {pairs[i][0]: pairs[i][1]}, 1) for i in picked], len(pairs)


def frame(inputs: pd.DataFrame, cases: Sequence[Case]) -> pd.DataFrame:
    """The rows of *cases*, one case after the other, made of rows spread over *inputs*."""
    spread = np.unique(np.linspace(0, len(inputs) - 1, ROWS).astype(int))
    # Cases with one row use different rows, so that all of *inputs* is used.
    taken = [np.resize(spread, c.rows) if c.rows > 1 else [n * 7919 % len(inputs)] for n, c in enumerate(cases)]
    columns = {name: inputs[name].to_numpy()[np.concatenate(taken)] for name in inputs}
    start = 0
    for case in cases:
        for name, value in case.changes.items():
            columns[name][start : start + case.rows] = value
        start += case.rows
    return pd.DataFrame(columns)


def _together(values: Mapping[str, Sequence[tuple[str, Any]]]) -> Iterable[Case]:
    """Cases with all nulls, all unseen categories, and both; then with fields drawn at random, one row each."""
    for kinds in ((NULL,), (UNSEEN,), (UNSEEN, NULL), (NULL, UNSEEN)):
        chosen = {}
        for name, of in values.items():
            fitting = [value for kind in kinds for k, value in of if k == kind]
            if fitting:
                chosen[name] = fitting[0]
        yield Case("", BOTH, chosen)
    generator = np.random.default_rng(0)
    names = [name for name, of in values.items() if of]
    for _ in range(COMBINED):
        share = generator.choice([0.1, 0.5])
        drawn = [name for name in names if generator.random() < share]
        yield Case("", BOTH, {n: values[n][int(generator.integers(len(values[n])))][1] for n in drawn}, 1)


def _values(feature: Feature, column: pd.Series[Any], known: Sequence[str]) -> Iterable[tuple[str, Any]]:
    """Values of *feature* to try, as the model receives them, each with its kind."""
    if feature.nullable:
        yield NULL, "" if feature.kind == "category" else np.float32(np.nan)
    if feature.kind == "boolean":
        yield from ((CATEGORY, np.float32(value)) for value in (0.0, 1.0))
    elif feature.kind == "category":
        seen = [*dict.fromkeys([*feature.choices, *known])]
        step = -(-len(seen) // MAX_KNOWN) or 1
        yield from ((CATEGORY, value) for value in seen[::step])
        yield from (
            (UNSEEN, value)
            for value in dict.fromkeys(_unseen(seen[:2]))
            if value not in seen and feature.problem(value) is None
        )
    else:
        yield from _numbers(feature, column.dropna().to_numpy(dtype=np.float64))


def _unseen(seen: Sequence[str]) -> Iterable[str]:
    yield from ("never seen", "0", "nan", "None", "Ünïcode 東京 🚀", "straße", " ", "a\tb\nc", "x" * MAX_TEXT_LENGTH)
    for value in seen:
        yield from (value.upper(), value.lower(), value.swapcase(), f" {value}", f"{value} ", f"{value}\u0301")
    yield " ".join(seen)


def _numbers(feature: Feature, seen: np.ndarray[Any, Any]) -> Iterable[tuple[str, Any]]:
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
    width = (high - low) or abs(high) or 1.0
    wanted: list[Any] = [0.0, -0.0, low, high, low - 10 * width, high + 10 * width]
    for bound, inside in ((feature.minimum, np.inf), (feature.maximum, -np.inf)):
        if bound is not None:
            edge = np.float32(bound)
            wanted += [edge, np.nextafter(edge, np.float32(inside))]
    values = np.array(wanted, dtype=np.float64).clip(-MAX_FLOAT32, MAX_FLOAT32).astype(np.float32)
    yield from ((BOUND, value) for value in values[_admitted(feature, values)])
    for bound, far in ((feature.minimum, -1.0), (feature.maximum, 1.0)):
        if bound is None:
            yield FAR, np.float32(far * min(1e6 * width, MAX_FLOAT32))
            yield FAR, np.float32(far * MAX_FLOAT32)


def _admitted(feature: Feature, values: Any) -> Any:
    """Those float32 *values* that a number within the feature's bounds may be rounded to."""
    low = np.float32(-MAX_FLOAT32 if feature.minimum is None else feature.minimum)
    high = np.float32(MAX_FLOAT32 if feature.maximum is None else feature.maximum)
    return (values >= low) & (values <= high)
