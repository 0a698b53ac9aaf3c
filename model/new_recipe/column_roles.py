"""What the columns of a table may be: time, key, target, features, and what is known only afterwards.

Guesses from names and values alone. The recipe says each of them, so that a person can correct it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from model.features.recipe_syntax import literal

#: Days and times of day as people and programs write them, apart from ISO 8601; where several fit, the first is taken.
_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%b %d, %Y",
          "%d-%b-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%Y%m%d")  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
FORMATS = ("ISO8601", *(date + clock for date in _DATES for clock in _CLOCKS))
#: Values that the formats are tried on first.
_TRIED = 200
#: Seconds from 1970 to 2000 and to 2040: numbers of other sizes are no times.
_EPOCHS = (946_684_800, 2_208_988_800)
_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
#: Above this AUC (or the absolute rank correlation) of one column alone, it may be known only afterwards.
TOO_GOOD = 0.98
#: Above this predictive power of one column alone the gate may hold a first model (leak.solo, max_solo = 0.7).
STRONG = 0.6
#: Above this share of a target's variance, its columns are the target in other words.
EXACT = 0.9995
#: Rows that correlations are computed from.
MAX_COMPARED = 20_000
_TIME = r"^(at|ts|time|timestamp|datetime|date)$|_(at|ts|time|date)$|^(date|time|created|started|order|event)_?"
_KEY = r"(^|_)(user|customer|visitor|account|client|session|member|patient|device|\w+_id|\w*id|uuid|key)(_?(id|nr|no|number|key))?$"
_TARGET = (
    r"^(target|label|outcome|y|class|churn(ed)?|default(ed)?|convert(ed)?|conversion|bought|purchased?|fraud|"
    r"is_\w+|cancel(l?ed)?|late|delayed|survived|response|cnt|count|demand|sales|price|amount|revenue|value)$"
)
_HOUR = r"^(hr|hour|hour_of_day|hod)$"
#: The label that is meant by "yes", in lower case.
_POSITIVE = {"1", "true", "yes", "y", "t", "positive", "pos", "bad", "churn", "churned", "fraud", "default", "defaulted",
             "late", "ja", "j", "oui", "si", "sí", "sim", "tak", "да"}  # fmt: skip


@dataclass(frozen=True)
class Times:
    """The times of a column in UTC, and the expression that reads them in a recipe; *local* if they are without a zone."""

    utc: pd.Series[Any]
    reading: str
    local: bool


def times(rows: pd.DataFrame, name: str, zone: str = "UTC", asked: bool = False) -> Times | None:
    """The times of the column *name*, None if it has no times. Local ones are those of *zone*.

    Numbers may be seconds since 1970, or days such as 20261123, if the name says so or a person *asked* for them. A
    local time that occurs twice is the later one, one that is skipped the next that exists.
    """
    column, reading = rows[name], f"rows[{literal(name)}]"
    if pd.api.types.is_datetime64_any_dtype(column):
        at, reading = column, f"pd.to_datetime({reading})"
    elif is_text(column):
        form = _format_of(column)
        if form is None:
            return None
        at = pd.to_datetime(column, format=form, errors="coerce", utc=_zoned(column) or None)
        reading = f'pd.to_datetime({reading}, format="{form}")'
    elif pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        found = _numeric_times(column, reading) if asked or re.search(_TIME, name.lower()) else None
        if found is None:
            return None
        at, reading = found
    else:
        return None
    if at.dt.tz is not None:
        return Times(at.dt.tz_convert("UTC"), reading[:-1] + ", utc=True)", local=False)
    return Times(in_utc(at, zone), reading, local=True)


def _format_of(column: pd.Series[Any]) -> str | None:
    """The first of the formats that reads 99 of 100 texts of *column*."""
    texts = column.dropna()
    some = texts.sample(min(len(texts), _TRIED), random_state=0)
    if some.str.contains(r"\d").mean() < 0.99:
        return None
    zoned = _zoned(column) or None
    for form in FORMATS:
        if all(
            pd.to_datetime(tried, format=form, errors="coerce", utc=zoned).notna().mean() >= 0.99
            for tried in (some, texts)
        ):
            return form
    return None


def _numeric_times(column: pd.Series[Any], reading: str) -> tuple[pd.Series[Any], str] | None:
    """The times of numbers, and the expression that reads them; *reading* is the column's."""
    values = column.dropna()
    for unit, each in _UNITS.items():
        if len(values) and values.between(_EPOCHS[0] * each, _EPOCHS[1] * each).all():
            return pd.to_datetime(column, unit=unit, utc=True), f'pd.to_datetime({reading}, unit="{unit}")'
    if len(values) and values.between(20_000_101, 20_401_231).all() and (values % 1 == 0).all():
        at = pd.to_datetime(column.astype("Int64").astype("string"), format="%Y%m%d", errors="coerce")
        if at.notna().sum() >= 0.99 * len(values):
            return at, f'pd.to_datetime({reading}.astype("Int64").astype("string"), format="%Y%m%d")'
    return None


