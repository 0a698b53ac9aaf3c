"""Point-in-time replay: the recipe's rows are loaded again, with an earlier end.

A feature of a row may depend only on what was known at the row's time. Then it has the same value whatever the end of
the window is. It has another value if it is computed from later rows: an encoding or a statistic over all rows, a window
that looks ahead, values filled from later rows. All loads have the same start, since a window that looks back may be
cut off there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract, ContractError, Feature
from model.data import Split
from model.loaded_columns import settled
from model.recipe_errors import words_of
from model.row_differences import plain, unequal

#: Periods of the comparison: upper bounds of a row's days before the earlier end; the last period has no bound.
PERIODS = (1, 7, 28)
#: Fewer different values show no relation of the two loads.
MIN_VALUES = 10
#: How many rows are stored of each feature that differs.
EXAMPLES = 3
#: Longest text of an example or an error that is stored.
MAX_TEXT_LENGTH = 300
DAY = pd.Timedelta(days=1)
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Pairs:
    """Rows of both loads with the same key and time: their places in *later* and *earlier*.

    *days* are the days of each before the earlier end, *group* numbers the keys and times, and *repeated* says that
    several rows share one.
    """

    later: Array
    earlier: Array
    days: Array
    group: Array
    repeated: bool


def replay(
    load: Callable[[datetime, datetime], Any], split: Split, contract: Contract, window: tuple[datetime, datetime]
) -> dict[str, Any]:
    """Compare the rows of *split* with those of each *load* with an earlier end, as JSON values: `days` and `loads`.

    A load has its `end` and either `failed`, the reason why there are no rows to compare, or by period: `rows` (compared),
    `only_earlier` and `only_later` (rows that one load alone has) and `labels` (rows with another outcome); and
    `features`, for each feature that differs: `rows` by period, `cause`, the days of the oldest such row (`oldest`) and
    `examples`.
    """
    rows = pd.concat([split.train, split.holdout], ignore_index=True)

    def compared(end: datetime) -> dict[str, Any]:
        found = {"end": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
        try:
            earlier = _usable(load(window[0], end), contract, end)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a recipe may raise
            return found | {"failed": f"{type(error).__name__}: {words_of(error)}"[:MAX_TEXT_LENGTH]}
        return found | _compared(rows[rows[contract.time] < end].reset_index(drop=True), earlier, contract, end)

    middle, whole, short = _ends(split, contract, window)
    loads = [compared(middle)]
    if "failed" in loads[0] and whole != middle:
        again = compared(whole)
        loads = loads if "failed" in again else [again]
    if "failed" not in loads[0] and short < middle:
        loads.append(compared(short))
    return {"days": list(PERIODS), "loads": loads}


def differing(found: Mapping[str, Any], contract: Contract) -> list[str]:
    """The features that differ by what `replay` *found*, or why nothing was compared; [] if there is nothing to say."""
    known = {feature.name for feature in contract.features if feature.revised}
    said = []
    for each in found.get("loads", []):
        named = f"load() with the earlier end {each['end']}"
        shares = [
            f"{name} in {sum(of['rows']) / sum(each['rows']):.1%}"
            for name, of in each.get("features", {}).items()
            if name not in known
        ]
        known |= {*each.get("features", {})}
        if "failed" in each and each is found["loads"][0]:
            said.append(f"{named} gave no rows to compare: {each['failed']}")
        elif shares:
            said.append(f"{named} gives the same rows other values: {', '.join(shares)}")
    return said


def _ends(split: Split, contract: Contract, window: tuple[datetime, datetime]) -> list[datetime]:
    """The earlier ends: on the last day before the holdout, on a midnight before, after a quarter of the training rows.

    The second is for a recipe that refuses the first. In the middle of a day, since the total of a day, a week or a month includes later rows only before it is over. A
    quarter, since an extreme value, such as the maximum of all rows, may be the same in most of the window.
    """
    at, first, last = split.train[contract.time], split.holdout[contract.time].iloc[0], pd.Timestamp(window[1])
    day = at[at >= first - DAY]
    middle = (day.median() if len(day) else at.iloc[-1]).ceil("s")
    middle = middle if at.iloc[0] < middle < last else first
    whole = last + (last - middle) // -DAY * DAY
    short = at.iloc[len(at) // 4].ceil("s")
    return [
        end.to_pydatetime()
        for end in (middle, whole if at.iloc[0] < whole < last else middle, short if at.iloc[0] < short else middle)
    ]


def _usable(rows: Any, contract: Contract, end: datetime) -> pd.DataFrame:
    """The contract's columns of *rows* before *end*. Raises `ContractError` if there are none."""
    if not isinstance(rows, pd.DataFrame):
        raise ContractError("load()", [f"it returned {type(rows).__name__}; expected a pandas DataFrame"])
    names = [contract.key, contract.time, *contract.feature_names, contract.target.name]
    missing = [name for name in names if [*rows.columns].count(name) != 1]
    if missing or rows.empty:
        what = f"no column {', '.join(missing)}" if missing and len(rows) else "no rows"
        raise ContractError("load()", [f"it returned {what}"])
    rows = settled(rows[names].reset_index(drop=True), contract)
    rows = rows.assign(**{contract.time: pd.to_datetime(rows[contract.time], utc=True)})
    rows = rows[rows[contract.time] < end].reset_index(drop=True)
    if rows.empty:
        raise ContractError("load()", ["it returned no rows before that end"])
    return rows


