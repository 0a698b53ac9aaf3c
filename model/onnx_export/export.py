"""Write a bundle of a fitted estimator; refused if ONNX file and estimator disagree.

The same data and libraries give the same bytes. Writing is atomic: the folder gets its name when it is complete.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import is_classifier

from bundles.manifest import MAX_TOLERANCE
from bundles.onnx_core import FILE as CORE
from contracts.bundle_content import EVALUATION, LATE, LATER, UNKNOWN
from contracts.row_contract import Contract
from contracts.tolerance import spread_of
from model.data import known_target, model_inputs
from model.estimator_scores import scores_of
from model.label_delay.known_outcomes import known
from model.loaded_columns import plain
from model.onnx_export.bundle_manifest import Build, manifest_of
from model.onnx_export.convertibility import likely_causes, why_not
from model.onnx_export.core_proof import core_of
from model.onnx_export.function_steps import register_functions
from model.onnx_export.onnx_content import problems
from model.onnx_export.parity import Score, replay, round_thresholds, runner
from model.onnx_export.portable_graph import make_portable
from model.onnx_export.recipe_graph import checked
from model.onnx_export.split_points import thresholds
from model.onnx_export.trees import route_missing
from model.train import Fitted
from model.tree_libraries.registration import register

OPSET = {"": 21, "ai.onnx.ml": 3}
GOLDEN_ROWS = 24
TRAIN_SAMPLE, HOLDOUT_SAMPLE = 20_000, 50_000


class ExportError(Exception):
    """An estimator cannot be exported to ONNX, or a folder is not a bundle. The message says why."""


@dataclass(frozen=True)
class _Converted:
    """An exported graph, the function that runs it, and the manifest's entry on its parity."""

    graph: bytes
    score: Score
    parity: Mapping[str, Any]


def export(
    fitted: Fitted, build: Build, into: Path, parity_limit: float, convert: Callable[[Fitted], bytes] | None = None
) -> Path:
    """Write the bundle folder *into*/<version> and return it. *convert* replaces `to_graph`.

    With a release model, that is `model.onnx`, and *fitted*, which is judged, travels in the evidence.

    Raises `ExportError` if skl2onnx does not know a part of the estimator, or writes what a bundle may
    not contain (`model.onnx_export.onnx_content`), `ParityError` if any score differs by more than *parity_limit*
    (see `contracts.tolerance`), or a row that the contract admits cannot be scored.
    """
    contract, served = fitted.contract, fitted.served
    evaluation = _converted(fitted, parity_limit, convert or to_graph)
    release = _converted(served, parity_limit, convert or to_graph) if fitted.release else evaluation
    into.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=into))
    try:
        golden = _golden(served, parity_limit)
        core, core_entry = core_of(release.graph, served, golden["rows"])
        if core:
            _check("exported core", core, served)
        files = {"model.onnx": release.graph} | ({CORE: core} if core else {})
        if fitted.release:
            files[EVALUATION] = evaluation.graph
        files |= {
            f"evidence/{name}.parquet": _parquet(_evidence(rows, contract, evaluation.score))
            for name, rows in _samples(fitted)
        }
        if fitted.arrived is not None:
            files[f"evidence/{LATE}.parquet"] = _parquet(_arrived(fitted.arrived, contract))
        manifest = manifest_of(fitted, build, files, golden, (release.parity, evaluation.parity), core_entry)
        version = str(manifest["version"])
        files["manifest.json"] = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
        for name, content in files.items():
            _write(work / name, content)
        return _put_in_place(work, into / version)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _converted(fitted: Fitted, parity_limit: float, convert: Callable[[Fitted], bytes]) -> _Converted:
    """The graph of *fitted*, which scores as the estimator does. Raises as `export` does."""
    round_thresholds(fitted.estimator)
    graph = convert(fitted)
    _check("exported graph", graph, fitted)
    try:
        score = runner(graph, fitted.contract)
        found = thresholds(graph, model_inputs(fitted.split.holdout, fitted.contract), fitted.contract)
    except Exception as error:  # ONNX Runtime raises many exception types
        words = " ".join(str(error).split())[:300]
        raise ExportError(f"ONNX Runtime cannot run the exported model: {words}{_causes(fitted)}") from error
    return _Converted(graph, score, replay(fitted, score, found, parity_limit))


def to_graph(fitted: Fitted) -> bytes:
    """The estimator, preprocessing included, as an ONNX model: one input of (n, 1) per feature.

    Raises `ExportError`.
    """
    try:
        own = fitted.to_onnx
        model = checked(own(fitted.estimator), fitted.contract) if own else _from_skl2onnx(fitted)
    except Exception as error:  # skl2onnx and a recipe raise many exception types
        raise ExportError(why_not(fitted.estimator, error) + _causes(fitted)) from error
    make_portable(model, fitted.contract.feature_names)
    route_missing(model, fitted.estimator)
    # They have the order of a set, which differs between processes.
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return bytes(model.SerializeToString(deterministic=True))


