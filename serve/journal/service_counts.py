"""Counts of a worker in the journal: how many requests failed, and how long answers took.

A line is written every few minutes, on a new day, for a new champion and at the end, with the counts since the line
before. The thread that closes the journal's files writes it, so no request waits for it. `kill -9` loses the counts
since the last line, but no answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from serve.metrics.buckets import SECONDS
from serve.metrics.scorer_metrics import Served

INTERVAL = timedelta(minutes=5)
#: Routes whose requests are counted, besides those that end with /infer. Health checks are not: a 503 of theirs is no failure.
SCORING_ROUTES = frozenset({"/score", "/outcome", "/invocations"})
#: Requests by status code: below 400, below 500, others.
STATUSES = ("answered", "refused", "failed")


class Service:
    """Writes lines of counts with *keep*, which returns False if it failed; the next line then has these counts, too.

    *held* returns the counts of the worker; at the start they are those of the worker that used its file before.
    *champion* returns the live version, "" if there is none.
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
        self._written = _counted(held())
        self._since, self._version = self._now(), champion()

    def write(self, *, last: bool = False) -> None:
        """Write a line if one is due, or it is the *last* one, and the counts have changed."""
        with self._lock:
            now, version, counted = self._now(), self._champion(), _counted(self._held())
            if counted != self._written:
                recent = self._since <= now < self._since + INTERVAL
                same = (version, now.date()) == (self._version, self._since.date())
                if (recent and same and not last) or not self._keep(self._line(now, counted)):
                    return
            self._written, self._since, self._version = counted, now, version

    def _line(self, now: datetime, counted: Sequence[float]) -> dict[str, Any]:
        new = [after - before for after, before in zip(counted, self._written, strict=True)]
        return {
            # A line belongs to the day and the champion at its start.
            "at": f"{self._since:%Y-%m-%dT%H:%M:%S.%fZ}",
            "until": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
            "version": self._version,
            **dict(zip(STATUSES, map(int, new), strict=False)),
            "bounds": SECONDS,
            "answers": new[len(STATUSES) :],
        }

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC)


def _counted(held: Served) -> list[float]:
    """Requests by `STATUSES`, then answers by bucket of duration."""
    found = dict.fromkeys(STATUSES, 0.0)
    for (route, status), count in held.requests.items():
        if route in SCORING_ROUTES or route.endswith("/infer"):
            found[STATUSES[(status >= "400") + (status >= "500")]] += count
    return [*found.values(), *held.answers]
