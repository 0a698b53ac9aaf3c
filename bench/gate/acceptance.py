"""The acceptance rate of candidates by their true difference from the champion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.gate.gate_streams import MIN_NOISE, Stream, scores
from checks.comparison.bootstrap import Blocks, measures, paired
from checks.comparison.gain_effect import PRIOR, widening
from checks.decision.proven_findings import finding
from contracts.thresholds import Compare

GAPS = (-0.03, -0.02, -0.015, -0.01, -0.005, -0.0025, 0.0, 0.005, 0.01)
SIZES = (500, 2_000, 10_000)
METRIC, DAYS = "roc_auc", 14
#: The factor on intervals for the effect of the period, as the gate has it where nothing is known of the stream.
WIDENING = widening({METRIC: PRIOR}, METRIC)
#: How much worse the champion is than the best possible model, so that a candidate can be better.
ROOM = 0.012


@dataclass(frozen=True)
class Accepted:
    """The share of *repeats* accepted by each decision rule, and the gate's other decisions."""

    stream: str
    rows: int
    gap: float
    at_least: float
    tolerance: float
    promote: float
    hold: float
    reject: float
    repeats: int


def acceptance(stream: Stream, rows: int, gap: float, rules: Compare, repeats: int) -> Accepted:
    """Fourteen consecutive days, *rows* of their rows, a champion, and a candidate with a true *gap*."""
    random = np.random.default_rng([rows, int(gap * 1e6) + 10**6])
    area = stream.area(MIN_NOISE) - ROOM
    noises = [stream.noise(area + gap), stream.noise(area)]
    margin = rules.binary.margins[METRIC]
    counts = dict.fromkeys(("at_least", "tolerance", "PASS", "INCONCLUSIVE", "FAIL"), 0)
    for each in range(repeats):
        first = int(random.integers(0, stream.days - DAYS + 1))
        there = stream.rows_of(first, DAYS)
        some = np.sort(random.choice(there, min(rows, len(there)), replace=False))
        truth = stream.truth[some]
        both = measures(METRIC, truth, *(scores(stream.logit[some], s, random) for s in noises))
        day, key = (np.unique(c[some], return_inverse=True)[1] for c in (stream.day, stream.key))
        blocks = Blocks(day, key, rules.draws, rules.seed + each)
        found = paired(METRIC, (both[0], both[1]), blocks, rules.confidence, rules.min_days, WIDENING)
        counts[finding("compare", found, margin, "the champion").outcome] += 1
        counts["at_least"] += found.value >= 0
        counts["tolerance"] += found.value >= -margin
    share = {name: count / repeats for name, count in counts.items()}
    return Accepted(
        stream.name,
        rows,
        gap,
        share["at_least"],
        share["tolerance"],
        share["PASS"],
        share["INCONCLUSIVE"],
        share["FAIL"],
        repeats,
    )
