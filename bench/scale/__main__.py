"""Measure the cost of a monitoring run and of an experiment at a million rows a day; writes BENCHMARKS.md.

python -m bench.scale [--rows 1000000] [--history 10,35,100] [--experiment 7,14,28]

For each length of history: the runs on each of the next days. Closed days are kept between runs (`--kept`). Days before
the window are copies of other days' files: monitoring does not list them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median

from bench.scale.command_cost import ROOT, Run, cost, say
from bench.scale.experiment_cost import Trial, lines
from bench.scale.large_journal import Source
from bench.scorer.benchmark_model import Subject
from bench.sections import put
from contracts.live_config import LIVE, Live, with_champion
from contracts.monitoring_limits import Monitoring
from contracts.row_contract import Contract
from contracts.thresholds import read_rules
from forge.closed_pipes import ignore_closed_pipes
from forge.local.folder_forge import LocalForge
from monitoring.reference_period import read_reference

FIRST = date(2013, 5, 1)
#: Additional days, one at a time.
ADDED_DAYS = 3


@dataclass(frozen=True)
class Bench:
    """A forge with a live model, and a journal, in *folder*."""

    folder: Path
    source: Source
    rows: int

    @classmethod
    def make(cls, folder: Path, subject: Subject, rows: int) -> Bench:
        """A new one."""
        manifest = json.loads((subject.bundles[0] / "manifest.json").read_bytes())
        contract = Contract.from_json(manifest["contract"])
        shutil.rmtree(folder, ignore_errors=True)
        forge, version = LocalForge(folder / "forge"), manifest["version"]
        forge.upload(version, subject.bundles[0])
        live = with_champion(Live(), version, manifest["digest"]).to_toml()
        forge.propose("retrain", version, "", {LIVE: live})
        forge.status("retrain", True, "good")
        forge.merge("retrain", version)
        forge.publish(version)
        reference = read_reference(subject.bundles[0], contract)
        return cls(folder, Source(contract, (version, version), reference), rows)

    @property
    def journal(self) -> Path:
        """Where the rows are."""
        return self.folder / "journal"

    def add(self, day: int) -> None:
        """Write a day of the journal, and its outcomes."""
        self.source.day(self.journal, FIRST + timedelta(days=day), self.rows, seed=1)

    def age(self, days: int) -> None:
        """Add so many days before the first, of the files of the first ones."""
        for ago in range(1, days + 1):
            old, new = FIRST + timedelta(days=ago % 7), FIRST - timedelta(days=ago)
            for path in (self.journal / f"day={old}").glob("kind=*/*.parquet"):
                place = self.journal / f"day={new}" / path.parent.name
                place.mkdir(parents=True, exist_ok=True)
                os.link(path, place / path.name.replace(f"{old:%Y%m%d}", f"{new:%Y%m%d}"))

    def watch(self, day: int) -> Run:
        """Run monitoring as of the end of *day*."""
        today = FIRST + timedelta(days=day + 1)
        words = [
            "-m",
            "monitoring",
            "watch",
            "--today",
            f"{today}",
            "--forge",
            self.folder / "forge",
            "--journal",
            self.journal,
            "--kept",
            self.folder / "kept",
            "--out",
            self.folder / "watch",
        ]
        return cost([sys.executable, *map(str, words)])


def watch(bench: Bench, history_days: str, rules: Monitoring, remark: str) -> list[str]:
    """The part on monitoring, as Markdown, with a *remark* on the machine."""
    written, linked = 0, 0
    table = [
        "| days of history | first run | the run a day later | processor | peak memory | a run at once after |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for history in map(int, history_days.split(",")):
        # Days further back than a run looks need not be written.
        for day in range(written, min(history, rules.window_days + 2)):
            bench.add(day)
            written = day + 1
            say(f"day {written} of the journal")
        if history > written + linked:
            bench.age(history - written - linked)
            linked = history - written
        before = bench.watch(written - 1)
        say(f"{history} days: {before.seconds:.1f} s, {before.memory:.2f} GB")
        later = []
        for _ in range(ADDED_DAYS):
            bench.add(written)
            written += 1
            later.append(bench.watch(written - 1))
        again = bench.watch(written - 1)
        seconds = sorted(run.seconds for run in later)
        table.append(
            f"| {history:,} | {before.seconds:.1f} s | **{median(seconds):.1f} s** ({seconds[0]:.1f} to {seconds[-1]:.1f})"
            f" | {median(run.processor for run in later):.1f} s"
            f" | **{max(run.memory for run in [before, *later]):.2f} GB** | {again.seconds:.1f} s |"
        )
        say(f"{table[-1]}\n{later[-1].output}")
    size = sum(path.stat().st_size for path in (bench.folder / "kept").rglob("*.*"))
    head = (
        f"Written by `python -m bench.scale --rows {bench.rows} --history {history_days}` on {datetime.now(UTC):%Y-%m-%d},"
        f" on {os.cpu_count()} cores. `python -m monitoring watch` on a journal of {bench.rows:,} answers a day (real flights,"
        f" drawn again and again; {96} files a day) and their outcomes, which come on the same day and the two after. A run"
        f" looks back {rules.window_days} days. The first run reads every day that it looks at and has not seen; a day later it"
        f" reads one: the median of {ADDED_DAYS} such days, each a run's, in brackets the quickest and the slowest (what a run waits for is"
        f" its imports, from the disk). Of a usual day at most {rules.sample_rows:,} rows are read individually. What is kept of closed days"
        f" takes {size / 1e6:,.0f} MB at the end. Days from before the window are other days' files under another name: they"
        f" are not even listed.{remark and f' {remark}'}"
    )
    return [head, "", *table]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser("python -m bench.scale", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="answers a day")
    parser.add_argument("--history", default="10,35,100", help="days, rising, commas between")
    parser.add_argument("--experiment", default="7,14,28", help="its days, rising, commas between")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/bench/scale")
    parser.add_argument("--remark", default="", help="a sentence on the machine, for the section")
    parser.add_argument("--out", type=Path, default=ROOT / "BENCHMARKS.md")
    args = parser.parse_args(arguments)
    rules = read_rules(ROOT / "checks/thresholds.toml").monitoring
    subject = Subject.make(ROOT / "build/bench/subject")
    made = Bench.make(args.folder / "watch", subject, args.rows)
    watched = watch(made, args.history, rules, args.remark)
    trial = Trial.make(args.folder / "experiment", subject, args.rows)
    tried = lines(trial, [*map(int, args.experiment.split(","))])
    put(args.out, "scale", "\n".join(["## A million rows a day", "", *watched, "", *tried]))
    say(f"{args.out} is written")
    return 0


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
