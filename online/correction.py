"""A correction: the terms that are added to a model's score, as a small file with a digest.

With z the logit of a binary score p, log(p / (1 - p)), the corrected score is

    p' = 1 / (1 + exp(-(z + shift))),   shift = intercept + slope z + sum of the row's slice terms

which is Platt's calibration of a score (1999, "Probabilistic outputs for support vector machines"), with an intercept for
each value of a slice. A multiclass score has the shift `bias of class c + slope log(p_c)`; 1 / (1 + slope) is the
temperature of Guo et al. 2017, "On calibration of modern neural networks". A regression has the shift
`scale (intercept + slope (score - center) / scale + sum of the slice terms)`, in units of the target; scale is its
standard deviation.

No shift is larger than `max_shift`: on the logit; for multiclass the odds of no two classes move by more; for a
regression in multiples of scale. Terms of 0 change nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_args

import numpy as np

from contracts.row_contract import Task, read_time
from online.portable_math import Array, exp, exps, log, logs

FORMAT = 1
#: Bytes of the largest file.
MAX_BYTES = 256 * 2**10
STATES = ("shadow", "applied", "fallback", "stopped")
#: The logit is limited to this where it is multiplied by the slope: the logit of 1e-6.
MAX_LOGIT = 13.815510557964274
#: Up to so many rows a loop is faster than arrays.
MIN_ROWS_FOR_ARRAYS = 8
_SIGNED = ("version", "task", "max_shift", "center", "scale", "terms")


@dataclass(frozen=True)
class Correction:
    """The terms of a *version*, from outcomes known *until* then, *made* then; and whether it is to be applied.

    *state* is one of `STATES`, and *why* says in a sentence why. *slices* has a term for each value of a field, by
    `slice_value`; *biases* one for each class, in the order of the classes. Times are ISO 8601.
    """

    version: str
    task: Task
    made: str
    until: str
    state: str
    why: str
    max_shift: float
    intercept: float = 0.0
    slope: float = 0.0
    slices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    biases: tuple[float, ...] = ()
    center: float = 0.0
    scale: float = 1.0

    @classmethod
    def from_json(cls, data: Any) -> Correction:
        """The correction that `to_json` wrote. Raises ValueError with a sentence if *data* is not one."""
        if not isinstance(data, dict):
            raise ValueError(f"a correction is an object, not {type(data).__name__}")  # noqa: TRY004 -- one kind of error
        if data.get("format") != FORMAT:
            raise ValueError(f"the correction has format {data.get('format')!r}; this code reads format {FORMAT}")
        texts: dict[str, Any] = {name: data.get(name) for name in ("version", "task", "made", "until", "state", "why")}
        if wrong := [name for name, value in texts.items() if not isinstance(value, str)]:
            raise ValueError(f"the correction's {', '.join(wrong)} should be text")
        if texts["task"] not in get_args(Task) or texts["state"] not in STATES:
            raise ValueError(f"the correction has task {texts['task']!r} and state {texts['state']!r}")
        if wrong := [name for name in ("made", "until") if read_time(str(texts[name])) is None]:
            raise ValueError(f"the correction's {', '.join(wrong)} should be a time, such as 2026-11-23T03:00:00Z")
        numbers: dict[str, Any] = {name: _number(name, data.get(name)) for name in ("max_shift", "center", "scale")}
        if numbers["max_shift"] < 0 or numbers["scale"] <= 0:
            raise ValueError("the correction's max_shift should be 0 or more, and its scale above 0")
        found = cls(**texts, **numbers, **_terms(str(texts["task"]), data.get("terms")))
        if data.get("digest") != found.digest:
            raise ValueError(
                f"the correction was edited: its digest is {data.get('digest')!r}, expected {found.digest}"
            )
        return found

    @cached_property
    def digest(self) -> str:
        """The first 12 digits of the SHA-256 of what decides the corrected scores."""
        signed = {name: value for name, value in self._content().items() if name in _SIGNED}
        return hashlib.sha256(_canonical(signed)).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """The correction as JSON values."""
        return {**self._content(), "digest": self.digest}

    def to_bytes(self) -> bytes:
        """The file's content: the same correction gives the same bytes."""
        return _canonical(self.to_json()) + b"\n"

    def correct(self, scores: Any, columns: Mapping[str, Sequence[Any]]) -> Array:
        """The corrected *scores*: (n,), or (n, classes), with the same bits alone and together.

        *columns* has a sequence of n values for each field with slice terms; one that is absent counts as missing.
        """
        scores = np.asarray(scores, dtype=float)
        if self.task == "multiclass":
            return self._multiclass(scores)
        if len(scores) <= MIN_ROWS_FOR_ARRAYS:
            rows = [{name: columns[name][n] for name in self.slices if name in columns} for n in range(len(scores))]
            return np.array([self.correct_one(p, row) for p, row in zip(scores.tolist(), rows, strict=True)])
        added = np.full(len(scores), self.intercept)
        for name, terms in self.slices.items():
            values = columns.get(name)
            if values is None:
                added += terms.get("", 0.0)
            else:
                added += np.array([terms.get(v if type(v) is str else slice_value(v), 0.0) for v in values])
        if self.task == "regression":
            moved = added + self.slope * ((scores - self.center) / self.scale)
            return np.asarray(scores + self.scale * np.clip(moved, -self.max_shift, self.max_shift))
        inside = (scores > 0.0) & (scores < 1.0)
        z = logs(np.where(inside, scores, 0.5) / (1.0 - np.where(inside, scores, 0.5)))
        shift = np.clip(added + self.slope * np.clip(z, -MAX_LOGIT, MAX_LOGIT), -self.max_shift, self.max_shift)
        return np.where(inside & (shift != 0.0), 1.0 / (1.0 + exps(-(z + shift))), scores)

    def correct_one(self, score: float, row: Mapping[str, Any]) -> float:
        """The corrected *score* of one *row* of a binary task or a regression; the same bits as from `correct`."""
        added = self.intercept
        for name, terms in self.slices.items():
            value = row.get(name)
            added += terms.get(value if type(value) is str else slice_value(value), 0.0)
        most = self.max_shift
        if self.task == "regression":
            shift = added + self.slope * ((score - self.center) / self.scale)
            return score + self.scale * (most if shift > most else max(shift, -most))
        if not 0.0 < score < 1.0:
            return score
        z = log(score / (1.0 - score))
        shift = added + self.slope * (MAX_LOGIT if z > MAX_LOGIT else max(z, -MAX_LOGIT))
        shift = most if shift > most else max(shift, -most)
        return 1.0 / (1.0 + exp(-(z + shift))) if shift else score

    def explain(self, score: Any, row: Mapping[str, Any]) -> list[tuple[str, float]]:
        """What each term adds to the *score* of a *row*, on the scale of the shift, and what the limit takes back.

        For multiclass the terms are each class's, as a shift of the logarithm of its probability.
        """
        if self.task == "multiclass":
            logged = _limited_logs(np.asarray(score, dtype=float)[None])[0].tolist()
            found = [(f"bias {n}", bias) for n, bias in enumerate(self.biases)]
            found += [(f"temperature {n}", self.slope * each) for n, each in enumerate(logged)]
            span = np.array(self.biases) + self.slope * np.array(logged)
            reach = float(span.max() - span.min())
            return [*found, ("limit", min(0.0, self.max_shift - reach))]
        if self.task == "regression":
            z = (score - self.center) / self.scale
        else:
            z = log(score / (1.0 - score)) if 0.0 < score < 1.0 else 0.0
            z = min(max(z, -MAX_LOGIT), MAX_LOGIT)
        found = [("intercept", self.intercept), ("slope", self.slope * z)]
        for name, terms in self.slices.items():
            value = slice_value(row.get(name))
            found.append((f"{name}={value}", terms.get(value, 0.0)))
        total = sum(amount for _, amount in found)
        return [*found, ("limit", min(max(total, -self.max_shift), self.max_shift) - total)]

    def _multiclass(self, scores: Array) -> Array:
        logged = _limited_logs(scores)
        shift = np.array(self.biases) + self.slope * logged
        low, high = shift.min(axis=1, keepdims=True), shift.max(axis=1, keepdims=True)
        reach = high - low
        shift = (shift - high) * np.where(reach > self.max_shift, self.max_shift / np.where(reach > 0, reach, 1.0), 1.0)
        weighted = scores * exps(shift)
        total = weighted[:, 0].copy()
        for n in range(1, weighted.shape[1]):  # one after the other: sums in another order may differ in the last bit
            total += weighted[:, n]
        return np.where(reach == 0.0, scores, weighted / total[:, None])

    def _content(self) -> dict[str, Any]:
        terms: dict[str, Any] = {"slope": self.slope}
        if self.task == "multiclass":
            terms["biases"] = [*self.biases]
        else:
            terms |= {"intercept": self.intercept, "slices": {n: {**each} for n, each in self.slices.items()}}
        return {
            "format": FORMAT,
            "version": self.version,
            "task": self.task,
            "made": self.made,
            "until": self.until,
            "state": self.state,
            "why": self.why,
            "max_shift": self.max_shift,
            "center": self.center,
            "scale": self.scale,
            "terms": terms,
        }


def slice_value(value: Any) -> str:
    """The value of a category or boolean as the key of its term; "" where it is missing."""
    if isinstance(value, str):
        return value
    return "true" if value is True else "false" if value is False else ""


def _limited_logs(scores: Array) -> Array:
    """The logarithms of probabilities, at least that of 1e-6."""
    return logs(np.maximum(scores, 1e-6))


def _terms(task: str, data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError("the correction's terms should be an object")  # noqa: TRY004 -- as above
    slope = _number("slope", data.get("slope"))
    if task == "multiclass":
        biases = data.get("biases")
        if not isinstance(biases, list) or len(biases) < 2:
            raise ValueError("the correction's biases should be a list of a number for each class")
        return {"slope": slope, "biases": tuple(_number("biases", each) for each in biases)}
    slices = data.get("slices")
    if not isinstance(slices, dict) or not all(isinstance(each, dict) for each in slices.values()):
        raise ValueError("the correction's slices should be an object of terms by field and value")
    found = {n: {v: _number(f"{n}={v}", term) for v, term in each.items()} for n, each in slices.items()}
    return {"slope": slope, "intercept": _number("intercept", data.get("intercept")), "slices": found}


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"the correction's {name} is {value!r}; expected a finite number")
    return float(value)


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
