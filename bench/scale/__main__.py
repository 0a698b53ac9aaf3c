"""Measure what a run of the watch costs with a million rows a day, into BENCHMARKS.md.

python -m bench.scale [--rows 1000000] [--history 10,35,100]

For each length of history: the run that comes after one day more. Closed days are kept from run to run,
as `--kept` says. Days from before the window are other days' files under another name: the watch lists
them and opens none.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bench.scale.journal import Source
from bench.sections import put
from bench.subject import Subject
from checks.rules import read_rules
from forge.live import LIVE, Live, with_champion
from forge.local import LocalForge
from model.contract import Contract
from monitoring.window import read_reference

ROOT = Path(__file__).parents[2]
FIRST = date(2013, 5, 1)
_began = time.monotonic()


@dataclass(frozen=True)
class Run:
    """What one run of a command cost: wall clock and processor in seconds, peak memory in GB."""

    seconds: float
    processor: float
    memory: float
    told: str


@dataclass(frozen=True)
class Bench:
    """A forge with something live, and a journal, in *folder*."""

    folder: Path
    source: Source
    rows: int

    @classmethod
    def make(cls, folder: Path, rows: int) -> Bench:
        """A new one."""
        subject = Subject.make(ROOT / "build/bench/subject")
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
        """Write a day of the journal, and the outcomes that came of it."""
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
        """Run the watch as of the end of *day*."""
        today = FIRST + timedelta(days=day + 1)
        words = [
            "-m", "monitoring", "watch", "--today", f"{today}", "--forge", self.folder / "forge",
            "--journal", self.journal, "--kept", self.folder / "kept", "--out", self.folder / "watch",
        ]  # fmt: skip
        return cost([sys.executable, *map(str, words)])


def cost(command: Sequence[str]) -> Run:
    """Run a *command* to its end. Raises RuntimeError if it fails."""
    began = time.monotonic()
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as run:
        told = (run.stdout.read() if run.stdout else b"").decode()
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        raise RuntimeError(f"it failed:\n{told[-2000:]}")
    seconds = time.monotonic() - began
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e9, told)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser("python -m bench.scale", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="answers a day")
    parser.add_argument("--history", default="10,35,100", help="days, rising, commas between")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/bench/scale")
    parser.add_argument("--out", type=Path, default=ROOT / "BENCHMARKS.md")
    asked = parser.parse_args(arguments)
    rules = read_rules(ROOT / "checks/thresholds.toml").monitoring
    bench = Bench.make(asked.folder, asked.rows)
    written, linked = 0, 0
    lines = ["| days of history | first run | the run a day later | processor | peak memory | a run at once after |", "|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for history in map(int, asked.history.split(",")):
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
        bench.add(written)
        written += 1
        later = bench.watch(written - 1)
        again = bench.watch(written - 1)
        lines.append(
            f"| {history:,} | {before.seconds:.1f} s | **{later.seconds:.1f} s** | {later.processor:.1f} s"
            f" | **{max(before.memory, later.memory):.2f} GB** | {again.seconds:.1f} s |"
        )
        say(f"{lines[-1]}\n{later.told}")
    size = sum(path.stat().st_size for path in (asked.folder / "kept").rglob("*.*"))
    head = (
        f"Written by `python -m bench.scale --rows {asked.rows} --history {asked.history}` on {datetime.now(UTC):%Y-%m-%d},"
        f" on {os.cpu_count()} cores. `python -m monitoring watch` on a journal of {asked.rows:,} answers a day (real flights,"
        f" drawn again and again; {96} files a day) and their outcomes, which come on the same day and the two after. A run"
        f" looks back {rules.window_days} days. The first run reads every day that it looks at and has not seen; a day later it"
        f" reads one. Of a usual day {rules.sample_rows:,} rows at most are looked at by themselves. What is kept of closed days"
        f" takes {size / 1e6:,.0f} MB at the end. Days from before the window are other days' files under another name: they"
        " are listed, and not opened."
    )
    put(asked.out, "scale", "\n".join(["## A million rows a day", "", head, "", *lines]))
    say(f"{asked.out} is written")
    return 0


def say(words: str) -> None:
    """A line of progress."""
    seconds = int(time.monotonic() - _began)
    print(f"[{seconds // 60}:{seconds % 60:02}] {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
