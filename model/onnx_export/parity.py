"""Parity: the exported graph gives the estimator's scores on every kind of row that the contract admits.

The holdout is replayed, then rows it may lack: each nullable field null, unseen categories, the bounds of numbers,
several of these at once, and rows on and beside the thresholds of trees. Trees compare in float32 in ONNX Runtime and in
float64 in scikit-learn, so a row close to a split may take the other branch (onnxruntime#4130, sklearn-onnx#1074).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bundles.onnx_session import FullGraph, shaped
from contracts.row_contract import Contract
from contracts.tolerance import relative, spread_of
from model.data import model_inputs
from model.declarations import Declared
from model.estimator_scores import Scores, scores_of
from model.onnx_export.convertibility import likely_causes, steps_of
from model.onnx_export.core_proof import categories_of
from model.onnx_export.edge_cases import BOTH, BOUND, CATEGORY, FAR, NULL, SPLIT, UNSEEN, Case, beside, cases, frame
from model.onnx_export.split_points import Thresholds
from model.onnx_export.trees import parts, rounded_down
from model.train import Fitted

#: A function from columns (a sequence of values per feature) to scores.
Score = Callable[[Mapping[str, Any]], Scores]
#: How many values are scored at once: 4,000 rows of a thousand features.
CELLS = 4_000_000
#: How many problems a message lists.
MAX_LISTED = 20
CURES = {
    NULL: "fill it in the pipeline (an imputer such as SimpleImputer; for a category, where null is the"
    ' empty string, an encoder with handle_unknown="ignore"), or set nullable=False',
    UNSEEN: 'let the encoder accept it (OneHotEncoder: handle_unknown="ignore"; OrdinalEncoder:'
    ' handle_unknown="use_encoded_value", unknown_value=-1), or list all categories in choices',
    CATEGORY: 'let the encoder accept it (OneHotEncoder: handle_unknown="ignore"), or correct choices',
    BOUND: "narrow its minimum and maximum in the contract, or use another step for it",
    SPLIT: "give trees and bins the number as it is: a scaler, power or quantile step before them rounds"
    " differently in ONNX, and trees split the same rows without it",
    BOTH: "impute, and let the encoders ignore what they do not know",
}


class ParityError(Exception):
    """The exported model's scores differ from the estimator's. The message names fields and rows."""


@dataclass
class _Replay:
    """Compares estimator and graph; disagreements by (field, kind of case)."""

    fitted: Fitted
    score: Score
    spread: Any
    limit: float
    rows: int = 0
    worst: float = 0.0
    problems: dict[tuple[str, str], str] = field(default_factory=dict)

    def hold(self, inputs: pd.DataFrame) -> tuple[Any, Scores, Scores]:
        """Differences in units of the limit, the estimator's scores, the graph's scores. Raises what they raise."""
        contract = self.fitted.contract
        expected = scores_of(self.fitted.estimator, inputs, contract)
        if not np.isfinite(expected).all():
            raise _EstimatorError("gives a score that is not a finite number")
        try:
            found = self.score({name: inputs[name].to_numpy() for name in inputs})
        except Exception as error:  # ONNX Runtime raises many exception types
            raise _GraphError(_first_line(error)) from error
        if found.shape != expected.shape:
            raise ParityError(f"the graph gives scores of shape {found.shape}, expected {expected.shape}")
        binary = contract.task != "regression"
        return relative(found, expected, self.spread, self.limit, binary), expected, found

    def holdout(self, inputs: pd.DataFrame) -> None:
        """Compare the holdout. Raises `ParityError` at once, without trying other rows."""
        gaps: list[Any] = []
        expected: list[Any] = []
        found: list[Any] = []
        try:
            for start, end in _steps(len(inputs), inputs.shape[1]):
                for kept, each in zip((gaps, expected, found), self.hold(inputs.iloc[start:end]), strict=True):
                    kept.append(each)
        except (_EstimatorError, _GraphError) as error:
            raise ParityError(f"on the holdout, {error}{self._causes()}") from error
        gap, theirs, ours = (np.concatenate(each) for each in (gaps, expected, found))
        self._count(gap)
        at = int(np.argmax(gap))
        if gap[at] > self.limit:
            raise ParityError(
                f"the ONNX model differs from the estimator by {gap[at]:.3g}; {self._allowed()}, and"
                f" {int((gap > self.limit).sum()):,} of {len(inputs):,} rows of the holdout are beyond it."
                f" The worst row: {_row(inputs, at)}: estimator {theirs[at]}, ONNX {ours[at]}{self._causes()}"
            )

    def cases(self, inputs: pd.DataFrame, cases: Sequence[Case]) -> None:
        """Replay *cases*; a chunk that raises is halved until the case is found."""
        cases = [each for each in cases if (each.field, each.kind) not in self.problems]
        if not cases:
            return
        rows = frame(inputs, cases)
        try:
            gap, theirs, ours = self.hold(rows)
        except ParityError:
            raise
        except Exception as error:  # the estimator's steps may raise anything
            if len(cases) > 1:
                self.cases(inputs, cases[: len(cases) // 2])
                self.cases(inputs, cases[len(cases) // 2 :])
                return
            what = (
                str(error)
                if isinstance(error, (_EstimatorError, _GraphError))
                else f"the estimator raises {_first_line(error)}"
            )
            self._problem(cases[0], rows, 0, what)
            return
        if not any(each.kind == FAR for each in cases):
            self._count(gap)
        start = 0
        for case in cases:
            part = gap[start : start + case.rows]
            at = start + int(np.argmax(part))
            if gap[at] > self.limit:
                self._problem(
                    case,
                    rows,
                    at,
                    f"the estimator gives {theirs[at]}, ONNX {ours[at]}: they differ by {gap[at]:.3g}; {self._allowed()}",
                )
            start += case.rows

    def _problem(self, case: Case, rows: pd.DataFrame, at: int, what: str) -> None:
        shown = _row(rows[list(case.changes)], at)
        self.problems.setdefault((case.field, case.kind), f"{shown}: {what}")

    def _causes(self) -> str:
        fitted = self.fitted
        found = likely_causes(fitted.estimator, fitted.split.train, fitted.contract, fitted.where)
        steps = steps_of(fitted.estimator)
        return found or f"\n  What to do: replace one step after the other, to find the cause: {steps}"

    def _count(self, gap: Any) -> None:
        self.rows += len(gap)
        self.worst = max(self.worst, float(gap.max()))

    def _allowed(self) -> str:
        return (
            f"allowed is {self.limit:g} (thresholds.toml, export.parity) of the score or of the"
            " scores' standard deviation, whichever is larger"
        )


class _EstimatorError(Exception):
    def __str__(self) -> str:
        return f"the estimator {self.args[0]}"


class _GraphError(Exception):
    def __str__(self) -> str:
        return f"the estimator gives a score and the ONNX model fails: {self.args[0]}"


def round_thresholds(estimator: Any) -> None:
    """Round the thresholds of histogram gradient boosting, and the edges of bins, to float32, in place.

    All inputs are float32. For a float32 x, x <= t is equivalent to x <= (t rounded down), and x < t to x < (t rounded
    up); the converter would round t to the nearest, and rows on it would take the other branch.
    """
    for part in parts(estimator):
        for trees in getattr(part, "_predictors", []):
            for tree in trees:
                tree.nodes["num_threshold"] = rounded_down(tree.nodes["num_threshold"])
        for at, edges in enumerate(getattr(part, "bin_edges_", [])):
            part.bin_edges_[at] = -rounded_down(-edges).astype(edges.dtype)


def replay(fitted: Fitted, score: Score, thresholds: Thresholds, limit: float) -> dict[str, Any]:
    """Compare estimator and graph on the holdout, and on rows that the contract admits beside it.

    *thresholds* are those of the graph (`model.onnx_export.split_points`).
    Returns the manifest's entry: rows compared, the largest difference, the limit, how many rows beside thresholds were
    replayed, the fields whose thresholds are not known, and *unbounded*: fields without a bound in the contract for
    which estimator and graph differ on very large values.

    Raises `ParityError` with all fields that differ, an example and what to do.
    """
    contract = fitted.contract
    inputs = model_inputs(fitted.split.holdout, contract)
    spread = spread_of(scores_of(fitted.estimator, inputs, contract))
    side = _Replay(fitted, score, spread, limit)
    side.holdout(inputs)
    near, of = beside(contract, thresholds.points)
    edge = cases(contract, inputs, categories_of(fitted))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # About unknown categories and overflow: the scores are compared.
        warnings.simplefilter("ignore")
        for start, end in _steps(len(near), inputs.shape[1]):
            side.cases(inputs, near[start:end])
        for kinds in ({NULL, UNSEEN, CATEGORY, BOUND}, {BOTH}, {FAR}):
            if side.problems:
                break  # a field that differs alone differs with others, too
            some = [case for case in edge if case.kind in kinds]
            for start, end in _steps(len(some), inputs.shape[1] * 16):
                side.cases(inputs, some[start:end])
    wrong = {at: said for at, said in side.problems.items() if at[1] != FAR}
    if wrong:
        causes = likely_causes(fitted.estimator, fitted.split.train, contract, fitted.where)
        raise ParityError(_message(wrong, fitted.where) + causes)
    return {
        "rows": side.rows,
        "worst": float(f"{side.worst:.3g}"),
        "limit": limit,
        "cases": len(edge),
        "beside_thresholds": {"replayed": len(near), "of": of, "unchecked": dict(thresholds.unchecked)},
        "unbounded": sorted(name for name, _ in side.problems),
    }


def runner(graph: bytes, contract: Contract) -> Score:
    """A function from columns (a sequence of values per feature) to scores, as the scorer computes them."""
    full = FullGraph(graph, contract)
    return lambda columns: shaped(contract.task, full.score_columns(columns)).astype(np.float64)


def _message(problems: Mapping[tuple[str, str], str], where: Declared) -> str:
    lines = [
        f"  - {where.at(name)}{name + ': ' if name else ''}{kind} is admitted by the contract. {said}.\n"
        f"    What to do: {CURES[kind]}"
        for (name, kind), said in problems.items()
    ]
    more = [f"  - and {len(lines) - MAX_LISTED} more"] if len(lines) > MAX_LISTED else []
    return "ONNX model and estimator differ on rows that a request may have:\n" + "\n".join(lines[:MAX_LISTED] + more)


def _steps(rows: int, features: int) -> Iterator[tuple[int, int]]:
    size = max(1, CELLS // max(features, 1000))
    return ((start, min(start + size, rows)) for start in range(0, rows, size))


def _row(inputs: pd.DataFrame, at: int) -> str:
    row = {
        str(name): value.item() if isinstance(value, np.generic) else value for name, value in inputs.iloc[at].items()
    }
    text = ", ".join(f"{name} = {_shown(value)}" for name, value in row.items())
    return text if len(text) <= 600 else text[:597] + "..."


def _shown(value: Any) -> str:
    missing = value == "" or (isinstance(value, float) and np.isnan(value))
    text = "null" if missing else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip()}".partition("\n")[0][:300]