def in_utc(at: pd.Series[Any], zone: str) -> pd.Series[Any]:
    """Local times of *zone* in UTC."""
    winter = np.zeros(len(at), dtype=bool)
    return at.dt.tz_localize(zone, ambiguous=winter, nonexistent="shift_forward").dt.tz_convert("UTC")


def _zoned(column: pd.Series[Any]) -> bool:
    """Whether the first text ends in Z or an offset."""
    return bool(re.search(r"(Z|[+-]\d\d:?\d\d)$", str(column.dropna().iloc[0])))


def is_text(column: pd.Series[Any]) -> bool:
    """Whether all values of *column* are strings, whatever pandas calls their type."""
    values = column.dropna()
    return len(values) > 0 and (
        isinstance(column.dtype, pd.StringDtype) or (column.dtype == object and values.map(type).eq(str).all())
    )


def time_candidates(rows: pd.DataFrame) -> list[str]:
    """Columns of times, the likeliest time of the event first: by name, then the earliest of a row."""
    found = {name: read.utc for name in rows if (read := times(rows, name)) is not None}
    order = {name: (0 if re.search(_TIME, name.lower()) else 1, at.median(), name) for name, at in found.items()}
    whole = [name for name in found if found[name].notna().all()]
    return sorted(whole, key=order.__getitem__) + sorted({*found} - {*whole}, key=order.__getitem__)


def hour_column(rows: pd.DataFrame, time: str) -> str | None:
    """The column with the hour of the day, where the column *time* has days alone."""
    found = times(rows, time)
    if found is None or not (found.utc.dropna().dt.normalize() == found.utc.dropna()).all():
        return None
    for name in rows:
        column = rows[name]
        if re.match(_HOUR, name.lower()) and pd.api.types.is_numeric_dtype(column) and column.between(0, 23).all():
            return str(name)
    return None


def key_candidates(rows: pd.DataFrame, left: Iterable[str]) -> list[str]:
    """Columns that may say who or what a row is about, the likeliest first: by name, and with many values."""
    named = [name for name in left if is_key(name) and rows[name].notna().all()]
    named = [name for name in named if not pd.api.types.is_float_dtype(rows[name])]
    repeats = {name: rows[name].nunique() / len(rows) for name in named}
    return sorted((name for name in named if repeats[name] > 0.001), key=lambda name: (repeats[name] == 1, name))


def is_key(name: str) -> bool:
    """Whether a column called *name* holds ids."""
    return re.search(_KEY, re.sub(r"\W+", "_", name.lower())) is not None


def is_target(name: str) -> bool:
    """Whether a column called *name* is likely what is to be predicted."""
    return re.match(_TARGET, name.lower()) is not None


def target_candidates(rows: pd.DataFrame, left: Sequence[str]) -> list[str]:
    """Columns that may be the target: those whose name says so, then those of two values, the last first."""
    named = [name for name in left if is_target(name)]
    two = [name for name in reversed(left) if rows[name].nunique() == 2 and name not in named]
    return [*named, *two]


