"""The queries on a day of the journal, for DuckDB or Spark.

All rows are counted: rows, missing values, unseen categories, sums of numbers and scores. What needs single rows gets a
sample, by a hash of the request's id: every run samples the same rows, and their outcomes, which come on other days.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import ibis
import ibis.expr.types as ir

from contracts.row_contract import MAX_FLOAT32, MAX_TEXT_LENGTH, Contract, Feature

#: Seconds of a quarter of an hour.
QUARTER = 900
#: The number of hexadecimal digits of a hash.
DIGITS = 8


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def md5(text: str) -> str:  # type: ignore[empty-body]
    """MD5 of the UTF-8 text, in hexadecimal: the hash that both engines have."""


def hash_of(id_: str) -> str:
    """The hash of a request's id, as `typed` computes it."""
    return hashlib.md5(id_.encode(errors="replace"), usedforsecurity=False).hexdigest()[:DIGITS]


def below(level: int) -> str:
    """Hashes less than this are in the sample of *level* (1 or more), which has 1 row in 2 ** level."""
    return f"{2 ** (4 * DIGITS - level):0{DIGITS}x}"


def names_of(contract: Contract) -> list[str]:
    """The columns that are read from a file of answers."""
    return ["id", "at", "version", "key", "time", "score", "plain", *(f"row.{n}" for n in contract.feature_names)]


def scores_of(contract: Contract) -> list[str]:
    """The names of the score columns."""
    many = contract.task == "multiclass"
    return [f"score_{i}" for i in range(len(contract.target.classes))] if many else ["score"]


def typed(lines: ir.Table, contract: Contract, version: str) -> ir.Table:
    """The answers in *lines* (a file's columns), typed; columns that the file does not have are missing values.

    *mine* marks the answers of the *version*, all for "", *fits* those that fit the contract. Lines that lack a required field, or
    whose time only Python can parse, are left out: `untyped` has them.
    """
    columns = lines.schema()
    id_, by, time = (_text(lines, name) for name in ("id", "version", "time"))
    at = time.try_cast("timestamp('UTC')")
    scores, scored = _scores(lines, contract)
    fits = [scored]
    values: dict[str, Any] = {}
    for feature in contract.features:
        name = f"row.{feature.name}"
        if name in columns:
            values[feature.name], valid = _value(lines[name], feature)
            fits.append(valid)
        else:
            values[feature.name] = ibis.null(_KINDS[feature.kind])
    return lines.select(
        id=id_,
        hash=md5(id_).substr(0, DIGITS),
        at=_text(lines, "at"),
        version=by,
        key=_text(lines, "key"),
        time=at,
        mine=by == version if version else ibis.literal(True),
        fits=reduce(lambda one, other: one & other, fits),
        **values,
        **scores,
    ).filter(ibis._.id.notnull(), ibis._.version.notnull(), ibis._.time.notnull())


def untyped(lines: ir.Table) -> ir.Table:
    """The lines that `typed` leaves out, except those that are in no columns."""
    required = [_text(lines, name) for name in ("id", "version", "time")]
    lacks = [each.isnull() for each in required]
    unread = required[2].try_cast("timestamp('UTC')").isnull()
    return lines.filter(reduce(lambda one, other: one | other, [*lacks, unread]))


def daily(rows: ir.Table, contract: Contract, seen: Mapping[str, Sequence[str]]) -> ir.Table:
    """By the day that rows are about: the number of rows; by column, missing values, unseen categories and the sum."""
    mine = rows.filter(rows.mine & rows.fits)
    mine = mine.mutate(day=_day(mine.time, contract.zone))
    found: dict[str, Any] = {"rows": mine.count(), "asked": mine["at"].min(), "answered": mine["at"].max()}
    for feature in contract.features:
        column = mine[feature.name]
        found[f"missing {feature.name}"] = column.isnull().sum()
        if feature.name in seen and not feature.choices:
            unseen = column.notnull() & column.cast("string").notin([*seen[feature.name], ""])
            found[f"unseen {feature.name}"] = unseen.sum()
        if feature.kind == "number":
            found[f"sum {feature.name}"] = column.sum()
    for name in scores_of(contract):
        found[f"sum {name}"] = mine[name].sum()
    return mine.group_by("day").agg(**found).order_by("day")


def traffic(rows: ir.Table, contract: Contract) -> ir.Table:
    """The number of rows by the day that they are about and the version that answered."""
    days = rows.mutate(day=_day(rows.time, contract.zone))
    return days.group_by(["day", "version"]).agg(rows=days.count()).order_by(["day", "version"])


