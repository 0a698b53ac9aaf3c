"""The rounds of a drill: for each a day as of which models are trained, other rows, and an older or newer champion."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from drill.drill_digest import ROOT
from drill.fault import Random
from drill.thinned_recipe import Subject
from model.train import training_window

#: Without days of the recipe's, models are trained as of one in these days before today, so that the labels of a month
#: after it are known.
RECENT_DAYS = (timedelta(days=84), timedelta(days=35))
#: The champion is from 1 to this many holdouts older than the candidate.
MAX_AGE = 3


@dataclass(frozen=True)
class Round:
    """One round: its number and subject, and the *seed* of its variants."""

    number: int
    subject: Subject
    seed: int

    def random(self, name: str) -> Random:
        """The generator for the fault *name*, the same one whichever other faults are drawn."""
        return np.random.default_rng([self.seed, self.number, zlib.crc32(name.encode())])

    def named(self, name: str) -> str:
        """The name of a case in this round: each is there once in a drill."""
        return f"{name} ({self.number + 1})" if self.number else name


def rounds(
    recipe: Path, today: date | None, parity: float, seed: int, count: int, *, sent: bool = False
) -> Iterator[Round]:
    """*count* rounds, each the same one for the same *seed*; as of *today*, or of days that are drawn.

    *sent*: whether there is a journal of the rows that were sent.
    """
    for number in range(count):
        random = np.random.default_rng([seed, number])
        day = today or _day(random, Subject(recipe, datetime.now(UTC).date(), parity).recipe)
        subject = Subject(recipe, day, parity, f"{seed}-{number}", int(random.integers(1, MAX_AGE + 1)), sent)
        yield Round(number, subject if _has_champion(subject) else replace(subject, age=1), seed)


def default_seed(now: datetime, root: Path = ROOT) -> int:
    """A seed that differs by minute and commit."""
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    return zlib.crc32(f"{now:%Y-%m-%dT%H:%M} {found.stdout.strip()}".encode())


def _day(random: Random, recipe: Any) -> date:
    """A day of the recipe's DRILL_DAYS (first and last), or a recent one."""
    now = datetime.now(UTC).date()
    first, last = getattr(recipe, "DRILL_DAYS", None) or (now - RECENT_DAYS[0], now - RECENT_DAYS[1])
    return first + timedelta(days=int(random.integers((last - first).days + 1)))


def _has_champion(subject: Subject) -> bool:
    """Whether the champion's window has about as many rows as the candidate's."""
    try:
        rows = subject.recipe.load(*training_window(subject.recipe, subject.today - subject.held * subject.age))
        return len(rows) > len(subject.rows) / 2
    except Exception:  # whatever the recipe raises for a window without rows
        return False
