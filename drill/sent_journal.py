"""A journal of the rows that were sent to the scorer: those of the newest days, without the fault.

With it, training compares the loaded rows with the ones that were sent, as it does where a scorer's journal is at hand.
"""

from __future__ import annotations

import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from contracts.journal_format import Folder
from contracts.row_contract import Contract
from model.serving_skew import DAYS, skew

SECONDS = "%Y-%m-%dT%H:%M:%SZ"


def compared(clean: pd.DataFrame, loaded: pd.DataFrame, sent: Contract, contract: Contract) -> dict[str, Any]:
    """What training finds about *loaded* rows of *contract* if the *clean* ones were sent, with the fields of *sent*."""
    with tempfile.TemporaryDirectory() as folder:
        newest = clean[sent.time] > clean[sent.time].max() - timedelta(days=DAYS)
        _write(Path(folder), clean[newest], sent)
        return skew(Folder(Path(folder)), loaded, contract)


def _write(folder: Path, rows: pd.DataFrame, contract: Contract) -> None:
    names = [name for name in contract.feature_names if name not in contract.private]
    with (folder / "answers-20260101T000000-0.jsonl").open("w", encoding="utf-8") as file:
        for number, row in enumerate(rows.astype(object).to_dict("records")):
            at = f"{row[contract.time]:{SECONDS}}"
            values = {name: None if pd.isna(row[name]) else row[name] for name in names}
            line = {"id": f"{number}", "at": at, "version": "drill", "key": row[contract.key], "time": at}
            file.write(json.dumps({**line, "row": values, "score": 0.5}) + "\n")
