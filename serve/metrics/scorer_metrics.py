"""The scorer's counters, as Prometheus metrics over all workers of a run.

Each worker counts in a separate file (`serve.metrics.counters`), so that no count is lost when a worker is killed. The
worker that answers `GET /metrics` (`serve.metrics.exporter`) adds the files.
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
from serve.metrics.counters import Counters, log_reason
from serve.metrics.metric_definitions import COUNTED, PREFIX, Definition


class Served(NamedTuple):
    """The counts of one worker: requests by (route, status), and answers by bucket of duration."""

    requests: Mapping[tuple[str, str], float]
    answers: Sequence[float]


class Losses(NamedTuple):
    """Lost lines of the journal, processes whose journal fails now, and the number of workers in these sums."""

    lines: int
    failing: int
    workers: int


class _Histogram(NamedTuple):
    """The places of a histogram's counters: one for each upper bound, one above, and the sum (0: not counted)."""

    bounds: tuple[float, ...]
    buckets: Sequence[int]
    sum: int


class Metrics(Collector):
    """Counters in *folder*, which the workers of a run share; in memory if it is None.

    `bounds` returns the upper bounds of the buckets for the scores of a version; they must be the same in every
    worker. *worker* is False for a process that does not answer requests.
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
        #: Releases the file, as the end of the process does.
        self.close = self._counters.close
        if self._counters.why:
            log_reason(self._counters.why)
        self._lock, self._values = self._counters.lock, self._counters.values
        self._places: dict[tuple[str, tuple[str, ...]], int] = {}
        # First in the file, since `/ready` reads these counters often.
        self._lost, self._failing = self._place(defined.LOST), self._place(defined.FAILING)
        self._uncounted, workers = self._place(defined.UNCOUNTED), self._place(defined.WORKERS)
        self._outcomes = self._place(defined.OUTCOMES)
        self._in_progress = self._place(defined.IN_PROGRESS)
        self._values[self._failing] = self._values[self._in_progress] = 0.0
        self._values[workers] = worker
        self._scored = self._place(defined.REQUESTS, "/score", "200")
        for key in self._counters.own_keys():  # of a file that another process used before
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
        """Count the *scores* of a number of *requests* that one variant answered in *seconds*."""
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
        """Count requests that began (*change* > 0) or ended (< 0), *scored* of them with status 200 on the hot path."""
        with self._lock:
            self._values[self._in_progress] += change
            self._values[self._scored] += scored

    def request(self, route: str, status: int) -> None:
        """Count an answered request; *route* is a URL rule of the application, never text of a client."""
        self._add(self._place(defined.REQUESTS, route, str(status)), 1)

    def outcomes(self, count: int) -> None:
        """Count accepted outcomes."""
        self._add(self._outcomes, count)

    def shadowed(self, version: str, found: Mapping[str, float]) -> None:
        """Count the rows of a shadow by what happened to them, and how its scores differ from the answers."""
        differences = {"disagreed": defined.DISAGREED, "difference": defined.DIFFERENCE}
        for name, count in found.items():
            if name in differences:
                self._add(self._place(differences[name], version), count)
            else:
                self._add(self._place(defined.SHADOWED, version, name), count)

    def watch(self, journal: Journal) -> None:
        """Count the lines that *journal* loses from now on."""
        before = self._values[self._lost]

        def changed() -> None:
            with self._lock:
                self._values[self._lost] = before + journal.lost
                self._values[self._failing] = journal.failing

        journal.changed = changed

    def losses(self) -> Losses:
        """The losses of the journals of all workers in this run."""
        total = self._counters.total
        return Losses(*(int(total(each.key())) for each in (defined.LOST, defined.FAILING, defined.WORKERS)))

    def served(self) -> Served:
        """The counts of this worker: requests, and durations of answers."""
        with self._lock:
            requests = {
                (values[0], values[1]): self._values[place]
                for (name, values), place in self._places.items()
                if name == defined.REQUESTS.name
            }
            return Served(requests, [self._values[place] for place in self._seconds.buckets])

    def collect(self) -> Iterator[Metric]:
        """The sums over all workers, for prometheus_client; metrics without a sample are left out."""
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
        """The place of a counter; once the file is full, that of the counter for everything else."""
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
    """The metric, the sample and the labels in the key of a counter."""
    metric, sample, labels, _ = json.loads(key)
    return metric, sample, labels
