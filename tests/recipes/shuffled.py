"""Another recipe with the training labels shuffled: a join upstream that went wrong.

The rows it is judged with are left as they are. Which recipe: the environment variable ORIGINAL.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pandas as pd

from model.train import read_recipe

_original = read_recipe(Path(os.environ["ORIGINAL"]))
CONTRACT = _original.CONTRACT
HOLDOUT = getattr(_original, "HOLDOUT", None)
window = _original.window
estimator = _original.estimator


def load(start: datetime, end: datetime) -> pd.DataFrame:
    """The original's rows; up to the holdout, each with the label of another."""
    rows = _original.load(start, end).sort_values(CONTRACT.time, ignore_index=True)
    at = rows[CONTRACT.time]
    early = at < (at.iloc[int(len(rows) * 0.8)] if HOLDOUT is None else at.iloc[-1] - HOLDOUT)
    target = CONTRACT.target.name
    mixed = rows.loc[early, target].sample(frac=1, random_state=0).to_numpy()
    rows.loc[early, target] = mixed
    return rows
