"""The experiment so far, each of its days read once: what a day added to the sums is kept, and so are its keys.

A day that is kept names all that it depends on: its files, and the day before it, and so all days before.
A file that comes late to a day makes that day and those after it be read again, and none before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from contracts.journal_format import Place
from monitoring.experiment.aggregates import Tally
from monitoring.experiment.confidence_sequences import Numbers
from monitoring.experiment.reader import Asked, Book
from monitoring.journal.frame_store import Shelf, digest_of
from monitoring.journal.window import JournalError, place_of

FORMAT = 1
#: Begins the name of every day that is kept.
KIND = "experiment-"


def read_tally(journal: Path | Place, asked: Asked, shelf: Shelf) -> Tally:
    """The sums of all units that count. Raises `JournalError`. What was kept of anything else goes."""
    place = place_of(journal)
    try:
        book = Book(place, asked)
        try:
            found = _read(book, asked, shelf)
        except LookupError:  # half of what was kept is gone, or by another hand: all anew
            forget(shelf)
            found = _read(book, asked, shelf)
    except OSError as error:
        raise JournalError(f"the journal cannot be read: {error}") from error
    found.odd.update(book.odd)
    return found


def forget(shelf: Shelf) -> None:
    """No experiment runs: nothing of one is kept."""
    shelf.only(KIND, ())


def _read(book: Book, asked: Asked, shelf: Shelf) -> Tally:
    digests = [*_digests(book, asked)]
    whats = [f"{KIND}{asked.midnight(day):%Y-%m-%d}" for day in range(asked.days)]
    names = [f"{what}-{digest}" for what, digest in zip(whats, digests, strict=True)]
    shelf.only(KIND, names)
    tally = _kept(names, asked, shelf)
    keys: list[Numbers | str] = [*names[: tally.days]]

    def known() -> Iterator[Numbers]:
        for each in keys:
            yield _keys(shelf, each) if isinstance(each, str) else each

    for day in range(tally.days, asked.days):
        units, new = book.units(day, known)
        tally.add(units)
        shelf.keep(whats[day], digests[day], tally.to_json(), pd.DataFrame({"key": new}))
        keys.append(names[day] if shelf.has(names[day]) else new)
    return tally


def _digests(book: Book, asked: Asked) -> Iterator[str]:
    """What tells each day, with all that it depends on, from any other."""
    split = asdict(asked.split)
    told = [FORMAT, split, asked.contract.to_json(), asked.features, asked.measures, asked.unit_days]
    digest = digest_of(told)
    for day in range(asked.days):
        digest = digest_of([digest, book.depends(day)])
        yield digest


def _kept(names: list[str], asked: Asked, shelf: Shelf) -> Tally:
    """The newest sums that are kept, with the keys of every day so far; else those of no day."""
    whole = next((day for day, name in enumerate(names) if not shelf.has(name)), len(names))
    for day in reversed(range(whole)):
        told = shelf.told(names[day])
        try:
            return Tally.from_json(told, asked.split, asked.contract, asked.measures)
        except (KeyError, TypeError, ValueError):
            continue  # by another hand, or half of it
    return Tally(asked.split, asked.contract, asked.measures)


def _keys(shelf: Shelf, name: str) -> Numbers:
    frame = shelf.frame(name)
    if frame is None:
        raise LookupError(name)
    found: Numbers = frame["key"].to_numpy(dtype=np.uint64)
    return found
