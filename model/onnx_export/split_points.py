"""The values of each number at which the graph's scores jump: split points of trees, and edges of bins.

Steps before a threshold (a scaler, a power, quantiles) are inverted by bisection over the graph: it gives the value at
which they pass the threshold, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper

from bundles.onnx_session import session
from contracts.row_contract import MAX_FLOAT32, Contract, Feature

#: How many rows are used to find which columns each feature changes, and between which values a threshold lies.
SAMPLED = 256
#: How many values are computed at once.
CELLS = 4_000_000
#: A threshold of each column of a tensor.
EVERY_COLUMN = -1
COMBINED = "combined with others before they are compared"
UNREACHED = "on one side of some thresholds for all values tried"
Values = np.ndarray[Any, np.dtype[np.float32]]
Points = Mapping[str, Values]
Run = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Thresholds:
    """*points* are the last values before a jump, sorted, by feature.

    *unchecked*: why such values are not known for all thresholds of a feature.
    """

    points: Points = field(default_factory=dict)
    unchecked: Mapping[str, str] = field(default_factory=dict)


def thresholds(graph: bytes, inputs: pd.DataFrame, contract: Contract) -> Thresholds:
    """The thresholds of *graph* in units of the features. *inputs* are rows as `model_inputs` gives them."""
    model = onnx.load_from_string(graph)
    asked = _compared(model)
    numbers = [f for f in contract.features if f.kind == "number"]
    if not asked or not numbers:
        return Thresholds()
    run = _until(model, asked)
    few = inputs.iloc[np.unique(np.linspace(0, len(inputs) - 1, SAMPLED).astype(int))]
    tried = {f.name: _tried(f, few[f.name].to_numpy(np.float32)) for f in numbers}
    columns = {f.name: few[f.name].to_numpy(object if f.kind == "category" else np.float32) for f in contract.features}
    changed = _changed(run, columns, tried, contract)
    unchecked: dict[str, str] = {}
    search = _Search(run, columns, tried)
    for source, of in asked.items():
        by = changed[source]  # (features, columns)
        for at, feature in enumerate(contract.features):
            for column in np.flatnonzero(by[at]).tolist() if feature.name in tried else ():
                values = _distinct([*of.get(column, ()), *of.get(EVERY_COLUMN, ())])
                if by[:, column].sum() > 1:
                    unchecked |= {feature.name: COMBINED} if len(values) else {}
                elif len(values) and not search.add(feature.name, source, column, values):
                    unchecked.setdefault(feature.name, UNREACHED)
    points: dict[str, list[Values]] = {}
    for name, found in search.found():
        points.setdefault(name, []).append(found)
    return Thresholds({n: np.unique(np.concatenate(each)) for n, each in points.items()}, unchecked)


def _compared(model: Any) -> dict[str, dict[int, list[float]]]:
    """tensor -> column -> the thresholds of trees, bins and binarizers, on the way to the scores."""
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    found: dict[str, dict[int, list[float]]] = {}
    for node in _before(model, model.graph.output[-1].name):
        held = {each.name: each for each in node.attribute}
        if node.op_type.startswith("TreeEnsemble") and "nodes_values" in held:
            columns = found.setdefault(node.input[0], {})
            for mode, column, value in zip(
                held["nodes_modes"].strings, held["nodes_featureids"].ints, held["nodes_values"].floats, strict=True
            ):
                if mode != b"LEAF":
                    columns.setdefault(column, []).append(value)
        elif node.op_type == "Binarizer":
            value = held["threshold"].f if "threshold" in held else 0.0
            found.setdefault(node.input[0], {}).setdefault(EVERY_COLUMN, []).append(value)
        elif node.op_type == "Less" and node.input[1] in constants:  # KBinsDiscretizer
            edges = constants[node.input[1]].ravel().astype(np.float32)
            values = np.nextafter(edges, np.float32(-np.inf)).tolist()  # the last smaller one
            found.setdefault(node.input[0], {}).setdefault(EVERY_COLUMN, []).extend(values)
    return found


def _before(model: Any, tensor: str) -> Iterable[Any]:
    """The nodes that *tensor* is computed from."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    open_, seen = [tensor], set()
    while open_:
        node = made_by.get(open_.pop())
        if node is not None and id(node) not in seen:
            seen.add(id(node))
            open_ += node.input
            yield node


def _until(model: Any, tensors: Iterable[str]) -> Run:
    """A function from columns to the values of *tensors* in the graph, (rows, columns) each."""
    short = onnx.ModelProto()
    short.CopyFrom(model)
    del short.graph.output[:]
    names = {f"before_threshold_{at}": tensor for at, tensor in enumerate(tensors)}
    for name, tensor in names.items():
        short.graph.node.append(helper.make_node("Cast", [tensor], [name], to=TensorProto.FLOAT))
        short.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    shortened = session(short.SerializeToString())

    def run(columns: Mapping[str, Any]) -> dict[str, Any]:
        rows = len(next(iter(columns.values())))
        feeds = {name: values.reshape(-1, 1) for name, values in columns.items()}
        found = shortened.run([*names], feeds)
        return {tensor: np.asarray(each).reshape(rows, -1) for tensor, each in zip(names.values(), found, strict=True)}

    return run


