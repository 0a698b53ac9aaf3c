"""Daily statistics of streams, kept in a folder: a run that was stopped goes on where it was.

A file is named by what it was made with: rows, streams and statistics of other code are computed again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from bench.watch.daily_statistics import daily
from bench.watch.daily_streams import Stream, changed, quiet
from bench.watch.pools import Pool

Numbers = np.ndarray[Any, Any]
YEAR = 364
#: Instead of a change: a year of quiet days.
STABLE_YEAR = "a quiet year"


class Kept:
    """Streams of one pool, by their change and seed, and what was computed of them in *folder*."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self.pool, self.folder = pool, folder
        folder.mkdir(parents=True, exist_ok=True)
        code = b"".join(
            Path(__file__).with_name(f"{name}.py").read_bytes()
            for name in ("pools", "daily_streams", "daily_statistics")
        )
        rows = (pool.rows, pool.truth, pool.segment, pool.score(pool.rows[:500]))
        self._made = hashlib.sha256(b"".join([code, *(part.tobytes() for part in rows)]))

    def stream(self, change: str, seed: int) -> Stream:
        """Sampled each time, which is quick; one seed's streams have one reference."""
        random = np.random.default_rng(seed)
        if change == STABLE_YEAR:
            return quiet(self.pool, YEAR, random)
        return changed(self.pool, change, random)

    def daily(self, change: str, seed: int) -> dict[str, Numbers]:
        """Every statistic of every day of the stream."""
        path = self.path("daily", change, seed)
        if not path.is_file():
            alike = None if change == STABLE_YEAR else self.daily(STABLE_YEAR, seed)
            self.keep(path, daily(self.stream(change, seed), alike))
        with np.load(path) as found:
            return dict(found)

    def path(self, *of: object) -> Path:
        """Where what is known *of* a stream is kept."""
        made = self._made.copy()
        made.update(repr(of).encode())
        return self.folder / f"{self.pool.name}-{made.hexdigest()[:16]}.npz"

    def keep(self, path: Path, arrays: dict[str, Numbers]) -> None:
        """Whole or not at all."""
        unfinished = path.with_suffix(".unfinished.npz")
        np.savez(unfinished, allow_pickle=False, **arrays)
        unfinished.replace(path)
