"""From a request's bytes to answers: the one scoring function behind every route.

Nothing here knows Flask. A request that is wrong raises `RequestError` with all that is wrong.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.contract import Contract, read_time, show
from serve.bundle import Bundle

MOST_ROWS = 10_000
LONGEST_ID = 200
_ROWS = "a JSON object, or a list of them"


class RequestError(Exception):
    """A request that cannot be answered: the HTTP status, a sentence, and every problem."""

    def __init__(self, status: int, words: str, problems: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(words)
        self.status, self.words, self.problems = status, words, problems


class NoFiniteScoreError(ArithmeticError):
    """The model gave NaN or an infinity for rows that fit its contract."""


@dataclass(frozen=True)
class Answer:
    """What one row was answered: the score, (n classes,) of them for multiclass."""

    id: str
    version: str
    arm: str
    key: str
    time: str
    row: Mapping[str, Any]
    score: float | list[float]

    def body(self, contract: Contract) -> dict[str, Any]:
        """What the website is told."""
        told: dict[str, Any] = {"id": self.id, "version": self.version, "arm": self.arm}
        if isinstance(self.score, list):
            classes = [
                label if isinstance(label, str) else json.dumps(label)
                for label in contract.target.classes
            ]
            best = max(range(len(classes)), key=self.score.__getitem__)
            chances = dict(zip(classes, self.score, strict=True))
            return told | {
                "label": contract.target.classes[best],
                "score": self.score[best],
                "probabilities": chances,
            }
        return told | {"value" if contract.task == "regression" else "score": self.score}

    def line(self, at: str) -> dict[str, Any]:
        """What the journal keeps."""
        return {
            "id": self.id, "at": at, "version": self.version, "arm": self.arm, "key": self.key,
            "time": self.time, "row": self.row, "score": self.score,
        }  # fmt: skip


def read_json(content: bytes) -> Any:
    """The JSON in *content*: RFC 8259's, with neither NaN nor infinities, however they are spelt."""
    if not content.strip():
        raise RequestError(400, f"the body is empty; expected {_ROWS}")
    try:
        return json.loads(content, parse_constant=_refuse, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise RequestError(400, "the body is not JSON: it is not UTF-8 text") from error
    except RecursionError as error:
        raise RequestError(400, "the body is nested too deeply") from error
    except ValueError as error:
        raise RequestError(400, f"the body is not JSON: {error}") from error


def read_rows(found: Any) -> list[Mapping[str, Any]]:
    """The rows of a body: one object, or a list of at most `MOST_ROWS`."""
    rows = found if isinstance(found, list) else [found]
    if len(rows) > MOST_ROWS:
        raise RequestError(
            413, f"{len(rows):,} rows in one request; at most {MOST_ROWS:,} are taken"
        )
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


def score(bundle: Bundle, arm: str, rows: Sequence[Mapping[str, Any]], at: str) -> list[Answer]:
    """Answer *rows*, or raise `RequestError` with the problems of all of them."""
    contract = bundle.contract
    problems = [
        {"row": number, **problem}
        for number, row in enumerate(rows)
        for problem in _problems(contract, row)
    ]
    if _takes_ids(contract):
        problems += _repeated(rows)
    if problems:
        raise RequestError(422, _count(problems, len(rows)), problems)
    if not rows:
        return []
    scores = bundle.score(rows)
    if not np.isfinite(scores).all():
        raise NoFiniteScoreError(f"{bundle.version} gave a score that is not finite")
    return [
        _answer(bundle, arm, row, value, at)
        for row, value in zip(rows, scores.tolist(), strict=True)
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
    problems += _repeated(told)
    if problems:
        raise RequestError(422, _count(problems, len(told)), problems)
    return [{"id": outcome["id"], "outcome": outcome["outcome"]} for outcome in told]


def _answer(bundle: Bundle, arm: str, row: Mapping[str, Any], value: Any, at: str) -> Answer:
    contract = bundle.contract
    own = row.get("id") if _takes_ids(contract) else None
    id_ = own if own is not None else uuid.uuid4().hex
    kept = {name: row.get(name) for name in contract.feature_names}
    key, told = row.get(contract.key) or id_, row.get(contract.time)
    moment = read_time(told) if told else None
    time = moment.isoformat().replace("+00:00", "Z") if moment else at
    return Answer(id_, bundle.version, arm, key, time, kept, value)


def _problems(contract: Contract, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [problem._asdict() for problem in contract.problems(row)]
    if row.get("id") is not None and _takes_ids(contract) and not _is_id(row["id"]):
        found.append(_wrong_id(row["id"]))
    return found


def _takes_ids(contract: Contract) -> bool:
    # Where the contract has a field of that name, "id" is that field's: a key, maybe a private one.
    known = {*contract.feature_names, contract.key, contract.time, contract.target.name}
    return "id" not in known


def _repeated(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
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
