"""Measures of rows, kept in a folder: limits can be changed and solved again without measuring again.

A file is named by the rows and by the code that measured them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.util import hash_pandas_object

from contracts.atomic_file import write_atomically
from contracts.monitoring_limits import Monitoring
from contracts.row_contract import Contract
from monitoring.charts.signals import Measure, Unknown
from monitoring.measure import measure_days

METRICS = Path(__file__).parents[2] / "monitoring/metrics"
#: The modules that measure.
CODE = ("daily_metrics", "drift", "label_delay", "performance", "spread")


@dataclass(frozen=True)
class KeptMeasures:
    """`measure_days`, with its results in *folder*."""

    folder: Path

    def __call__(
        self,
        reference: pd.DataFrame,
        rows: pd.DataFrame,
        contract: Contract,
        seen: Mapping[str, list[str]],
        rules: Monitoring,
        late: tuple[int, str] | None = None,
        **more: Any,
    ) -> tuple[list[Measure], list[Unknown]]:
        """As `measure_days`."""
        made = hashlib.sha256(repr((contract, seen, rules.min_rows, late, *more.values())).encode())
        for frame in (reference, rows):
            made.update(repr([*frame]).encode() + hash_pandas_object(frame).to_numpy().tobytes())
        for name in CODE:
            made.update((METRICS / f"{name}.py").read_bytes())
        path = self.folder / f"{made.hexdigest()[:20]}.json"
        if not path.is_file():
            found = measure_days(reference, rows, contract, seen, rules, late, **more)
            write_atomically(path, json.dumps([[astuple(each) for each in part] for part in found]))
        measures, unknown = json.loads(path.read_text(encoding="utf-8"))
        return [Measure(*each) for each in measures], [Unknown(*each) for each in unknown]
