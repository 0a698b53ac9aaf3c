"""A sample of the evidence, where all rows would take too long."""

from __future__ import annotations

import numpy as np
import pandas as pd

from checks.evidence import Array, Evidence


def sample(rows: pd.DataFrame, scores: Array, most: int, seed: int) -> tuple[pd.DataFrame, Array]:
    """At most so many of the *rows*, in their order, with their scores; the same ones for a *seed*."""
    if len(rows) <= most:
        return rows, scores
    chosen = np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))
    return rows.iloc[chosen].reset_index(drop=True), scores[chosen]


def sampled(evidence: Evidence, most: int) -> str:
    """A note for a finding on a sample of the rows."""
    parts = (("of training", evidence.train), ("of the holdout", evidence.holdout))
    notes = [f"{most:,} of {len(rows):,} rows {name}" for name, rows in parts if len(rows) > most]
    return f" (on a sample: {', '.join(notes)})" if notes else ""
