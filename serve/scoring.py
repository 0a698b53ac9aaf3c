"""From a request's bytes to answers: the one scoring function behind every route.

Nothing here knows Flask. A request that is wrong raises `RequestError` with all that is wrong.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model.contract import Contract, read_time, show
from serve.answers import Answer
from serve.bundle import Bundle

MOST_ROWS = 10_000
LONGEST_ID = 200
#: Ids for answers to come; another list after a fork.
_IDS: list[str] = []
os.register_at_fork(after_in_child=_IDS.clear)
#: Levels of nesting that a body may have; a row needs two.
DEEPEST = 32
#: Digits of the longest whole number: more than any float64 has.
LONGEST_NUMBER = 310
_USUAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_ROWS = "a JSON object, or a list of them"


class RequestError(Exception):
    """A request that cannot be answered: the HTTP status, a sentence, and every problem."""

    def __init__(self, status: int, words: str, problems: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(words)
        self.status, self.words, self.problems = status, words, problems


class NoFiniteScoreError(ArithmeticError):
    """The model gave NaN or an infinity for rows that fit its contract."""


def read_json(content: bytes, deepest: int = DEEPEST) -> Any:
    """The JSON in *content*: RFC 8259's, with no name twice in an object, and finite numbers only."""
    if not content.strip():
        raise RequestError(400, f"the body is empty; expected {_ROWS}")
    try:
        found = json.loads(
            content,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_once,
        )
    except UnicodeDecodeError as error:
        raise RequestError(400, "the body is not JSON: it is not UTF-8 text") from error
    except RecursionError as error:
        raise RequestError(400, "the body is nested too deeply") from error
    except ValueError as error:
        raise RequestError(400, f"the body is not JSON: {error}") from error
    if _deeper(found, deepest):
        raise RequestError(400, f"the body is nested too deeply; {deepest} levels are taken")
    return found


def read_rows(found: Any, most: int = MOST_ROWS) -> list[Mapping[str, Any]]:
    """The rows of a body: one object, or a list of at most *most*."""
    rows = found if isinstance(found, list) else [found]
    if len(rows) > most:
        raise RequestError(413, f"{len(rows):,} rows in one request; at most {most:,} are taken")
    if not isinstance(found, (list, dict)):
        raise RequestError(400, f"expected {_ROWS}; got {_in_words(found)}")
    odd = [
        {"row": number, "field": "", "expected": "an object", "got": _in_words(row)}
        for number, row in enumerate(rows)
        if not isinstance(row, dict)
    ]
    if odd:
        raise RequestError(422, f"{len(odd)} of {len(rows)} rows are not objects", odd)
    return rows


