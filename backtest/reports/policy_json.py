"""What backtest.json holds: an interface, as verdict.json is. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from backtest.judging import Backtest
from backtest.results.weighted_means import Mean

FORMAT = 1


def policy_json(found: Backtest, nights: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object: results and decisions by policy, and the realised table."""
    named = ("recipe", "task", "metric", "last", "every", "made")
    return {
        "format": FORMAT,
        **{name: nights[name] for name in named},
        "lead": found.lead,
        "nights": list(found.realised.labels),
        "rows": found.realised.rows.tolist(),
        "realised": [[_known(value) for value in row] for row in found.realised.values.tolist()],
        "policies": {
            each.name: {
                "words": each.path.policy.words,
                "loss": _mean(each.loss),
                "better": _mean(each.better),
                "decisions": dict(each.decisions),
                "landed": each.landed,
                "steps": [asdict(step) for step in each.path.steps],
            }
            for each in found.results
        },
    }


def _mean(mean: Mean) -> dict[str, Any]:
    return {"value": _known(mean.value), "error": _known(mean.error), "count": mean.count}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
