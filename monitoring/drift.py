"""Do rows and scores still look like the reference? NannyML's univariate and multivariate drift.

Univariate: Jensen-Shannon distance, for numbers, categories and scores alike. Multivariate: the
error of reconstructing a day's rows from the reference's principal components. Limits are the mean
and *sigmas* standard deviations of the reference's own days.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import nannyml as nml
import pandas as pd

from checks.rules import Monitoring
from model.contract import Contract
from monitoring.signals import Signal, Unknown

JENSEN_SHANNON = "jensen_shannon"


def drift(
    reference: pd.DataFrame, rows: pd.DataFrame, contract: Contract, rules: Monitoring
) -> tuple[list[Signal], list[Unknown]]:
    """Every drift signal of *rows*, a day at a time, and what could not be told.

    Both frames are as `Window` says, of full days only.
    """
    features = [f for f in contract.features if f.name in rows and f.name in reference]
    scores = [name for name in reference if name == "score" or name.startswith("score_")]
    before, now = prepared(reference, contract), prepared(rows, contract)
    threshold = nml.thresholds.StandardDeviationThreshold(rules.sigmas, rules.sigmas)
    numbers = [f.name for f in features if f.kind == "number"]
    others = [f.name for f in features if f.kind != "number"]

    def univariate(column: str, kind: str) -> Iterable[Signal]:
        calculator = nml.UnivariateDriftCalculator(
            column_names=[column],
            treat_as_categorical=[column] if column in others else [],
            timestamp_column_name=contract.time,
            continuous_methods=[JENSEN_SHANNON],
            categorical_methods=[JENSEN_SHANNON],
            chunk_period="D",
            thresholds={JENSEN_SHANNON: threshold},
        )
        found = calculator.fit(before).calculate(now).to_df()
        feature = column if kind == "univariate_drift" else ("" if column == "score" else column)
        yield from series(found, (column, JENSEN_SHANNON), kind, feature, floor=rules.min_drift)

    def multivariate() -> Iterable[Signal]:
        calculator = nml.DataReconstructionDriftCalculator(
            column_names=numbers + others,
            timestamp_column_name=contract.time,
            chunk_period="D",
            threshold=threshold,
        )
        found = calculator.fit(before).calculate(now).to_df()
        yield from series(found, ("reconstruction_error",), "multivariate_drift", "", floor=0.0)

    def missing() -> Iterable[Signal]:
        calculator = nml.MissingValuesCalculator(
            column_names=numbers + others,
            timestamp_column_name=contract.time,
            chunk_period="D",
            threshold=threshold,
        )
        found = calculator.fit(before).calculate(now).to_df()
        for name in numbers + others:
            yield from series(found, (name,), "missing_values", name, floor=rules.min_share)

    steps: list[tuple[str, Callable[[], Iterable[Signal]]]] = [
        *(
            (f"univariate_drift {n}", lambda n=n: univariate(n, "univariate_drift"))
            for n in numbers + others
        ),
        *((f"score_drift {n}", lambda n=n: univariate(n, "score_drift")) for n in scores),
        ("multivariate_drift", multivariate),
        ("missing_values", missing),
    ]
    return attempt(steps)


def unseen_categories(
    reference: pd.DataFrame,
    rows: pd.DataFrame,
    contract: Contract,
    seen: Mapping[str, list[str]],
    rules: Monitoring,
) -> list[Signal]:
    """The share of rows with a category that training never saw (*seen*, from the manifest)."""
    found = []
    for name, known in seen.items():
        if name not in rows or contract.feature(name).choices:
            continue
        shares, usual = (
            (frame[name].notna() & ~frame[name].isin(known)).groupby(days_of(frame, contract))
            for frame in (rows, reference)
        )
        expected = usual.mean()
        upper = max(expected.mean() + rules.sigmas * expected.std(ddof=0), rules.min_share)
        for day, share in shares.mean().items():
            count = int(shares.size()[day])
            found.append(
                Signal(
                    "unseen_categories",
                    "share",
                    name,
                    str(day),
                    float(share),
                    float(expected.mean()),
                    None,
                    float(upper),
                    count,
                )
            )
    return found


def attempt(
    steps: Iterable[tuple[str, Callable[[], Iterable[Signal]]]],
) -> tuple[list[Signal], list[Unknown]]:
    """Run each step; one that crashes is something that could not be told, not a pass."""
    signals: list[Signal] = []
    unknown: list[Unknown] = []
    for kind, step in steps:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NannyML's own use of pandas and scikit-learn
                with pd.option_context("future.infer_string", False):  # its DLE knows no other
                    found = list(step())
        except Exception as error:
            unknown.append(Unknown(kind, f"{type(error).__name__}: {error}"))
        else:
            signals += found
            if not found:
                unknown.append(Unknown(kind, "it gave no value for any day"))
    return signals, unknown


def series(
    found: pd.DataFrame,
    column: tuple[str, ...],
    kind: str,
    feature: str,
    *,
    floor: float,
    loss: str = "upper",
) -> Iterable[Signal]:
    """The days of one column of a NannyML result; only the limit on the side of *loss* counts."""
    metric = column[-1] if kind.endswith(("drift", "performance")) else "share"
    period = (
        found[("chunk", "chunk", "period")]
        if len(found.columns.names) == 3
        else found[("chunk", "period")]
    )
    chunk = found["chunk"]["chunk"] if len(found.columns.names) == 3 else found["chunk"]
    values = found
    for part in column:
        values = values[part]
    expected = float(values["value"][period == "reference"].mean())
    for i in found.index[period == "analysis"]:
        value = values["value"][i]
        if pd.isna(value):
            continue
        lower, upper = (values.get(f"{side}_threshold") for side in ("lower", "upper"))
        limits = {"lower": None, "upper": None} | {
            loss: None
            if (limit := {"lower": lower, "upper": upper}[loss]) is None or pd.isna(limit[i])
            else float(limit[i])
        }
        if limits["upper"] is not None:
            limits["upper"] = max(limits["upper"], floor)
        day = f"{chunk['start_date'][i]:%Y-%m-%d}"
        rows = int(chunk["end_index"][i] - chunk["start_index"][i] + 1)
        yield Signal(
            kind,
            metric,
            feature,
            day,
            float(value),
            expected,
            limits["lower"],
            limits["upper"],
            rows,
        )


def prepared(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The rows as NannyML takes them: no time zone, categories and booleans as category columns."""
    found = rows.assign(**{contract.time: rows[contract.time].dt.tz_localize(None)})
    for feature in contract.features:
        if feature.name in found and feature.kind != "number":
            column = found[feature.name].astype(object)
            text = column.where(column.isna(), column.astype(str))
            found[feature.name] = text.where(column.notna(), None).astype("category")
    return found


def days_of(rows: pd.DataFrame, contract: Contract) -> Any:
    """The day of each row, such as 2026-11-23."""
    return rows[contract.time].dt.strftime("%Y-%m-%d")
