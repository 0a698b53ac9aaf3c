"""The corrector: the weights of a correction, updated once an hour from the outcomes that became known in it.

With x the features of a row (1, the score's logit z, an indicator of each slice value), w the weights, y the outcome and
q = 1 / (1 + exp(-(z + w x))), an hour's step is

    C <- k C + sum of q (1 - q) x x'
    w <- w + (C + r I)^-1 (sum of (y - q) x - (1 - k) r w),       k = 0.5 ^ (hour / half-life)

the Newton step of logistic regression with exponential forgetting (recursive estimation: Ljung and Söderström 1983),
where the information that is forgotten is replaced by that of the prior w = 0, "no correction", worth r outcomes
(stabilised forgetting: Kulhavý and Zarrop 1993, "On a general concept of forgetting"). Features and purpose are those of
Platt 1999. The score enters as an offset: weights of 0 are the model alone.

Multiclass: a bias for each class, and the slope of log(p), by the same step of multinomial regression. Regression: the
score's error in deviations of the target, on the same features, with the weights of Huber 1964, "Robust estimation of a
location parameter", so that an outlier counts as an error of `BEND` times the usual one.

A row whose outcome may come late enters with its expected outcome, see `online.outcome_delays`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from contracts.row_contract import Task
from online.correction import MAX_LOGIT, Correction, slice_value
from online.linear_system import solve, sums_by, total
from online.portable_math import Array, exp, exps, logs

#: How many outcomes "no correction" is worth.
PRIOR = 20.0
#: An error of so many times the usual one is an outlier: 95 % of the efficiency for normal errors (Huber 1964).
BEND = 1.345
#: A new champion starts with this share of the weights and of the information: its training knew a part of it.
CARRIED = 0.7
#: A value has a term once it was in so many rows; a field has at most so many terms, of values of so many characters.
#: Values beyond the last number are not counted.
MIN_OCCURRENCES, MAX_VALUES, MAX_VALUE_LENGTH, MAX_COUNTED = 20, 50, 100, 1000
#: The share of a regression's moments that is kept in an hour with outcomes.
MEMORY = 0.999
#: Limits of a step, and of a weight.
STEP, WEIGHT = 1.0, 10.0
#: Digits of a term in the file.
DIGITS = 6


@dataclass(frozen=True)
class Setting:
    """What a corrector is for: *classes* is their number, and *fields* are the slices."""

    task: Task
    classes: int = 0
    fields: tuple[str, ...] = ()
    half_life: float = 3.0
    max_shift: float = 1.0
    max_flips: float = 0.5

    @property
    def outputs(self) -> int:
        """Numbers of a score."""
        return self.classes if self.task == "multiclass" else 1


@dataclass(frozen=True)
class Taught:
    """Rows that teach: *scores* (n, outputs) of the model alone, and *codes* (n, fields) of their slice values.

    *values* (n,) are the outcomes: the class, or the number; NaN where it is not known yet. *offsets* (n, 2) are what the
    time without an outcome adds to the logit of the expected outcome: up to the last hour that the row taught, and now.
    """

    scores: Array
    codes: Array
    values: Array
    offsets: Array


@dataclass
class Corrector:
    """The state: *weights* (k,), *curvature* (k, k), and the slice *values* that have terms, by field.

    *until* is the end of the last hour whose outcomes were used. Of a regression, *spread* is the usual error, and *center*
    and *scale* are the mean and the standard deviation of the outcomes by *moments*: their weight, sum and sum of squares.
    """

    setting: Setting
    until: str = ""
    weights: Array = field(default_factory=lambda: np.zeros(0))
    curvature: Array = field(default_factory=lambda: np.zeros((0, 0)))
    values: list[tuple[int, str]] = field(default_factory=list)
    counts: list[dict[str, int]] = field(default_factory=list)
    spread: float = 0.0
    center: float = 0.0
    scale: float = 1.0
    moments: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if not len(self.weights):
            size = 2 if self.setting.task != "multiclass" else self.setting.classes + 1
            self.weights, self.curvature = np.zeros(size), np.zeros((size, size))
            self.counts = [{} for _ in self.setting.fields]
        self._codes = [{} for _ in self.setting.fields]  # type: list[dict[str, int]]
        for code, (name, value) in enumerate(self.values):
            self._codes[name][value] = code

    def see(self, columns: Mapping[str, Sequence[Any]]) -> Array:
        """The codes (n, fields) of rows by their slice *columns*; -1 without a term. Values that occur often get one."""
        fields = self.setting.fields if self.setting.task != "multiclass" else ()
        rows = len(next(iter(columns.values()))) if columns else 0
        found = np.full((rows, len(fields)), -1, dtype=np.int16)
        for place, name in enumerate(fields):
            keys = [slice_value(value) for value in columns[name]]
            self._count(place, keys)
            codes = self._codes[place]
            found[:, place] = [codes.get(key, -1) for key in keys]
        return found

    def shifted(self, scores: Array, codes: Array) -> Array:
        """The *scores* (n, outputs) as the present correction gives them."""
        columns = {}
        if self.setting.task != "multiclass":
            texts = [value for _, value in self.values]
            for place, name in enumerate(self.setting.fields):
                columns[name] = [texts[code] if code >= 0 else _NO_TERM for code in codes[:, place].tolist()]
        given = scores if self.setting.task == "multiclass" else scores[:, 0]
        found = self.correction("", "", "").correct(given, columns)
        return found if found.ndim == 2 else found[:, None]

    def forget(self, hours: int = 1) -> None:
        """Let *hours* pass."""
        keep = exp(-_LOG2 * hours / (24.0 * self.setting.half_life))
        self.curvature = self.curvature * keep
        self._step(np.zeros(len(self.weights)), 1.0 - keep)

    def update(self, rows: Taught) -> None:
        """Use the outcomes of an hour, which is over: forget an hour, and take a step."""
        keep = exp(-_LOG2 / (24.0 * self.setting.half_life))
        of_task = {"binary": self._binary, "regression": self._regression, "multiclass": self._multiclass}
        gradient, information = of_task[self.setting.task](rows)
        self.curvature = self.curvature * keep + information
        self._step(gradient, 1.0 - keep)

    def succeed(self, *, reset: bool) -> None:
        """Go on with a new champion: with the share `CARRIED`, or from no correction."""
        share = 0.0 if reset else CARRIED
        self.weights, self.curvature = self.weights * share, self.curvature * share

    def copy(self) -> Corrector:
        """One that changes on its own."""
        return replace(
            self,
            weights=self.weights.copy(),
            curvature=self.curvature.copy(),
            values=[*self.values],
            counts=[{**each} for each in self.counts],
        )

    def correction(self, version: str, made: str, state: str, why: str = "") -> Correction:
        """The present correction, with rounded terms."""
        setting = self.setting
        terms = [round(each, DIGITS) + 0.0 for each in self.weights.tolist()]
        given: dict[str, Any] = {"slope": terms[-1], "biases": tuple(terms[:-1])}
        if setting.task != "multiclass":
            slices: dict[str, dict[str, float]] = {name: {} for name in setting.fields}
            for (place, value), term in zip(self.values, terms[2:], strict=True):
                slices[setting.fields[place]][value] = term
            given = {"intercept": terms[0], "slope": terms[1], "slices": slices}
        given |= {"center": self.center, "scale": self.scale}
        return Correction(version, setting.task, made, self.until, state, why, setting.max_shift, **given)

    def _count(self, place: int, keys: Sequence[str]) -> None:
        counts, codes = self.counts[place], self._codes[place]
        for key in keys:
            if key not in codes and (key in counts or len(counts) < MAX_COUNTED) and len(key) <= MAX_VALUE_LENGTH:
                counts[key] = counts.get(key, 0) + 1
        for key in sorted(key for key, count in counts.items() if count >= MIN_OCCURRENCES and key not in codes):
            if len(codes) < MAX_VALUES:
                del counts[key]
                codes[key] = len(self.values)
                self.values.append((place, key))
                self.weights = np.append(self.weights, 0.0)
                self.curvature = np.pad(self.curvature, (0, 1))

    def _step(self, gradient: Array, forgotten: float) -> None:
        size = len(self.weights)
        pull = forgotten * PRIOR * self.weights
        step = solve(self.curvature + PRIOR * np.eye(size), gradient - pull)
        self.weights = np.clip(self.weights + np.clip(step, -STEP, STEP), -WEIGHT, WEIGHT)

    def _binary(self, rows: Taught) -> tuple[Array, Array]:
        z, x = self._features(rows)
        shift = z + self._linear(x)
        before = _sigmoid(shift + rows.offsets[:, 0])
        after = np.where(np.isnan(rows.values), _sigmoid(shift + rows.offsets[:, 1]), rows.values)
        known = ~np.isnan(rows.values)
        information = np.where(known, before * (1.0 - before), (after - before) * (after - before))
        return self._sums(x, after - before, information)

    def _regression(self, rows: Taught) -> tuple[Array, Array]:
        self._rescale(rows.values)
        _, x = self._features(rows)
        error = (rows.values - rows.scores[:, 0]) / self.scale - self._linear(x)
        size = np.abs(error)
        if len(error):
            usual = float(np.partition(size, len(size) // 2)[len(size) // 2]) * 1.4826
            share = min(1.0, max(len(error) / 1000.0, 0.02)) if self.spread else 1.0
            self.spread += share * (usual - self.spread)
        bend = BEND * max(self.spread, 1e-9)
        weight = np.where(size > bend, bend / np.maximum(size, 1e-300), 1.0)
        return self._sums(x, weight * error, weight)

    def _rescale(self, outcomes: Array) -> None:
        """Take center and scale from all outcomes so far, and keep what the terms mean."""
        weight, sums, squares = (MEMORY * each for each in self.moments)
        weight, sums = weight + len(outcomes), sums + float(total(outcomes))
        squares += float(total(outcomes * outcomes))
        self.moments = weight, sums, squares
        if weight < 2:
            return
        center = sums / weight
        scale = float(np.sqrt(max(squares / weight - center * center, 0.0))) or self.scale
        self.weights[0] += self.weights[1] * (center - self.center) / self.scale
        self.weights[np.arange(len(self.weights)) != 1] *= self.scale / scale
        self.center, self.scale = round(center, DIGITS), round(scale, DIGITS) or 1.0

    def _multiclass(self, rows: Taught) -> tuple[Array, Array]:
        k = self.setting.classes
        logged = logs(np.maximum(rows.scores, 1e-6))
        shift = (1.0 + self.weights[k]) * logged + self.weights[:k]
        q = exps(shift - shift.max(axis=1, keepdims=True))
        q /= total(q.T)[:, None]
        error = -q
        known = rows.values.astype(int)
        error[np.arange(len(q)), known] += 1.0
        slope = total((error * logged).T)
        mean = total((q * logged).T)
        gradient = np.append(total(error), total(slope))
        information = np.zeros((k + 1, k + 1))
        for c in range(k):
            information[c, :k] = -total(q[:, [c]] * q)
            information[c, c] += total(q[:, c])
            information[c, k] = information[k, c] = total(q[:, c] * (logged[:, c] - mean))
        information[k, k] = total(total((q * logged * logged).T) - mean * mean)
        return gradient, information

    def _features(self, rows: Taught) -> tuple[Array, list[tuple[Array, Array | None]]]:
        """The offsets (n,), and the features as pairs of their place in the weights and their values; None: 1."""
        score, n = rows.scores[:, 0], len(rows.scores)
        if self.setting.task == "binary":
            inside = np.clip(score, 1e-6, 1.0 - 1e-6)
            z = np.clip(logs(inside / (1.0 - inside)), -MAX_LOGIT, MAX_LOGIT)
        else:
            z = (score - self.center) / self.scale
        size = len(self.weights)
        places = [np.where(codes >= 0, codes.astype(np.int64) + 2, size) for codes in rows.codes.T]
        x: list[tuple[Array, Array | None]] = [(np.zeros(n, dtype=np.int64), None), (np.ones(n, dtype=np.int64), z)]
        return z, x + [(each, None) for each in places]

    def _linear(self, x: list[tuple[Array, Array | None]]) -> Array:
        weights = np.append(self.weights, 0.0)  # what has no term
        found = np.zeros(len(x[0][0]))
        for place, values in x:
            found += weights[place] if values is None else weights[place] * values
        return found

    def _sums(self, x: list[tuple[Array, Array | None]], error: Array, weight: Array) -> tuple[Array, Array]:
        """The sum of error x, and of weight x x'."""
        size = len(self.weights) + 1
        gradient, information = np.zeros(size), np.zeros(size * size)
        for n, (place, values) in enumerate(x):
            gradient += sums_by(place, error if values is None else error * values, size)
            weighted = weight if values is None else weight * values
            for m, (other, others) in enumerate(x):
                both = weighted if others is None else weighted * others
                if n <= m:
                    found = sums_by(place * size + other, both, size * size)
                    information += found
                    if n < m:
                        information += found.reshape(size, size).T.ravel()
        return gradient[:-1], information.reshape(size, size)[:-1, :-1]


_LOG2 = 0.6931471805599453
#: A value that has no term; no category is this long.
_NO_TERM = "\0"


def _sigmoid(z: Array) -> Array:
    return np.asarray(1.0 / (1.0 + exps(-np.clip(z, -20.0, 20.0))))
