"""Check that a graph's core gives bit-identical scores; otherwise the bundle has no core."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from contracts.onnx_core import INPUT, OUTPUT, Encoder, trial
from contracts.row_contract import Contract
from model.data import model_inputs
from model.onnx_export.core_extraction import CutError, cut, runtime
from model.train import Fitted

#: How many rows are also scored alone, and how many of the holdout are tried, evenly spread.
ALONE, CELLS = 64, 4_000_000


def core_of(
    graph: bytes,
    fitted: Fitted,
    golden: Sequence[Mapping[str, Any]],
    cutter: Callable[[bytes, Contract], tuple[bytes, dict[str, Any]]] = cut,
) -> tuple[bytes | None, dict[str, Any]]:
    """The core of *graph* if its scores are bit-identical, and its entry in the manifest."""
    contract = fitted.contract
    try:
        core, description = cutter(graph, contract)
        holdout = fitted.split.holdout
        step = -(-holdout[list(contract.feature_names)].size // CELLS)
        inputs = model_inputs(holdout.iloc[::step], contract).to_dict("records")
        rows = [*trial(contract, categories_of(fitted), golden), *inputs]
        wrong = _difference(graph, core, Encoder.read(description, contract), contract, rows)
        if wrong:
            raise CutError(wrong)
    except Exception as error:  # skl2onnx, onnx and its runtime: the full graph serves as well
        return None, {"left_out": f"{type(error).__name__}: {error}".partition("\n")[0]}
    return core, description | {"tried": len(rows)}


def categories_of(fitted: Fitted) -> dict[str, list[str]]:
    """The values of each category in the training rows."""
    return {
        f.name: sorted(fitted.split.train[f.name].dropna().unique().tolist())
        for f in fitted.contract.features
        if f.kind == "category"
    }


def _difference(
    graph: bytes, core: bytes, encoder: Encoder, contract: Contract, rows: Sequence[Mapping[str, Any]]
) -> str:
    """Where the core's scores differ from the full graph's: for all rows together, and for the first rows alone."""
    full, cored = runtime(graph), runtime(core)
    output = full.get_outputs()[-1].name
    for few in (rows, *([row] for row in rows[:ALONE])):
        feeds = {f.name: _column([row.get(f.name) for row in few], f.kind) for f in contract.features}
        expected = np.asarray(full.run([output], feeds)[0], dtype=np.float32)
        found = np.asarray(cored.run([OUTPUT], {INPUT: encoder.matrix(few)})[0], dtype=np.float32)
        if expected.shape != found.shape or expected.tobytes() != found.tobytes():
            return f"it does not give the full graph's scores for {len(few):,} rows"
    return ""


def _column(values: Sequence[Any], kind: str) -> Any:
    if kind == "category":
        return np.array([value or "" for value in values], dtype=object).reshape(-1, 1)
    numbers = [np.nan if value is None else value for value in values]
    return np.array(numbers, dtype=np.float64).astype(np.float32).reshape(-1, 1)
