"""A part of the evidence's rows, where all would take too long."""

from __future__ import annotations

import numpy as np
import pandas as pd

from checks.evidence import Array, Evidence


def sample(rows: pd.DataFrame, scores: Array, most: int, seed: int) -> tuple[pd.DataFrame, Array]:
    """At most so many of the *rows*, in their order, with their scores; always the same ones."""
    if len(rows) <= most:
        return rows, scores
    picked = np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))
    return rows.iloc[picked].reset_index(drop=True), scores[picked]


def sampled(evidence: Evidence, most: int) -> str:
    """What to add to a finding that saw a part of the rows only."""
    parts = (("of training", evidence.train), ("of the holdout", evidence.holdout))
    told = [f"{most:,} of {len(rows):,} rows {name}" for name, rows in parts if len(rows) > most]
    return f" (seen on a sample: {', '.join(told)})" if told else ""
