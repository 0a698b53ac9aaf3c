"""Errors and latency of the scorers between two scrapes of their Prometheus metrics."""

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
#: Requests between two scrapes that are needed.
MIN_REQUESTS = 100
LATENCY_QUANTILE = 0.99


class ServiceError(Exception):
    """The metrics of a scorer cannot be read. The message has the address."""


@dataclass(frozen=True)
class Counts:
    """Requests by status, and responses by the upper bound of their latency bucket, in seconds."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: Counter[float] = field(default_factory=Counter)

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.statuses + other.statuses, self.seconds + other.seconds)


def parse_counts(text: str) -> Counts:
    """Parse Prometheus' text format. Raises `ServiceError` if it has no requests."""
    counts = Counts()
    below: Counter[float] = Counter()
    for name, pairs, value in _SAMPLE.findall(text):
        labels = dict(_LABEL.findall(pairs))
        if name.startswith("requests"):
            counts.statuses[labels.get("status", "")] += int(float(value))
        else:
            below[float(labels["le"])] += int(float(value))
    if not counts.statuses and not below:
        raise ServiceError("it has no metrics of requests; expected a scorer's /metrics")
    last = 0
    for bound, count in sorted(below.items()):
        counts.seconds[bound] = count - last
        last = count
    return counts


def alarms_between(before: Counts, after: Counts, version: str, rules: Rollback) -> list[Alarm]:
    """Errors and latency above their limits between two scrapes; [] also with too few requests."""
    statuses = {each: after.statuses[each] - before.statuses[each] for each in after.statuses}
    seconds = {each: after.seconds[each] - before.seconds[each] for each in after.seconds}
    if min([*statuses.values(), *seconds.values()], default=0) < 0:
        return []  # a scorer was restarted, and counts from 0
    alarms = []
    requests = sum(statuses.values())
    wrong = sum(count for status, count in statuses.items() if status.startswith("5"))
    if requests >= MIN_REQUESTS and wrong > rules.max_errors * requests:
        details = f"{wrong:,} of {requests:,} requests failed ({wrong / requests:.1%}; limit {rules.max_errors:.1%})"
        alarms.append(Alarm("errors", version, details))
    answered = sum(seconds.values())
    slow = _quantile(seconds, LATENCY_QUANTILE)
    if answered >= MIN_REQUESTS and slow * 1000 > rules.max_p99_ms:
        details = f"p99 of {answered:,} responses is {_formatted(slow)} (limit {rules.max_p99_ms:g} ms)"
        alarms.append(Alarm("latency", version, details))
    return alarms


def scrape(addresses: Sequence[str], timeout: float = 10) -> Counts:
    """The counts of all scorers at *addresses* (of `/metrics`), summed. Raises `ServiceError`."""
    total = Counts()
    for address in addresses:
        if not address.startswith(("http://", "https://")):
            raise ServiceError(f"{address} is not the address of a scorer's /metrics")
        token = os.environ.get("TIDEGATE_WATCH_TOKEN")
        request = urllib.request.Request(  # noqa: S310 -- the scheme is checked above
            address, headers={"Authorization": f"Bearer {token}"} if token else {}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
                total += parse_counts(answer.read().decode("utf-8", "replace"))
        except (OSError, ValueError, ServiceError) as error:
            raise ServiceError(f"{address} cannot be read: {error}") from error
    return total


def observe(addresses: Sequence[str], seconds: float, version: str, rules: Rollback) -> list[Alarm]:
    """The alarms of the next *seconds*. Raises `ServiceError`."""
    before = scrape(addresses)
    time.sleep(seconds)
    return alarms_between(before, scrape(addresses), version, rules)


def _quantile(seconds: dict[float, int], share: float) -> float:
    """The upper bound of the bucket with the quantile; 0 without responses."""
    wanted, seen = share * sum(seconds.values()), 0
    for bound, count in sorted(seconds.items()):
        seen += count
        if seen >= wanted:
            return bound if seen else 0.0
    return math.inf


def _formatted(seconds: float) -> str:
    return f"up to {seconds * 1000:g} ms" if math.isfinite(seconds) else "beyond the last bucket"
