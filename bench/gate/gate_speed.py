"""The time of gate and report: python -m bench.gate.gate_speed [--rows 120000 1200000] [--wide 12000].

Two bundles of synthetic rows (five sixths for training, one sixth as holdout) are trained, which is not measured; then
the whole gate compares them: imports, Deepchecks, the real server. *wide* tables have 320 features. The section "speed" of
BENCHMARKS.md is written.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.sections import put
from forge.closed_pipes import ignore_closed_pipes

ROOT = Path(__file__).parents[2]
WORK, CHECKS = (ROOT / f".venv/{name}/bin/python" for name in ("work", "checks"))
DAYS = ("2026-03-01", "2026-03-08")
#: The goal in seconds for gate and report: at 100,000 training rows and a holdout of 20,000, and at a million.
GOALS = {120_000: 120.0, 1_200_000: 240.0}
#: Features of a usual recipe and of a wide one; the goal in seconds for the latter.
FEATURES, WIDE, WIDE_GOAL = 12, 320, 120.0


@dataclass(frozen=True)
class Taken:
    """Wall and CPU seconds of the gate on *rows* rows, and its decision."""

    rows: int
    wall: float
    cpu: float
    decision: str
    features: int = FEATURES


def measure(rows: int, folder: Path, features: int = FEATURES) -> Taken:
    """Train two bundles of *rows* rows in *folder*, unless they exist, and judge one."""
    folder = folder / f"{rows}" if features == FEATURES else folder / f"{rows}-{features}"
    bundles = [_bundle(rows, features, day, folder / day) for day in DAYS]
    words = ["-m", "checks", "gate", "--candidate", str(bundles[1]), "--champion", str(bundles[0])]
    out = folder / "gate"
    before, began = _cpu(), time.perf_counter()
    done = _run(CHECKS, [*words, "--out", str(out), "--exit-zero"], {})
    decisions = [line for line in done.splitlines() if line.startswith(("PROMOTE", "HOLD", "REJECT"))]
    took = time.perf_counter() - began
    return Taken(rows, took, _cpu() - before, decisions[0].partition(":")[0], features)


def section(taken: list[Taken], when: str) -> str:
    """The section of BENCHMARKS.md."""
    lines = [
        "## The gate's speed",
        "",
        (
            f"Written by `python -m bench.gate.gate_speed` on {when}, {os.cpu_count()} cores, load"
            f" {os.getloadavg()[0]:.0f} at the end. All of the gate: imports, comparison, features,"
            " Deepchecks, the real server, both reports."
        ),
        "",
        "| training rows, holdout | features | seconds | processor seconds | goal | decision |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for each in taken:
        most = GOALS.get(each.rows) if each.features == FEATURES else WIDE_GOAL
        goal = f"{most:.0f} s" if most else ""
        parts = f"{each.rows * 5 // 6:,}, {each.rows // 6:,}"
        lines.append(f"| {parts} | {each.features} | {each.wall:.0f} | {each.cpu:.0f} | {goal} | {each.decision} |")
    lines += [
        "",
        (
            "With a load above the number of cores only processor seconds are reproducible. A bundle's evidence"
            " has at most 20,000 training rows and a holdout of 50,000: the gate reads no more, however many there"
            " were, and its findings say so. The"
            " two bundles' rows are generated separately, so `data.lost` rejects, which does not shorten the run."
        ),
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser("python -m bench.gate.gate_speed", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[*GOALS])
    parser.add_argument("--wide", type=int, nargs="*", default=[12_000], help="rows of wide tables")
    parser.add_argument("--out", type=Path, default=ROOT / "BENCHMARKS.md")
    args = parser.parse_args()
    taken = []
    cases = [*((rows, FEATURES) for rows in args.rows), *((rows, WIDE) for rows in args.wide)]
    for rows, features in cases:
        print(f"{rows:,} rows of {features} features: training two models, unless they exist ...", flush=True)
        taken.append(measure(rows, ROOT / "build/bench/gate", features))
        print(f"  {taken[-1].wall:.0f} s, {taken[-1].cpu:.0f} of processors", flush=True)
    put(args.out, "speed", section(taken, f"{datetime.now(UTC):%Y-%m-%d}"))


def _bundle(rows: int, features: int, day: str, folder: Path) -> Path:
    if not list(folder.glob("*/manifest.json")):
        words = [
            "-m",
            "model",
            "train",
            "--recipe",
            "bench/gate/generated_recipe.py",
            "--today",
            day,
            "--out",
            str(folder),
        ]
        # Three words and a flag are among the features.
        _run(WORK, words, {"BENCH_ROWS": str(rows), "BENCH_NUMBERS": str(features - 4)})
    return next(folder.glob("*/manifest.json")).parent


def _run(python: Path, words: list[str], more: dict[str, str]) -> str:
    done = subprocess.run(
        [str(python), *words], cwd=ROOT, env={**os.environ, **more}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"error: {' '.join(words)}:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    ignore_closed_pipes()
    main()