def _tried(feature: Feature, seen: Values) -> Values:
    """Sorted values of *feature*, between which thresholds are searched: those *seen*, and some beyond them."""
    seen = seen[~np.isnan(seen)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
    width = (high - low) or abs(high) or 1.0
    low_end = -MAX_FLOAT32 if feature.minimum is None else feature.minimum
    high_end = MAX_FLOAT32 if feature.maximum is None else feature.maximum
    beyond = np.array([low - 10 * width, low - width, high + width, high + 10 * width])
    ends = [low_end, high_end]
    return np.unique(np.array([*seen, *beyond.clip(low_end, high_end), *ends], dtype=np.float32))


def _changed(run: Run, columns: Mapping[str, Any], tried: Mapping[str, Values], contract: Contract) -> dict[str, Any]:
    """tensor -> whether a change of each feature changes each column, (features, columns)."""
    before = run(columns)
    found: dict[str, list[Any]] = {source: [] for source in before}
    for feature in contract.features:
        after = run({**columns, feature.name: _moved(feature, columns[feature.name], tried)})
        for source, was in before.items():
            now = after[source]
            differs = (was != now) & ~(np.isnan(was) & np.isnan(now))
            found[source].append(differs.any(axis=0))
    return {source: np.array(each) for source, each in found.items()}


def _moved(feature: Feature, column: Any, tried: Mapping[str, Values]) -> Any:
    """Another value in each row, if there is one."""
    if feature.kind == "boolean":
        return 1 - np.nan_to_num(column)
    if feature.kind == "category":
        kinds = np.unique(column)
        return kinds[(np.searchsorted(kinds, column) + 1) % len(kinds)]
    values = tried[feature.name]
    half = (np.searchsorted(values, np.nan_to_num(column)) + len(values) // 2) % len(values)
    return values[half]


def _distinct(values: list[float]) -> Values:
    found = np.unique(np.array(values, dtype=np.float32))
    return found[np.abs(found) < MAX_FLOAT32]


class _Search:
    """Bisects between two values of a feature for the last float32 before the result changes.

    Each searched column depends on one feature, so a row holds a value of each feature.
    """

    def __init__(self, run: Run, few: Mapping[str, Any], tried: Mapping[str, Values]) -> None:
        self._run = run
        self._tried = tried
        self._rest = {name: values[:1] for name, values in few.items()}
        longest = max(map(len, tried.values()))
        self._seen = self._computed({n: np.pad(v, (0, longest - len(v)), "edge") for n, v in tried.items()})
        self._jobs: dict[str, list[_Job]] = {}
        self._known: list[tuple[str, Values]] = []

    def add(self, name: str, source: str, column: int, values: Values) -> bool:
        """Search all *values* of a column; False if some are not passed between the values tried."""
        x = self._tried[name]
        seen = self._seen[source][: len(x), column]
        if np.array_equal(seen, x):  # the unchanged feature: nothing to invert
            self._known.append((name, values))
            return bool(((x[0] <= values) & (values < x[-1])).all())
        below = seen[:, None] <= values
        at, which = np.nonzero(below[1:] != below[:-1])
        job = _Job(source, column, values[which], below[at, which], _key(x[at]), _key(x[at + 1]))
        self._jobs.setdefault(name, []).append(job)
        return len(np.unique(which)) == len(values)

    def found(self) -> list[tuple[str, Values]]:
        """The values found for each feature."""
        while any((job.high - job.low > 1).any() for jobs in self._jobs.values() for job in jobs):
            middle = {
                name: np.concatenate([_number((job.low + job.high) // 2) for job in jobs])
                for name, jobs in self._jobs.items()
            }
            longest = max(map(len, middle.values()))
            got = self._computed({n: np.resize(v, longest) for n, v in middle.items() if len(v)})
            for jobs in self._jobs.values():
                start = 0
                for job in jobs:
                    end = start + len(job.low)
                    job.narrow(got[job.source][start:end, job.column])
                    start = end
        return self._known + [(name, _number(job.low)) for name, jobs in self._jobs.items() for job in jobs]

    def _computed(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        rows = len(next(iter(columns.values())))
        step = max(1, CELLS // len(self._rest))
        parts: list[dict[str, Any]] = []
        for start in range(0, rows, step):
            end = min(start + step, rows)
            rest = {name: np.repeat(value, end - start) for name, value in self._rest.items()}
            parts.append(self._run(rest | {n: v[start:end] for n, v in columns.items()}))
        return {source: np.concatenate([part[source] for part in parts]) for source in parts[0]}


@dataclass
class _Job:
    """Thresholds of one column, each between two float32, as integers with the same order."""

    source: str
    column: int
    values: Values
    starts_below: Any
    low: Any
    high: Any

    def narrow(self, got: Values) -> None:
        """*got* is the column at the middle of low and high."""
        middle = (self.low + self.high) // 2
        same = (got <= self.values) == self.starts_below
        self.low, self.high = np.where(same, middle, self.low), np.where(same, self.high, middle)


def _key(values: Values) -> Any:
    """Integers with the order of float32 *values*; neighbours differ by one."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _number(keys: Any) -> Values:
    """The float32 values of integers from `_key`."""
    magnitude = np.abs(keys).astype(np.int32).view(np.float32)
    return np.asarray(np.where(keys < 0, -magnitude, magnitude), dtype=np.float32)
