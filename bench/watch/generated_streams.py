"""Streams of rows with known truth in which nothing is wrong, although they move as real streams do.

The model of a stream is the true probability of its outcome, so its performance never changes: every alarm is a false
one. Days differ by random effects that last, by weekday, and by what the `Kind` of the stream says: features that grow,
a yearly cycle, more rows, heavy tails.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract, Feature, Target

Numbers = np.ndarray[Any, Any]

#: Rows of an average day; days that are watched; days of the training rows before the reference; mean label delay.
ROWS_PER_DAY, QUARTER, TRAINING, MEAN_LABEL_DELAY = 250, 91, 76, 1.5
#: The first day after the reference, counted from 1970. It is moved by the seed, so that cycles have any phase.
START = 20_000
YEAR = 364
CONTRACT = Contract(
    name="generated",
    task="binary",
    features=(
        Feature("age", "number", "account age", "days"),
        Feature("orders", "number", "orders so far"),
        Feature("warmth", "number", "temperature", "°C"),
        Feature("amount", "number", "amount of the basket"),
        Feature("income", "number", "income", nullable=True),
        Feature("country", "category", "country"),
        Feature("device", "category", "device"),
        Feature("member", "boolean", "is a member"),
    ),
    target=Target("buys", (False, True), "buys"),
    key="visitor",
    time="at",
)
COUNTRIES = np.array(["AT", "CH", "DE", "FR", "IT"], dtype=object)
DEVICES = np.array(["desktop", "phone", "tablet"], dtype=object)


@dataclass(frozen=True)
class Kind:
    """How a stream moves although nothing is wrong.

    *reference* and *renewed* are days: the length of the reference, and after how many days a new model comes with a new
    one (0: never). *growing* features gain *growing* times 0.8 standard deviations a quarter; *cycle* is the amplitude of
    a year in standard deviations; *growth* is the relative growth of the row rate a day;
    one country's share of the rows grows 2.5 times as fast. *history* says that the journal
    has the year before.
    """

    reference: int = 28
    renewed: int = 0
    growing: float = 0.0
    cycle: float = 0.0
    growth: float = 0.0
    tails: bool = False
    history: bool = False


KINDS = {
    "stationary": Kind(),
    "growing features": Kind(growing=1.0),
    "yearly cycle, second year": Kind(cycle=1.0, history=True),
    "growth": Kind(growth=0.004),
    "heavy tails": Kind(tails=True),
    "14 days of reference": Kind(reference=14),
    "56 days of reference": Kind(reference=56),
    "retrained monthly": Kind(growing=1.0, growth=0.004, renewed=30),
    "all of it, second year": Kind(growing=1.0, cycle=1.0, growth=0.004, tails=True, history=True),
}
#: Changes that are wrong, for detection delays; each begins on a day of the quarter.
FAULTS = ("growing feature +0.5 sd", "trend of a feature stops", "scores too high by 0.4 logit", "a third fewer buyers")


@dataclass(frozen=True)
class Stream:
    """The rows of consecutive days, oldest first, with scores, outcomes and the arrival of these in days.

    *first_watched* is the day after the first reference, counted from 1970.
    """

    kind: Kind
    first_watched: int
    rows: pd.DataFrame
    arrives: Numbers

    def between(self, first: int, last: int) -> pd.DataFrame:
        """The rows of the days from *first* to *last*, inclusive."""
        day = self.days
        return self.rows[(day >= first) & (day <= last)].reset_index(drop=True)

    @cached_property
    def days(self) -> Numbers:
        """The day of each row, counted from 1970."""
        times = self.rows[CONTRACT.time].dt.tz_localize(None).to_numpy()
        return np.asarray(times.astype("datetime64[D]").astype(int))


def generated(kind: Kind, seed: int, fault: str = "", begins: int = QUARTER) -> Stream:
    """The training rows, the reference and `QUARTER` days, and with a *history* the year before them.

    From the day *begins* of the quarter on, something is wrong: *fault*, one of `FAULTS`.
    """
    random = np.random.default_rng(seed)
    start = START + int(random.integers(YEAR))
    first = start - kind.reference - TRAINING - (YEAR if kind.history else 0)
    day = np.arange(first, start + QUARTER)
    sizes = _sizes(kind, day, start, random)
    of_row = np.repeat(np.arange(len(day)), sizes)
    rows = _rows(kind, day, day - start, of_row, random)
    wrong = (day - start)[of_row] >= begins
    rows = _moved(rows, fault, wrong, (day - start)[of_row] - begins)
    chance = _chance(rows, _effects(len(day), 0.15, kind.tails, random)[of_row])
    rows["score"] = _chance(rows, 0.0)
    if fault == "scores too high by 0.4 logit":
        chance = np.where(wrong, _logistic(_logit(chance) - 0.4), chance)
    if fault == "a third fewer buyers":
        chance = np.where(wrong, chance * 2 / 3, chance)
    rows[CONTRACT.target.name] = (random.random(len(rows)) < chance).astype(float)
    trained = (day - start)[of_row] < -kind.reference
    seen = _logistic(_logit(rows["score"]) + 0.3 * (rows[CONTRACT.target.name] - rows["score"]))
    rows["score"] = np.where(trained, seen, rows["score"])  # in-sample scores are too good
    arrives = rows.pop("when").to_numpy() + random.exponential(MEAN_LABEL_DELAY, len(rows))
    return Stream(kind, start, rows, arrives)


def _sizes(kind: Kind, day: Numbers, start: int, random: np.random.Generator) -> Numbers:
    """Rows of each day."""
    mean = ROWS_PER_DAY * (1 + 0.05 * _effects(len(day), 1.0, kind.tails, random))
    mean *= np.where(day % 7 < 2, 0.8, 1.08) * np.exp(kind.growth * (day - start))
    mean *= 1 + 0.2 * kind.cycle * _season(day, 0.3)
    return np.asarray(random.poisson(np.maximum(mean, 120)))


def _rows(kind: Kind, day: Numbers, after: Numbers, of_row: Numbers, random: np.random.Generator) -> pd.DataFrame:
    """The features of all rows; *after* is each day's number from the first watched one on."""
    n, count = len(of_row), len(day)

    def effect(size: float) -> Numbers:
        weekday = size * random.normal(size=7)[day % 7]
        return np.asarray((_effects(count, size, kind.tails, random) + weekday)[of_row])

    now, season = after[of_row], _season(day, 0.0)[of_row]
    growing, cycle = kind.growing, kind.cycle
    tail = random.standard_t(2.5, n) if kind.tails else random.normal(size=n)
    shares = np.array([0.1, 0.2, 0.4, 0.2, 0.1]) * np.exp(
        np.outer(_effects(count, 0.1, kind.tails, random) + 2.5 * kind.growth * after, [1, 0, 0, 0, -1])
        + np.outer(cycle * 0.3 * _season(day, 0.6), [0, 1, 0, -1, 0])
    )
    country = _drawn(shares[of_row], random)
    device = _drawn(np.tile([0.4, 0.5, 0.1], (n, 1)) * np.exp(np.outer(effect(0.05), [1, 0, -1])), random)
    when = day[of_row] + np.sort(random.random(n))
    order = np.lexsort((when, of_row))
    frame = pd.DataFrame(
        {
            CONTRACT.key: [f"v{number}" for number in random.integers(0, 10**9, n)],
            CONTRACT.time: pd.to_datetime((when * 86_400).astype("int64"), unit="s", utc=True).as_unit("us"),
            "age": 500 + 120 * (random.gamma(4, 0.5, n) - 2 + effect(0.08)) + growing * now,
            "orders": random.poisson(8 * np.exp(np.clip(effect(0.05) + growing * 0.0028 * now, -3, 3))).astype(float),
            "warmth": 10 + 8 * (random.normal(size=n) + effect(0.1) + cycle * season),
            "amount": np.exp(3 + 0.8 * tail + effect(0.06)),
            "income": np.where(random.random(n) < 0.05, np.nan, 50 + 15 * (random.normal(size=n) + effect(0.05))),
            "country": COUNTRIES[country],
            "device": DEVICES[device],
            "member": pd.array(random.random(n) < 0.3, dtype="boolean"),
            "when": when,
        }
    )
    return frame.iloc[order].reset_index(drop=True)


