"""`[release]`, `[land]`, `[experiment]` and `[rollback]` of thresholds.toml: what may change which model is live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from contracts.limit_types import AtLeastOne, Count, Number, Probability, Share, Table, unknown, with_margins

#: What an experiment can measure, by task: means over rows. "outcome" is the outcome itself.
MEASURES = {
    "binary": ("log_loss", "brier", "accuracy", "outcome"),
    "multiclass": ("log_loss", "accuracy"),
    "regression": ("mae", "mse", "outcome"),
}


@dataclass(frozen=True)
class Release(Table):
    """Which model is served: with *refit* one trained on all rows, else the one that was judged on the holdout."""

    refit: bool


@dataclass(frozen=True)
class Land(Table):
    """What happens after the verdict PROMOTE; *max_churn* is the limit of the policy "boring"."""

    policy: Literal["always", "boring", "never"]
    max_churn: Share
    during_experiment: Literal["wait", "land"]


@dataclass(frozen=True)
class Measures(Table):
    """What an experiment measures, and how much worse each may be; *primary* decides. *known* are those of the task."""

    primary: str
    margins: Mapping[str, Number]
    known: tuple[str, ...] = field(default=(), repr=False)

    @model_validator(mode="after")
    def _agrees(self) -> Measures:
        if problems := [*self._problems()]:
            raise ValueError("\n".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        if self.known:
            yield from (unknown(name, self.known) for name in self.margins if name not in self.known)
        if self.primary not in self.margins:
            yield f"primary is {self.primary!r}; expected one with a margin there: {', '.join(self.margins)}"


def _measures_of(task: str) -> BeforeValidator:
    def read(value: Any) -> Any:
        return with_margins(value, MEASURES[task], ("primary",))

    return BeforeValidator(read)


@dataclass(frozen=True)
class Experiment(Table):
    """How champion and challenger are compared while both serve, and who acts on the result."""

    policy: Literal["always", "propose", "never"]
    alpha: Probability
    min_weeks: AtLeastOne
    unit_days: AtLeastOne
    min_units: AtLeastOne
    outcome_is: Literal["good", "bad"]
    binary: Annotated[Measures, _measures_of("binary")]
    multiclass: Annotated[Measures, _measures_of("multiclass")]
    regression: Annotated[Measures, _measures_of("regression")]

    def measures(self, task: str) -> Measures:
        """What is measured for a *task*."""
        found: Measures = getattr(self, task)
        return found


@dataclass(frozen=True)
class Rollback(Table):
    """Whether an alarm soon after a release puts the champion before it back."""

    automatic: Literal["on", "off"]
    baking_hours: Number
    max_errors: Share
    max_p99_ms: Count
