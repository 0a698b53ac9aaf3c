"""`[gate.compare.TASK]`: the margin of each metric, and combinations of metrics.

Each metric must hold by itself, unless a combination contains it: "any of a, b" or "2 of a, b, c". "all of a, b" is
allowed, for the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from contracts.limit_types import Number, Table, unknown, with_margins

#: The metrics that can be compared, by task. Larger is better for those in `LARGER_IS_BETTER`.
METRICS = {
    "binary": ("log_loss", "roc_auc", "brier"),
    "multiclass": ("log_loss", "accuracy"),
    "regression": ("mae", "rmse"),
}
LARGER_IS_BETTER = frozenset({"roc_auc", "accuracy"})
_COMBINATION = re.compile(r"(all|any|[1-9]\d*) of ([a-z_]+(?:, [a-z_]+)*)")


@dataclass(frozen=True)
class Combination:
    """At least *least* of the *metrics* must hold."""

    least: int
    metrics: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of its rule: `any_of.a.b`, `2_of.a.b.c`."""
        word = {1: "any", len(self.metrics): "all"}.get(self.least, str(self.least))
        return ".".join([f"{word}_of", *self.metrics])

    @property
    def is_loose(self) -> bool:
        """Whether not every one of its metrics must hold."""
        return self.least < len(self.metrics)

    def outcome(self, outcomes: Iterable[str]) -> str:
        """The outcome of its metrics' *outcomes*: PASS if enough pass, FAIL if too many fail, else INCONCLUSIVE."""
        found = list(outcomes)
        passed, failed = found.count("PASS"), found.count("FAIL") + found.count("NOT_RUN")
        if passed >= self.least:
            return "PASS"
        return "FAIL" if len(found) - failed < self.least else "INCONCLUSIVE"


def parse_combination(text: object) -> Combination:
    """The combination that *text* states. Raises ValueError."""
    if isinstance(text, Combination):
        return text
    match = _COMBINATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'{text!r}; expected for example "any of roc_auc, brier" or "2 of log_loss, roc_auc, brier"')
    metrics = tuple(match[2].split(", "))
    if len(set(metrics)) < len(metrics):
        raise ValueError(f"{text!r}: a metric is named twice")
    least = {"any": 1, "all": len(metrics)}.get(match[1]) or int(match[1])
    if least > len(metrics):
        raise ValueError(f"{text!r}: it has only {len(metrics)} metrics")
    return Combination(least, metrics)


@dataclass(frozen=True)
class Margins(Table):
    """How much worse than the champion, and than the anchor, each metric may be.

    The report shows *primary* first, and slices are compared by it. For metrics in *superior* the candidate must be
    better than the champion (superiority), not only non-inferior. *known* are the metrics of the task.
    """

    primary: str
    margins: Mapping[str, Number]
    anchor: Mapping[str, Number]
    superior: tuple[str, ...] = ()
    require: tuple[Annotated[Combination, BeforeValidator(parse_combination)], ...] = ()
    known: tuple[str, ...] = field(default=(), repr=False)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics with a margin, the primary first."""
        return tuple(dict.fromkeys([self.primary, *self.margins]))

    def combinations(self) -> list[Combination]:
        """Those of which not every metric must hold."""
        return [each for each in self.require if each.is_loose]

    def is_free(self, metric: str) -> bool:
        """Whether *metric* need not hold by itself, since only combinations contain it."""
        taken = [each for each in self.require if metric in each.metrics]
        return bool(taken) and all(each.is_loose for each in taken)

    @model_validator(mode="after")
    def _agrees(self) -> Margins:
        if problems := [*self._problems()]:
            raise ValueError("\n".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        with_margin = f"expected metrics with a margin there: {', '.join(self.margins)}"
        if self.known:
            yield from (unknown(name, self.known) for name in self.margins if name not in self.known)
            if not self.anchor or self.anchor.keys() - self.margins.keys():
                yield f"anchor is {dict(self.anchor)}; {with_margin}"
        if any(name not in self.margins for name in self.superior):
            yield f"superior is {[*self.superior]}; {with_margin}"
        for each in self.require:
            if lacking := [name for name in each.metrics if name not in self.margins]:
                yield f"require has {', '.join(lacking)}; {with_margin}"
        if self.primary not in self.margins:
            yield f"primary is {self.primary!r}; {with_margin}"
        if self.is_free(self.primary):
            yield f"require contains the primary metric {self.primary}, which must hold alone"


def margins_of(task: str) -> BeforeValidator:
    """Reads the table of margins of a *task*."""

    def read(value: Any) -> Any:
        if isinstance(value, Mapping):
            value = {"superior": None, "require": None} | {**value}
        return with_margins(value, METRICS[task], ("primary", "anchor", "superior", "require"))

    return BeforeValidator(read)
