"""Champion against challenger, from the sums of its units: what is measured, and what it amounts to. Pure."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from contracts.release_policy import MEASURES, Experiment
from contracts.row_contract import Contract
from contracts.thresholds import ConfigurationError
from monitoring.experiment.aggregates import LABELLED, Part, Tally
from monitoring.experiment.confidence_sequences import band
from monitoring.experiment.decision import WEEK, Judgement, Reading, faults, judge, rho_of
from monitoring.experiment.experiment_units import Split

#: Measures of which more is better; an outcome may be.
LARGER = frozenset({"accuracy"})


@dataclass(frozen=True)
class Result:
    """What an experiment came to after *days* days.

    *units* are the champion's and the challenger's, *labelled* those of both with an outcome;
    *readings* the primary measure and the guardrails; *slices* and *novelty* (the first week, later)
    are of the primary measure.
    """

    split: Split
    days: int
    units: tuple[int, int]
    labelled: int
    readings: tuple[Reading, ...]
    slices: tuple[Reading, ...]
    novelty: tuple[Reading, ...]
    judgement: Judgement
    odd: tuple[str, ...] = ()

    @property
    def hurt(self) -> list[str]:
        """The slices that are worse off for sure."""
        return [each.name for each in self.slices if each.gain[2] < 0]

    @property
    def wears_off(self) -> bool:
        """Whether the first week's gain and the later ones' differ for sure."""
        if len(self.novelty) < 2:
            return False
        (_, low, high), (_, then, most) = (each.gain for each in self.novelty)
        return high < then or most < low


def split_of(history: Iterable[Any]) -> Split | None:
    """The experiment that live.toml's *history* (newest first) ends with; None if none runs.

    Another share, salt, champion or challenger begins a new one: units are dealt anew, or compared
    with something else.
    """
    found: Split | None = None
    for number, change in enumerate(history):
        split = _split(change)
        if split is None or (number and _terms(split) != _terms(found)):
            break
        found = split
    return found


def measures(rules: Experiment, task: str, shadow: bool) -> list[str]:
    """What is measured, the primary measure first. Raises `ConfigurationError`.

    In the shadow an outcome says nothing: nobody saw the challenger's answer.
    """
    margins = rules.measures(task)
    names = [margins.primary, *(name for name in margins.margins if name != margins.primary)]
    found = [name for name in names if not (shadow and name == "outcome")]
    if not found:
        raise ConfigurationError(
            f"experiment.{task} measures the outcome alone, which a shadow cannot change; add another"
            f" measure: {', '.join(MEASURES[task])}"
        )
    return found


def compared(tally: Tally, split: Split, contract: Contract, rules: Experiment) -> Result:
    """What the units in *tally* say about the challenger."""
    share = 1.0 if split.shadow else min(split.chance, 1 - split.chance)
    least = math.ceil(rules.min_units / share) if share > 0 else 0
    wrong = faults(tally, split, least)
    comparison = _Comparison(tally, split, contract, rules, least)
    readings: tuple[Reading, ...] = ()
    slices: tuple[Reading, ...] = ()
    novelty: tuple[Reading, ...] = ()
    if share > 0:
        names = measures(rules, contract.task, split.shadow)
        readings = tuple(comparison.read(name) for name in names)
        slices = tuple(comparison.slices(names[0]))
        novelty = tuple(comparison.novelty(names[0]))
    sums = tally.units.sums(LABELLED, tally.days).sum(axis=0)
    champions, challenged = map(int, sums[:2])
    return Result(
        split,
        tally.days,
        (champions, champions - tally.unscored) if split.shadow else (champions, challenged),
        int(sums[2] if split.shadow else sums[2] + sums[3]),
        readings,
        slices,
        novelty,
        judge(readings, tally.days, wrong, rules),
        tuple(f"{count:,} {what}" for what, count in tally.odd.items() if count),
    )


class _Comparison:
    """Reads measures off the units that have an outcome."""

    def __init__(self, tally: Tally, split: Split, contract: Contract, rules: Experiment, least: int) -> None:
        self._tally, self._split, self._rules, self._least = tally, split, rules, least
        self._contract = contract
        self._rho = rho_of(tally.known.first, rules.alpha)

    def read(
        self, measure: str, title: str = "", part: Part | None = None, days: slice = slice(None), tests: int = 1
    ) -> Reading:
        """The gain in *measure* over a *part* of the units and some *days*, one of so many *tests*."""
        part = self._tally.known if part is None else part
        good = measure == "outcome" and self._rules.outcome_is == "good"
        sign = 1.0 if measure in LARGER or good else -1.0
        summed = part.gains(measure, self._tally.days, sign).part(days)
        units = part.sums(measure, self._tally.days)[days].sum(axis=0)
        champion, challenger = (float(units[2 + arm] / units[arm]) if units[arm] else math.nan for arm in (0, 1))
        margin = self._rules.measures(self._contract.task).margins[measure]
        if self._contract.task == "regression":
            margin *= abs(champion)
        found = band(summed, self._rules.alpha / tests, self._rho, self._least)
        saved = part.saved(measure, self._tally.days)
        return Reading(title or measure, found, champion, challenger, margin, saved)

    def slices(self, measure: str) -> Iterator[Reading]:
        """By each value of the contract's slices; their chances of a mistake add up to alpha."""
        parts = self._tally.slices
        for title, part in parts.items():
            yield self.read(measure, title, part, tests=len(parts))

    def novelty(self, measure: str) -> Iterator[Reading]:
        """The first week, and what came after: what is new may please or annoy for being new."""
        if self._tally.days > WEEK:
            yield self.read(measure, "the first week", days=slice(0, WEEK), tests=2)
            yield self.read(measure, "since then", days=slice(WEEK, None), tests=2)


def _split(change: Any) -> Split | None:
    """The experiment of one text of live.toml."""
    try:
        live = tomllib.loads(change.text)
        challenger = live["challenger"]
        found = Split(
            str(live["champion"]["version"]),
            str(challenger["version"]),
            change.at,
            share=float(challenger.get("share", 0)),
            held=float(live.get("anchor", {}).get("share", 0)),
            shadow=challenger.get("mode") == "shadow",
            salt=live.get("split", {}).get("salt"),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError):
        return None
    return found if found.shadow or found.share > 0 else None


def _terms(split: Split | None) -> object:
    """What must stay the same for units to be of one experiment."""
    if split is None:
        return None
    return split.champion, split.challenger, split.share, split.held, split.shadow, split.salt
