"""The corrections that scorers took up, from the journal: when, of which version, in which state, with which terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.journal_format import Line, Listing, Place, lines
from contracts.row_contract import read_time
from monitoring.journal.window import JournalError, place_of

#: The kind of the lines in the journal.
KIND = "corrections"
#: The name of the intercept's term.
ALL_ROWS = "all rows"
_NAMES = ("at", "version", "content")


@dataclass(frozen=True)
class RecordedCorrection:
    """A correction that was taken up *at* a time. *terms* by name: "all rows", or "carrier=EWR".

    Terms are on the logit; of a regression in standard deviations of the target; of a multiclass model there are none.
    """

    at: datetime
    version: str
    state: str
    why: str
    terms: Mapping[str, float]


def read_corrections(journal: Path | Place, days: int, until: datetime) -> list[RecordedCorrection]:
    """The corrections of the *days* before *until*, the oldest first. Raises `JournalError`."""
    place, since = place_of(journal), until - timedelta(days=days)
    try:
        files = Listing(place).every(KIND, f"{since:%Y-%m-%d}")
        read = [recorded(line) for some in files.values() for part in some for line in lines(place, part, _NAMES)]
    except OSError as error:
        raise JournalError(f"the journal cannot be read: {error}") from error
    return sorted((each for each in read if each and since <= each.at < until), key=lambda each: each.at)


def recorded(line: Line | None) -> RecordedCorrection | None:
    """The correction of a *line*; None if it is incomplete or not one."""
    try:
        content: Any = json.loads(str((line or {}).get("content")))
        at = read_time(str((line or {})["at"]))
        terms = {ALL_ROWS: float(content["terms"].get("intercept", 0.0))}
        for name, values in content["terms"].get("slices", {}).items():
            terms |= {f"{name}={value}": float(term) for value, term in values.items()}
        found = str(content["version"]), str(content["state"]), str(content["why"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return RecordedCorrection(at, *found, terms) if at else None