def totals(rows: ir.Table) -> ir.Table:
    """One row: the number of lines, of distinct ids, of the version's rows, and of those that fit."""
    return rows.agg(
        lines=rows.count(), ids=rows.id.nunique(), mine=rows.mine.sum(), fitting=(rows.mine & rows.fits).sum()
    )


def first_of_each_id(rows: ir.Table) -> ir.Table:
    """The first of the rows with the same id."""
    order = ibis.row_number().over(group_by=rows.id, order_by=[rows["at"], rows.time])
    return rows.mutate(place=order).filter(ibis._.place == 0).drop("place")


def sampled(rows: ir.Table, level: int) -> ir.Table:
    """The sample of *level*, in an order that is the same in each engine."""
    some = rows.filter(rows.hash < below(level)) if level else rows
    return some.order_by(["at", "id"])


def outcomes(lines: ir.Table, level: int) -> ir.Table:
    """The outcomes in *lines* whose answers are in the sample of *level*."""
    found = lines.select("id", "outcome", at=_text(lines, "at"), hash=md5(_text(lines, "id")).substr(0, DIGITS))
    some = found.filter(found.hash.isnull() | (found.hash < below(level))) if level else found
    return some.order_by(["at", "hash"]) if "at" in lines.schema() else some


def schema_of(contract: Contract) -> ibis.Schema:
    """The schema of `typed`."""
    found = dict.fromkeys(("id", "hash", "at", "version", "key"), "string")
    found |= {"time": "timestamp('UTC')", "mine": "boolean", "fits": "boolean"}
    found |= {feature.name: _KINDS[feature.kind] for feature in contract.features}
    return ibis.schema(found | dict.fromkeys(scores_of(contract), "float64"))


_KINDS: Mapping[str, Any] = {"number": "float64", "category": "string", "boolean": "boolean"}


def _day(time: Any, zone: str) -> Any:
    """The day of a *time*; with a *zone* its quarter of an hour, so that engines need no time zones.

    In every zone days begin, and clocks change, at a quarter of an hour of UTC.
    """
    return time.epoch_seconds() // QUARTER if zone else time.date().cast("string")


def _text(lines: ir.Table, name: str) -> Any:
    is_text = name in lines.schema() and lines[name].type().is_string()
    return lines[name] if is_text else ibis.null("string")


def _scores(lines: ir.Table, contract: Contract) -> tuple[dict[str, Any], Any]:
    """The score columns, and whether the score has the shape of the task.

    They are the model's: a correction in between must not hide that the model decays.
    """
    names = scores_of(contract)
    score = lines["score"] if "score" in lines.schema() else ibis.null("float64")
    if "plain" in lines.schema() and lines["plain"].type() == score.type():
        score = ibis.coalesce(lines["plain"], score)
    kind = score.type()
    if contract.task == "multiclass" and kind.is_array():
        return {name: score[i] for i, name in enumerate(names)}, score.length() == len(names)
    if contract.task != "multiclass" and kind.is_numeric() and not kind.is_boolean():
        return {"score": score.cast("float64")}, score.notnull()
    return dict.fromkeys(names, ibis.null("float64")), ibis.literal(False)


def _value(column: Any, feature: Feature) -> tuple[Any, Any]:
    """A feature's values, and whether each is missing or fits the contract."""
    kind = column.type()
    valid: Any = ibis.literal(False)
    fits = {
        "number": kind.is_numeric() and not kind.is_boolean(),
        "category": kind.is_string(),
        "boolean": kind.is_boolean(),
    }[feature.kind]
    if not fits:
        return ibis.null(_KINDS[feature.kind]), column.isnull()
    if feature.kind == "number":
        least = -MAX_FLOAT32 if feature.minimum is None else feature.minimum
        most = MAX_FLOAT32 if feature.maximum is None else feature.maximum
        valid = column.between(max(least, -MAX_FLOAT32), min(most, MAX_FLOAT32))
    elif feature.choices:
        valid = column.isin(feature.choices)
    elif feature.kind == "category":
        valid = column.length().between(1, MAX_TEXT_LENGTH)
    else:
        valid = ibis.literal(True)
    return column.cast(_KINDS[feature.kind]), column.isnull() | valid.fill_null(False)


def memtable(rows: Any, contract: Contract) -> ir.Table:
    """A frame with the columns of `typed`, as a table."""
    return ibis.memtable(rows, schema=schema_of(contract))
