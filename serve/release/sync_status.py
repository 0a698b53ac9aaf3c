"""Whether the scorer serves what the forge names, by the status of `forge sync` and by what is refused.

`forge sync` writes `sync.json` into the store at each look. A store that is filled by other means has
no such file, and no agreement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from contracts.bundle_content import read_regular
from contracts.live_config import MAX_BYTES, STATUS

#: `forge sync` is late after this many of its intervals, and after this many seconds at least.
LATE_INTERVALS, MIN_LATE_SECONDS = 4, 60.0


class Status(msgspec.Struct):
    """What `forge sync` writes: when it looked, when it last agreed, its interval in seconds."""

    at: datetime
    agreed: datetime | None
    problem: str
    every: float | None


class Agreement(NamedTuple):
    """Whether the scorer serves what the forge names, and if not, *why*.

    *seconds* since it last did; infinite if it is not known to have.
    """

    agrees: bool
    seconds: float
    why: str = ""

    def state(self) -> dict[str, Any]:
        """As `/ready` shows it."""
        seconds = round(self.seconds, 1) if math.isfinite(self.seconds) else None
        return {"agrees": self.agrees, "seconds": seconds, "why": self.why or None}


def agreement(
    store: Path, refused: Mapping[str, str] | None, refused_at: datetime | None, now: datetime
) -> Agreement | None:
    """The agreement of a scorer that follows *store* and *refused* something at *refused_at*.

    None where no `forge sync` fills the store.
    """
    path = store / STATUS
    try:
        status = msgspec.json.decode(read_regular(path, MAX_BYTES), type=Status)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        return Agreement(False, math.inf, f"{path} cannot be read: {error}")
    seconds = math.inf
    if status.agreed:
        agreed = _aware(status.agreed)
        since = min(agreed, refused_at) if refused_at else agreed
        seconds = max(0.0, (now - since).total_seconds())
    why, late = "", (now - _aware(status.at)).total_seconds()
    if status.problem:
        why = f"forge sync: {status.problem}"
    elif refused:
        why = f"{refused['what']} is refused: {refused['why']}"
    elif status.every and late > max(LATE_INTERVALS * status.every, MIN_LATE_SECONDS):
        why = f"forge sync last looked {late:,.0f} seconds ago, and should every {status.every:g}: does it run?"
    return Agreement(not why, seconds, why)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
