"""A large journal of the default recipe's rows: real flights, sampled repeatedly.

The format is that of `archive.parquet`. Outcomes follow some hours to two days after their answers, and for
some rows never. Ids are random, like the scorer's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.row_contract import Contract

Numbers = np.ndarray[Any, Any]
#: How many files of each kind a day has: a scorer closes one every quarter of an hour.
FILES = 96
#: The share of rows whose outcome arrives on the same day, the next, and the second day; the rest never.
OUTCOME_SHARES = (0.5, 0.3, 0.15)
_FORM = b"forms"


@dataclass(frozen=True)
class Source:
    """The rows to sample from: a bundle's holdout with its model's scores."""

    contract: Contract
    versions: tuple[str, ...]
    rows: pd.DataFrame

    def day(self, folder: Path, day: date, count: int, seed: int, share: float = 0.0) -> None:
        """Write *count* answers of *day* into *folder*, and the outcomes of theirs, day by day.

        With a *share* the second version answers so many of them.
        """
        random = np.random.default_rng([seed, day.toordinal()])
        took = random.integers(0, len(self.rows), count)
        ids, split = _ids(random, count), random.random(count)
        at = np.sort(random.integers(0, 86_400_000_000, count))
        challenger = split > 1 - share
        columns = {
            "id": ids,
            "at": _moments(day, at),
            "version": pa.array(np.array(self.versions, dtype=object)[challenger.astype(int)]),
            "arm": pa.array(np.array(["champion", "challenger"], dtype=object)[challenger.astype(int)]),
            "share": pa.array(np.where(challenger, share, 1 - share)),
            "split": pa.array(split),
            "key": _ids(random, count),
            "time": _seconds(day, "Z").take(at // 1_000_000),
            "score": pa.array(self.rows["score"].to_numpy()[took]),
        }
        for name in self.contract.feature_names:
            columns[f"row.{name}"] = pa.array(self.rows[name], from_pandas=True).take(took)
        _write(folder, "answers", day, pa.table(columns))
        classes = np.array(self.contract.target.classes, dtype=object)
        truth = classes[self.rows[self.contract.target.name].to_numpy(dtype=int)[took]]
        when = np.searchsorted(np.cumsum(OUTCOME_SHARES), random.random(count))
        for late in range(len(OUTCOME_SHARES)):
            of = np.flatnonzero(when == late)
            on = day + timedelta(days=late)
            table = pa.table({"id": ids.take(of), "outcome": pa.array(truth[of].tolist()), "at": _moments(on, at[of])})
            _write(folder, "outcomes", on, table, part=late)


def _ids(random: np.random.Generator, count: int) -> pa.Array:
    """Random ids of 32 hexadecimal digits."""
    digits = random.bytes(16 * count).hex().encode()
    fixed = pa.Array.from_buffers(pa.binary(32), count, [None, pa.py_buffer(digits)])
    return fixed.cast(pa.binary()).cast(pa.string())


def _seconds(day: date, zone: str) -> pa.Array:
    """How each second of the *day* is written."""
    every = np.datetime64(day, "s") + np.arange(86_400).astype("timedelta64[s]")
    return pa.array(np.char.add(np.datetime_as_string(every), zone).astype(object))


def _moments(day: date, at: Numbers) -> pa.Array:
    """How microseconds of the *day* are written."""
    millis = pa.array([f".{number:03}000+00:00" for number in range(1000)])
    seconds = _seconds(day, "").take(at // 1_000_000)
    return pc.binary_join_element_wise(seconds, millis.take(at // 1000 % 1000), "")


def _write(folder: Path, kind: str, day: date, table: pa.Table, part: int = 0) -> None:
    """The table as files, as if segments had become them."""
    place = folder / f"day={day}" / f"kind={kind}"
    place.mkdir(parents=True, exist_ok=True)
    forms = {_FORM: json.dumps([table.column_names]).encode()}
    whole = table.append_column("form", pa.array(np.zeros(len(table), dtype=np.int16)))
    whole = whole.append_column("line", pa.nulls(len(table), pa.binary())).replace_schema_metadata(forms)
    edges = np.linspace(0, len(whole), FILES + 1).astype(int)
    for number, (first, last) in enumerate(pairwise(edges)):
        began = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=15 * number)
        name = f"{kind}-{began:%Y%m%dT%H%M%S%f}-{part:08x}.parquet"
        pq.write_table(whole.slice(first, last - first), place / name, compression="zstd")
