"""What may change what is live: landing, experiments, and going back by itself. Read by `contracts.thresholds`.

The standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: What an experiment can measure, by task: means over rows. "outcome" is what came of it.
MEASURES = {
    "binary": ("log_loss", "brier", "accuracy", "outcome"),
    "multiclass": ("log_loss", "accuracy"),
    "regression": ("mae", "mse", "outcome"),
}


@dataclass(frozen=True)
class Land:
    """What happens with a good verdict; *max_churn* is the budget of the policy "boring"."""

    policy: Literal["always", "boring", "never"]
    max_churn: float
    during_experiment: Literal["wait", "land"]


@dataclass(frozen=True)
class Measures:
    """What an experiment measures, and how much worse each may be; *primary* decides."""

    primary: str
    margins: Mapping[str, float]


@dataclass(frozen=True)
class Experiment:
    """How champion and challenger are compared while both serve, and who acts on the result."""

    policy: Literal["always", "propose", "never"]
    alpha: float
    min_weeks: int
    unit_days: int
    min_units: int
    outcome_is: Literal["good", "bad"]
    binary: Measures
    multiclass: Measures
    regression: Measures

    def measures(self, task: str) -> Measures:
        """What is measured for a *task*."""
        found: Measures = getattr(self, task)
        return found


@dataclass(frozen=True)
class Rollback:
    """Whether an alarm soon after a release puts the champion before it back."""

    automatic: Literal["on", "off"]
    baking_hours: float
    max_errors: float
    max_p99_ms: int


def parse_measures(table: Mapping[str, Any], place: str, problems: list[str]) -> Measures:
    """The measures that *table*, of the task that *place* ends with, names; mistakes to *problems*."""
    known = MEASURES[place.rpartition(".")[2]]
    margins = {name: value for name, value in table.items() if name != "primary"}
    for name, value in margins.items():
        if name not in known:
            problems.append(f"{place}.{name} is not a measure; measures are {', '.join(known)}")
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
            problems.append(f"{place}.{name} is {value!r}; expected 0 or more")
    if table.get("primary") not in margins:
        problems.append(
            f"{place}.primary is {table.get('primary')!r}; expected one of the measures with a margin there"
        )
    return Measures(str(table.get("primary")), margins)


def contradictions(rules: Experiment) -> Iterable[str]:
    """What of an experiment's rules cannot be."""
    if not 0 < rules.alpha < 1:
        yield f"experiment.alpha is {rules.alpha}; expected between 0 and 1"
    for name in ("min_weeks", "unit_days", "min_units"):
        if getattr(rules, name) < 1:
            yield f"experiment.{name} is {getattr(rules, name)}; expected 1 or more"
