"""The scorer's overhead over a run of the model: lists of 1,000 rows, single rows, concurrent rows.

.venv/serve/bin/python -m bench.scorer.lists STORE ROWS.json SECONDS

In one process and without HTTP: JSON, validation, journal and metrics. Each call to the scorer is measured between two
runs of the released graph on the same rows, so that other load slows both. CPU time, not wall time.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench.scorer.raw_session import run
from serve.app import create_app
from serve.scoring.scorer import Scorer

#: How many rows are scored in one turn of the event loop.
BATCH = 8
Figures = dict[str, dict[str, float]]


def main(store: Path, rows: list[dict[str, Any]], seconds: float) -> Figures:
    """name -> CPU µs of a call (`ours`), of the run (`run`), and their ratio."""
    with tempfile.TemporaryDirectory() as work:
        app = create_app(store, Path(work) / "journal", follow_every=None)
        scorer: Scorer = app.extensions["tidegate"]
        bundle = scorer.follower.live.bundle
        if bundle is None:
            raise SystemExit(f"error: nothing is live in {store}")
        gc.collect()
        gc.freeze()  # as a worker does when it has started
        session = bundle.load(bundle.folder, core=False).session
        one, many = _spelt(rows[0]), _spelt(rows)
        several = [(_spelt(row), "") for row in rows[:BATCH]]
        raw_one, raw_many = run(session, rows[:1]), run(session, rows)
        calls: dict[str, tuple[Callable[[], Any], Callable[[], Any], int]] = {
            f"{len(rows):,} rows": (lambda: scorer.score(many), raw_many, 1),
            "1 row": (lambda: scorer.score(one), raw_one, 50),
            f"{BATCH} requests together": (lambda: scorer.try_fast(several), raw_one, 20),
        }
        try:
            return {name: beside(*call, seconds) for name, call in calls.items()}
        finally:
            scorer.close()


def beside(ours: Callable[[], Any], raw: Callable[[], Any], times: int, seconds: float) -> dict[str, float]:
    """Medians over turns: CPU µs of *ours* and of *raw*, and of the ratio within a turn."""
    ours(), raw()
    found: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(found) < 5:
        before, mine, after = (_timed(each, times) for each in (raw, ours, raw))
        found.append((mine, (before + after) / 2))
    return {
        "ours": median(mine for mine, _ in found),
        "run": median(theirs for _, theirs in found),
        "ratio": median(mine / theirs for mine, theirs in found),
    }


def _timed(call: Callable[[], Any], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - began) / times * 1e6


def _spelt(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


if __name__ == "__main__":
    pairs = json.loads(Path(sys.argv[2]).read_text())
    print(json.dumps(main(Path(sys.argv[1]), [row for row, _ in pairs], float(sys.argv[3]))))
