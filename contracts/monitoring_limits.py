"""`[monitoring]` and `[incident]` of thresholds.toml. Each value is explained in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from contracts.limit_types import AtLeastOne, Count, Draws, Number, Positive, Share, Table, unknown

#: What can be monitored, at one of three severities.
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
    "serving_skew",
)


def _signal(name: str) -> str:
    if name not in SIGNALS:
        raise ValueError(unknown(name, SIGNALS))
    return name


def _country(code: str) -> str:
    if code and not re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", code):
        raise ValueError(f'country is "{code}"; expected a code of ISO 3166, such as "DE" or "DE-BY", or "" for none')
    return code


Signals = tuple[Annotated[str, AfterValidator(_signal)], ...]


@dataclass(frozen=True)
class Monitoring(Table):
    """Every limit of monitoring."""

    false_alarms_per_quarter: Positive
    page: Signals
    issue: Signals
    digest: Signals
    lasting: AtLeastOne
    of: AtLeastOne
    quiet: AtLeastOne
    window_days: Count
    min_rows: AtLeastOne
    min_reference_days: AtLeastOne
    maturity_days: Count
    ewma_weight: Annotated[float, Field(strict=True, gt=0, le=1)]
    draws: Draws
    seed: Count
    sample_rows: AtLeastOne
    engine: Literal["duckdb", "spark"]
    min_drift: Number
    min_shift: Number
    min_share: Number
    min_share_rows: Count
    min_loss: Number
    min_bias: Number
    min_rate: Number
    min_slow: Number
    min_slower: Number
    min_errors: Number
    min_influence: Number
    max_skew: Share
    country: Annotated[str, AfterValidator(_country)] = ""

    @model_validator(mode="after")
    def _agrees(self) -> Monitoring:
        if problems := [*self._problems()]:
            raise ValueError("\n".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        if self.lasting > self.of:
            yield f"lasting is {self.lasting}, and of is {self.of}; expected lasting from 1 to of"
        if self.window_days < max(self.of, self.quiet):
            yield f"window_days is {self.window_days}; expected at least of and quiet"
        names = [*self.page, *self.issue, *self.digest]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            yield f"in more than one of page, issue and digest: {', '.join(twice)}"


@dataclass(frozen=True)
class Incident(Table):
    """How an incident lives: which causes belong to it, when a closed one opens again, what it may start."""

    together_days: Count
    respect_days: Count
    worse: Annotated[float, Field(strict=True, ge=1, le=1e9)]
    retrain: Literal["never", "page", "issue"]
    retrain_days: Count
    silent_days: Number
