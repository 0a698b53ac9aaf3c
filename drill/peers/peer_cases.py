"""Read the cases and write the failures, for the peers' scripts, which run in separate environments.

CASES.json: a list of {name, train, holdout, target, time, key, numbers, categories, task}. OUT.json: name -> failures.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from multiprocessing import TimeoutError as Unfinished
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

#: How many rows of each part are used, as the suites are slow; and the seconds after which a case has crashed.
MAX_ROWS, WORKERS, TIMEOUT_SECONDS = 2_000, 2, 600.0


def judge_all(
    cases: Path, out: Path, failed: Callable[[dict[str, Any]], set[str]], patience: float = TIMEOUT_SECONDS
) -> None:
    """Write the conditions of every case that *failed* to *out*.

    The workers are ended after the last case: the peers leave threads behind, for which a process would wait at its end.
    """
    found: dict[str, list[str]] = {}
    inputs = json.loads(cases.read_text(encoding="utf-8"))
    with get_context("fork").Pool(WORKERS) as pool:
        waiting = {case["name"]: pool.apply_async(failed, (case,)) for case in inputs}
        for number, (name, done) in enumerate(waiting.items(), 1):
            try:
                found[name] = sorted(done.get(patience))
            except Unfinished:  # it hangs, or its process was killed
                found[name] = ["crashed: no result"]
            except Exception as error:  # rows that it cannot read
                found[name] = [f"crashed: {type(error).__name__}"]
                print(f"    {name}: {type(error).__name__}: {str(error)[:100]}")
            print(f"[{number:>3} of {len(inputs)}] {name}", flush=True)
    out.write_text(json.dumps(found, indent=1), encoding="utf-8")


def parts_of(case: dict[str, Any]) -> list[pd.DataFrame]:
    """Training rows and holdout, at most `MAX_ROWS` of each."""
    parts = [pd.read_parquet(case[part]) for part in ("train", "holdout")]
    return [p.sample(MAX_ROWS, random_state=0).sort_index() if len(p) > MAX_ROWS else p for p in parts]
