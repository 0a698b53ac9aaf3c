"""Measure the watch beside others, into BENCHMARKS.md.

python -m bench.watch [--seeds 3] [--pools flights,digits] [--data FOLDER]

FOLDER may hold hotel_cancellation.parquet (Antonio et al., 2019); without it that stream is left out.
"""

from __future__ import annotations

import argparse
import statistics as middle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.environments import InstallError, install
from bench.sections import put
from bench.watch.contest import DEFAULTS, Ours, delay, limit_at, others, rate
from bench.watch.pools import Pool, pools
from bench.watch.statistics import daily
from bench.watch.streams import A_DAY, AFTER, BEFORE, CHANGES, REFERENCE, Stream, changed, quiet

ROOT = Path(__file__).parents[2]
BUDGET, YEAR = 1.0, 364
RATES = ("0.002", "1e-4", "1e-6", "1e-9", "1e-13", "1e-18", "1e-25", "1e-40", "1e-60")
ADWIN = "river ADWIN, any column"
WATCH, WOKEN = "**the watch**", "the watch, page and issue only"
_began = time.monotonic()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser("python -m bench.watch", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pools", default="", help="names with commas between (default: all)")
    parser.add_argument("--data", type=Path, help="a folder with more streams")
    parser.add_argument("--environments", type=Path, default=ROOT / "build/bench/watch")
    parser.add_argument("--out", type=Path, default=ROOT / "BENCHMARKS.md")
    asked = parser.parse_args(arguments)
    wanted = [name for name in asked.pools.split(",") if name]
    lines: list[str] = []
    for pool in pools(asked.data, wanted):
        lines += table(pool, asked.seeds, asked.environments)
    put(asked.out, "watch", "\n".join(["## The watch", "", *introduction(asked), "", *lines]))
    say(f"{asked.out} is written")
    return 0


def table(pool: Pool, seeds: int, environments: Path) -> list[str]:
    """False alarms and delays of everybody on one pool's streams, as Markdown."""
    say(f"{pool.name}: {len(pool.rows):,} rows, {len(pool.features)} features")
    calm = [quiet(pool, YEAR, np.random.default_rng(seed)) for seed in range(seeds)]
    ours, rates = [], []
    alarming: dict[str, list[Any]] = {name: [] for name in DEFAULTS}
    for stream in calm:
        found = daily(stream)
        ours.append(Ours.solved(found, BUDGET))
        days = ours[-1].alarms(found)
        rates.append(sum(rate([part]) for part in days.values()))
        for name, values in others(found).items():
            alarming[name].append(values)
        say(f"{pool.name}: a quiet year, {rates[-1]:.2f} false alarms a quarter")
    evidently = checked(environments, calm[-1], found)
    say(f"{pool.name}: {evidently}")
    mean = float(np.mean(rates))
    # Rivals get at least one alarm over all quiet years, and ours if that is more.
    equal = max(mean, 91 / (YEAR * seeds) * 1.001)
    limits = {name: limit_at(values, equal) for name, values in alarming.items()}
    own = {
        name: rate([each > DEFAULTS[name] for each in values]) for name, values in alarming.items()
    }
    adwin = Adwin(environments, calm, equal)
    head = [
        f"### {pool.name}: {len(pool.features)} features",
        "",
        f"A quiet year, {seeds} of them: **{mean:.2f}** false alarms a quarter ({', '.join(f'{r:.2f}' for r in rates)});"
        f" budget {BUDGET:g}. By their own defaults: "
        + ", ".join(f"{name} {value:.1f}" for name, value in own.items())
        + f". Below, all have at most {equal:.2f}."
        + (f" {adwin.told}" if adwin.told else "")
        + f" {evidently}",
        "",
    ]
    names = [WATCH, WOKEN, *DEFAULTS, *([ADWIN] if adwin.rate else [])]
    rows = [f"| days until noticed | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for change in CHANGES:
        if change.startswith("mean") and "5 features" in change and pool.numeric.sum() < 5:
            continue
        streams = [changed(pool, change, np.random.default_rng(seed)) for seed in range(seeds)]
        delays: dict[str, list[float]] = {name: [] for name in names}
        for seed, stream in enumerate(streams):
            found = daily(stream)
            days = ours[seed].alarms(found)
            delays[WATCH].append(delay(np.any(list(days.values()), axis=0), BEFORE))
            delays[WOKEN].append(delay(days["page"] | days["issue"], BEFORE))
            for name, values in others(found).items():
                delays[name].append(delay(values >= limits[name], BEFORE))
        if adwin.rate:
            delays[ADWIN] = [delay(days, BEFORE) for days in adwin.run(streams)]
        rows.append(f"| {change} | {' | '.join(told(delays[name]) for name in names)} |")
        say(f"{pool.name}: {rows[-1]}")
    return [*head, *rows, ""]


class Adwin:
    """river's ADWIN, at the loosest of some rates that keeps to the *equal* one; a word if it cannot run."""

    def __init__(self, environments: Path, calm: list[Stream], equal: float) -> None:
        self.rate, self.told = "", ""
        try:
            self.python = install(environments / "river", ["river"], Path(sys.executable))
        except InstallError as error:
            self.told = f"river was left out: its environment could not be made ({error})."
            return
        # One quiet year is enough to choose by: a detector a row is slow.
        low, high = 0, len(RATES)
        while low < high:
            place = (low + high) // 2
            days = self._run(calm[:1], RATES[place])
            kept = rate([each[REFERENCE:] for each in days]) <= equal
            low, high = (low, place) if kept else (place + 1, high)
        if low < len(RATES):
            self.rate = RATES[low]
        else:
            self.told = (
                f"ADWIN was left out: even at a confidence of {RATES[-1]} it alarms more often."
            )

    def run(self, streams: list[Stream]) -> list[Any]:
        """Whether it alarms on each day after the reference of each stream."""
        return [days[REFERENCE:] for days in self._run(streams, self.rate)]

    def _run(self, streams: list[Stream], at: str) -> list[Any]:
        with tempfile.TemporaryDirectory() as work:
            known = REFERENCE * A_DAY
            tables: dict[str, Any] = {}
            for n, stream in enumerate(streams):
                wrong = np.abs(stream.scores - stream.truth)
                wrong = np.concatenate([np.full(2 * A_DAY, np.nan), wrong[: -2 * A_DAY]])
                rows = np.column_stack([stream.rows, stream.scores, wrong])
                spread = np.nanstd(rows[:known], axis=0)
                tables[f"s{n}"] = rows / np.where(spread > 0, spread, 1)
            np.savez(Path(work) / "in.npz", a_day=A_DAY, **tables)
            script = Path(__file__).with_name("adwin.py")
            subprocess.run(
                [str(self.python), str(script), f"{work}/in.npz", f"{work}/out.npz", at],
                check=True, stdout=subprocess.DEVNULL, timeout=1200,
            )  # fmt: skip
            found = np.load(Path(work) / "out.npz")
            return [found[f"s{n}|{at}"] for n in range(len(streams))]


def checked(environments: Path, stream: Stream, found: dict[str, Any]) -> str:
    """What Evidently's own preset says of a day, against what was computed of it."""
    try:
        # Its code needs a pandas before 3.
        python = install(
            environments / "evidently", ["evidently", "pandas<3"], Path(sys.executable)
        )
    except InstallError as error:
        return (
            f"Evidently's environment could not be made ({error}), so its figures are ours alone."
        )
    known = REFERENCE * A_DAY
    rows = np.column_stack([stream.rows, stream.scores])
    with tempfile.TemporaryDirectory() as work:
        np.savez(
            Path(work) / "day.npz", reference=rows[:known], day=rows[known : known + A_DAY],
            ours=found["evidently"][REFERENCE], numeric=np.append(stream.pool.numeric, True),
        )  # fmt: skip
        script = Path(__file__).with_name("evidently_check.py")
        done = subprocess.run(
            [str(python), str(script), f"{work}/day.npz"],
            check=False, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
    last = (done.stdout if done.returncode == 0 else done.stderr).strip().rpartition("\n")[2]
    return f"Evidently's own preset on one day: {last}."


def told(delays: list[float]) -> str:
    """The median, and the range where seeds differ."""
    words = [f"> {AFTER}" if d == float("inf") else f"{d:.0f}" for d in sorted(delays)]
    centre = middle.median_high(sorted(delays))
    shown = f"> {AFTER}" if centre == float("inf") else f"{centre:.0f}"
    return shown if words[0] == words[-1] else f"{shown} ({words[0]} to {words[-1]})"


def introduction(asked: argparse.Namespace) -> list[str]:
    """What was run, and how."""
    words = (
        f"Written by `python -m bench.watch --seeds {asked.seeds}` on {datetime.now(UTC):%Y-%m-%d}. Real rows, {A_DAY} a day,"
        f" drawn in blocks that keep the weekday; {REFERENCE} days of reference, {BEFORE} quiet days, then the change."
        " A figure is the median of the seeds, in brackets the first and the last. Everybody but the watch is brought to its"
        " rate of false alarms in hindsight, on the very streams that it is counted on. Outcomes come two days late, for"
        " everybody."
    )
    return [words]


def say(words: str) -> None:
    """A line of progress."""
    seconds = int(time.monotonic() - _began)
    print(f"[{seconds // 60}:{seconds % 60:02}] {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
