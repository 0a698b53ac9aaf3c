"""Staleness: how much more a model loses by being older, by the difference in age.

It is estimated from the verdicts so far (`checks.decision.age_ledger`), or from a backtest of the recipe's history, which
`make backtest` stores as staleness.json:

    {"format": 1, "metric": "log_loss", "made": "2026-11-28", "nights": 30,
     "by_age": [{"age_days": 7, "loss": 0.41, "error": 0.0}, {"age_days": 14, "loss": 0.413, "error": 0.001}]}

*loss* is the mean loss of models of that age on the same rows, smaller is better (of an area under the curve: negated), and
*error* the standard error of its difference from the first age.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from contracts.thresholds import ConfigurationError

FORMAT = 1


@dataclass(frozen=True)
class AgeLoss:
    """The additional *loss* of a model that is *days* older, with its standard *error*."""

    days: float
    loss: float
    error: float


@dataclass(frozen=True)
class Staleness:
    """The additional loss in *metric* by days of age, from *source*: the *points*, by days, and 0 for no days.

    Without a source the points are assumed.

    *spread* is the standard deviation by which gains of candidates at equal age vary beyond their errors, None where it is not
    known.
    """

    metric: str
    points: tuple[AgeLoss, ...] = ()
    source: str = ""
    spread: float | None = None

    @classmethod
    def from_json(cls, content: Any) -> Staleness:
        """The content of staleness.json. Raises ValueError."""
        if not isinstance(content, Mapping) or content.get("format") != FORMAT:
            raise ValueError(f"expected an object of format {FORMAT}")
        try:
            read = sorted(
                (float(each["age_days"]), float(each["loss"]), float(each["error"])) for each in content["by_age"]
            )
            metric, nights = str(content["metric"]), int(content["nights"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                "expected metric, nights, and by_age with age_days, loss and error of each age as numbers"
            ) from error
        if not all(math.isfinite(value) for each in read for value in each) or any(each[2] < 0 for each in read):
            raise ValueError("ages, losses and errors must be finite, and errors 0 or more")
        if len({each[0] for each in read}) < len(read):
            raise ValueError("by_age has an age twice")
        points = [AgeLoss(age - read[0][0], loss - read[0][1], error) for age, loss, error in read[1:]]
        return cls(metric, tuple(points), f"a backtest of {nights} nights")

    def after(self, days: float) -> tuple[float, float]:
        """The additional loss of a model that is *days* older, and its standard error.

        Linear between the ages that are known, and constant beyond the last. A model does not improve with age: 0 at least.
        """
        if days < 0:
            loss, error = self.after(-days)
            return -loss, error
        ages = [0.0, *(each.days for each in self.points)]
        loss = np.interp(days, ages, [0.0, *(each.loss for each in self.points)])
        return max(0.0, float(loss)), float(np.interp(days, ages, [0.0, *(each.error for each in self.points)]))

    def daily(self, days: float) -> float:
        """The additional loss of one day more at an age difference of *days*."""
        last = self.points[-1].days if self.points else 0.0
        at = min(days, max(0.0, last - 1))
        return max(0.0, self.after(at + 1)[0] - self.after(at)[0])

    def relative_to(self, loss: float) -> Staleness:
        """With losses as shares of *loss*."""
        if loss <= 0:
            return Staleness(self.metric)
        points = [AgeLoss(each.days, each.loss / loss, each.error / loss) for each in self.points]
        return Staleness(self.metric, tuple(points), self.source, self.spread)


def pooled(known: Iterable[Staleness]) -> Staleness:
    """What several sources say of one metric together: at each age the mean, weighted by the inverse variances."""
    known = [each for each in known if each.points]
    if len(known) < 2:
        return known[0] if known else Staleness("")
    points = []
    for days in sorted({point.days for each in known for point in each.points}):
        found = [each.after(days) for each in known]
        weights = np.array([1 / max(error, 1e-12) ** 2 for _, error in found])
        loss = float(np.average([loss for loss, _ in found], weights=weights))
        points.append(AgeLoss(days, loss, float(weights.sum() ** -0.5)))
    spreads = [each.spread for each in known if each.spread is not None]
    return Staleness(
        known[0].metric,
        tuple(points),
        " and ".join(filter(None, (each.source for each in known))),
        max(spreads, default=None),
    )


def read_staleness(path: Path) -> Staleness | None:
    """The stored curve in the file *path*, None without a file. Raises `ConfigurationError`."""
    try:
        return Staleness.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}; write it again with make backtest, or delete it"
        ) from error
