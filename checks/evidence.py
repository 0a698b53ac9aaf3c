"""Candidate and champion -> frames, scored with the scorer's own code.

What is judged is what will be served: every score here comes from the ONNX files, through
`serve.bundle`. The champion is scored on the candidate's holdout, as far as neither learnt from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.contract import Contract
from serve.bundle import Bundle, BundleError

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Evidence:
    """What the rules look at.

    *train* and *holdout* are the candidate's rows; *fresh* says which of the holdout neither model
    learnt from. Scores are (n,), or (n, classes) for multiclass, in the order of the rows;
    *champion* is None where there is none, and *unreadable* says why one could not be scored.
    """

    contract: Contract
    train: pd.DataFrame
    holdout: pd.DataFrame
    train_scores: Array
    holdout_scores: Array
    fresh: Any
    champion: Array | None
    unreadable: str
    stored_scores_agree: bool

    @property
    def truth(self) -> Array:
        """The holdout's target, encoded: (n,)."""
        return target(self.holdout, self.contract)

    @property
    def days(self) -> Any:
        """The day of each row of the holdout."""
        return self.holdout[self.contract.time].dt.strftime("%Y-%m-%d").to_numpy()


def load_bundle(folder: Path) -> Bundle:
    """The bundle in *folder*, its evidence verified too. Raises `BundleError`."""
    return Bundle.load(folder, evidence=True)


def gather(candidate: Bundle, champion: Bundle | None) -> Evidence:
    """Score what the rules need. Raises `BundleError` if the candidate's evidence cannot be read."""
    contract = candidate.contract
    train, holdout = (_frame(candidate, part) for part in ("train", "holdout"))
    scores = score(candidate, holdout)
    learnt = [candidate.manifest["data"]["train"]["end"]]
    other, unreadable = None, ""
    if champion is not None:
        learnt.append(champion.manifest["data"]["train"]["end"])
        unreadable = _cannot_read(champion.contract, contract)
        other = None if unreadable else score(champion, holdout)
    last = max(pd.Timestamp(end) for end in learnt)
    stored = holdout.filter(regex=r"^score(_\d+)?$").to_numpy(dtype=float).reshape(scores.shape)
    return Evidence(
        contract=contract,
        train=train,
        holdout=holdout,
        train_scores=score(candidate, train),
        holdout_scores=scores,
        fresh=(holdout[contract.time] > last).to_numpy(),
        champion=other,
        unreadable=unreadable,
        stored_scores_agree=bool(np.allclose(stored, scores, rtol=1e-5, atol=1e-5)),
    )


def score(bundle: Bundle, rows: pd.DataFrame) -> Array:
    """The scores of *rows* by the bundle's ONNX file."""
    names = bundle.contract.feature_names
    columns = {
        name: rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in names
    }
    found: Array = bundle.score_columns(columns).astype(np.float64)
    return found


def target(rows: pd.DataFrame, contract: Contract) -> Array:
    """The target of *rows*, encoded: (n,)."""
    found: Array = rows[contract.target.name].to_numpy(dtype=float)
    return found


def _frame(bundle: Bundle, part: str) -> pd.DataFrame:
    path = bundle.folder / "evidence" / f"{part}.parquet"
    try:
        rows = pd.read_parquet(path)
    except Exception as error:  # pyarrow raises many types
        raise BundleError(f"{path} cannot be read: {error}") from error
    contract = bundle.contract
    wanted = [contract.key, contract.time, *contract.feature_names, contract.target.name]
    missing = [name for name in wanted if name not in rows]
    if missing or rows.empty:
        raise BundleError(f"{path} has {len(rows)} rows, and no column {', '.join(missing) or '-'}")
    return rows


def _cannot_read(champion: Contract, candidate: Contract) -> str:
    """Why the champion cannot score the candidate's rows; "" if it can."""
    kinds = {feature.name: feature.kind for feature in candidate.features}
    wrong = [f"{f.name} ({f.kind})" for f in champion.features if kinds.get(f.name) != f.kind]
    if champion.task != candidate.task or champion.target.classes != candidate.target.classes:
        return "champion and candidate predict different things"
    return (
        f"the champion needs {', '.join(wrong)}, which the candidate's rows lack" if wrong else ""
    )
