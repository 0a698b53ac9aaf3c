"""Errors and latency of the scorers, from what they count for Prometheus: two looks, and what came between."""

from __future__ import annotations

import math
import os
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.release_policy import Rollback
from monitoring.incidents.auto_rollback import Alarm

_SAMPLE = re.compile(r"tidegate_(requests(?:_total)?|answer_seconds_bucket)\{(.*)\} (\S+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
#: Fewer requests between two looks tell nothing.
LEAST = 100
SLOWEST = 0.99


class ServiceError(Exception):
    """A scorer's counts cannot be read. The message says where they were looked for."""


@dataclass(frozen=True)
class Counts:
    """Requests by their status, and answers by the upper bound of their bucket, in seconds."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: Counter[float] = field(default_factory=Counter)

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.statuses + other.statuses, self.seconds + other.seconds)


def parse_counts(text: str) -> Counts:
    """What Prometheus' text format says. Raises `ServiceError` if it says nothing of requests."""
    counts = Counts()
    below: Counter[float] = Counter()
    for name, told, value in _SAMPLE.findall(text):
        labels = dict(_LABEL.findall(told))
        if name.startswith("requests"):
            counts.statuses[labels.get("status", "")] += int(float(value))
        else:
            below[float(labels["le"])] += int(float(value))
    if not counts.statuses and not below:
        raise ServiceError("it counts no requests: is this a scorer's /metrics?")
    last = 0
    for bound, count in sorted(below.items()):
        counts.seconds[bound] = count - last
        last = count
    return counts


def alarms_between(before: Counts, after: Counts, version: str, rules: Rollback) -> list[Alarm]:
    """What is beyond its limit between two looks; [] also where too little was asked to tell."""
    statuses = {each: after.statuses[each] - before.statuses[each] for each in after.statuses}
    seconds = {each: after.seconds[each] - before.seconds[each] for each in after.seconds}
    if min([*statuses.values(), *seconds.values()], default=0) < 0:
        return []  # a scorer began anew, and counts from nothing
    found = []
    asked = sum(statuses.values())
    wrong = sum(count for status, count in statuses.items() if status.startswith("5"))
    if asked >= LEAST and wrong > rules.max_errors * asked:
        words = f"{wrong:,} of {asked:,} requests failed ({wrong / asked:.1%}; limit {rules.max_errors:.1%})"
        found.append(Alarm("errors", version, words))
    answered = sum(seconds.values())
    slow = _quantile(seconds, SLOWEST)
    if answered >= LEAST and slow * 1000 > rules.max_p99_ms:
        words = f"p99 of {answered:,} answers is {_told(slow)} (limit {rules.max_p99_ms:g} ms)"
        found.append(Alarm("latency", version, words))
    return found


def look(addresses: Sequence[str], timeout: float = 10) -> Counts:
    """The counts of all scorers at *addresses* (of `/metrics`). Raises `ServiceError`."""
    total = Counts()
    for address in addresses:
        if not address.startswith(("http://", "https://")):
            raise ServiceError(f"{address} is not the address of a scorer's /metrics")
        token = os.environ.get("TIDEGATE_WATCH_TOKEN")
        asked = urllib.request.Request(  # noqa: S310 -- http, as was looked at
            address, headers={"Authorization": f"Bearer {token}"} if token else {}
        )
        try:
            with urllib.request.urlopen(asked, timeout=timeout) as answer:  # noqa: S310
                total += parse_counts(answer.read().decode("utf-8", "replace"))
        except (OSError, ValueError, ServiceError) as error:
            raise ServiceError(f"{address} cannot be read: {error}") from error
    return total


def observe(addresses: Sequence[str], seconds: float, version: str, rules: Rollback) -> list[Alarm]:
    """The alarms of so many *seconds* from now on. Raises `ServiceError`."""
    before = look(addresses)
    time.sleep(seconds)
    return alarms_between(before, look(addresses), version, rules)


def _quantile(seconds: dict[float, int], share: float) -> float:
    """The bucket's upper bound below which that share of answers is; 0 without any."""
    wanted, seen = share * sum(seconds.values()), 0
    for bound, count in sorted(seconds.items()):
        seen += count
        if seen >= wanted:
            return bound if seen else 0.0
    return math.inf


def _told(seconds: float) -> str:
    return f"up to {seconds * 1000:g} ms" if math.isfinite(seconds) else "beyond the last bucket"
