"""A bundle's evidence: its manifest, the rows of its holdout, which are the reference period, and its training rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from contracts.row_contract import Contract


class EvidenceError(Exception):
    """A bundle's evidence cannot be read. The message names the file and what is wrong."""


def read_manifest(bundle: Path) -> dict[str, Any]:
    """The manifest of the bundle in the folder *bundle*. Raises `EvidenceError` if it cannot be used."""
    try:
        manifest = json.loads((bundle / "manifest.json").read_bytes())
    except (OSError, ValueError) as error:
        raise EvidenceError(f"{bundle.name} has no manifest that can be read: {error}") from error
    if not isinstance(manifest, dict) or not manifest.keys() >= {"contract", "data"}:
        raise EvidenceError(f"the manifest of {bundle.name} lacks its contract or its data")
    return manifest


def read_reference(bundle: Path, contract: Contract) -> pd.DataFrame:
    """The holdout of the model in the folder *bundle*, with the columns of `Window.rows`.

    The scores are the evaluation model's: the release model was trained on these rows, so that its performance on them is
    no estimate of that on later ones.

    Raises `EvidenceError` if it cannot be read, or lacks a column.
    """
    return _rows(bundle, contract, "holdout")


def read_training(bundle: Path, contract: Contract) -> pd.DataFrame:
    """The training rows in the evidence, in the columns of `read_reference`; empty in a bundle that has none.

    Raises `EvidenceError` if there are rows that cannot be read.
    """
    if not (bundle / "evidence" / "train.parquet").is_file():
        return pd.DataFrame()
    return _rows(bundle, contract, "train")


def _rows(bundle: Path, contract: Contract, part: str) -> pd.DataFrame:
    path = bundle / "evidence" / f"{part}.parquet"
    try:
        rows = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise EvidenceError(f"{bundle.name}: {path.name} cannot be read: {error}") from error
    lacking = {contract.time, contract.target.name, *contract.feature_names} - {*rows.columns}
    if lacking:
        raise EvidenceError(f"{bundle.name}: {path.name} lacks {', '.join(sorted(lacking))}")
    return rows.assign(**{contract.time: rows[contract.time].dt.tz_convert(contract.zone or "UTC")})
