"""Whether the scorer agrees with the forge: what `forge sync` says of its looks, and what is refused here.

`forge sync` leaves `sync.json` in the store with each look. A store that is filled by other means has
none; then nothing is known of a forge.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from serve.regular import read_regular

STATUS = "sync.json"
#: Bytes of the largest status.
LARGEST = 64 * 2**10
#: `forge sync` is late after so many times the seconds between its looks, and after no fewer seconds.
LATE, LEAST = 4, 60.0


class Agreement(NamedTuple):
    """Whether what is named on the forge is served here; *why* not.

    *seconds* since it last was: infinite if it never was, as far as is known.
    """

    agrees: bool
    seconds: float
    why: str = ""

    def state(self) -> dict[str, Any]:
        """As `/ready` has it."""
        seconds = round(self.seconds, 1) if math.isfinite(self.seconds) else None
        return {"agrees": self.agrees, "seconds": seconds, "why": self.why or None}


def agreement(
    store: Path, refused: Mapping[str, str] | None, refused_at: datetime | None, now: datetime
) -> Agreement | None:
    """Whether the *store* and the scorer, which refused something at *refused_at*, agree with the forge.

    None where no `forge sync` fills the store.
    """
    try:
        said = json.loads(read_regular(store / STATUS, LARGEST))
        at, agreed = _moment(said["at"]), _moment(said["agreed"]) if said["agreed"] else None
        problem, every = str(said["problem"]), said["every"] and float(said["every"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return Agreement(False, math.inf, f"{store / STATUS} cannot be read: {error!r}")
    since = min(filter(None, (agreed, refused_at)), default=None) if agreed else None
    seconds = max(0.0, (now - since).total_seconds()) if since else math.inf
    late = (now - at).total_seconds()
    if problem:
        why = f"forge sync: {problem}"
    elif refused:
        why = f"{refused['what']} is refused: {refused['why']}"
    elif every and late > max(LATE * every, LEAST):
        why = f"forge sync last looked {late:,.0f} seconds ago, and should every {every:g}: does it run?"
    else:
        why = ""
    return Agreement(not why, seconds, why)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
