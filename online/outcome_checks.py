"""Which outcomes are refused before they teach: those of a broken or poisoned feed. Counted by reason.

Each check is of an hour's outcomes as a whole, so that it does not matter in which portions they were read.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from online.portable_math import Array, log

NOT_AN_OUTCOME = "do not fit the contract"
UNKNOWN = "for an id that no answer has, or whose answer is long gone"
NOT_SAMPLED = "for a row that is not in the sample"
REPEATED = "for an id that had the same outcome"
CORRECTED = "for an id that had another outcome (the first counts)"
FUTURE = "from the future"
ONE_KEY = "from one key, beyond its share of an hour"
ONE_VALUE = "all with one value"
FLOOD = "in an hour with more outcomes than rows that wait for one"
#: What is no sign of a broken feed.
HARMLESS = (NOT_SAMPLED, REPEATED)
#: Outcomes of a key that count in an hour, and the share of the hour's outcomes that they may be.
MAX_SHARE_OF_KEY, SHARE_OF_KEY = 20, 0.05
#: An hour's outcomes may be so many times the waiting rows, and so many more.
FLOOD_TIMES, FLOOD_MORE = 2, 1000
#: The logarithm of the probability at which a run of equal outcomes is refused.
SURPRISING = -30.0
#: Where outcomes come late, those of one class may come first: a run is judged with at least this probability.
LATE_SHARE = 0.9
#: The share of its counts that an hour leaves of the earlier ones.
HOURLY_DECAY = 0.99


@dataclass
class Refusals:
    """How many outcomes were refused, by reason; and what is remembered of accepted ones.

    *counts* has the outcomes by value: classes, or for a regression the most common value of each hour, and the rest.
    *run* is the value of the last outcomes if all are equal, the logarithm of the probability of that, and how many of them
    were accepted: they are remembered when the run is over.
    """

    late: bool = False
    refused: Counter[str] = field(default_factory=Counter)
    counts: dict[float, float] = field(default_factory=dict)
    run: tuple[float, float, int] | None = None

    def is_flood(self, lines: int, waiting: int) -> bool:
        """Whether an hour of so many *lines* is refused as a whole, with so many rows *waiting*."""
        flood = lines > FLOOD_TIMES * waiting + FLOOD_MORE
        if flood:
            self.refused[FLOOD] += lines
        return flood

    def by_key(self, keys: Array) -> Array:
        """Which of an hour's outcomes count, by the *keys* (n,) of their rows: (n,), the first of each key."""
        order = np.argsort(keys, kind="stable")
        sorted_keys = keys[order]
        first = np.searchsorted(sorted_keys, sorted_keys, side="left")
        rank = np.empty(len(keys), dtype=np.int64)
        rank[order] = np.arange(len(keys)) - first
        counts = rank < max(MAX_SHARE_OF_KEY, int(SHARE_OF_KEY * len(keys)))
        if not counts.all():
            self.refused[ONE_KEY] += int(len(keys) - counts.sum())
        return np.asarray(counts)

    def is_one_value(self, values: Array, expected: float) -> bool:
        """Whether an hour's outcomes are refused, because too long a run of them has one value.

        *expected* is the mean probability of the value of the first of *values* by the scores; 0 for a regression.
        """
        if not len(values):
            return False
        value = float(values[0])
        run = self.run or (value, 0.0, 0)
        if run[0] != value or (values != value).any():
            self._remember(np.full(run[2], run[0]))
            run = (value, 0.0, 0)
        if (values != value).any():
            self.run = None
            self._remember(values)
            return False
        seen = sum(self.counts.values())
        share = max((self.counts.get(value, 0.0) + 1.0) / (seen + 2.0), expected, LATE_SHARE if self.late else 0.0)
        chance = max(run[1] + len(values) * log(min(share, 1.0)), -1e6)
        refused = chance < SURPRISING
        self.run = (value, chance, run[2] + (0 if refused else len(values)))
        if refused:
            self.refused[ONE_VALUE] += len(values)
        return refused

    def to_json(self) -> dict[str, int]:
        """The refused outcomes by reason."""
        return {reason: count for reason, count in sorted(self.refused.items()) if count}

    def _remember(self, values: Array) -> None:
        found, times = np.unique(values, return_counts=True)
        if len(found) > 50:  # a number: its most common value, and the others
            most = int(np.argmax(times))
            found, times = np.array([found[most], math.inf]), np.array([times[most], len(values) - times[most]])
        self.counts = {value: count * HOURLY_DECAY for value, count in self.counts.items() if count > 0.01}
        for value, count in zip(found.tolist(), times.tolist(), strict=True):
            self.counts[value] = self.counts.get(value, 0.0) + count
