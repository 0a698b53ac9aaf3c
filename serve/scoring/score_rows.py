"""Rows that fit the contract -> answers: the one scoring function behind every route."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from bundles.bundle import Bundle
from bundles.onnx_session import Scores
from contracts.row_contract import read_time
from online.correction import Correction
from serve.scoring.answer_lines import Answer
from serve.scoring.row_table import Table
from serve.traffic.split import TrafficSplit, Variant

#: Ids for answers to come; another list after a fork.
_IDS: list[str] = []
os.register_at_fork(after_in_child=_IDS.clear)
_USUAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class NoFiniteScoreError(ArithmeticError):
    """The model gave NaN or an infinity for rows that fit its contract."""


def score_arms(
    live: TrafficSplit, rows: Sequence[Mapping[str, Any]], ids: Sequence[str], at: str, each: bool
) -> Iterator[tuple[Variant, Sequence[int], list[Answer]]]:
    """Each arm, the numbers of its rows, and its answers to them."""
    first = live.champion
    if first and rows and not live.split:
        yield first, range(len(rows)), score(first.bundle, first.name, rows, ids, at, first.correction, each=each)
    elif first and rows:
        key = first.rows.key
        keys = [row.get(key) or id_ for row, id_ in zip(rows, ids, strict=True)]
        for arm, numbers in live.assign(keys):
            theirs = [arm.read(rows[n]) for n in numbers]
            own = [ids[n] for n in numbers]
            yield arm, numbers, score(arm.bundle, arm.name, theirs, own, at, arm.correction, each=each)


def score(
    bundle: Bundle,
    arm: str,
    rows: Sequence[Mapping[str, Any]],
    ids: Sequence[str],
    at: str,
    correction: Correction | None = None,
    *,
    each: bool = False,
) -> list[Answer]:
    """The answers of *rows* that fit the bundle's contract, scored together, or *each* alone; corrected by *correction*."""
    if type(rows) is Table:
        answers = _score_columns(bundle, arm, rows, ids, at)
    else:
        answers = _score_rows(bundle, arm, rows, ids, at, each)
    if correction:
        _correct(correction, answers, rows)
    return answers


def _correct(correction: Correction, answers: Sequence[Answer], rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace the scores of *answers*; they keep the model's."""
    digest = correction.digest
    if len(answers) == 1 and correction.task != "multiclass":
        answer = answers[0]
        answer.plain, answer.correction = answer.score, digest
        answer.score = correction.correct_one(answer.score, rows[0])  # type: ignore[arg-type]
        return
    columns = {name: _column(rows, name) for name in correction.slices}
    columns = {name: column for name, column in columns.items() if len(column)}
    corrected = correction.correct([answer.score for answer in answers], columns).tolist()
    for answer, score in zip(answers, corrected, strict=True):
        answer.plain, answer.score, answer.correction = answer.score, score, digest


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> Sequence[Any]:
    return rows.column(name) if type(rows) is Table else [row.get(name) for row in rows]


def _score_rows(
    bundle: Bundle, arm: str, rows: Sequence[Mapping[str, Any]], ids: Sequence[str], at: str, each: bool
) -> list[Answer]:
    contract, names = bundle.contract, bundle.names
    # A row that has just the features, in their order, is kept as it is.
    kept = [row if tuple(row) == names else {name: row.get(name) for name in names} for row in rows]
    scores = bundle.score_each(kept) if each else bundle.score(kept)
    values = _finite(bundle, scores)
    version, key, time = bundle.version, contract.key, contract.time
    return [
        Answer(
            id_,
            at,
            version,
            arm,
            row.get(key) or id_,
            _moment(given, at) if (given := row.get(time)) else at,
            features,
            value,
        )
        for row, id_, features, value in zip(rows, ids, kept, values, strict=True)
    ]


def _score_columns(bundle: Bundle, arm: str, table: Table, ids: Sequence[str], at: str) -> list[Answer]:
    values = _finite(bundle, bundle.score_columns(table.columns(bundle.names)))
    keys: Iterable[str] = ids
    times: Iterable[str] = repeat(at)
    if given := table.column(bundle.contract.key):
        keys = _or(given, ids) if bundle.contract.key in table.lacking else given
    if given := table.column(bundle.contract.time):
        moments = {time: _moment(time, at) if time else at for time in set(given)}
        times = map(moments.__getitem__, given)
    same = repeat(at), repeat(bundle.version), repeat(arm)
    return [*map(Answer, ids, *same, keys, times, table.records, values)]


def _finite(bundle: Bundle, scores: Scores) -> list[Any]:
    """*scores* as Python's numbers. Raises `NoFiniteScoreError`."""
    values: list[Any] = scores.tolist()
    if not (math.isfinite(values[0]) if scores.shape == (1,) else np.isfinite(scores).all()):
        raise NoFiniteScoreError(f"{bundle.version} gave a score that is not finite")
    return values


def ids_of(rows: Sequence[Mapping[str, Any]], own: bool) -> list[str]:
    """The rows' own ids where they may bring one (*own*), else random ones."""
    if len(rows) == 1:
        return [(own and rows[0].get("id")) or _id()]
    given: Sequence[Any] = ()
    if own:
        given = rows.column("id") if type(rows) is Table else [row.get("id") for row in rows]
    if not any(given):
        return _ids(len(rows))
    return [*given] if all(given) else _or(given, _ids(len(rows)))


def _or(given: Iterable[str | None], made: Iterable[str]) -> list[str]:
    return [each or other for each, other in zip(given, made, strict=True)]


def _id() -> str:
    try:
        return _IDS.pop()
    except IndexError:
        _IDS.extend(_ids(255))
        return _ids(1)[0]


def _ids(count: int) -> list[str]:
    # From the system, since an id must not be guessed; one call for many.
    return os.urandom(16 * count).hex(" ", 16).split()


def _moment(given: str, at: str) -> str:
    """The time that a row is about, in UTC; the present where it says none."""
    if _USUAL.fullmatch(given):
        return given  # as it would be spelt here
    moment = read_time(given)
    return moment.isoformat().replace("+00:00", "Z") if moment else at