def _compared(later: pd.DataFrame, earlier: pd.DataFrame, contract: Contract, end: datetime) -> dict[str, Any]:
    # A load of the newest rows only begins later.
    since = max(later[contract.time].min(), earlier[contract.time].min())
    later, earlier = (rows[rows[contract.time] >= since].reset_index(drop=True) for rows in (later, earlier))
    pairs, only_later, only_earlier = _paired(later, earlier, contract, end)
    features = {}
    for feature in contract.features:
        here, there = _values(feature, later, pairs.later), _values(feature, earlier, pairs.earlier)
        here, there, differs = _differences(feature, here, there, pairs)
        if differs.any():
            features[feature.name] = {
                "rows": _by_period(pairs.days[differs]),
                "cause": _cause(feature, here, there, differs, pairs.days),
                "oldest": round(float(pairs.days[differs].max()), 1),
                "examples": _examples(feature, contract, later, pairs, here, there, differs),
            }
    outcomes = [rows[contract.target.name].to_numpy(object)[places] for rows, places in _both(later, earlier, pairs)]
    other = np.array([a != b and a is not None and b is not None for a, b in zip(*outcomes, strict=True)], bool)
    return {
        "rows": _by_period(pairs.days),
        "only_earlier": _by_period(only_earlier),
        "only_later": _by_period(only_later),
        "labels": _by_period(pairs.days[other]) if not pairs.repeated else _by_period(pairs.days[:0]),
        "features": features,
    }


def _both(later: pd.DataFrame, earlier: pd.DataFrame, pairs: _Pairs) -> list[tuple[pd.DataFrame, Array]]:
    return [(later, pairs.later), (earlier, pairs.earlier)]


def _paired(
    later: pd.DataFrame, earlier: pd.DataFrame, contract: Contract, end: datetime
) -> tuple[_Pairs, Array, Array]:
    """The rows that both have, and the days of those that one alone has.

    Rows with the same key and time are compared only if both loads have as many of them.
    """
    names = [contract.key, contract.time]
    group = pd.concat([later[names], earlier[names]]).groupby(names, sort=False).ngroup().to_numpy()
    ours, theirs = group[: len(later)], group[len(later) :]
    size = int(group.max()) + 1
    here, there = (np.bincount(codes, minlength=size) for codes in (ours, theirs))
    days = np.zeros(size)
    for codes, rows in ((ours, later), (theirs, earlier)):
        days[codes] = ((pd.Timestamp(end) - rows[contract.time]) / DAY).to_numpy()
    same = here == there
    places = []
    for codes in (ours, theirs):
        kept = np.flatnonzero(same[codes])
        places.append(kept[np.argsort(codes[kept], kind="stable")])
    joined = ours[places[0]]
    more, fewer = (np.repeat(days, np.maximum(extra, 0)) for extra in (here - there, there - here))
    pairs = _Pairs(places[0], places[1], days[joined], joined, bool((here[joined] > 1).any()))
    return pairs, more, fewer