def problems_of(contract: Contract, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Everything that is wrong with *rows*."""
    return [
        {"row": number, **problem}
        for number, row in enumerate(rows)
        for problem in _problems(contract, row)
    ]


def refuse(problems: Sequence[Mapping[str, Any]], rows: int) -> None:
    """Raise `RequestError` if there are *problems* in *rows* rows."""
    if problems:
        raise RequestError(422, _count(problems, rows), problems)


def score(
    bundle: Bundle,
    arm: str,
    rows: Sequence[Mapping[str, Any]],
    ids: Sequence[str],
    at: str,
    *,
    each: bool = False,
) -> list[Answer]:
    """The answers of *rows* that fit the bundle's contract, scored together, or *each* alone."""
    contract, names = bundle.contract, bundle.names
    # A row that has just the features, in their order, is kept as it is.
    kept = [row if tuple(row) == names else {name: row.get(name) for name in names} for row in rows]
    scores = bundle.score_each(kept) if each else bundle.score(kept)
    values = scores.tolist()
    if not (math.isfinite(values[0]) if scores.shape == (1,) else np.isfinite(scores).all()):
        raise NoFiniteScoreError(f"{bundle.version} gave a score that is not finite")
    version, key, time = bundle.version, contract.key, contract.time
    return [
        Answer(
            id_,
            at,
            version,
            arm,
            row.get(key) or id_,
            _moment(told, at) if (told := row.get(time)) else at,
            features,
            value,
        )
        for row, id_, features, value in zip(rows, ids, kept, values, strict=True)
    ]


def read_outcomes(contract: Contract, told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Outcomes, each with the id of an answer; `RequestError` with the problems of all of them."""
    problems = []
    for number, outcome in enumerate(told):
        if not _is_id(outcome.get("id")):
            problems.append({"row": number, **_wrong_id(outcome.get("id"))})
        wrong = contract.target.problem(outcome.get("outcome"))
        if wrong:
            problems.append({"row": number, **wrong._asdict(), "field": "outcome"})
    problems += repeated(told)
    refuse(problems, len(told))
    return [{"id": outcome["id"], "outcome": outcome["outcome"]} for outcome in told]


def ids_of(rows: Sequence[Mapping[str, Any]], own: bool) -> list[str]:
    """The rows' own ids where they may bring one (*own*), else random ones."""
    if len(rows) == 1:
        return [(own and rows[0].get("id")) or _id()]
    made = _ids(len(rows))
    return [row.get("id") or id_ for row, id_ in zip(rows, made, strict=True)] if own else made


def _id() -> str:
    try:
        return _IDS.pop()
    except IndexError:
        _IDS.extend(_ids(255))
        return _ids(1)[0]


def _ids(count: int) -> list[str]:
    # One call to the system for many; from there they come, since nobody shall guess one.
    random = os.urandom(16 * count).hex()
    return [random[place : place + 32] for place in range(0, len(random), 32)]


def _moment(told: str, at: str) -> str:
    """The time that a row is about, in UTC; the present where it says none."""
    if _USUAL.fullmatch(told):
        return told  # as it would be spelt here
    moment = read_time(told)
    return moment.isoformat().replace("+00:00", "Z") if moment else at


def _problems(contract: Contract, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [problem._asdict() for problem in contract.problems(row)]
    if row.get("id") is not None and takes_ids(contract) and not _is_id(row["id"]):
        found.append(_wrong_id(row["id"]))
    return found


def takes_ids(contract: Contract) -> bool:
    """Whether a row's "id" is the id of its answer."""
    # Where the contract has a field of that name, "id" is that field's: a key, maybe a private one.
    known = {*contract.feature_names, contract.key, contract.time, contract.target.name}
    return "id" not in known


def repeated(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The ids that are in a request twice."""
    first: dict[Any, int] = {}
    found = []
    for number, row in enumerate(rows):
        id_ = row.get("id")
        if _is_id(id_) and first.setdefault(id_, number) != number:
            got = f"that of row {first[id_]}"
            found.append({"row": number, "field": "id", "expected": "an id of its own", "got": got})
    return found


def _count(problems: Sequence[Mapping[str, Any]], rows: int) -> str:
    bad = len({problem["row"] for problem in problems})
    where = "in the row" if rows == 1 else f"in {bad:,} of {rows:,} rows"
    return f"{len(problems):,} problem{'s' if len(problems) > 1 else ''} {where}; nothing was taken"


def _in_words(value: object) -> str:
    words = {
        type(None): "null",
        list: "a list",
        dict: "an object",
        bool: "a boolean",
        str: "a string",
    }
    return words.get(type(value), "a number")


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable()


def _wrong_id(value: object) -> dict[str, Any]:
    got = "nothing" if value is None else show(value)
    return {
        "field": "id",
        "expected": f"a string of 1 to {LONGEST_ID} printable characters",
        "got": got,
    }


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is not a JSON number; send null for what is missing")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"{text[:20]}… is too large a number")
    return int(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {show(twice)} is twice in one object")
    return found


def _deeper(found: Any, levels: int) -> bool:
    layer = [found]
    for _ in range(levels):
        layer = [
            inner
            for each in layer
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, (dict, list))
        ]
        if not layer:
            return False
    return True
