"""Other detectors, each in a separate environment: river's ADWIN, and a check of Evidently's preset."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.environments import InstallError, install
from bench.watch.daily_streams import REFERENCE, ROWS_PER_DAY, Stream
from bench.watch.detector_rounds import LABEL_DELAY, rate
from bench.watch.statistics_cache import STABLE_YEAR, Kept

Numbers = np.ndarray[Any, Any]
#: Confidences of ADWIN, from the loosest on, and its default.
RATES = ("0.5", "0.3", "0.2", "0.1", "0.05", "0.02", "0.01", "0.002", "5e-4", "1e-4", "1e-6", "1e-9", "1e-14", "1e-20")
DEFAULT = "0.002"


class Adwin:
    """river's ADWIN on the daily means of every column, of the scores and of their errors.

    At the loosest of `RATES` at which quiet years keep to an *equal* rate; *at* is "" where it cannot run or
    none does, as *remark* says. *own* is its rate by its default.
    """

    def __init__(self, environments: Path, kept: Kept, seeds: Sequence[int], equal: float) -> None:
        self.kept, self.at, self.remark, self.own = kept, "", "", math.nan
        try:
            self.python = install(environments / "river", ["river"], Path(sys.executable))
        except InstallError as error:
            self.remark = f"river was left out: its environment could not be made ({error})."
            return
        quiet = {at: rate(days) for at, days in self._run(STABLE_YEAR, seeds, RATES).items()}
        self.own = quiet[DEFAULT]
        self.at = next((at for at in RATES if quiet[at] <= equal), "")
        if not self.at:
            self.remark = f"ADWIN was left out: even at a confidence of {RATES[-1]} it alarms more often."

    def days(self, change: str, seeds: Sequence[int]) -> list[Numbers]:
        """Whether it alarms on each day after the reference of each seed's stream."""
        return self._run(change, seeds, [self.at])[self.at]

    def _run(self, change: str, seeds: Sequence[int], rates: Sequence[str]) -> dict[str, list[Numbers]]:
        with tempfile.TemporaryDirectory() as work:
            tables = {str(seed): _columns(self.kept.stream(change, seed)) for seed in seeds}
            np.savez(Path(work) / "in.npz", allow_pickle=False, **tables)
            script = Path(__file__).with_name("adwin.py")
            subprocess.run(
                [str(self.python), str(script), f"{work}/in.npz", f"{work}/out.npz", *rates], check=True, timeout=1200
            )
            found = np.load(Path(work) / "out.npz")
            return {at: [found[f"{seed}|{at}"][REFERENCE:] for seed in seeds] for at in rates}


def _columns(stream: Stream) -> Numbers:
    """Daily means (days, columns) in standard deviations of the reference's days."""
    wrong = np.abs(stream.scores - stream.truth)
    rows = np.column_stack([stream.rows, stream.scores, wrong])
    days = rows.reshape(-1, ROWS_PER_DAY, rows.shape[1]).mean(axis=1)
    days[:, -1] = np.concatenate([np.full(LABEL_DELAY, np.nan), days[:-LABEL_DELAY, -1]])
    spread = np.nanstd(days[:REFERENCE], axis=0)
    # The deviation of a constant is not 0 where its mean is rounded.
    varies = np.nanmax(days[:REFERENCE], axis=0) > np.nanmin(days[:REFERENCE], axis=0)
    return np.asarray(days / np.where(varies, spread, 1))


def evidently(environments: Path, kept: Kept, seed: int) -> str:
    """What Evidently's own preset says of a day, against what was computed of it."""
    try:
        # Its code needs a pandas before 3.
        python = install(environments / "evidently", ["evidently", "pandas<3"], Path(sys.executable))
    except InstallError as error:
        return f"Evidently's environment could not be made ({error}), so its figures are ours alone."
    stream, known = kept.stream(STABLE_YEAR, seed), REFERENCE * ROWS_PER_DAY
    rows = np.column_stack([stream.rows, stream.scores])
    with tempfile.TemporaryDirectory() as work:
        np.savez(
            Path(work) / "day.npz",
            reference=rows[:known],
            day=rows[known : known + ROWS_PER_DAY],
            ours=kept.daily(STABLE_YEAR, seed)["evidently"][0],
            numeric=np.append(kept.pool.numeric, True),
        )
        script = Path(__file__).with_name("evidently_check.py")
        done = subprocess.run(
            [str(python), str(script), f"{work}/day.npz"], check=False, capture_output=True, text=True, timeout=600
        )
    last = (done.stdout if done.returncode == 0 else done.stderr).strip().rpartition("\n")[2]
    return f"Evidently's own preset on one day: {last}."
