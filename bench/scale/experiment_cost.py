"""The cost of a run of the experiment, by its length: with closed days kept, and without.

Each row has a different key, the largest possible number. The experiment begins when this forge's live.toml is written,
as a forge's history cannot be backdated: its journal has the days after that.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from bench.scale.command_cost import Run, cost, say
from bench.scale.large_journal import Source
from bench.scorer.benchmark_model import Subject
from contracts.live_config import LIVE, Live, Slot
from contracts.row_contract import Contract
from forge.local.folder_forge import LocalForge
from monitoring.reference_period import read_reference

SHARE = 0.1


@dataclass(frozen=True)
class Trial:
    """A forge with a champion and a challenger, and their journal, in *folder*; *first* is its first day."""

    folder: Path
    source: Source
    rows: int
    first: date

    @classmethod
    def make(cls, folder: Path, subject: Subject, rows: int) -> Trial:
        """A new one."""
        shutil.rmtree(folder, ignore_errors=True)
        forge, slots = LocalForge(folder / "forge"), []
        for bundle, share in zip(subject.bundles, (None, SHARE), strict=True):
            manifest = json.loads((bundle / "manifest.json").read_bytes())
            forge.upload(manifest["version"], bundle)
            slots.append(Slot(manifest["version"], manifest["digest"], share=share))
        champion, challenger = slots
        forge.propose("split", "split", "", {LIVE: Live(champion, challenger).to_toml()})
        forge.status("split", True, "good")
        forge.merge("split", "split")
        contract = Contract.from_json(forge.manifest(champion.version)["contract"])
        versions = (champion.version, challenger.version)
        source = Source(contract, versions, read_reference(subject.bundles[0], contract))
        began = date.fromisoformat(forge.history(LIVE)[0].at[:10])
        return cls(folder, source, rows, began + timedelta(days=1))

    def add(self, day: int) -> None:
        """Write a day of the journal, and its outcomes."""
        at = self.first + timedelta(days=day)
        self.source.day(self.folder / "journal", at, self.rows, seed=2, share=SHARE)

    def look(self, day: int) -> Run:
        """Run the experiment as of the end of *day*."""
        today = self.first + timedelta(days=day + 1)
        words = [
            "-m",
            "monitoring",
            "experiment",
            "--today",
            f"{today}",
            "--forge",
            self.folder / "forge",
            "--journal",
            self.folder / "journal",
            "--kept",
            self.kept,
        ]
        return cost([sys.executable, *map(str, words)])

    @property
    def kept(self) -> Path:
        """The size of what is kept of closed days."""
        return self.folder / "kept"


def lines(trial: Trial, lengths: Sequence[int]) -> Iterator[str]:
    """The part on the experiment, as Markdown."""
    table = [
        "| days of the experiment | nothing kept | memory | the run a day later, days kept | processor | memory | a run at once after |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    written = 0
    for length in lengths:
        for day in range(written, length):
            trial.add(day)
            say(f"day {day + 1} of the experiment")
        shutil.rmtree(trial.kept, ignore_errors=True)
        fresh = trial.look(length - 1)
        say(f"{length} days, nothing kept: {fresh.seconds:.1f} s, {fresh.memory:.2f} GB")
        trial.add(length)
        written = length + 1
        later = trial.look(length)
        again = trial.look(length)
        table.append(
            f"| {length:,} | {fresh.seconds:.1f} s | {fresh.memory:.2f} GB | **{later.seconds:.1f} s** | {later.processor:.1f} s"
            f" | **{later.memory:.2f} GB** | {again.seconds:.1f} s |"
        )
        say(f"{table[-1]}\n{later.output}")
    size = sum(path.stat().st_size for path in trial.kept.rglob("*.*"))
    yield (
        f"**The experiment.** `python -m monitoring experiment` on {trial.rows:,} answers a day, each with a different key,"
        f" {SHARE:.0%} of them the challenger's. With nothing kept every day is read; a day later two are, that whose units"
        " are over and the one on which they ended. What is kept takes"
        f" {size / max(written - 1, 1) / 1e6:.1f} MB a day."
    )
    yield ""
    yield from table
