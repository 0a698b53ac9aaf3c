"""Evidence: the candidate's rows, scored by candidate, champion and anchor.

Every score comes from the ONNX files through the scorer's code (`bundles.bundle`). Evaluation models are compared,
on the fresh rows: those of the candidate's holdout that none of them was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bundles.bundle import Bundle
from bundles.manifest import BundleError
from checks.earlier_rows import Past, past
from contracts.bundle_content import EXPECTED, LATER, UNKNOWN
from contracts.row_contract import Contract
from contracts.tolerance import relative, spread_of

#: Largest difference between the scores in the evidence and those computed here.
TOLERANCE = 1e-5
Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Unlabelled:
    """Rows of the holdout's time whose outcomes are not known yet, and the evaluation models' scores of them.

    *fresh* masks those that are later than every training row of any model; *champion* is None without a champion.
    """

    rows: pd.DataFrame
    scores: Array
    fresh: Any
    champion: Array | None


@dataclass(frozen=True)
class Evidence:
    """What the rules read.

    *train* and *holdout* are the candidate's rows; *fresh* masks those of the holdout that are later than every
    training row of any model. Scores are (n,), or (n, classes) for multiclass, in the order of the rows; *champion*
    and *anchor* are None without a model, and *unreadable* and *anchor_unreadable* give the reason why one cannot
    score. *past* has earlier rows. The scores are those of evaluation models, which were not trained on the holdout;
    *release_scores* are those of the candidate's release model, which was, and None in a bundle with one model.

    Where outcomes come late, *unknown* are the holdout's rows without one, and *later* the rows after it.
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
    anchor: Array | None = None
    anchor_unreadable: str = ""
    past: Past = field(default_factory=lambda: Past({}, ("", "")))
    release_scores: Array | None = None
    unknown: Unlabelled | None = None
    later: pd.DataFrame | None = None

    @property
    def served_scores(self) -> Array:
        """The scores of the holdout by the candidate's model that is served."""
        return self.holdout_scores if self.release_scores is None else self.release_scores

    @property
    def anchor_is_champion(self) -> bool:
        """Whether anchor and champion give the same scores, as the first model does while it serves."""
        return self.anchor is not None and self.champion is not None and np.array_equal(self.anchor, self.champion)

    @property
    def truth(self) -> Array:
        """The holdout's target, encoded: (n,)."""
        return target(self.holdout, self.contract)

    @property
    def days(self) -> Any:
        """The day of each row of the holdout."""
        return days_of(self.holdout, self.contract)

    @property
    def day_codes(self) -> Any:
        """The day of each row of the holdout as a number from 0: (n,)."""
        return pd.factorize(self.days, sort=True)[0]

    @property
    def key_codes(self) -> Any:
        """The key of each row of the holdout as a number from 0: (n,)."""
        return pd.factorize(self.holdout[self.contract.key])[0]


def days_of(rows: pd.DataFrame, contract: Contract) -> Any:
    """The day of each row, such as 2026-11-23: (n,). Each day is formatted once; each row would take seconds."""
    which, days = pd.factorize(rows[contract.time].dt.floor("D"))
    return days.strftime("%Y-%m-%d").to_numpy()[which]


def load_bundle(folder: Path) -> Bundle:
    """The bundle in *folder*, evidence included, of which rows may have been erased. Raises `BundleError`."""
    return Bundle.load(folder, evidence=True, erased=True)


def gather(
    candidate: Bundle, champion: Bundle | None, anchor: Bundle | None = None, anchor_unreadable: str = ""
) -> Evidence:
    """Score what the rules need. Raises `BundleError` if the candidate's evidence cannot be read.

    *anchor_unreadable* is the reason where live.toml names an anchor and *anchor* is None.
    """
    contract = candidate.contract
    train, holdout = (rows_of(candidate, part) for part in ("train", "holdout"))
    scores = score(candidate, holdout)
    champion_scores, unreadable = _scored(champion, contract, holdout, "champion")
    anchor_scores, reason = _scored(anchor, contract, holdout, "anchor")
    models = [candidate, champion, anchor if anchor_scores is not None else None]
    last = max(pd.Timestamp(each.manifest["data"]["train"]["end"]) for each in models if each)
    stored = holdout.filter(regex=r"^score(_\d+)?$").to_numpy(dtype=float).reshape(scores.shape)
    difference = relative(stored, scores, spread_of(scores), TOLERANCE, contract.task != "regression")
    return Evidence(
        contract=contract,
        train=train,
        holdout=holdout,
        train_scores=score(candidate, train),
        holdout_scores=scores,
        fresh=(holdout[contract.time] > last).to_numpy(),
        champion=champion_scores,
        unreadable=unreadable,
        stored_scores_agree=bool((difference <= TOLERANCE).all()),
        anchor=anchor_scores,
        anchor_unreadable=anchor_unreadable or reason,
        past=past(
            contract,
            candidate.manifest["data"],
            {"train": train, "holdout": holdout},
            None if champion is None or unreadable else _before(champion),
        ),
        release_scores=None if candidate.evaluation is candidate else served_score(candidate, holdout),
        unknown=_unlabelled(candidate, champion, last),
        later=later_rows(candidate)[0] if _has(candidate, LATER) else None,
    )


