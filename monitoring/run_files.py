"""The files of runs: written atomically, and only the newest are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contracts.atomic_file import write_atomically
from monitoring.charts.signals import Signal, Unknown
from monitoring.incidents.alert_rules import Assessment

#: How many runs keep their file: more than two days of hourly runs.
MAX_FILES = 60


def write_run(folder: Path, run: dict[str, Any]) -> None:
    """Write a *run* to *folder* under the next number, and remove old ones."""
    numbers = [path.stem.removeprefix("watch-") for path in folder.glob("watch-*.json")]
    known = {int(each): folder / f"watch-{each}.json" for each in numbers if each.isdecimal()}
    number = 1 + max(known, default=0)
    write_atomically(folder / f"watch-{number:04}.json", json.dumps(run, indent=1) + "\n", durable=True)
    for old, path in known.items():
        if old <= number - MAX_FILES:
            path.unlink(missing_ok=True)


def run_content(
    version: str, assessment: Assessment, signals: Sequence[Signal], unknown: Sequence[Unknown], upstream: Sequence[str]
) -> dict[str, Any]:
    """The content of a run's file: its assessment, signals, what could not be monitored, and changes upstream."""
    return {
        "version": version,
        "state": assessment.state,
        "why": assessment.why,
        "signals": [signal.to_json() for signal in signals],
        "tier": assessment.severity,
        "unknown": [[each.kind, each.why] for each in unknown],
        "upstream": [*upstream],
    }
