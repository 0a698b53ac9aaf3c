"""The bundles of clean nights: one recipe, trained as of many days; each night's champion is the night before's model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from drill.stored_json import read_json, write_json

if TYPE_CHECKING:  # the gate's environment cannot import it
    from drill.thinned_recipe import Subject

#: The file of a night's bundle in the folder of all nights.
MADE = "made-{today}.json"


@dataclass(frozen=True)
class Made:
    """The folder of the bundle as of the day *today*, or why there is none."""

    today: str
    bundle: str = ""
    left_out: str = ""


def days_until(last: date, count: int, every: int) -> list[date]:
    """The days of *count* nights up to *last*, and of the first night's champion; *every* so many days."""
    return [last - timedelta(days=every * back) for back in range(count, -1, -1)]


def make(subject: Subject, into: Path) -> Made:
    """The bundle of the user's recipe as of the subject's day, in *into*. An existing one is not made again."""
    written = into / MADE.format(today=subject.today)
    if written.is_file():
        return Made(**read_json(written))
    try:
        made = Made(f"{subject.today}", str(subject.plain(into, subject.today)))
    except (Exception, SystemExit) as error:  # anything that the recipe or its libraries raise
        made = Made(f"{subject.today}", left_out=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    return _write(made, into)


def lost(subject: Subject, into: Path) -> Made:
    """The bundle whose process was killed while it was made."""
    why = "the process that made it was killed, possibly for lack of memory"
    return _write(Made(f"{subject.today}", left_out=why), into)


def pairs(made: Sequence[Made]) -> list[tuple[Made, Made]]:
    """Champion and candidate of each night that has both; *made* are in the order of their days."""
    return [
        (champion, candidate)
        for champion, candidate in itertools.pairwise(made)
        if champion.bundle and candidate.bundle
    ]


def _write(made: Made, into: Path) -> Made:
    write_json(into / MADE.format(today=made.today), asdict(made))
    return made
