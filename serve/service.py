"""What a worker counted of its requests, for the journal: how many failed, and how long answers took.

A line every few minutes, and with a new day, a new champion and the end: what was counted since the
line before. The thread that closes the journal's files writes it, so that no answer waits for it.
`kill -9` loses what was counted since the last line, and no answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from serve.definitions import SECONDS
from serve.metrics import Served

EVERY = timedelta(minutes=5)
#: What is asked of a model, by its route. Who looks whether the scorer is well asks often, and may be
#: told that it is not: that is no request that failed.
ASKED = frozenset({"/score", "/outcome", "/invocations"})
#: What became of a request: below 400, below 500, above.
STATUSES = ("answered", "refused", "failed")


class Service:
    """Has *keep* keep a line of what a worker counted; *held* gives its counts as they stand.

    Counts that are there at the start are those of the worker whose file this one took over.

    *keep* says whether it could: if not, the next line has it all. *champion* is the version that is
    live, "" for none.
    """

    def __init__(
        self,
        held: Callable[[], Served],
        keep: Callable[[Mapping[str, Any]], bool],
        champion: Callable[[], str],
        clock: Callable[[], datetime],
    ) -> None:
        self._held, self._keep, self._champion, self._clock = held, keep, champion, clock
        self._lock = threading.Lock()
        self._told = _counted(held())
        self._since, self._version = self._now(), champion()

    def tell(self, *, last: bool = False) -> None:
        """Keep a line if it is time to, or the *last* one; none where nothing was counted."""
        with self._lock:
            now, version, counted = self._now(), self._champion(), _counted(self._held())
            if counted != self._told:
                young = self._since <= now < self._since + EVERY
                same = (version, now.date()) == (self._version, self._since.date())
                if (young and same and not last) or not self._keep(self._line(now, counted)):
                    return
            self._told, self._since, self._version = counted, now, version

    def _line(self, now: datetime, counted: Sequence[float]) -> dict[str, Any]:
        new = [after - before for after, before in zip(counted, self._told, strict=True)]
        return {
            # When it began: a line is of the day, and of the champion, that it is about.
            "at": _spelt(self._since), "until": _spelt(now), "version": self._version,
            **dict(zip(STATUSES, map(int, new), strict=False)),
            "bounds": SECONDS, "answers": new[len(STATUSES) :],
        }  # fmt: skip

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC)


def _counted(held: Served) -> list[float]:
    """Requests by what became of them, then answers by their bucket."""
    statuses = [0.0] * len(STATUSES)
    for (route, status), count in held.requests.items():
        if _asks(route):
            statuses[min(max(int(status) // 100 - 3, 0), 2)] += count
    return [*statuses, *held.answers]


def _asks(route: str) -> bool:
    return route in ASKED or route.endswith("/infer")


def _spelt(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
