"""The cumulative loss over 120 nights with a candidate a little worse than the last night's.

No single night shows the decay. Each night is judged on the newest fourteen days; the loss is the difference of the
ROC AUC between the first model and the last live one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.gate.gate_streams import MIN_NOISE, Array, Stream, scores
from checks.comparison.bootstrap import Blocks, measures, paired
from checks.comparison.gain_effect import PRIOR, widening
from checks.decision.proven_findings import finding
from contracts.thresholds import Compare

NIGHTS, DECAY, DAYS, METRIC = 120, 0.0006, 14, "roc_auc"
#: The factor on intervals for the effect of the period, as the gate has it where nothing is known of the stream.
WIDENING = widening({METRIC: PRIOR}, METRIC)
RULES = ("candidate >= champion", "within the margin of the champion", "the gate without anchor", "the gate")


@dataclass(frozen=True)
class Lost:
    """The loss in ROC AUC of one decision rule: mean and maximum of the runs; number of promotions."""

    stream: str
    way: str
    mean: float
    most: float
    promoted: float
    runs: int


def creep(stream: Stream, way: str, rules: Compare, runs: int) -> Lost:
    """The loss over the *runs*, each with different noise."""
    found = [_run(stream, way, rules, seed) for seed in range(runs)]
    losses, nights = zip(*found, strict=True)
    return Lost(stream.name, way, float(np.mean(losses)), max(losses), float(np.mean(nights)), runs)


def _run(stream: Stream, way: str, rules: Compare, seed: int) -> tuple[float, int]:
    best = stream.area(MIN_NOISE)
    champion, promoted = 0, 0
    for night in range(1, NIGHTS + 1):
        last = DAYS + night * (stream.days - DAYS) // NIGHTS
        some = stream.rows_of(last - DAYS, DAYS)

        def serve(model: int, some: Array = some, night: int = night) -> Array:
            random = np.random.default_rng([seed, model, night])
            return scores(stream.logit[some], stream.noise(best - DECAY * model), random)

        if _accepts(stream, way, rules, some, serve, (night, champion)):
            champion, promoted = night, promoted + 1
    return champion * DECAY, promoted


def _accepts(
    stream: Stream, way: str, rules: Compare, some: Array, serve: Callable[[int], Array], who: tuple[int, int]
) -> bool:
    night, champion = who
    truth, margin = stream.truth[some], rules.binary.margins[METRIC]
    ours = serve(night)
    if way in RULES[:2]:
        here, there = (each() for each in measures(METRIC, truth, ours, serve(champion)))
        return here - there >= (0 if way == RULES[0] else -margin)
    day, key = (np.unique(c[some], return_inverse=True)[1] for c in (stream.day, stream.key))
    blocks = Blocks(day, key, rules.draws, rules.seed + night)
    rivals = {champion: margin} if way == RULES[2] else {champion: margin, 0: margin}
    if way == RULES[3]:
        rivals[0] = min(rules.binary.anchor[METRIC], rivals[0])
    for rival, limit in rivals.items():
        one, other = measures(METRIC, truth, ours, serve(rival))
        gap = paired(METRIC, (one, other), blocks, rules.confidence, rules.min_days, WIDENING)
        if finding("compare", gap, limit, "it").outcome != "PASS":
            return False
    return True
