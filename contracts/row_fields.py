"""The fields of a row: the features, and the target that is predicted from them. The standard library alone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple, get_args

Kind = Literal["number", "category", "boolean"]
Task = Literal["binary", "multiclass", "regression"]
Label = str | bool | int

#: The largest finite float32: the model computes in float32, a larger number would become infinity.
MAX_FLOAT32 = 3.4028234663852886e38
#: A longer category is a mistake upstream, and a way to fill the journal.
MAX_TEXT_LENGTH = 1_000
SCORE = "score"


class Problem(NamedTuple):
    """A problem of one field: the expected and the actual value."""

    field: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.field}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True)
class Feature:
    """One input of the model.

    *minimum* and *maximum* (inclusive) and *unit* are for numbers. *choices* are all values of a category; without them
    an unseen category is accepted, and monitoring counts it. *direction* ("up", "down") is for numbers that must not move
    the score the other way, which the gate checks. *revised* says that past values are corrected later by design, so that
    rules on changed values leave it out.
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
    revised: bool = False

    def expects(self) -> str:
        """The values that it accepts, in words."""
        words: str = self.kind
        if self.kind == "number":
            words = "a number" + _between(self.minimum, self.maximum, self.unit)
        elif self.kind == "category":
            words = f"one of {', '.join(self.choices)}" if self.choices else "a string"
        elif self.kind == "boolean":
            words = "true or false"
        return words + (" or null" if self.nullable else "")

    def problem(self, value: object) -> Problem | None:
        """The problem of *value* (None: missing), or None."""
        if value is None:
            return None if self.nullable else Problem(self.name, self.expects(), "nothing")
        if self.kind == "number":
            fits = _is_number(value) and _within(value, self.minimum, self.maximum)
        elif self.kind == "category":
            fits = isinstance(value, str) and is_text(value) and (not self.choices or value in self.choices)
        else:
            fits = isinstance(value, bool)
        return None if fits else Problem(self.name, self.expects(), show_or_describe(value))

    def _wrong_types(self) -> Iterable[str]:
        """Attributes of the wrong type: nothing else can be checked."""
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
        yield from unwritable(self.name, self, ("description", "unit", "owner", "nullable", "revised"))

    def own_problems(self) -> Iterable[str]:
        """Every problem of the declaration."""
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
            yield f"{self.name}: names beginning with {SCORE!r} are reserved for the model's answers"
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
    """The predicted field.

    *classes* are the labels in the order of the model's columns; for a binary target the second is the positive one,
    whose probability is the score. A regression target has no classes, but a unit and a range. *worth* is the cost of a
    wrong decision compared with a right one, in *currency* (regression: the cost of each unit of error); reports convert
    losses to money with it. An outcome that comes late is known at the time in the column *known_at*, or *maturity*
    after the time of the row; without either, outcomes are known at once.
    """

    name: str
    classes: tuple[Label, ...] = ()
    description: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    worth: float | None = None
    currency: str = ""
    known_at: str = ""
    maturity: timedelta | None = None

    @property
    def comes_late(self) -> bool:
        """Whether a row may have no outcome yet."""
        return bool(self.known_at) or self.maturity is not None

    def expects(self) -> str:
        """The outcomes that it accepts, in words."""
        if self.classes:
            return f"one of {', '.join(show(label) for label in self.classes)}"
        return "a number" + _between(self.minimum, self.maximum, self.unit)

    def problem(self, value: object) -> Problem | None:
        """The problem of *value* as an outcome, or None."""
        if self.classes:
            # 1 == True in Python; here the type counts.
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
        """Attributes of the wrong type: nothing else can be checked."""
        if not isinstance(self.name, str):
            yield f"a target's name is {show(self.name)}; expected text, such as 'late'"
            return
        yield from _wrong_sequence(self.name, "classes", self.classes)
        for name, bound in (("minimum", self.minimum), ("maximum", self.maximum)):
            # There are bundles with infinite bounds, and with bounds of a target with classes, which are not used.
            if not (bound is None or isinstance(bound, (int, float)) or self.classes):
                yield f"{self.name}: {name} is {show(bound)}; {_NUMBER}"
        yield from unwritable(self.name, self, ("description", "unit", "currency"))

    def own_problems(self, task: Task) -> Iterable[str]:
        """Every problem of the declaration, for a *task*."""
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


def show(value: object) -> str:
    """*value* as a message shows it: at most 60 characters, in JSON's spelling where it has one."""
    words: dict[Any, str] = {True: "true", False: "false"}
    if isinstance(value, bool):
        return words[value]
    try:
        text = repr(value)
    except Exception:  # an int of more than 4,300 digits, or an object that raises
        text = "a huge number" if isinstance(value, int) else "an object that cannot be shown"
    if isinstance(value, float) and not math.isfinite(value):
        text = json.dumps(value)  # NaN, Infinity: as clients write them
    text = text if isinstance(value, str) else " ".join(text.split())
    text = text if len(text) <= 60 else text[:57] + "..."
    return text if isinstance(value, (str, int, float)) else f"{text} ({type(value).__name__})"


def describe(value: object) -> str:
    """The type of *value*, and the length of a list: what a message may show of private data."""
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    if isinstance(value, float) and not math.isfinite(value):
        return show(value)
    words = {type(None): "null", dict: "an object", bool: "a boolean", str: "a string"}
    return words.get(type(value), "a number")


def show_or_describe(value: object) -> str:
    """*value*, but of a list or an object only the type: it may contain the rest of the row."""
    return describe(value) if isinstance(value, (list, dict)) else show(value)


def _identifier(name: str) -> str:
    """*name* as an identifier: loan amount (EUR) -> loan_amount_EUR."""
    words = "_".join("".join(c if f"x{c}".isidentifier() else " " for c in name).split())
    return words if words.isidentifier() else f"x_{words}"


_NUMBER = "expected a number of type int or float, such as 12.5"


def _wrong_sequence(owner: str, name: str, values: Any) -> Iterable[str]:
    """Every problem of the *choices* or *classes* of the field *owner*."""
    words = "text" if name == "choices" else "text, whole numbers or booleans"
    kinds = {str} if name == "choices" else {str, bool, int, float}
    if not isinstance(values, (tuple, list)):
        written = repr((values,)) if isinstance(values, str) else "('a', 'b')"
        yield f"{owner}: {name} is {show(values)}; expected a tuple: {written}"
        return
    for value in values:
        if type(value) not in kinds or not _is_writable(value):
            yield f"{owner}: {name} has {show(value)}; expected {words}"


def unwritable(owner: str, item: Any, names: Iterable[str]) -> Iterable[str]:
    """The attributes *names* of *item* that a manifest (JSON in UTF-8) cannot hold."""
    for name in names:
        value = getattr(item, name)
        if not _is_writable(value):
            expected = "True or False" if name in ("nullable", "revised") else "plain text"
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
    return -MAX_FLOAT32 <= value <= MAX_FLOAT32  # also false for NaN and the infinities


def is_text(value: str) -> bool:
    """Whether *value* is neither empty nor too long, and can be stored."""
    # Neither a tensor nor a file can hold a lone surrogate.
    return 0 < len(value) <= MAX_TEXT_LENGTH and not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value)


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
