"""Compares champion and challenger on the sums of their units. Pure."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from contracts.release_policy import MEASURES, Experiment
from contracts.row_contract import Contract
from contracts.thresholds import ConfigurationError
from monitoring.experiment.aggregates import LABELLED, ExperimentSums, SumsByDay
from monitoring.experiment.confidence_sequences import confidence_sequence
from monitoring.experiment.decision import WEEK, Decision, MeasureResult, decide, rho_of, validity_problems
from monitoring.experiment.experiment_units import Split

#: Measures of which larger is better; for "outcome" a setting says so.
LARGER = frozenset({"accuracy"})


@dataclass(frozen=True)
class Result:
    """The result of an experiment after *days* days.

    *units* are the champion's and the challenger's, *labelled* those of both with an outcome; *measures* are the
    primary measure and the guardrails; *slices* and *novelty* (first week, later) are of the primary measure;
    *ignored* says which rows did not count.
    """

    split: Split
    days: int
    units: tuple[int, int]
    labelled: int
    measures: tuple[MeasureResult, ...]
    slices: tuple[MeasureResult, ...]
    novelty: tuple[MeasureResult, ...]
    decision: Decision
    ignored: tuple[str, ...] = ()

    @property
    def harmed_slices(self) -> list[str]:
        """The slices whose interval is below 0."""
        return [each.name for each in self.slices if each.gain[2] < 0]

    @property
    def novelty_effect(self) -> bool:
        """Whether the intervals of the first week and of later days are disjoint."""
        if len(self.novelty) < 2:
            return False
        (_, low, high), (_, later_low, later_high) = (each.gain for each in self.novelty)
        return high < later_low or later_high < low


def split_of(history: Iterable[Any]) -> Split | None:
    """The experiment that runs, from live.toml's *history* (newest first); None if there is none.

    Another share, salt, champion or challenger starts a new one: it changes the assignment of units, or the models.
    """
    current: Split | None = None
    for number, change in enumerate(history):
        split = _split(change)
        if split is None or (number and _terms(split) != _terms(current)):
            break
        current = split
    return current


def measures(rules: Experiment, task: str, shadow: bool) -> list[str]:
    """The names of the measures, the primary one first. Raises `ConfigurationError`.

    In shadow mode the outcome does not depend on the challenger, so it is left out.
    """
    margins = rules.measures(task)
    names = [margins.primary, *(name for name in margins.margins if name != margins.primary)]
    names = [name for name in names if not (shadow and name == "outcome")]
    if not names:
        raise ConfigurationError(
            f"experiment.{task} has only the measure outcome, which a shadow cannot affect; add another: "
            f"{', '.join(MEASURES[task])}"
        )
    return names


def compare(sums: ExperimentSums, split: Split, contract: Contract, rules: Experiment) -> Result:
    """The result for the units in *sums*."""
    share = 1.0 if split.shadow else min(split.chance, 1 - split.chance)
    least = math.ceil(rules.min_units / share) if share > 0 else 0
    problems = validity_problems(sums, split, least)
    comparison = _Comparison(sums, split, contract, rules, least)
    results: tuple[MeasureResult, ...] = ()
    slices: tuple[MeasureResult, ...] = ()
    novelty: tuple[MeasureResult, ...] = ()
    if share > 0:
        names = measures(rules, contract.task, split.shadow)
        results = tuple(comparison.evaluate(name) for name in names)
        slices = tuple(comparison.slices(names[0]))
        novelty = tuple(comparison.novelty(names[0]))
    totals = sums.units.sums(LABELLED, sums.days).sum(axis=0)
    champions, challengers = map(int, totals[:2])
    return Result(
        split,
        sums.days,
        (champions, champions - sums.unscored) if split.shadow else (champions, challengers),
        int(totals[2] if split.shadow else totals[2] + totals[3]),
        results,
        slices,
        novelty,
        decide(results, sums.days, problems, rules),
        tuple(f"{count:,} {what}" for what, count in sums.ignored.items() if count),
    )


class _Comparison:
    """Evaluates measures on the labelled units."""

    def __init__(self, sums: ExperimentSums, split: Split, contract: Contract, rules: Experiment, least: int) -> None:
        self._sums, self._split, self._rules, self._least = sums, split, rules, least
        self._contract = contract
        self._rho = rho_of(sums.known.first, rules.alpha)

    def evaluate(
        self, measure: str, title: str = "", part: SumsByDay | None = None, days: slice = slice(None), tests: int = 1
    ) -> MeasureResult:
        """The gain in *measure* over a *part* of the units and some *days*, as one of *tests* tests (Bonferroni)."""
        part = self._sums.known if part is None else part
        good = measure == "outcome" and self._rules.outcome_is == "good"
        sign = 1.0 if measure in LARGER or good else -1.0
        gains = part.gains(measure, self._sums.days, sign).part(days)
        totals = part.sums(measure, self._sums.days)[days].sum(axis=0)
        champion, challenger = (float(totals[2 + n] / totals[n]) if totals[n] else math.nan for n in (0, 1))
        margin = self._rules.measures(self._contract.task).margins[measure]
        if self._contract.task == "regression":
            margin *= abs(champion)
        sequence = confidence_sequence(gains, self._rules.alpha / tests, self._rho, self._least)
        saved = part.saved(measure, self._sums.days)
        return MeasureResult(title or measure, sequence, champion, challenger, margin, saved)

    def slices(self, measure: str) -> Iterator[MeasureResult]:
        """By value of the contract's slices; their error probabilities add up to alpha."""
        parts = self._sums.slices
        for title, part in parts.items():
            yield self.evaluate(measure, title, part, tests=len(parts))

    def novelty(self, measure: str) -> Iterator[MeasureResult]:
        """The first week and the days after it: a novelty effect is a difference between them."""
        if self._sums.days > WEEK:
            yield self.evaluate(measure, "first week", days=slice(0, WEEK), tests=2)
            yield self.evaluate(measure, "later", days=slice(WEEK, None), tests=2)


def _split(change: Any) -> Split | None:
    """The experiment of one version of live.toml; None if it has none."""
    try:
        live = tomllib.loads(change.text)
        challenger = live["challenger"]
        split = Split(
            str(live["champion"]["version"]),
            str(challenger["version"]),
            change.at,
            share=float(challenger.get("share", 0)),
            holdback=float(live.get("anchor", {}).get("share", 0)),
            shadow=challenger.get("mode") == "shadow",
            salt=live.get("split", {}).get("salt"),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError):
        return None
    return split if split.shadow or split.share > 0 else None


def _terms(split: Split | None) -> object:
    """What identifies the experiment that units belong to."""
    if split is None:
        return None
    return split.champion, split.challenger, split.share, split.holdback, split.shadow, split.salt
