"""The watch's part of thresholds.toml: [monitoring] and [incident]. The standard library alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

#: What can be watched, and so stand in a tier.
SIGNALS = (
    "univariate_drift",
    "multivariate_drift",
    "score_drift",
    "missing_values",
    "unseen_categories",
    "estimated_performance",
    "realised_performance",
    "prediction_bias",
    "row_rate",
    "label_coverage",
    "latency",
    "errors",
)


@dataclass(frozen=True)
class Monitoring:
    """Every limit of the watch."""

    false_alarms_per_quarter: float
    page: tuple[str, ...]
    issue: tuple[str, ...]
    digest: tuple[str, ...]
    lasting: int
    of: int
    quiet: int
    window_days: int
    min_rows: int
    min_reference_days: int
    maturity_days: int
    ewma_weight: float
    draws: int
    seed: int
    sample_rows: int
    engine: Literal["duckdb", "spark"]
    min_drift: float
    min_shift: float
    min_share: float
    min_share_rows: int
    min_loss: float
    min_bias: float
    min_rate: float
    min_slow: float
    min_slower: float
    min_errors: float
    min_influence: float


@dataclass(frozen=True)
class Incident:
    """How an incident lives: what belongs to it, when a closed one opens again, what it may start."""

    together_days: int
    respect_days: int
    worse: float
    retrain: Literal["never", "page", "issue"]
    retrain_days: int
    silent_days: float


def unwatchable(watch: Monitoring, incident: Incident) -> Iterable[str]:
    """What contradicts itself there."""
    if incident.worse < 1:
        yield f"incident.worse is {incident.worse}; expected 1 or more, a multiple of the peak"
    if not 1 <= watch.lasting <= watch.of:
        yield f"monitoring.lasting is {watch.lasting} of {watch.of}; expected from 1 to monitoring.of"
    if watch.window_days < max(watch.of, watch.quiet):
        yield f"monitoring.window_days is {watch.window_days}, too short for monitoring.of and monitoring.quiet"
    for name in ("quiet", "min_rows", "min_reference_days", "false_alarms_per_quarter", "sample_rows"):
        if getattr(watch, name) <= 0:
            yield f"monitoring.{name} is {getattr(watch, name)}; expected more than 0"
    if not 0 < watch.ewma_weight <= 1:
        yield f"monitoring.ewma_weight is {watch.ewma_weight}; expected above 0, up to 1"
    if watch.draws < 100:
        yield f"monitoring.draws is {watch.draws}; expected at least 100"
    told = [*watch.page, *watch.issue, *watch.digest]
    if twice := sorted({kind for kind in told if told.count(kind) > 1}):
        yield f"monitoring: in more than one of page, issue and digest: {', '.join(twice)}"
