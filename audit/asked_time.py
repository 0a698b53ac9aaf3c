"""A time as a person types it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from contracts.row_contract import read_time


@dataclass(frozen=True)
class Asked:
    """A time that was asked for: as typed, in UTC, and whether the text names a zone."""

    text: str
    when: datetime
    has_zone: bool


def read_asked(text: str) -> Asked | None:
    """The time in *text*, ISO 8601, which may end with a zone's name such as Europe/Vienna; None if it is not one.

    Without a zone it is UTC.
    """
    said, _, zone = text.strip().rpartition(" ")
    if said and not zone[:1].isdigit():
        try:
            when = datetime.fromisoformat(said)
            return None if when.tzinfo else Asked(text, when.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC), True)
        except (ValueError, OSError, KeyError, OverflowError):  # ZoneInfo's errors of an unknown name
            return None
    found = read_time(text.strip())
    return Asked(text, found, datetime.fromisoformat(text.strip()).tzinfo is not None) if found else None
