"""Univariate and multivariate data drift and score drift against the reference period, by NannyML.

Univariate: the Jensen-Shannon distance of features and scores, and for numbers the mean in the reference's standard
deviations. Multivariate: the reconstruction error of a day's rows by the reference's principal components. Control limits
are in `monitoring.charts.control_limits`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import nannyml as nml
import pandas as pd
from nannyml.chunk import Chunk, PeriodBasedChunker

from contracts.row_contract import Contract
from monitoring.charts.signals import Measure, Unknown
from monitoring.journal.window import days_of
from monitoring.metrics.spread import departure, is_constant

JENSEN_SHANNON, MEAN = "jensen_shannon", "mean"
Step = tuple[str, Callable[[], Iterable[Measure]]]


class NotMonitoredError(Exception):
    """A measure is not defined for the rows. The message says why."""


class TooFewRowsError(NotMonitoredError):
    """There are too few rows for a measure yet. The message says which."""


def drift(
    reference: pd.DataFrame, rows: pd.DataFrame, contract: Contract, seen: Mapping[str, list[str]], only: str = ""
) -> tuple[list[Measure], list[Unknown]]:
    """Drift of *rows* by day, and what could not be measured.

    Both frames are as in `Window`, of full days only. *seen* are the categories in training. *only* is "features" or
    "outcomes", which includes the scores.
    """
    features = [f for f in contract.features if f.name in rows and f.name in reference and only != "outcomes"]
    scores = [name for name in reference if name == "score" or name.startswith("score_")]
    scores = [] if only == "features" else scores
    before, now = prepared(reference, contract), prepared(rows, contract)
    numbers = [f.name for f in features if f.kind == "number"]
    others = [f.name for f in features if f.kind != "number"]
    # The distance has no bins where all values are equal.
    constant = {name for name in (*numbers, *scores) if is_constant(reference[name])}
    fit = partial(fitted, before, contract.time)

    def univariate(columns: Sequence[str], kind: str) -> Iterable[Measure]:
        for column in [column for column in columns if column in constant]:
            feature = "" if column == "score" else column
            yield from means(reference[column], rows[column], days, kind, feature)
        columns = [column for column in columns if column not in constant]
        if not columns:
            return
        calculator = fit(
            nml.UnivariateDriftCalculator,
            column_names=list(columns),
            treat_as_categorical=[column for column in columns if column in others],
            continuous_methods=[JENSEN_SHANNON],
            categorical_methods=[JENSEN_SHANNON],
        )
        found = result_of(calculator.calculate, now)
        for column in columns:
            feature = "" if column == "score" else column
            yield from series(found, (column, JENSEN_SHANNON), kind, JENSEN_SHANNON, feature)
            if column not in others:
                yield from means(reference[column], rows[column], days, kind, feature)

    def multivariate() -> Iterable[Measure]:
        calculator = fit(nml.DataReconstructionDriftCalculator, column_names=spread_out)
        found = result_of(calculator.calculate, now)
        metric = "reconstruction_error"
        yield from series(found, (metric,), "multivariate_drift", metric, "")

    days = days_of(rows, contract.time)
    steps = [("univariate_drift", numbers + others), ("score_drift", scores)]
    found, unknown = [], []
    for kind, columns in [(kind, columns) for kind, columns in steps if columns or not only]:
        # All at once is several times faster; if one crashes, each is measured alone.
        measures, failed = attempt([(kind, partial(univariate, columns, kind))])
        if any(each.crashed for each in failed):
            alone = [(f"{kind} {name}", partial(univariate, [name], kind)) for name in columns]
            measures, failed = attempt(alone)
        found += measures
        unknown += failed
    known = known_in(reference, numbers + others)
    spread_out = [name for name in known if name not in constant]
    measures, failed = attempt([("multivariate_drift", multivariate)] if spread_out else [])
    found += measures + shares(rows[numbers + others].isna(), days, "missing_values")
    if only == "outcomes":
        return found, unknown + failed
    return found + unseen_categories(rows, contract, seen), unknown + failed


class Days(PeriodBasedChunker):  # type: ignore[misc]
    """One chunk a day of the column *time*; until *fitted*, a single chunk.

    NannyML computes limits from the chunks of the reference, which are not used and took half of the time.
    """

    def __init__(self, time: str) -> None:
        super().__init__(time, "D")
        self.fitted = False

    def _split(self, data: pd.DataFrame) -> list[Chunk]:
        if self.fitted:
            found: list[Chunk] = super()._split(data)
            return found
        times = data[self.timestamp_column_name]
        return [Chunk("reference", data, start_datetime=times.min(), end_datetime=times.max())]


def fitted(reference: pd.DataFrame, time: str, kind: Callable[..., Any], **more: Any) -> Any:
    """A NannyML calculator or estimator that is fitted to a *reference*, and evaluates one day at a time."""
    days = Days(time)
    found = kind(timestamp_column_name=time, chunker=days, **more).fit(reference)
    days.fitted = True
    return found


def known_in(reference: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """The columns of *names* that have a value in the *reference*; others cannot be encoded."""
    return [name for name in names if reference[name].notna().any()]


def result_of(evaluate: Callable[[pd.DataFrame], Any], rows: pd.DataFrame) -> pd.DataFrame:
    """NannyML's result for *rows*. Raises `TooFewRowsError` for a single row, which NannyML cannot handle."""
    if len(rows) < 2:
        raise TooFewRowsError("too few rows (1); 2 are needed")
    found: pd.DataFrame = evaluate(rows).to_df()
    return found


