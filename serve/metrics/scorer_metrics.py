"""What the scorer counts, as Prometheus metrics over all workers of a run.

Each worker counts into a separate file (`serve.metrics.counters`), so a kill loses nothing that was counted;
whichever worker is asked adds the files up. `serve.metrics.exporter` answers `GET /metrics` with them.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.registry import Collector

from serve.journal.writer import Journal
from serve.metrics import metric_definitions as defined
from serve.metrics.buckets import PROBABILITIES, SECONDS, Number, counted, cumulated
from serve.metrics.counters import Counters, say_why
from serve.metrics.metric_definitions import COUNTED, PREFIX, Definition


class Served(NamedTuple):
    """What one worker counted: requests by (route, status), and answers by their bucket of seconds."""

    requests: Mapping[tuple[str, str], float]
    answers: Sequence[float]


class Losses(NamedTuple):
    """Lines that were lost, processes whose journal fails now, and the workers that these are sums over."""

    lines: int
    failing: int
    workers: int


class _Histogram(NamedTuple):
    """Where a histogram's numbers are: one up to each of the *bounds*, one above, the sum (0: nowhere)."""

    bounds: tuple[float, ...]
    buckets: Sequence[int]
    sum: int


class Metrics(Collector):
    """Counts in *folder*, which the workers of a run share; None counts in memory.

    `bounds` gives the buckets of a version's scores, and must give every worker the same. A process
    that does not answer requests is not a *worker*.
    """

    def __init__(
        self,
        folder: Path | None = None,
        bounds: Callable[[str], Sequence[float]] = lambda _: PROBABILITIES,
        *,
        worker: bool = True,
    ) -> None:
        self.bounds = bounds
        gauges = {each.key() for each in COUNTED if each.kind == "gauge"}
        self._counters = Counters(folder, gauges)
        #: Lets the file go, as the end of the process does.
        self.close = self._counters.close
        if self._counters.why:
            say_why(self._counters.why)
        self._lock, self._values = self._counters.lock, self._counters.values
        self._places: dict[tuple[str, tuple[str, ...]], int] = {}
        # First, so that what `/ready` asks for is in front of all others in the file.
        self._lost, self._failing = self._place(defined.LOST), self._place(defined.FAILING)
        self._uncounted, workers = self._place(defined.UNCOUNTED), self._place(defined.WORKERS)
        self._outcomes = self._place(defined.OUTCOMES)
        self._in_progress = self._place(defined.IN_PROGRESS)
        self._values[self._failing] = self._values[self._in_progress] = 0.0
        self._values[workers] = worker
        self._scored = self._place(defined.REQUESTS, "/score", "200")
        for key in self._counters.own_keys():  # of a file that was taken over
            name, _, labels = _read(key)
            if name == PREFIX + defined.REQUESTS.name:
                self._place(defined.REQUESTS, labels["route"], labels["status"])
        self._seconds = self._histogram(defined.ANSWERS, SECONDS)
        self._scores: dict[tuple[str, str], _Histogram] = {}

    def answered(
        self,
        version: str,
        arm: str,
        scores: Sequence[float],
        missing: Mapping[str, int],
        unseen: Mapping[str, int],
        seconds: float,
        requests: int = 1,
    ) -> None:
        """Rows of so many *requests* were answered, all by one variant, within *seconds*."""
        arm_scores = self._scores.get((version, arm)) or self._new_arm(version, arm)
        counts = self._counts(missing, unseen) if missing or unseen else ()
        values, taken = self._values, self._seconds
        with self._lock:
            values[taken.buckets[bisect_left(SECONDS, seconds)]] += requests
            values[taken.sum] += seconds * requests
            bounds, buckets, total = arm_scores
            if len(scores) == 1:
                values[buckets[bisect_left(bounds, scores[0])]] += 1
            else:
                for bucket, count in counted(bounds, scores):
                    values[buckets[bucket]] += count
            if total:
                values[total] += sum(scores)
            for place, count in counts:
                values[place] += count

    def in_progress(self, change: int, scored: int = 0) -> None:
        """Requests began, or ended, so many of them with 200 on the hot path."""
        with self._lock:
            self._values[self._in_progress] += change
            self._values[self._scored] += scored

    def request(self, route: str, status: int) -> None:
        """A request for *route*, one of our rules and never a client's text, was answered."""
        self._add(self._place(defined.REQUESTS, route, str(status)), 1)

    def outcomes(self, count: int) -> None:
        """So many outcomes were accepted."""
        self._add(self._outcomes, count)

    def shadowed(self, version: str, found: Mapping[str, float]) -> None:
        """What became of rows for a shadow, and how its scores differ from those answered."""
        differences = {"disagreed": defined.DISAGREED, "difference": defined.DIFFERENCE}
        for name, count in found.items():
            if name in differences:
                self._add(self._place(differences[name], version), count)
            else:
                self._add(self._place(defined.SHADOWED, version, name), count)

    def watch(self, journal: Journal) -> None:
        """Count from now on the lines that *journal* loses."""
        before = self._values[self._lost]

        def changed() -> None:
            with self._lock:
                self._values[self._lost] = before + journal.lost
                self._values[self._failing] = journal.failing

        journal.changed = changed

    def losses(self) -> Losses:
        """What the journals of all workers lost in this run."""
        total = self._counters.total
        return Losses(*(int(total(each.key())) for each in (defined.LOST, defined.FAILING, defined.WORKERS)))

    def served(self) -> Served:
        """What this worker's file holds of requests and of the seconds that answers took."""
        with self._lock:
            requests = {
                (values[0], values[1]): self._values[place]
                for (name, values), place in self._places.items()
                if name == defined.REQUESTS.name
            }
            return Served(requests, [self._values[place] for place in self._seconds.buckets])

    def collect(self) -> Iterator[Metric]:
        """The sums over all workers, as prometheus_client collects them; no metric without a sample."""
        found: dict[str, list[Number]] = {}
        for key, value in sorted(self._counters.sums().items()):
            name, sample, labels = _read(key)
            found.setdefault(name, []).append((sample, labels, value))
        for metric in map(Definition.metric, COUNTED):
            numbers = found.get(metric.name, [])
            histogram = metric.type == "histogram"
            for sample, labels, value in cumulated(metric, numbers) if histogram else numbers:
                metric.add_sample(sample, labels, value)
            if numbers:
                yield metric

    def _add(self, place: int, count: float) -> None:
        with self._lock:
            self._values[place] += count

    def _place(self, definition: Definition, *values: str) -> int:
        """Where a number is; that of what is not counted by name, once the file is full."""
        found = self._places.get((definition.name, values))
        if found is None:
            places = self._counters.places([definition.key(*values)])
            if places is None:
                return self._uncounted
            with self._lock:
                found = self._places[definition.name, values] = places[0]
        return found

    def _histogram(self, definition: Definition, bounds: Sequence[float], *values: str) -> _Histogram:
        places = self._counters.places(definition.buckets(bounds, *values))
        if places is None:
            return _Histogram((), [self._uncounted], 0)
        return _Histogram(tuple(bounds), places[:-1], places[-1])

    def _new_arm(self, version: str, arm: str) -> _Histogram:
        found = self._histogram(defined.SCORES, self.bounds(version), version, arm)
        self._scores[version, arm] = found
        return found

    def _counts(self, missing: Mapping[str, int], unseen: Mapping[str, int]) -> Sequence[tuple[int, int]]:
        return [
            (self._place(definition, name), count)
            for definition, found in ((defined.MISSING, missing), (defined.UNSEEN, unseen))
            for name, count in found.items()
        ]


@lru_cache(2**15)
def _read(key: str) -> tuple[str, str, dict[str, str]]:
    """The metric, the sample and the labels that a number is called by."""
    metric, sample, labels, _ = json.loads(key)
    return metric, sample, labels