def labels(column: pd.Series[Any]) -> tuple[Any, ...]:
    """The classes of a target, the positive one last if there are two; () for a number to be predicted."""
    values = column.dropna().unique().tolist()
    whole = pd.api.types.is_integer_dtype(column) or (
        pd.api.types.is_float_dtype(column) and len(values) == 2 and all(float(each).is_integer() for each in values)
    )
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        if not (whole and len(values) <= 10) or (len(values) > 2 and max(values) - min(values) >= 2 * len(values)):
            return ()
        values = [int(each) for each in values]
    if len(values) == 2:
        rarer = column.value_counts().index[-1]
        yes = [each for each in values if str(each).lower() in _POSITIVE] or [rarer]
        return (*(each for each in values if each != yes[0]), yes[0])
    return tuple(sorted(values, key=str if isinstance(values[0], str) else None))


def known_afterwards(rows: pd.DataFrame, features: Sequence[str], target: pd.Series[Any]) -> dict[str, str]:
    """Features that may be known only after the outcome, with the reason: one predicts it alone, or several add up to it."""
    some = rows.sample(min(len(rows), MAX_COMPARED), random_state=0)
    codes = _codes(target.loc[some.index])
    found = {}
    numbers = {name: _codes(some[name]) for name in features}
    for name, values in numbers.items():
        power = _power(values, codes, binary=target.nunique() == 2)
        if power >= TOO_GOOD:
            found[name] = f"alone it predicts the target almost exactly ({power:.3f})"
    if target.nunique() > 10:
        found |= {name: f"with {other} it adds up to the target" for name, other in _summands(some, features, codes)}
    return found


def strong_alone(rows: pd.DataFrame, features: Sequence[str], target: pd.Series[Any]) -> dict[str, float]:
    """Features that alone predict much of the target: 2 AUC - 1, or the squared rank correlation, from STRONG on."""
    some = rows.sample(min(len(rows), MAX_COMPARED), random_state=0)
    codes, binary = _codes(target.loc[some.index]), target.nunique() == 2
    power = {name: _power(_codes(some[name]), codes, binary=binary) for name in features}
    found = {name: 2 * area - 1 if binary else area**2 for name, area in power.items()}
    return {name: share for name, share in found.items() if share >= STRONG}


def _codes(column: pd.Series[Any]) -> Any:
    """Numbers as they are, NaN where missing; other values by their order."""
    if pd.api.types.is_numeric_dtype(column):
        return column.astype(float).to_numpy()
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.astype("int64").to_numpy().astype(float)
    return pd.factorize(column.astype(str), sort=True)[0].astype(float)


def _power(values: Any, codes: Any, binary: bool) -> float:
    """AUC of *values* for two classes, else the absolute rank correlation with the target; missing values are last."""
    ranks = pd.Series(values).rank(na_option="bottom").to_numpy()
    if binary:
        area = float(roc_auc_score(codes == codes.max(), ranks))
        return max(area, 1 - area)
    return abs(float(np.corrcoef(ranks, pd.Series(codes).rank().to_numpy())[0, 1])) if np.ptp(ranks) else 0.0


def _summands(rows: pd.DataFrame, features: Sequence[str], codes: Any) -> list[tuple[str, str]]:
    """Numbers that together are the target, each with the others: a least squares fit is exact, and fails without it."""
    names = [name for name in features if pd.api.types.is_numeric_dtype(rows[name]) and rows[name].notna().all()]
    inputs = rows[names].astype(float)
    inputs = inputs.loc[:, inputs.std() > 0]

    def left(kept: pd.DataFrame) -> float:
        design = np.column_stack([((kept - kept.mean()) / kept.std()).to_numpy(), np.ones(len(kept))])
        fit = np.linalg.lstsq(design, codes, rcond=None)[0]
        return 1 - float(np.var(codes - design @ fit) / max(np.var(codes), 1e-300))

    if inputs.empty or left(inputs) < EXACT:
        return []
    needed = [name for name in inputs if inputs.shape[1] == 1 or left(inputs.drop(columns=name)) < EXACT]
    return [(name, ", ".join(other for other in needed if other != name)) for name in needed if len(needed) > 1]