def _moved(rows: pd.DataFrame, fault: str, wrong: Numbers, since: Numbers) -> pd.DataFrame:
    """The rows with a *fault* in the features of those that are *wrong*."""
    if fault == "growing feature +0.5 sd":
        return rows.assign(age=rows["age"] + 60 * wrong)
    if fault == "trend of a feature stops":
        return rows.assign(age=rows["age"] - np.where(wrong, since, 0))
    return rows


def _chance(rows: pd.DataFrame, effect: Any) -> Numbers:
    """The true probability of the outcome, with the day's *effect*, which the model does not know."""
    return _logistic(
        0.09
        + 0.0015 * (rows["age"].to_numpy() - 500)
        + 0.05 * (rows["warmth"].to_numpy() - 10)
        + 0.35 * (np.log(rows["amount"].to_numpy()) - 3)
        + 0.02 * (np.nan_to_num(rows["income"].to_numpy(), nan=50) - 50)
        + 0.4 * (rows["country"] == "DE").to_numpy()
        - 0.5 * (rows["device"] == "phone").to_numpy()
        + effect
    )


def _effects(days: int, size: float, tails: bool, random: np.random.Generator) -> Numbers:
    """Random effects of days, with standard deviation *size*, that last (autocorrelation 0.3)."""
    shocks = random.standard_t(4, days) / np.sqrt(2) if tails else random.normal(size=days)
    found = shocks.copy()
    for day in range(1, days):
        found[day] = 0.3 * found[day - 1] + np.sqrt(1 - 0.3**2) * shocks[day]
    return np.asarray(size * found)


def _season(day: Numbers, phase: float) -> Numbers:
    return np.asarray(np.sin(2 * np.pi * (day / YEAR + phase)))


def _drawn(shares: Numbers, random: np.random.Generator) -> Numbers:
    """A category of each row, by its *shares* (rows, categories)."""
    limits = np.cumsum(shares, axis=1)
    return np.asarray((random.random((len(shares), 1)) * limits[:, -1:] > limits).sum(axis=1))


def _logit(chance: Any) -> Numbers:
    return np.asarray(np.log(chance / (1 - chance)))


def _logistic(x: Any) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-np.clip(np.asarray(x, dtype=float), -15, 15))))