def score(bundle: Bundle, rows: pd.DataFrame) -> Array:
    """The scores of *rows* by the bundle's evaluation model."""
    return score_columns(bundle.evaluation, columns_of(bundle.contract, rows))


def served_score(bundle: Bundle, rows: pd.DataFrame) -> Array:
    """The scores of *rows* by the model that is served: rows of the holdout cannot judge a release model."""
    return score_columns(bundle, columns_of(bundle.contract, rows))


def score_columns(bundle: Bundle, columns: Mapping[str, Any]) -> Array:
    """The scores by the model that *bundle* serves, for columns that `columns_of` made."""
    scores: Array = bundle.score_columns(columns).astype(np.float64)
    return scores


def columns_of(contract: Contract, rows: pd.DataFrame) -> dict[str, Any]:
    """feature -> its values in *rows*, (n,): float64 with NaN for missing, or strings with None."""
    columns: dict[str, Any] = {}
    for feature in contract.features:
        column = rows[feature.name]
        if feature.kind == "category":
            columns[feature.name] = column.astype(object).where(column.notna(), None).to_numpy()
        else:
            columns[feature.name] = column.astype("float64").to_numpy()
    return columns


def target(rows: pd.DataFrame, contract: Contract) -> Array:
    """The target of *rows*, encoded: (n,)."""
    encoded: Array = rows[contract.target.name].to_numpy(dtype=float)
    return encoded


def rows_of(bundle: Bundle, part: str) -> pd.DataFrame:
    """The rows of a *part* of the bundle's evidence, such as "train" or "holdout". Raises `BundleError`."""
    path = bundle.folder / "evidence" / f"{part}.parquet"
    try:
        rows = pd.read_parquet(path)
    except Exception as error:  # pyarrow raises many types
        raise BundleError(f"{path} cannot be read: {error}") from error
    contract = bundle.contract
    fields = [feature.name for feature in contract.columns]
    required = [contract.key, contract.time, *fields, contract.target.name]
    missing = [name for name in required if name not in rows]
    if missing or rows.empty:
        raise BundleError(f"{path} has {len(rows)} rows; missing columns: {', '.join(missing) or 'none'}")
    return rows


def later_rows(bundle: Bundle) -> tuple[pd.DataFrame, Array | None]:
    """The rows after the holdout, and the probability of each class with which the release model was trained: (n, classes).

    None in a bundle whose release model was not trained on rows without an outcome.
    """
    rows = rows_of(bundle, LATER)
    expected = [f"{EXPECTED}{number}" for number in range(len(bundle.contract.target.classes))]
    there = bool(expected) and all(name in rows for name in expected)
    return rows.drop(columns=expected, errors="ignore"), rows[expected].to_numpy(dtype=float) if there else None


def _has(bundle: Bundle, part: str) -> bool:
    return f"evidence/{part}.parquet" in bundle.manifest["files"]


def _unlabelled(candidate: Bundle, champion: Bundle | None, last: pd.Timestamp) -> Unlabelled | None:
    """The candidate's rows without an outcome; None in a bundle without such rows."""
    if not _has(candidate, UNKNOWN):
        return None
    rows, contract = rows_of(candidate, UNKNOWN), candidate.contract
    theirs, _ = _scored(champion, contract, rows, "champion")
    return Unlabelled(rows, score(candidate, rows), (rows[contract.time] > last).to_numpy(), theirs)


def _before(champion: Bundle) -> pd.DataFrame:
    parts = [rows_of(champion, part) for part in ("train", "holdout")]
    return pd.concat(parts, ignore_index=True)


def _scored(bundle: Bundle | None, contract: Contract, rows: pd.DataFrame, role: str) -> tuple[Array | None, str]:
    """The scores of *rows* by *bundle*, or the reason why it cannot score them; (None, "") without a bundle."""
    if bundle is None:
        return None, ""
    reason = cannot_read(bundle.contract, contract, role)
    return (None, reason) if reason else (score(bundle, rows), "")


def cannot_read(old: Contract, candidate: Contract, role: str) -> str:
    """The reason why a model of contract *old* cannot score the candidate's rows; "" if it can."""
    kinds = {feature.name: feature.kind for feature in candidate.columns}
    missing = [f"{f.name} ({f.kind})" for f in old.features if kinds.get(f.name) != f.kind]
    if old.task != candidate.task or old.target.classes != candidate.target.classes:
        return f"{role} and candidate predict different things"
    if not missing:
        return ""
    return (
        f"the {role} needs {', '.join(missing)}, which the candidate's rows lack; to keep such columns, list them in the"
        " contract's `retired`, as `model feature drop` does"
    )


def rows_of_champion(champion: Bundle | None, evidence: Evidence) -> pd.DataFrame | None:
    """The champion's own holdout, as requests of today; None without a champion or its evidence."""
    if champion is None:
        return None
    if evidence.past.before is not None:  # already read
        rows, end = evidence.past.before, champion.manifest["data"]["train"]["end"]
        return rows[rows[champion.contract.time] > pd.Timestamp(end)]
    try:
        return rows_of(champion, "holdout")
    except BundleError:  # the evidence of old bundles may be deleted; the contract is in the manifest
        return None
