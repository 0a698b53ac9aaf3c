"""Real rows that streams are drawn from, each with a model that was fitted on other rows."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pool:
    """Rows (n, features) in their order, categories as numbers; *segment* rows are excluded.

    *weekday* (n,) or -1 where the data know none; *numeric* (features,) marks numbers.
    """

    name: str
    features: tuple[str, ...]
    rows: Numbers
    truth: Numbers
    weekday: Numbers
    numeric: Numbers
    segment: Numbers
    score: Callable[[Numbers], Numbers]


def pools(more: Path | None, wanted: Sequence[str]) -> Iterator[Pool]:
    """Flights (12 features), US census (16), handwritten digits (50); hotels (22) if *more* has them.

    Those of *wanted* names only, unless there are none.
    """
    known = {"flights": _flights, "census": _census, "digits": _digits}
    if more and (path := more / "hotel_cancellation.parquet").is_file():
        known["hotels"] = lambda: _hotels(path)
    for name, read in known.items():
        if not wanted or name in wanted:
            yield read()


def _flights() -> Pool:
    from model import recipe  # noqa: PLC0415 -- reads 8 MB

    rows = recipe.load(*(datetime.fromisoformat(f"{at}T00:00+00:00") for at in ("2013-04-08", "2013-12-20")))
    frame = rows[[*recipe.CONTRACT.feature_names, "late", "scheduled_at"]].dropna()
    segment = (frame["origin"] == "JFK").to_numpy()
    weekday = frame["scheduled_at"].dt.day_of_week.to_numpy()
    kinds = {feature.name: feature.kind for feature in recipe.CONTRACT.features}
    table = frame[list(recipe.CONTRACT.feature_names)]
    return _pool("flights", table, frame["late"], weekday, segment, [kinds[c] == "number" for c in table])


def _census() -> Pool:
    spec = importlib.util.find_spec("nannyml.datasets")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("nannyml is not installed; type: make setup")
    frame = pd.read_parquet(Path(spec.submodule_search_locations[0]) / "data/employment_MA_reference.pq")
    table = frame.drop(columns=["id", "employed", "year", "prediction", "predicted_probability"])
    numeric = [column in ("AGEP", "SCHL") for column in table]
    segment = (pd.to_numeric(table["MIG"]) != 1).to_numpy()  # who moved house within the year
    return _pool("census", table, frame["employed"], None, segment, numeric)


def _digits() -> Pool:
    bunch = load_digits()
    loudest = np.sort(np.argsort(-bunch.data.var(axis=0))[:50])
    table = pd.DataFrame(bunch.data[:, loudest], columns=[f"pixel {n}" for n in loudest])
    truth = pd.Series(bunch.target % 2)
    return _pool("digits", table, truth, None, bunch.target == 8, [True] * 50)


def _hotels(path: Path) -> Pool:
    frame = pd.read_parquet(path)
    frame = frame[frame["timestamp"] < "2017-03-01"].fillna({"children": 0})
    table = frame.drop(columns=["timestamp", "target"])
    numeric = [pd.api.types.is_numeric_dtype(table[column]) for column in table]
    segment = (frame["market_segment"] == "Groups").to_numpy()
    weekday = frame["timestamp"].dt.day_of_week.to_numpy()
    return _pool("hotels", table, frame["target"], weekday, segment, numeric)


def _pool(
    name: str, table: pd.DataFrame, truth: pd.Series, weekday: Numbers | None, segment: Numbers, numeric: list[bool]
) -> Pool:
    """The pool of every second stretch of 500 rows; the model is trained on the others."""
    rows = np.column_stack(
        [
            table[column].to_numpy(dtype=float)
            if number
            else pd.Categorical(table[column].astype(str)).codes.astype(float)
            for column, number in zip(table, numeric, strict=True)
        ]
    )
    stretch = np.arange(len(rows)) // min(500, len(rows) // 20)
    trained = (stretch % 2 == 0) & ~segment
    y = truth.to_numpy(dtype=float)
    model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, random_state=0)
    model.fit(rows[trained], y[trained])
    kept = stretch % 2 == 1
    return Pool(
        name,
        tuple(table),
        rows[kept],
        y[kept],
        np.full(kept.sum(), -1) if weekday is None else weekday[kept],
        np.array(numeric),
        segment[kept],
        lambda these: model.predict_proba(these)[:, 1],
    )