def _from_skl2onnx(fitted: Fitted) -> Any:
    register()
    register_functions()
    inputs = [
        (f.name, StringTensorType([None, 1]) if f.kind == "category" else FloatTensorType([None, 1]))
        for f in fitted.contract.features
    ]
    classes = is_classifier(fitted.estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about possible differences: the scores are compared
        return to_onnx(
            fitted.estimator,
            initial_types=inputs,
            options={id(fitted.estimator): {"zipmap": False}} if classes else None,
            target_opset=OPSET,
            name=fitted.contract.name,  # by default random: the bytes would differ
        )


def _causes(fitted: Fitted) -> str:
    return likely_causes(fitted.estimator, fitted.split.train, fitted.contract, fitted.where)


def _check(what: str, graph: bytes, fitted: Fitted) -> None:
    if wrong := problems(graph):
        said = f"the {what} is not what a bundle may contain: {'; '.join(wrong)}"
        raise ExportError(said + _causes(fitted))


def _samples(fitted: Fitted) -> Iterable[tuple[str, pd.DataFrame]]:
    for name, part, most in (
        ("train", fitted.split.train, TRAIN_SAMPLE),
        ("holdout", fitted.split.holdout, HOLDOUT_SAMPLE),
    ):
        rows = part[known(part, fitted.contract)] if fitted.late else part
        yield name, _sample(rows, most)
    if fitted.late and fitted.unknown is not None:
        share = min(1.0, HOLDOUT_SAMPLE / len(fitted.split.holdout))  # as of the holdout, which they belong to
        if few := round(len(fitted.unknown) * share):
            yield UNKNOWN, _sample(fitted.unknown, few)
        yield LATER, _sample(fitted.later, HOLDOUT_SAMPLE)


def _arrived(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Outcomes that came late, with the encoded target; the newest, where there are many."""
    newest = rows.tail(HOLDOUT_SAMPLE).reset_index(drop=True)
    return newest.assign(**{contract.target.name: known_target(newest, contract).astype(float)})


def _sample(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    few = rows if len(rows) <= most else rows.sample(most, random_state=0).sort_index()
    return few.reset_index(drop=True)


def _evidence(rows: pd.DataFrame, contract: Contract, score: Score) -> pd.DataFrame:
    """Rows with the encoded target, NaN where there is no outcome yet, and the graph's scores."""
    inputs = model_inputs(rows, contract)
    scores = score({name: inputs[name].to_numpy() for name in inputs})
    types = {"number": "float64", "boolean": "boolean"}  # all at once: a table may have hundreds of columns
    found = rows.assign(**{contract.target.name: known_target(rows, contract)}).astype(
        {each.name: types[each.kind] for each in contract.columns if each.kind in types}
    )
    if contract.task == "multiclass":
        return found.assign(**{f"score_{i}": scores[:, i] for i in range(scores.shape[1])})
    return found.assign(score=scores)


def _golden(fitted: Fitted, limit: float) -> dict[str, Any]:
    """Holdout rows, evenly spread in time, and rows with nulls and unseen categories.

    The scores are the estimator's. A scorer compares with twice the *limit*, as another machine may round differently.
    """
    contract = fitted.contract
    holdout = fitted.split.holdout
    spread = np.unique(np.linspace(0, len(holdout) - 1, GOLDEN_ROWS).astype(int))
    picked = holdout.iloc[spread][list(contract.feature_names)]
    columns = {name: plain(picked[name]) for name in picked}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    nulls: dict[str, Any] = {f.name: None for f in contract.features if f.nullable}
    unseen = {f.name: "never seen" for f in contract.features if f.kind == "category" and not f.choices}
    alone = [{name: value} for name, value in (*nulls.items(), *unseen.items())]
    rows += [rows[0] | change for change in (*alone[:GOLDEN_ROWS], unseen, unseen | nulls)]
    inputs = model_inputs(pd.DataFrame(rows, columns=list(columns), dtype=object), contract)
    scores = scores_of(fitted.estimator, inputs, contract)
    everything = scores_of(fitted.estimator, model_inputs(holdout, contract), contract)
    return {
        "rows": rows,
        "scores": scores.tolist(),
        "tolerance": min(2 * limit, MAX_TOLERANCE),
        "spread": spread_of(everything).tolist(),
    }


def _parquet(rows: pd.DataFrame) -> bytes:
    return bytes(rows.to_parquet(index=False))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(work: Path, folder: Path) -> Path:
    try:
        work.rename(folder)
    except OSError:
        # The name contains the digest of the content, so an existing folder has the same content.
        if not (folder / "manifest.json").is_file():
            raise
    return folder
