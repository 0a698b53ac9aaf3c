"""The files of runs: written atomically, and only the newest are kept."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitoring.charts.signals import Signal, Unknown
from monitoring.incidents.alert_rules import Assessment

#: How many runs keep their file: more than two days of hourly runs.
KEPT = 60


def write_run(folder: Path, run: dict[str, Any]) -> None:
    """Write a *run* to *folder* under the next number, and remove old ones."""
    numbers = [path.stem.removeprefix("watch-") for path in folder.glob("watch-*.json")]
    known = {int(each): folder / f"watch-{each}.json" for each in numbers if each.isdecimal()}
    number = 1 + max(known, default=0)
    write_whole(folder / f"watch-{number:04}.json", json.dumps(run, indent=1) + "\n")
    for old, path in known.items():
        if old <= number - KEPT:
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


def write_whole(path: Path, text: str) -> None:
    """Write *text* to *path* atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with work.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)