def means(reference: pd.Series, values: pd.Series, days: pd.Series, kind: str, feature: str) -> Iterable[Measure]:
    """Departure of a number's daily mean from the reference, see `departure`."""
    groups = departure(reference, values).groupby(days)
    counts = groups.count()
    for day, mean in groups.mean().dropna().items():
        yield Measure(kind, MEAN, feature, str(day), float(mean), int(counts[day]))


def shares(true: pd.DataFrame, days: pd.Series, kind: str) -> list[Measure]:
    """The share of a day's rows for which each column of *true* is true."""
    groups = true.groupby(days)
    sizes = groups.size()
    found = groups.mean()
    return [
        Measure(kind, "share", str(name), str(day), float(share), int(sizes[day]))
        for name in found
        for day, share in found[name].items()
    ]


def unseen_categories(rows: pd.DataFrame, contract: Contract, seen: Mapping[str, list[str]]) -> list[Measure]:
    """The share of rows with a category that is not in training (*seen*, from the manifest)."""
    unseen = {
        name: rows[name].notna() & ~rows[name].isin(known)
        for name, known in seen.items()
        if name in rows and not contract.feature(name).choices
    }
    if not unseen:
        return []
    return shares(pd.DataFrame(unseen), days_of(rows, contract.time), "unseen_categories")


def attempt(steps: Iterable[Step]) -> tuple[list[Measure], list[Unknown]]:
    """Run each step; one that crashes could not be monitored, which is not a pass."""
    measures: list[Measure] = []
    unknown: list[Unknown] = []
    for kind, step in steps:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NannyML's use of pandas and scikit-learn
                with pd.option_context("future.infer_string", False):  # DLE supports no other
                    found = list(step())
        except NotMonitoredError as error:
            yet = isinstance(error, TooFewRowsError)
            unknown.append(Unknown(kind, f"not monitored: {error}", yet=yet))
        except Exception as error:
            unknown.append(Unknown(kind, f"{type(error).__name__}: {error}", crashed=True))
        else:
            measures += found
            if not found:
                unknown.append(Unknown(kind, "no value for any day"))
    return measures, unknown


def series(found: pd.DataFrame, column: tuple[str, ...], kind: str, metric: str, feature: str) -> Iterable[Measure]:
    """One column of a NannyML result by day of the analysis period; days without a value are left out."""
    chunk = found["chunk"]["chunk"] if len(found.columns.names) == 3 else found["chunk"]
    values = found
    for part in column:
        values = values[part]
    for i in found.index[chunk["period"] == "analysis"]:
        if pd.notna(values["value"][i]):
            day = f"{chunk['start_date'][i]:%Y-%m-%d}"
            rows = int(chunk["end_index"][i] - chunk["start_index"][i] + 1)
            yield Measure(kind, metric, feature, day, float(values["value"][i]), rows)


def prepared(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The rows for NannyML: times without a zone, categories and booleans as category columns."""
    found = rows.assign(**{contract.time: rows[contract.time].dt.tz_localize(None)})
    for feature in contract.features:
        if feature.name in found and feature.kind != "number":
            column = found[feature.name].astype(object)
            text = column.where(column.isna(), column.astype(str))
            found[feature.name] = text.where(column.notna(), None).astype("category")
    return found
