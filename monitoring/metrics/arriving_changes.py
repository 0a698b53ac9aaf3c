"""What probably changed upstream, by the rows that came in: for the alert's reader.

The rows that were answered are held against the fingerprint of what the model learnt from. How many rows
come, and when, is held against their own days before: an arm sees a share of the traffic only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from contracts.row_contract import Contract
from contracts.thresholds import Rules
from model.source_profile.fingerprint import source_of
from model.source_profile.fingerprint_changes import changes, outlook
from model.source_profile.source_change import Change, Limits

#: What an arm's share of the traffic does not change.
_OF_VALUES = ("units", "missing", "renamed", "categories")
_OF_ROWS = ("stopped", "rows")


def likely_changes(
    rows: pd.DataFrame, contract: Contract, manifest: Mapping[str, Any], rules: Rules, until: datetime | None = None
) -> list[Change]:
    """The changes, those of values first, and the limits that will break if it goes on like this.

    *rows* are a `Window`'s, *manifest* the bundle's that answered them. *until* is when the rows were
    asked for; without it, it is the newest row, and that rows stopped coming cannot be seen. A bundle
    without a fingerprint is compared with the rows' own days before the last one.
    """
    if rows.empty:
        return []
    limits = limits_of(rules)
    end = until or rows[contract.time].max().to_pydatetime()
    now = source_of(rows, contract, end)
    last = f"{(end - timedelta(seconds=1)) - timedelta(days=1):%Y-%m-%d}"
    told = manifest.get("data", {}).get("source")
    old = told if isinstance(told, dict) and told.get("format") == 1 else None
    found = changes(old, now, str(old["until"])[:10] if old else last, limits)
    own = changes(None, now, last, limits)
    return [
        *(change for change in found if change.kind in _OF_VALUES),
        *(change for change in own if change.kind in _OF_ROWS),
        *outlook(now, contract, limits),
    ]


def limits_of(rules: Rules) -> Limits:
    """The gate's limits: a change is one wherever it is seen."""
    asked = rules.gate.upstream
    return Limits(
        asked.missing_rise, asked.category_share, asked.sentinel_share, rules.gate.data.max_missing, asked.horizon_days
    )
