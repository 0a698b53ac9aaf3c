"""What a row must look like: the promise between the data, the model and the website.

A `Contract` checks training data and requests with the same code, travels in the bundle's manifest
as JSON and round-trips: `Contract.from_json(contract.to_json()) == contract`.

Only the standard library is imported, since the scorer imports this module too.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, Literal, NamedTuple, get_args
from zoneinfo import available_timezones

Kind = Literal["number", "category", "boolean"]
Task = Literal["binary", "multiclass", "regression"]
Label = str | bool | int

#: The largest finite float32: the model computes in float32, a larger number would become infinity.
LARGEST = 3.4028234663852886e38
#: A longer category is a mistake upstream, and a way to fill the journal.
LONGEST = 1_000
SCORE = "score"
#: Similarity, from 0 to 1, at which an unknown name counts as a misspelling (`difflib`'s ratio).
_SIMILAR = 0.8


class ContractError(ValueError):
    """A contract contradicts itself, or data breaks it. The message lists every problem."""

    def __init__(self, what: str, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__(what + ":\n" + "\n".join(f"  - {problem}" for problem in self.problems))


class Problem(NamedTuple):
    """One thing wrong with one field: what was expected there and what came."""

    field: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.field}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True)
class Feature:
    """One input of the model.

    *minimum*, *maximum* (both included) and *unit* are for numbers, *choices* for categories that
    form a closed list. Without *choices* a category never seen in training is accepted, and the
    watch counts it. *direction* ("up", "down") is for numbers that must not move the score the other
    way; the gate tries it.
    """

    name: str
    kind: Kind
    description: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    nullable: bool = False
    owner: str = ""
    direction: Literal["", "up", "down"] = ""

    def expects(self) -> str:
        """The words a person reads when a value does not fit."""
        words: str = self.kind
        if self.kind == "number":
            words = "a number" + _between(self.minimum, self.maximum, self.unit)
        elif self.kind == "category":
            words = f"one of {', '.join(self.choices)}" if self.choices else "a string"
        elif self.kind == "boolean":
            words = "true or false"
        return words + (" or null" if self.nullable else "")

    def problem(self, value: object) -> Problem | None:
        """What is wrong with *value* (None stands for missing), or None if it fits."""
        if value is None:
            return None if self.nullable else Problem(self.name, self.expects(), "nothing")
        if self.kind == "number":
            fits = _is_number(value) and _within(value, self.minimum, self.maximum)
        elif self.kind == "category":
            fits = isinstance(value, str) and _is_text(value) and (not self.choices or value in self.choices)
        else:
            fits = isinstance(value, bool)
        return None if fits else Problem(self.name, self.expects(), _got(value))

    def _wrong_types(self) -> Iterable[str]:
        """What makes the rest of the feature unreadable."""
        if not isinstance(self.name, str):
            yield f"a feature's name is {show(self.name)}; expected text, such as 'wind_speed'"
            return
        yield from _wrong_sequence(self.name, "choices", self.choices)
        for name, bound in (("minimum", self.minimum), ("maximum", self.maximum)):
            if bound is not None and not _is_number(bound):
                yield f"{self.name}: {name} is {show(bound)}; {_NUMBER}"
        if not isinstance(self.kind, str):
            yield f"{self.name}: kind is {show(self.kind)}; expected one of {', '.join(get_args(Kind))}"
        if not isinstance(self.direction, str):
            yield f"{self.name}: direction is {show(self.direction)}; expected up or down"
        yield from _unwritable(self.name, self, ("description", "unit", "owner", "nullable"))

    def own_problems(self) -> Iterable[str]:
        """What is wrong with the feature itself."""
        wrong = list(self._wrong_types())
        if wrong:
            yield from wrong
            return
        if self.kind not in get_args(Kind):
            yield f"{self.name}: kind is {self.kind!r}; expected one of {', '.join(get_args(Kind))}"
        if not self.name.isidentifier():
            yield (
                f"{self.name!r}: a field's name is a plain identifier, such as wind_speed; rename the"
                f" column in load(): rows.rename(columns={{{self.name!r}: {_identifier(self.name)!r}}})"
            )
        if self.name == SCORE or self.name.startswith(SCORE + "_"):
            yield f"{self.name}: names beginning with {SCORE!r} are kept for the model's answers"
        yield from self._problems_of_kind() if self.kind in get_args(Kind) else ()

    def _problems_of_kind(self) -> Iterable[str]:
        if self.kind != "number" and (self.minimum is not None or self.maximum is not None):
            yield f"{self.name}: minimum and maximum are for numbers, this is a {self.kind}"
        if self.direction not in ("", "up", "down") or (self.direction and self.kind != "number"):
            yield f"{self.name}: direction is {self.direction!r}; expected up or down, of a number"
        if self.choices and self.kind != "category":
            yield f"{self.name}: choices are for categories, this is a {self.kind}"
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            yield f"{self.name}: minimum {self.minimum:g} is above maximum {self.maximum:g}"


@dataclass(frozen=True)
class Target:
    """What is predicted.

    *classes* are the labels in the order of the model's columns (for a binary target the second is
    the positive one, whose probability is the score); a regression target has none, but a unit and
    a range. *worth* is what a wrong decision costs beside a right one, in *currency* (regression: what
    each unit of error costs); it turns a loss of the metric into money.
    """

    name: str
    classes: tuple[Label, ...] = ()
    description: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    worth: float | None = None
    currency: str = ""

    def expects(self) -> str:
        """The words a person reads when an outcome does not fit."""
        if self.classes:
            return f"one of {', '.join(show(label) for label in self.classes)}"
        return "a number" + _between(self.minimum, self.maximum, self.unit)

    def problem(self, value: object) -> Problem | None:
        """What is wrong with *value* as an outcome, or None if it fits."""
        if self.classes:
            # 1 == True in Python, and not to a reader: the type counts.
            fits = any(type(value) is type(label) and value == label for label in self.classes)
        else:
            fits = _is_number(value) and _within(value, self.minimum, self.maximum)
        if fits:
            return None
        return Problem(self.name, self.expects(), "nothing" if value is None else show(value))

    def encode(self, value: Label | float) -> float:
        """An outcome as a number: the index of its class, or the value itself."""
        return float(self.classes.index(value)) if self.classes else float(value)  # type: ignore[arg-type]

    def _wrong_types(self) -> Iterable[str]:
        """What makes the rest of the target unreadable."""
        if not isinstance(self.name, str):
            yield f"a target's name is {show(self.name)}; expected text, such as 'late'"
            return
        yield from _wrong_sequence(self.name, "classes", self.classes)
        for name, bound in (("minimum", self.minimum), ("maximum", self.maximum)):
            # Bundles with an infinite bound exist; so do some whose target has classes, and no use for one.
            if not (bound is None or isinstance(bound, (int, float)) or self.classes):
                yield f"{self.name}: {name} is {show(bound)}; {_NUMBER}"
        yield from _unwritable(self.name, self, ("description", "unit", "currency"))

    def own_problems(self, task: Task) -> Iterable[str]:
        """What is wrong with the target itself, for a *task*."""
        wrong = list(self._wrong_types())
        if wrong:
            yield from wrong
            return
        expected = {"binary": "exactly two", "multiclass": "three or more", "regression": "no"}
        fits = {"binary": len(self.classes) == 2, "multiclass": len(self.classes) > 2, "regression": not self.classes}
        if task in fits and not fits[task]:
            yield (f"{self.name}: a {task} target has {expected[task]} classes, this one has {len(self.classes)}")
        if len({(type(label), label) for label in self.classes}) != len(self.classes):
            yield f"{self.name}: a class is listed twice"
        if self.worth is not None and not (_is_number(self.worth) and self.worth > 0):
            yield f"{self.name}: worth is {show(self.worth)}; expected a sum of money above 0"
        if (self.worth is None) != (self.currency == ""):
            yield f"{self.name}: worth and currency come together, such as worth=2.5, currency='EUR'"
        if not self.name.isidentifier():
            yield f"{self.name!r}: a target's name is a plain identifier, such as late"


@dataclass(frozen=True)
class Contract:
    """The fields of a row, and what is predicted from them.

    *key* names the field that says whose row it is (an arm sticks to it, errors are clustered by
    it), *time* the field with the moment the row is about. Neither is a feature; a request may
    leave both out (the request's id and the present stand in). *slices* are the categories and
    booleans by which quality is looked at one by one; *private* fields never reach the journal in
    clear. *retired* are features no more: the model does not see them, but rows to learn from and
    evidence keep them, so that older models that do can be compared with on the same rows. *zone* is
    the IANA time zone, such as Europe/Zurich, whose days the watch counts by; UTC without one.

    Raises `ContractError`, with every contradiction, when it is made.
    """

    name: str
    task: Task
    features: tuple[Feature, ...]
    target: Target
    key: str
    time: str
    slices: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    description: str = ""
    retired: tuple[Feature, ...] = ()
    zone: str = ""
    _by_name: dict[str, Feature] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        problems = list(self._own_problems())
        if problems:
            raise ContractError(f"contract {self.name!r} contradicts itself", problems)
        object.__setattr__(self, "_by_name", {feature.name: feature for feature in self.features})

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features' names, in the order of the model's inputs."""
        return tuple(self._by_name)

    @property
    def columns(self) -> tuple[Feature, ...]:
        """The features, then those that are features no more: what rows of evidence have."""
        return (*self.features, *self.retired)

    def feature(self, name: str) -> Feature:
        """The feature called *name*; KeyError if there is none."""
        return self._by_name[name]

    def problems(self, row: Mapping[str, Any]) -> list[Problem]:
        """Everything wrong with one row, all at once; an empty list if it can be scored.

        A field that the contract does not know is let through (a website may be a version ahead or
        behind) unless it looks like a misspelling of one that is missing. Of the value of a private
        field a problem says only the type.
        """
        found = [problem for feature in self.features if (problem := feature.problem(row.get(feature.name)))]
        found += self._misspelt(row)
        key, time = row.get(self.key), row.get(self.time)
        if key is not None and not (isinstance(key, str) and _is_text(key)):
            found.append(Problem(self.key, "a string", _got(key)))
        if time is not None and (not isinstance(time, str) or read_time(time) is None):
            found.append(Problem(self.time, "a time such as 2026-11-23T03:17:00Z", _got(time)))
        return [self._without_private_value(problem, row) for problem in found]

    def to_json(self) -> dict[str, Any]:
        """The contract as plain JSON values, defaults left out."""
        found: dict[str, Any] = _plain(asdict(self))
        found.pop("_by_name")
        found["features"] = [_without_defaults(Feature, item) for item in found["features"]]
        found["target"] = _without_defaults(Target, found["target"])
        gone = [_without_defaults(Feature, item) for item in found.pop("retired")]
        if gone:
            found["retired"] = gone
        if not self.zone:
            found.pop("zone")
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Contract:
        """The contract that `to_json` wrote. ContractError if *data* is not one."""
        try:
            return cls(
                name=data["name"],
                task=data["task"],
                features=tuple(_read(Feature, item) for item in data["features"]),
                target=_read(Target, data["target"]),
                key=data["key"],
                time=data["time"],
                slices=tuple(data.get("slices", ())),
                private=tuple(data.get("private", ())),
                description=data.get("description", ""),
                retired=tuple(_read(Feature, item) for item in data.get("retired", ())),
                zone=data.get("zone", ""),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ContractError("this is not a contract", [f"{error!r}"]) from error

    def _misspelt(self, row: Mapping[str, Any]) -> Iterable[Problem]:
        absent = {name for name in self._by_name if name not in row}
        if not absent:
            return
        known = {f.name for f in self.columns} | {self.key, self.time, self.target.name}
        # A name that is half as long again as the longest field is similar to none of them.
        longest = 1.5 * max(map(len, self._by_name))
        for name in row:
            if name not in known and len(name) <= longest:
                near = (each for each in _near(name, self.feature_names) if each in absent)
                for meant in islice(near, 1):
                    got = "a name that the contract does not have"
                    yield Problem(name, f"the field {meant}", got)

    def _without_private_value(self, problem: Problem, row: Mapping[str, Any]) -> Problem:
        value = row.get(problem.field)
        if value is None or problem.field not in self.private:
            return problem
        return problem._replace(got=f"{describe(value)} (private, not shown)")

    def _wrong_types(self) -> Iterable[str]:
        for name in ("features", "retired", "slices", "private"):
            found = getattr(self, name)
            if not isinstance(found, (tuple, list)):
                yield f"{name} is {show(found)}; expected a tuple, such as ({show(found)},)"
                return
        for name, texts in (
            ("name", (self.name,)),
            ("task", (self.task,)),
            ("key", (self.key,)),
            ("time", (self.time,)),
            ("zone", (self.zone,)),
            ("slices", self.slices),
            ("private", self.private),
        ):
            for text in texts:
                if not isinstance(text, str):
                    yield f"{name}: {show(text)} is not text"
        yield from _unwritable("contract", self, ("name", "description", "key", "time"))
        for each in self.columns:
            if not isinstance(each, Feature):
                yield f"features: {show(each)} is not a Feature"
        if not isinstance(self.target, Target):
            yield f"target is {show(self.target)}; expected Target(name, classes)"

    def _wrong_slices(self) -> Iterable[str]:
        kinds = {feature.name: feature.kind for feature in self.features}
        for name in self.slices:
            if name not in kinds or kinds[name] == "number":
                usable = [other for other, kind in kinds.items() if kind in ("category", "boolean")]
                yield (
                    f"slices: {name!r} is not a category or boolean feature"
                    + (f"; those are {', '.join(usable)}" if usable else "")
                )

    def _own_problems(self) -> Iterable[str]:
        wrong = list(self._wrong_types())
        if wrong:
            yield from wrong
            return
        if self.task not in get_args(Task):
            yield f"task is {self.task!r}; expected one of {', '.join(get_args(Task))}"
        if not self.features:
            yield "it has no features"
        for feature in self.columns:
            yield from feature.own_problems()
        yield from self.target.own_problems(self.task)
        names = [feature.name for feature in self.columns]
        names += [self.key, self.time, self.target.name]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"{name}: the name is used {names.count(name)} times"
        yield from self._wrong_slices()
        # A machine without a database of time zones (a scorer's image) cannot check the name.
        zones = available_timezones() if self.zone else set()
        if zones and self.zone not in zones:
            yield f"zone is {self.zone!r}; expected an IANA time zone, such as Europe/Zurich"
        for name in self.private:
            if name != self.key and name not in {feature.name for feature in self.columns}:
                yield f"private: {name!r} is neither a feature nor the key"


def read_time(text: str) -> datetime | None:
    """An ISO 8601 time as an aware datetime in UTC (one without an offset is UTC), else None."""
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=4096)
def _near(name: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    """The *fields* that *name* may be a misspelling of, the most similar first.

    `difflib.get_close_matches` decides; names that share too few characters to be similar enough are
    left out first, at a tenth of its cost, since a request may have many names of its sender's choice.
    """
    least = _SIMILAR / 2
    candidates = [
        field
        for field in fields
        if min(len(name), len(field)) >= least * (len(name) + len(field))
        and sum(map(frozenset(field).__contains__, name)) >= least * (len(name) + len(field))
    ]
    if not candidates:
        return ()
    return tuple(difflib.get_close_matches(name, candidates, n=len(candidates), cutoff=_SIMILAR))


def show(value: object) -> str:
    """A value as an error message shows it: short, and with its JSON spelling where it has one."""
    words: dict[Any, str] = {True: "true", False: "false"}
    if isinstance(value, bool):
        return words[value]
    try:
        text = repr(value)
    except Exception:  # an int of more than 4,300 digits has no text, and objects raise anything
        text = "a huge number" if isinstance(value, int) else "an object that cannot be shown"
    if isinstance(value, float) and not math.isfinite(value):
        text = json.dumps(value)  # NaN, Infinity: as clients spell them
    text = text if isinstance(value, str) else " ".join(text.split())
    text = text if len(text) <= 60 else text[:57] + "..."
    return text if isinstance(value, (str, int, float)) else f"{text} ({type(value).__name__})"


def describe(value: object) -> str:
    """The type of a value, and how many values a list has: what an error may say of private data."""
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    if isinstance(value, float) and not math.isfinite(value):
        return show(value)
    words = {type(None): "null", dict: "an object", bool: "a boolean", str: "a string"}
    return words.get(type(value), "a number")


def _got(value: object) -> str:
    # A list or an object in the place of one value may hold the rest of the row.
    return describe(value) if isinstance(value, (list, dict)) else show(value)


def _identifier(name: str) -> str:
    """*name* as an identifier: loan amount (EUR) -> loan_amount_EUR."""
    words = "_".join("".join(c if f"x{c}".isidentifier() else " " for c in name).split())
    return words if words.isidentifier() else f"x_{words}"


_NUMBER = "expected a number of type int or float, such as 12.5"


def _wrong_sequence(owner: str, name: str, values: Any) -> Iterable[str]:
    """What is wrong with the *choices* or *classes* of a field called *owner*."""
    words = "text" if name == "choices" else "text, whole numbers or booleans"
    kinds = {str} if name == "choices" else {str, bool, int, float}
    if not isinstance(values, (tuple, list)):
        written = repr((values,)) if isinstance(values, str) else "('a', 'b')"
        yield f"{owner}: {name} is {show(values)}; expected a tuple: {written}"
        return
    for value in values:
        if type(value) not in kinds or not _is_writable(value):
            yield f"{owner}: {name} has {show(value)}; expected {words}"


def _unwritable(owner: str, item: Any, names: Iterable[str]) -> Iterable[str]:
    """The fields *names* of *item* that a manifest, which is JSON in UTF-8, cannot hold."""
    for name in names:
        value = getattr(item, name)
        if not _is_writable(value):
            expected = "True or False" if name == "nullable" else "plain text"
            yield f"{owner}: {name} is {show(value)}; expected {expected}"


def _is_writable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return -LARGEST <= value <= LARGEST  # also false for NaN and the infinities


def _is_text(value: str) -> bool:
    # A lone surrogate is a legal Python string that no tensor or file can hold.
    return 0 < len(value) <= LONGEST and not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value)


def _within(value: Any, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)


def _between(minimum: float | None, maximum: float | None, unit: str) -> str:
    words = ""
    if minimum is not None and maximum is not None:
        words = f" from {minimum:g} to {maximum:g}"
    elif minimum is not None:
        words = f" of at least {minimum:g}"
    elif maximum is not None:
        words = f" of at most {maximum:g}"
    return words + (f" ({unit})" if unit else "")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _without_defaults(kind: Callable[..., Any], item: dict[str, Any]) -> dict[str, Any]:
    defaults = {known.name: known.default for known in fields(kind)}  # type: ignore[arg-type]
    return {key: value for key, value in item.items() if value not in (defaults[key], [])}


def _read(kind: Callable[..., Any], item: Mapping[str, Any]) -> Any:
    return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in item.items()})
