"""Check that a graph's core gives bit-identical scores; otherwise the bundle has no core."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bundles.onnx_core import Encoder, trial
from bundles.onnx_session import CoreGraph, FullGraph, disagreement
from contracts.row_contract import Contract
from model.data import model_inputs
from model.onnx_export.core_extraction import CutError, cut
from model.train import Fitted

#: How many values of the holdout are tried, in rows that are evenly spread.
CELLS = 4_000_000


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
        encoder = Encoder.read(description, contract)
        if wrong := disagreement(FullGraph(graph, contract), CoreGraph(core, encoder), rows):
            raise CutError(f"it does not give the full graph's scores: {wrong}")
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
