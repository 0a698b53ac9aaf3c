"""Which rows a model is trained and evaluated on where outcomes come late.

The release model is trained on the training window, as of its end. The evaluation model is trained as it would have been
on an earlier night: the same length of window, with the outcomes that were known on that night. Its holdout ends where
outcomes are known by now, so that no outcome of the holdout is guessed, and no model looks better by agreeing with a
guess. The evaluation is older by the time that outcomes take.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract, ContractError
from model.data import DataError, Split, check, cut_at, split_by_time
from model.declarations import Declared
from model.label_delay.delay_curves import WHOLE_SHARE, whole_after
from model.label_delay.expected_outcomes import TrainingSet, sentences, training_set
from model.label_delay.known_outcomes import DAY, as_of, delays, known, stopped_feeds
from model.label_delay.sample_weights import Weigh
from model.recipe_errors import words_of

#: Earlier rows are loaded for this many lengths of the training window.
HISTORY = 3
#: Share of the outcomes that are known where the holdout ends.
COVERED = 0.95
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TrainingRows:
    """The training window's *rows*, the *older* ones, and the *split* of the evaluation, trained as of *night*.

    *end* is the end of the window, *newest* its rows up to a holdout at its end. Without label delay, *older* is empty
    and *newest* is the split. *found* are JSON values on the evaluation, *remarks* sentences. *unknown* are the rows of the
    holdout's time without an outcome, which the holdout leaves out, and *arrived* the outcomes that earlier holdouts may have
    lacked: key, time, outcome and when it was known, for a second look at earlier verdicts. *weigh* gives the recipe's
    weights of rows.
    """

    contract: Contract
    rows: pd.DataFrame
    older: pd.DataFrame
    split: Split
    newest: Split
    night: datetime
    end: datetime
    found: Mapping[str, Any]
    remarks: tuple[str, ...] = ()
    unknown: pd.DataFrame | None = None
    arrived: pd.DataFrame | None = None
    weigh: Weigh = None

    def evaluation_set(self, make: Callable[[], Any]) -> TrainingSet:
        """What the evaluation model is trained on: the rows before the holdout, as of its first row."""
        if not self.contract.target.comes_late:
            return training_set(make, self.split.train, self.older, self.contract, self.night, self.weigh)
        every = pd.concat([self.older, self.rows], ignore_index=True)
        before = every[every[self.contract.time] < self.split.train[self.contract.time].iloc[0]]
        rows, older = (as_of(each, self.contract, self.night) for each in (self.split.train, before))
        return training_set(make, rows, older, self.contract, self.night, self.weigh)

    def described(self, evaluation: TrainingSet, release: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """JSON values and sentences on outcomes that come late; empty without any.

        They are what was found for the *evaluation* model and, if there is one, for the *release* model.
        """
        if not self.found:
            return {}, []
        target = self.contract.target.name
        holdout, behind = self.found["holdout"], self.found["behind"]
        night = (
            f"{target}: the evaluation is as of {self.night:%Y-%m-%d}. Its holdout ends {behind:g} days before the window"
            f" does, where {holdout['known'] / holdout['rows']:.1%} of {holdout['rows']:,} outcomes are known; rows without"
            " one are not counted"
        )
        found = {**self.found, "evaluation": dict(evaluation.found), **({"release": dict(release)} if release else {})}
        return found, [*self.remarks, *sentences(release or evaluation.found, target), night]

    def release_set(self, make: Callable[[], Any]) -> TrainingSet:
        """What the release model is trained on: all rows of the window, as of its end."""
        return training_set(make, self.rows, self.older, self.contract, self.end, self.weigh)


def training_rows(
    load: Callable[[datetime, datetime], Any],
    rows: pd.DataFrame,
    contract: Contract,
    window: tuple[datetime, datetime],
    holdout: timedelta | None,
    where: Declared,
) -> TrainingRows:
    """The rows of the training *window*, which `check` returned, with what is needed beside them.

    Raises `DataError` where there are too few rows with outcomes to train on and evaluate.
    """
    start, end = window
    if not contract.target.comes_late or known(rows, contract).all():
        split = split_by_time(rows, contract, holdout, where)
        return TrainingRows(contract, rows, rows.iloc[:0], split, split, _first(split, contract), end, {})
    older, why = _earlier(load, contract, (start - HISTORY * (end - start), start), end, where)
    every = pd.concat([older, rows], ignore_index=True)
    behind, whole = _settled(every, contract, end)
    part = every[(every[contract.time] >= start - behind) & (every[contract.time] < end - behind)]
    if not known(part, contract).any():
        raise DataError(
            f"{where.at('window()')}no outcome is old enough to evaluate a model: {len(rows):,} rows from {start} to"
            f" {end}, of which {int(known(rows, contract).sum()):,} have a {contract.target.name}; write a longer window()"
        )
    split = split_by_time(part.reset_index(drop=True), contract, holdout, where)
    there = known(split.holdout, contract)
    found = {
        "behind": round(behind / DAY, 1),
        "holdout": {"rows": len(there), "known": int(there.sum())},
        "window": {"rows": len(rows), "known": int(known(rows, contract).sum())},
    }
    unknown = split.holdout[~there].reset_index(drop=True)
    split = replace(split, holdout=split.holdout[there].reset_index(drop=True))
    said = [*why, *stopped_feeds(every, contract, end), *([] if whole else [_young(contract, behind)])]
    late = rows[contract.time] >= cut_at(rows, contract, holdout)
    newest = Split(rows[~late].reset_index(drop=True), rows[late].reset_index(drop=True))
    return TrainingRows(
        contract,
        rows,
        older,
        split,
        newest,
        _first(split, contract),
        end,
        found,
        tuple(said),
        unknown,
        _arrived(every, contract, behind),
    )


def _arrived(every: pd.DataFrame, contract: Contract, behind: timedelta) -> pd.DataFrame | None:
    """The known outcomes that took at least half as long as holdouts end before the window; None for a fixed time."""
    target = contract.target
    if not target.known_at:
        return None
    took = every[target.known_at] - every[contract.time]  # NaT, so less, where there is no outcome
    columns = [contract.key, contract.time, target.name, target.known_at]
    return every.loc[took >= behind / 2, columns].reset_index(drop=True)


def _first(split: Split, contract: Contract) -> datetime:
    first: datetime = pd.Timestamp(split.holdout[contract.time].iloc[0])
    return first


def _earlier(
    load: Callable[[datetime, datetime], Any],
    contract: Contract,
    window: tuple[datetime, datetime],
    end: datetime,
    where: Declared,
) -> tuple[pd.DataFrame, list[str]]:
    """The rows before the training window, with the outcomes known at *end*; none, and why, where they are no use."""
    try:
        rows = load(*window)
        return check(rows, contract, *window, where, known_by=end), []
    except KeyboardInterrupt:
        raise
    except (DataError, ContractError) as error:
        if isinstance(rows, pd.DataFrame) and rows.empty:
            return pd.DataFrame(), []
        reason = str(error)
    except BaseException as error:  # whatever a recipe may raise
        reason = f"{type(error).__name__}: {words_of(error)}"
    said = (
        f"the rows from {window[0]:%Y-%m-%d} to {window[1]:%Y-%m-%d} are not used to measure the label delay: {reason}"
    )
    return pd.DataFrame(), [said]


def _settled(every: pd.DataFrame, contract: Contract, end: datetime) -> tuple[timedelta, bool]:
    """The age at which `COVERED`, or else `WHOLE_SHARE` of the outcomes are known, and whether rows are old enough to know it.

    Where they are not, half the age of the oldest row. In whole days, so that the holdout ends at the hour at which the window
    does: a last day with its morning alone looks like a clock that was set back.
    """
    if contract.target.maturity is not None:
        return _whole_days(contract.target.maturity / DAY), True
    days, there = delays(every, contract, end), known(every, contract)
    oldest = float((pd.Timestamp(end) - every[contract.time].iloc[0]) / DAY)
    for share in (COVERED, WHOLE_SHARE):
        if (age := whole_after(days, there, oldest, share)) is not None:
            return _whole_days(age), True
    return _whole_days(oldest / 2), False


def _whole_days(age: float) -> timedelta:
    return timedelta(days=math.ceil(age))


def _young(contract: Contract, behind: timedelta) -> str:
    return (
        f"{contract.target.name}: outcomes take longer than the rows go back, so only rows that are {behind / DAY:.0f}"
        " days old or older are trained on and evaluated, with the outcomes known by now. Outcomes that come early may"
        " differ from the rest; a longer window(), or load() with earlier rows, removes this error"
    )
