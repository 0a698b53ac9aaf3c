"""Champion against challenger, from the journal's units: what is measured, and what it amounts to. Pure."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from checks.live import MEASURES, Experiment
from checks.rules import ConfigurationError
from model.contract import Contract
from monitoring.experiment.adjustment import covariates, differences
from monitoring.experiment.decision import WEEK, Judgement, Reading, faults, judge, rho_of
from monitoring.experiment.sequences import Numbers, band, by_day
from monitoring.experiment.units import OTHER, Split, Units

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


def compared(units: Units, split: Split, contract: Contract, rules: Experiment) -> Result:
    """What *units* say about the challenger."""
    share = 1.0 if split.shadow else min(split.chance, 1 - split.chance)
    least = math.ceil(rules.min_units / share) if share > 0 else 0
    wrong = faults(units, split, least)
    comparison = _Comparison(units, split, contract, rules, least)
    readings: tuple[Reading, ...] = ()
    slices: tuple[Reading, ...] = ()
    novelty: tuple[Reading, ...] = ()
    if share > 0:
        names = measures(rules, contract.task, split.shadow)
        readings = tuple(comparison.read(name) for name in names)
        slices = tuple(comparison.slices(names[0]))
        novelty = tuple(comparison.novelty(names[0]))
    frame = units.frame
    challenged = int(frame["challenger"].sum())
    return Result(
        split, units.days,
        (len(frame), len(frame) - units.unscored) if split.shadow else (len(frame) - challenged, challenged),
        int(frame["labelled"].sum()), readings, slices, novelty,
        judge(readings, units.days, wrong, rules), units.odd,
    )  # fmt: skip


class _Comparison:
    """Reads measures off the units that have an outcome."""

    def __init__(
        self, units: Units, split: Split, contract: Contract, rules: Experiment, least: int
    ) -> None:
        self._days, self._split, self._rules, self._least = units.days, split, rules, least
        self._contract = contract
        self._known = units.frame[units.frame["labelled"]]
        self._rho = rho_of(self._known["day"], rules.alpha)

    def read(
        self,
        measure: str,
        title: str = "",
        rows: pd.DataFrame | None = None,
        days: slice = slice(None),
        tests: int = 1,
    ) -> Reading:
        """The gain in *measure* over some *rows* and *days*, one of so many *tests*."""
        rows = self._known if rows is None else rows
        values, saved = self._gains(rows, measure)
        summed = by_day(values, rows["day"].to_numpy(), self._days).part(days)
        within = rows["day"].isin(range(*days.indices(self._days)))
        champion, challenger = self._means(rows[within], measure)
        margin = self._rules.measures(self._contract.task).margins[measure]
        if self._contract.task == "regression":
            margin *= abs(champion)
        found = band(summed, self._rules.alpha / tests, self._rho, self._least)
        return Reading(title or measure, found, champion, challenger, margin, saved)

    def slices(self, measure: str) -> Iterator[Reading]:
        """By each value of the contract's slices; their chances of a mistake add up to alpha."""
        parts = [
            (f"{name} = {value}", rows)
            for name in self._contract.slices
            if f"row.{name}" in self._known
            for value, rows in self._known.groupby(f"row.{name}")
        ]
        for title, rows in parts:
            yield self.read(measure, title, rows, tests=len(parts))

    def novelty(self, measure: str) -> Iterator[Reading]:
        """The first week, and what came after: what is new may please or annoy for being new."""
        if self._days > WEEK:
            yield self.read(measure, "the first week", days=slice(0, WEEK), tests=2)
            yield self.read(measure, "since then", days=slice(WEEK, None), tests=2)

    def _gains(self, rows: pd.DataFrame, measure: str) -> tuple[Numbers, float]:
        """What each unit says about the gain, and the share of variance that features took away."""
        good = measure == "outcome" and self._rules.outcome_is == "good"
        sign = 1.0 if measure in LARGER or good else -1.0
        if self._split.shadow:
            return sign * (rows[measure + OTHER] - rows[measure]).to_numpy(), 0.0
        names = [name for name in rows if name.startswith("row.")]
        told = differences(
            rows[measure].to_numpy(), rows["challenger"].to_numpy(dtype=float),
            rows["day"].to_numpy(), self._split.chance,
            covariates(rows, [name for name in names if rows[name].notna().any()]),
        )  # fmt: skip
        return sign * told.gains, told.saved

    def _means(self, rows: pd.DataFrame, measure: str) -> tuple[float, float]:
        if self._split.shadow:
            return float(rows[measure].mean()), float(rows[measure + OTHER].mean())
        challenged = rows["challenger"].to_numpy(dtype=bool)
        values = rows[measure]
        return float(values[~challenged].mean()), float(values[challenged].mean())


def _split(change: Any) -> Split | None:
    """The experiment of one text of live.toml."""
    try:
        live = tomllib.loads(change.text)
        challenger = live["challenger"]
        found = Split(
            str(live["champion"]["version"]), str(challenger["version"]), change.at,
            share=float(challenger.get("share", 0)),
            held=float(live.get("anchor", {}).get("share", 0)),
            shadow=challenger.get("mode") == "shadow",
            salt=live.get("split", {}).get("salt"),
        )  # fmt: skip
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError):
        return None
    return found if found.shadow or found.share > 0 else None


def _terms(split: Split | None) -> object:
    """What must stay the same for units to be of one experiment."""
    if split is None:
        return None
    return split.champion, split.challenger, split.share, split.held, split.shadow, split.salt
