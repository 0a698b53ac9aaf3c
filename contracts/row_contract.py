"""The contract: which fields a row has, and which values they may have.

Training data and requests are checked by the same code. The bundle's manifest has the contract as JSON:
`Contract.from_json(contract.to_json()) == contract`. The standard library alone, because every environment reads it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any, get_args
from zoneinfo import available_timezones

from contracts.row_fields import (
    MAX_FLOAT32,
    MAX_TEXT_LENGTH,
    Feature,
    Kind,
    Label,
    Problem,
    Target,
    Task,
    describe,
    is_text,
    show,
    show_or_describe,
    unwritable,
)

#: The contract with the parts that it consists of.
__all__ = [
    "MAX_FLOAT32",
    "MAX_TEXT_LENGTH",
    "Contract",
    "ContractError",
    "Feature",
    "Kind",
    "Label",
    "Problem",
    "Target",
    "Task",
    "describe",
    "read_time",
    "show",
]

#: Similarity, from 0 to 1, at which an unknown name counts as a misspelling (`difflib`'s ratio).
_SIMILAR = 0.8


class ContractError(ValueError):
    """A contract contradicts itself, or data breaks it. The message lists every problem."""

    def __init__(self, what: str, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__(what + ":\n" + "\n".join(f"  - {problem}" for problem in self.problems))


@dataclass(frozen=True)
class Contract:
    """The fields of a row, and the target.

    *key* names the field that identifies a visitor, a customer, an aircraft: the traffic split assigns a variant by it,
    and intervals are clustered by it. *time* names the field with the time of the row. Neither is a feature; a request
    may omit both, and its id and the current time are used. *slices* are categories and booleans by which quality is
    reported; *private* fields are never written to the journal in clear. *retired* are former features: the model does
    not use them, but training rows and evidence keep them, so that older models can be compared on the same rows. *zone*
    is the IANA time zone, such as Europe/Zurich, by whose days monitoring counts; UTC by default.

    Raises `ContractError` with every contradiction.
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
        """The features, then the retired ones: the columns of evidence."""
        return (*self.features, *self.retired)

    def feature(self, name: str) -> Feature:
        """The feature called *name*; KeyError if there is none."""
        return self._by_name[name]

    def problems(self, row: Mapping[str, Any]) -> list[Problem]:
        """Every problem of one row; an empty list if it can be scored.

        An unknown field is accepted (a website may be a version ahead or behind) unless it may be a misspelling of a
        missing one. Of a private field's value only the type is shown.
        """
        found = [problem for feature in self.features if (problem := feature.problem(row.get(feature.name)))]
        found += self._misspelt(row)
        key, time = row.get(self.key), row.get(self.time)
        if key is not None and not (isinstance(key, str) and is_text(key)):
            found.append(Problem(self.key, "a string", show_or_describe(key)))
        if time is not None and (not isinstance(time, str) or read_time(time) is None):
            found.append(Problem(self.time, "a time such as 2026-11-23T03:17:00Z", show_or_describe(time)))
        return [self._without_private_value(problem, row) for problem in found]

    def to_json(self) -> dict[str, Any]:
        """The contract as JSON values, without defaults."""
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
                target=_read(Target, _with_maturity(data["target"])),
                key=data["key"],
                time=data["time"],
                slices=tuple(data.get("slices", ())),
                private=tuple(data.get("private", ())),
                description=data.get("description", ""),
                retired=tuple(_read(Feature, item) for item in data.get("retired", ())),
                zone=data.get("zone", ""),
            )
        except (KeyError, TypeError, AttributeError, OverflowError, ValueError) as error:
            if isinstance(error, ContractError):
                raise
            raise ContractError("this is not a contract", [f"{error!r}"]) from error

    def _misspelt(self, row: Mapping[str, Any]) -> Iterable[Problem]:
        absent = {name for name in self._by_name if name not in row}
        if not absent:
            return
        known = {f.name for f in self.columns} | {self.key, self.time, self.target.name}
        # A name more than half as long again as the longest field cannot be similar enough.
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
        yield from unwritable("contract", self, ("name", "description", "key", "time"))
        for each in self.columns:
            if not isinstance(each, Feature):
                yield f"features: {show(each)} is not a Feature"
        if not isinstance(self.target, Target):
            yield f"target is {show(self.target)}; expected Target(name, classes)"
            return
        yield from self._wrong_delay()

    def _wrong_delay(self) -> Iterable[str]:
        known_at, maturity = self.target.known_at, self.target.maturity
        if not isinstance(known_at, str) or not (known_at == "" or known_at.isidentifier()):
            yield f"known_at is {show(known_at)}; expected the name of a column of times, such as 'known_at'"
        if maturity is not None and not (isinstance(maturity, timedelta) and maturity > timedelta(0)):
            yield f"maturity is {show(maturity)}; expected a time above 0, such as timedelta(days=30)"
        if known_at and maturity is not None:
            yield "known_at and maturity: an outcome is known at one time; give one of them"

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
        names += [self.key, self.time, self.target.name, *filter(None, [self.target.known_at])]
        for name in sorted({name for name in names if names.count(name) > 1}):
            late = ", and known_at is no feature: it is known later" if name == self.target.known_at else ""
            yield f"{name}: the name is used {names.count(name)} times{late}"
        yield from self._wrong_slices()
        # Without a database of time zones (the scorer's image) the name cannot be checked.
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

    `difflib.get_close_matches` decides. Names with too few common characters are excluded first, at a tenth of its cost,
    because a request may have many unknown names.
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


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.total_seconds() if isinstance(value, timedelta) else value


def _with_maturity(item: Mapping[str, Any]) -> dict[str, Any]:
    return {**item, "maturity": timedelta(seconds=item["maturity"])} if "maturity" in item else {**item}


def _without_defaults(kind: Callable[..., Any], item: dict[str, Any]) -> dict[str, Any]:
    defaults = {known.name: known.default for known in fields(kind)}  # type: ignore[arg-type]
    return {key: value for key, value in item.items() if value not in (defaults[key], [])}


def _read(kind: Callable[..., Any], item: Mapping[str, Any]) -> Any:
    return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in item.items()})
