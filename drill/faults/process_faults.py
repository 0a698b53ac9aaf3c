"""Process faults: evidence, digests, live.toml, or the gate itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from drill.fault import Fault
from drill.resigned_bundle import resigned


def _tampered(folder: Path) -> Path:
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"\0")
    return folder


def _same(folder: Path) -> Path:
    """The holdout is the training data."""
    shutil.copy(folder / "evidence/train.parquet", folder / "evidence/holdout.parquet")

    def change(manifest: dict[str, Any]) -> None:
        manifest["data"]["holdout"] = manifest["data"]["train"]

    return resigned(folder, change)


def _future(folder: Path) -> Path:
    def change(manifest: dict[str, Any]) -> None:
        manifest["build"]["made_at"] = "2099-01-01T00:00:00Z"
        manifest["version"] = "20990101T0000-" + manifest["version"][14:]

    return resigned(folder, change)


def _another(folder: Path) -> Path:
    """Rows of another window and another model, with this model's contract."""
    path = folder / "evidence/holdout.parquet"
    rows = pd.read_parquet(path)
    columns = [name for name in rows if not name.startswith("score")]
    rows[columns] = rows[columns].sample(frac=1, random_state=0).to_numpy()
    for name, kind in pd.read_parquet(path).dtypes.items():
        rows[name] = rows[name].astype(kind)
    rows.sort_values(columns[1]).reset_index(drop=True).to_parquet(path, index=False)
    return resigned(folder)


def _alien(folder: Path) -> Path:
    """Evidence without a feature, as by an older contract."""
    path = folder / "evidence/holdout.parquet"
    rows = pd.read_parquet(path)
    rows.rename(columns={rows.columns[2]: "older_name"}).to_parquet(path, index=False)
    return resigned(folder)


#: Rules that fail without rows later than the training data.
NOT_FRESH = ("data.fresh_rows", "compare.*", "slice*", "data.stale", "calibration*")

FAULTS = (
    Fault("a check crashes", "the first of Deepchecks' checks raises", ("data.missing",), (), gate="crash"),
    Fault(
        "a check is skipped", "the first of Deepchecks' checks leaves no finding", ("data.missing",), (), gate="skip"
    ),
    Fault("a rule crashes", "one of our own rules raises", ("leak.solo",), (), gate="crash_own"),
    Fault("digest tampered with", "a byte was added to the model's file", ("gate.cannot_judge",), (), bundle=_tampered),
    Fault(
        "holdout equal to training",
        "the holdout is the training data",
        ("data.time_overlap", "leak.split"),
        NOT_FRESH,
        bundle=_same,
    ),
    Fault(
        "champion missing",
        "live.toml names a champion that is not stored",
        ("gate.cannot_judge",),
        (),
        gate="no_champion",
    ),
    Fault("clock in the future", "the bundle was made in 2099", ("bundle.clock",), (), bundle=_future),
    Fault(
        "evidence of another model",
        "the scores in the evidence are another model's",
        ("bundle.scores",),
        (),
        bundle=_another,
    ),
    Fault(
        "evidence from another contract",
        "the rows lack a field of the contract",
        ("gate.cannot_judge",),
        (),
        bundle=_alien,
    ),
)
