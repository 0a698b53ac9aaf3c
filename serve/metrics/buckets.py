"""Buckets of histograms: upper bounds, counts, and samples for `/metrics`."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat

import numpy as np
from prometheus_client import Metric

from bundles.bundle import Bundle
from bundles.onnx_core import float64

#: Upper bounds of the buckets of durations, in seconds: a row takes tens of microseconds, a batch milliseconds.
SECONDS = (
    25e-6,
    50e-6,
    75e-6,
    1e-4,
    15e-5,
    25e-5,
    5e-4,
    1e-3,
    25e-4,
    5e-3,
    1e-2,
    25e-3,
    5e-2,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    10.0,
)
#: Upper bounds of the buckets of probabilities.
PROBABILITIES = tuple(round(n / 20, 2) for n in range(1, 21))
#: From this number of scores on, counting with NumPy is faster.
MIN_FOR_NUMPY = 100
#: Name, labels and value of a sample.
Number = tuple[str, dict[str, str], float]


def bounds_of(bundle: Bundle) -> tuple[float, ...]:
    """Upper bounds of the buckets for the scores of *bundle*: those of probabilities, or round numbers for a regression."""
    if bundle.contract.task != "regression":
        return PROBABILITIES
    golden = bundle.manifest["golden"]["scores"]
    low, high = min(golden, default=0.0), max(golden, default=1.0)
    rough = max(high - low, abs(high) * 1e-3, 1e-6) / 16
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * n for n in (1, 2, 5, 10) if size * n >= rough)
    first = math.floor(low / step)
    return tuple(round((first + n) * step, 12) for n in range(20))


def counted(bounds: Sequence[float], scores: Sequence[float]) -> Iterable[tuple[int, int]]:
    """The number of *scores* in each bucket, by the index of the bucket."""
    if len(scores) < MIN_FOR_NUMPY:
        return Counter(map(bisect_left, repeat(bounds), scores)).items()
    return enumerate(np.bincount(np.searchsorted(bounds, float64(scores))).tolist())


def cumulated(metric: Metric, numbers: Iterable[Number]) -> Iterator[Number]:
    """The samples of a histogram: cumulative buckets, sum and count."""
    series: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for _, labels, value in numbers:
        bound = labels.get("le", "")
        rest = tuple(pair for pair in labels.items() if pair[0] != "le")
        series.setdefault(rest, {})[bound] = value
    for pairs, counts in series.items():
        total, below = counts.pop("", 0.0), 0.0
        for bound in sorted(counts, key=float):
            below += counts[bound]
            yield metric.name + "_bucket", {**dict(pairs), "le": bound}, below
        yield metric.name + "_sum", dict(pairs), total
        yield metric.name + "_count", dict(pairs), below
