"""Others' own code, each in an environment of its own: river's ADWIN, and a look at Evidently's preset."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.environments import InstallError, install
from bench.watch.contest import LATE, rate
from bench.watch.kept import QUIET, Kept
from bench.watch.streams import A_DAY, REFERENCE, Stream

Numbers = np.ndarray[Any, Any]
#: Confidences that ADWIN is tried at, from its own on.
RATES = ("0.002", "1e-4", "1e-6", "1e-9", "1e-13", "1e-18", "1e-25", "1e-40", "1e-60")


class Adwin:
    """river's ADWIN on every column, at the loosest of `RATES` that keeps quiet years to an *equal* rate.

    *rate* is "" where it cannot run or none keeps to it; *told* says so.
    """

    def __init__(self, environments: Path, kept: Kept, seeds: Sequence[int], equal: float) -> None:
        self.kept, self.rate, self.told = kept, "", ""
        try:
            self.python = install(environments / "river", ["river"], Path(sys.executable))
        except InstallError as error:
            self.told = f"river was left out: its environment could not be made ({error})."
            return
        low, high = 0, len(RATES)
        while low < high:
            place = (low + high) // 2
            keeps = rate(self.days(QUIET, seeds, RATES[place])) <= equal
            low, high = (low, place) if keeps else (place + 1, high)
        if low < len(RATES):
            self.rate = RATES[low]
        else:
            self.told = (
                f"ADWIN was left out: even at a confidence of {RATES[-1]} it alarms more often."
            )

    def days(self, change: str, seeds: Sequence[int], at: str = "") -> list[Numbers]:
        """Whether it alarms on each day after the reference of each seed's stream."""
        paths = {seed: self.kept.path("adwin", change, seed, at or self.rate) for seed in seeds}
        for seed, path in paths.items():
            if not path.is_file():
                self.kept.keep(
                    path, {"days": self._run(self.kept.stream(change, seed), at or self.rate)}
                )
        return [np.load(path)["days"][REFERENCE:] for path in paths.values()]

    def _run(self, stream: Stream, at: str) -> Numbers:
        wrong = np.abs(stream.scores - stream.truth)
        wrong = np.concatenate([np.full(LATE * A_DAY, np.nan), wrong[: -LATE * A_DAY]])
        rows = np.column_stack([stream.rows, stream.scores, wrong])
        spread = np.nanstd(rows[: REFERENCE * A_DAY], axis=0)
        with tempfile.TemporaryDirectory() as work:
            scaled = rows / np.where(spread > 0, spread, 1)
            np.savez(Path(work) / "in.npz", a_day=A_DAY, stream=scaled)
            script = Path(__file__).with_name("adwin.py")
            subprocess.run(
                [str(self.python), str(script), f"{work}/in.npz", f"{work}/out.npz", at],
                check=True, stdout=subprocess.DEVNULL, timeout=1200,
            )  # fmt: skip
            found: Numbers = np.load(Path(work) / "out.npz")[f"stream|{at}"]
        return found


def evidently(environments: Path, kept: Kept, seed: int) -> str:
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
    stream, known = kept.stream(QUIET, seed), REFERENCE * A_DAY
    rows = np.column_stack([stream.rows, stream.scores])
    with tempfile.TemporaryDirectory() as work:
        np.savez(
            Path(work) / "day.npz", reference=rows[:known], day=rows[known : known + A_DAY],
            ours=kept.daily(QUIET, seed)["evidently"][0], numeric=np.append(kept.pool.numeric, True),
        )  # fmt: skip
        script = Path(__file__).with_name("evidently_check.py")
        done = subprocess.run(
            [str(python), str(script), f"{work}/day.npz"],
            check=False, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
    last = (done.stdout if done.returncode == 0 else done.stderr).strip().rpartition("\n")[2]
    return f"Evidently's own preset on one day: {last}."