def _values(feature: Feature, rows: pd.DataFrame, places: Array) -> Array:
    column = rows[feature.name]
    if feature.kind == "category":
        return np.asarray(column.astype(object).where(column.notna(), None).to_numpy()[places])
    return np.asarray(column.astype("float64").to_numpy()[places])


def _differences(feature: Feature, here: Array, there: Array, pairs: _Pairs) -> tuple[Array, Array, Array]:
    """Both columns and the mask of the pairs that differ. Rows of one key and time are compared in the order of values."""
    if pairs.repeated:
        codes = pd.factorize(np.concatenate([here, there]), sort=False)[0]
        if feature.kind != "category":
            codes = np.concatenate([here, there])
        ours, theirs = codes[: len(here)], codes[len(here) :]
        here, there = here[np.lexsort((ours, pairs.group))], there[np.lexsort((theirs, pairs.group))]
    if feature.kind == "category":
        return here, there, np.array([a != b for a, b in zip(here, there, strict=True)], bool)
    return here, there, unequal(here, there, here)


def _by_period(days: Array) -> list[int]:
    """How many of *days* lie in each period, the last days first."""
    return [int(n) for n in np.bincount(np.searchsorted(PERIODS, days), minlength=len(PERIODS) + 1)]


def _cause(feature: Feature, here: Array, there: Array, differs: Array, days: Array) -> str:
    """The likely cause: filled, end (of the window alone), random, scaled, ranked, counted, or spread (over all days)."""
    missing = pd.isna(there[differs]) & ~pd.isna(here[differs])
    if missing.mean() > 0.9:
        return "filled"
    old = days > np.median(days)
    newest = days <= np.quantile(days, 0.05)
    if differs[old].mean() < 0.1 * differs[newest].mean():
        return "end"
    if feature.kind != "number":
        return "spread"
    both = differs & np.isfinite(here) & np.isfinite(there)
    return _relation(here[both], there[both])


def _relation(later: Array, earlier: Array) -> str:
    """How the numbers of the two loads are related: counted, scaled, random, ranked, or spread (none of these)."""
    if len(later) and bool((later >= earlier).all()) and bool((later == later.round()).all()):
        return "counted"
    if min(len(np.unique(later)), len(np.unique(earlier))) < MIN_VALUES:
        return "spread"
    slope, offset = np.polyfit(earlier, later, 1)
    same_order = pd.Series(later).rank().corr(pd.Series(earlier).rank()) > 0.9999
    relations = {
        "scaled": np.abs(later - slope * earlier - offset).max() < 1e-3 * later.std(),
        "random": abs(np.corrcoef(later, earlier)[0, 1]) < 0.3,
        "ranked": same_order,
    }
    return next((name for name, holds in relations.items() if holds), "spread")


def _examples(
    feature: Feature, contract: Contract, later: pd.DataFrame, pairs: _Pairs, here: Array, there: Array, differs: Array
) -> list[dict[str, Any]]:
    """A few rows, the newest first; nothing of a private field, and no key: a manifest cannot change when a key is erased."""
    if feature.name in contract.private:
        return []
    chosen = np.flatnonzero(differs)
    chosen = chosen[np.argsort(pairs.days[chosen], kind="stable")][:EXAMPLES]
    rows = later.iloc[pairs.later[chosen]]
    found = []
    for place, at in zip(chosen, rows[contract.time], strict=True):
        values = {"earlier": plain(there[place], MAX_TEXT_LENGTH), "later": plain(here[place], MAX_TEXT_LENGTH)}
        found.append({"time": at.strftime("%Y-%m-%dT%H:%M:%SZ")} | values)
    return found
