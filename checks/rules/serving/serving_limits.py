"""Serving: the scorer, started with candidate and champion, gives the evaluated scores within the limits."""

from __future__ import annotations

from typing import Any

import numpy as np

from bundles.bundle import Bundle
from checks.evidence import Evidence, served_score
from checks.rules.serving.serving_load import TOLERANCE, VARIABLE, Load, Served, ServingError, interpreter, ratio, serve
from checks.verdict import Finding, ruled
from contracts.gate_limits import Serving

SERVING = ANSWERS, LATENCY, SIZE, MEMORY = "serving.answers", "serving.latency", "serving.size", "serving.memory"
#: Most rows that the server is sent.
MAX_ROWS = 500
_MB = 1e6


def check_serving(
    candidate: Bundle, champion: Bundle | None, evidence: Evidence, limits: Serving
) -> tuple[list[Served], list[Finding]]:
    """Measurements of the server with both models, and the findings: NOT_RUN where it cannot be started."""
    python = interpreter()
    if python is None:
        why = f"not run: the scorer's environment is missing; type: make setup, or name its Python: {VARIABLE}=…"
        return [], [_not_run(rule, why, limits) for rule in SERVING]
    loads = [_load(candidate, evidence, evidence.served_scores)]
    if champion is not None:
        theirs = None if evidence.champion is None else served_score(champion, evidence.holdout)
        loads.append(_load(champion, evidence, theirs))
    try:
        served = serve(loads, python, limits.seconds)
    except ServingError as error:
        failed = ruled(
            ANSWERS,
            False,
            f"the scorer with candidate and champion: {error}",
            "every row answered",
            "The candidate must be served as it was evaluated.",
            limits.severity,
        )
        others = [_not_run(rule, "not run: the scorer failed", limits) for rule in (LATENCY, SIZE, MEMORY)]
        return [], [failed, *others]
    return served, judge_served(served, candidate, limits)


def judge_served(served: list[Served], candidate: Bundle, limits: Serving) -> list[Finding]:
    """The findings on what was *served*, the candidate first; without a champion only its answers can fail."""
    ours, theirs = served[0], served[1] if len(served) > 1 else None
    most = max(TOLERANCE, float(candidate.manifest["golden"]["tolerance"]))
    answers = ruled(
        ANSWERS,
        ours.worst <= most,
        f"{ours.rows:,} fresh rows answered, largest difference {ours.worst:.1g}",
        f"at most {most:g} from the evaluated score",
        "The scores that are served must be those that were evaluated.",
        limits.severity,
    )
    latency, slow = f"95th percentile of single rows {ours.p95 * 1e3:.2g} ms", ours.p95 > limits.fast
    if theirs:
        times, least = ratio(ours.seconds, theirs.seconds)
        latency += f", champion {theirs.p95 * 1e3:.2g} ms: {times:.2g} times"
        slow = slow and least > limits.latency_ratio
    fast = ruled(
        LATENCY,
        not (theirs and slow),
        latency,
        f"at most {limits.latency_ratio:g} times the champion's, or {limits.fast * 1e3:g} ms",
        "Slower answers delay every page that waits for a score.",
        limits.severity,
    )
    size = _within(SIZE, ours.size, theirs.size if theirs else None, (limits.small, limits.size_ratio), limits)
    memory = _within(
        MEMORY, ours.memory, theirs.memory if theirs else None, (limits.light, limits.memory_ratio), limits
    )
    return [answers, fast, size, memory]


def _within(rule: str, ours: int | None, theirs: int | None, bounds: tuple[float, float], limits: Serving) -> Finding:
    """Whether a size in bytes is small anyhow, or not too many times the champion's."""
    small, most_times = bounds
    limit = f"at most {most_times:g} times the champion's, or {small / _MB:g} MB"
    why = "The model must fit the machine that serves it."
    if ours is None:
        return Finding(rule, "NOT_RUN", "not run: `ps` gives no memory", limit, why, limits.severity)
    observed = f"{ours / _MB:.3g} MB" + (f", champion {theirs / _MB:.3g} MB" if theirs else "")
    exceeds = theirs is not None and ours > small and ours > most_times * theirs
    return ruled(rule, not exceeds, observed, limit, why, limits.severity)


def _load(bundle: Bundle, evidence: Evidence, scores: Any) -> Load:
    """Fresh rows as JSON values, with the holdout's *scores*; the bundle's golden rows where it cannot score these."""
    names, fresh = bundle.contract.feature_names, evidence.fresh
    rows = evidence.holdout[fresh].head(MAX_ROWS)
    if scores is None or rows.empty:
        golden = bundle.manifest["golden"]
        return Load(bundle, golden["rows"], np.asarray(golden["scores"], dtype=float))
    columns = [rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in names]
    values = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return Load(bundle, values, scores[fresh][: len(values)])


def _not_run(rule: str, why: str, limits: Serving) -> Finding:
    limit = "the scorer is started and measured"
    return Finding(rule, "NOT_RUN", why, limit, "What could not be checked is not a pass.", limits.severity)
