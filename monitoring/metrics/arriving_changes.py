"""Changes upstream that explain drift, from the rows in the journal.

Values are compared with the source profile of the training data. Numbers and times of rows are compared with their own
earlier days, because a variant has only a share of the traffic.
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

#: Changes that do not depend on the share of the traffic.
_OF_VALUES = ("units", "missing", "renamed", "categories")
_OF_ROWS = ("stopped", "rows")


def upstream_changes(
    rows: pd.DataFrame, contract: Contract, manifest: Mapping[str, Any], rules: Rules, until: datetime | None = None
) -> list[Change]:
    """The changes, those of values first, and the limits that will be exceeded if they continue.

    *rows* are a `Window`'s, *manifest* is the bundle's. *until* is the time of the run; by default that of the newest
    row, where missing rows cannot be detected. A bundle without a source profile is compared with the rows' own days
    before the last one.
    """
    if rows.empty:
        return []
    limits = limits_of(rules)
    end = until or rows[contract.time].max().to_pydatetime()
    now = source_of(rows, contract, end)
    last = f"{(end - timedelta(seconds=1)) - timedelta(days=1):%Y-%m-%d}"
    profile = manifest.get("data", {}).get("source")
    old = profile if isinstance(profile, dict) and profile.get("format") == 1 else None
    of_profile = changes(old, now, str(old["until"])[:10] if old else last, limits)
    own = changes(None, now, last, limits)
    return [
        *(change for change in of_profile if change.kind in _OF_VALUES and change.certain),
        *(change for change in own if change.kind in _OF_ROWS),
        *outlook(now, contract, limits),
    ]


def limits_of(rules: Rules) -> Limits:
    """The limits, which are those of the gate."""
    upstream = rules.gate.upstream
    return Limits(
        upstream.missing_rise,
        upstream.category_share,
        upstream.sentinel_share,
        rules.gate.data.max_missing,
        upstream.horizon_days,
    )
