"""What is asked of a day of the journal, once, as queries: DuckDB answers them, or Spark, equally.

All rows are counted: how many there are, what is missing, what training never saw, sums of numbers and
scores. What needs rows one by one gets a sample of them, by a hash of the request's id: a row is in it
or not, whoever asks and when; its outcome, which comes on another day, is in it as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import ibis
import ibis.expr.types as ir

from contracts.row_contract import LARGEST, LONGEST, Contract, Feature

#: Seconds of a quarter of an hour.
QUARTER = 900
#: A hash is so many hexadecimal digits.
DIGITS = 8


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def md5(text: str) -> str:  # type: ignore[empty-body]
    """Of UTF-8, in hexadecimal: the one hash that engines have in common."""


def hash_of(id_: str) -> str:
    """A request's place in every sample, as `typed` tells it."""
    return hashlib.md5(id_.encode(errors="replace"), usedforsecurity=False).hexdigest()[:DIGITS]


def below(level: int) -> str:
    """Hashes before this are in the sample of *level*, 1 row of 2 ** level; from 1 on."""
    return f"{2 ** (4 * DIGITS - level):0{DIGITS}x}"


def names_of(contract: Contract) -> list[str]:
    """The columns of an answer's file that are read."""
    return ["id", "at", "version", "key", "time", "score", *(f"row.{n}" for n in contract.feature_names)]


def scores_of(contract: Contract) -> list[str]:
    """The columns that scores become."""
    many = contract.task == "multiclass"
    return [f"score_{i}" for i in range(len(contract.target.classes))] if many else ["score"]


def typed(lines: ir.Table, contract: Contract, version: str) -> ir.Table:
    """The answers in *lines* (a file's columns), by type; what a file has not is missing.

    *mine* are the version's, *fits* says whether one can be a row. Lines that lack what each answer must
    have, or whose time only Python can read, are none: `rest` has them.
    """
    columns = lines.schema()
    whole = [_text(lines, name) for name in ("id", "version", "time")]
    at = whole[2].try_cast("timestamp('UTC')")
    scores, scored = _scores(lines, contract)
    fits = [scored]
    values: dict[str, Any] = {}
    for feature in contract.features:
        name = f"row.{feature.name}"
        if name in columns:
            values[feature.name], right = _value(lines[name], feature)
            fits.append(right)
        else:
            values[feature.name] = ibis.null(_KINDS[feature.kind])
    return lines.select(
        id=whole[0],
        hash=md5(whole[0]).substr(0, DIGITS),
        at=_text(lines, "at"),
        version=whole[1],
        key=_text(lines, "key"),
        time=at,
        mine=whole[1] == version,
        fits=reduce(lambda one, other: one & other, fits),
        **values,
        **scores,
    ).filter(ibis._.id.notnull(), ibis._.version.notnull(), ibis._.time.notnull())


def rest(lines: ir.Table) -> ir.Table:
    """The lines that `typed` leaves out, but for those that are kept as they came."""
    whole = [_text(lines, name) for name in ("id", "version", "time")]
    lacks = [each.isnull() for each in whole]
    unread = whole[2].try_cast("timestamp('UTC')").isnull()
    return lines.filter(reduce(lambda one, other: one | other, [*lacks, unread]))


def daily(rows: ir.Table, contract: Contract, seen: Mapping[str, Sequence[str]]) -> ir.Table:
    """By the day that rows are about: how many, and by column what is missing, unseen, and the sum."""
    mine = rows.filter(rows.mine & rows.fits)
    mine = mine.mutate(day=_day(mine.time, contract.zone))
    found: dict[str, Any] = {"rows": mine.count(), "asked": mine["at"].min(), "answered": mine["at"].max()}
    for feature in contract.features:
        column = mine[feature.name]
        found[f"missing {feature.name}"] = column.isnull().sum()
        if feature.name in seen and not feature.choices:
            strange = column.notnull() & column.cast("string").notin([*seen[feature.name], ""])
            found[f"unseen {feature.name}"] = strange.sum()
        if feature.kind == "number":
            found[f"sum {feature.name}"] = column.sum()
    for name in scores_of(contract):
        found[f"sum {name}"] = mine[name].sum()
    return mine.group_by("day").agg(**found).order_by("day")


def traffic(rows: ir.Table, contract: Contract) -> ir.Table:
    """By the day that rows are about and the version that answered: how many there are."""
    days = rows.mutate(day=_day(rows.time, contract.zone))
    return days.group_by(["day", "version"]).agg(rows=days.count()).order_by(["day", "version"])


def totals(rows: ir.Table) -> ir.Table:
    """One row: how many there are, ids, those of the version, and of these those that fit."""
    return rows.agg(
        lines=rows.count(), ids=rows.id.nunique(), mine=rows.mine.sum(), fitting=(rows.mine & rows.fits).sum()
    )


def firsts(rows: ir.Table) -> ir.Table:
    """Of rows with the same id, the first."""
    place = ibis.row_number().over(group_by=rows.id, order_by=[rows["at"], rows.time])
    return rows.mutate(place=place).filter(ibis._.place == 0).drop("place")


def sampled(rows: ir.Table, level: int) -> ir.Table:
    """The sample of *level*, in an order that no engine changes."""
    some = rows.filter(rows.hash < below(level)) if level else rows
    return some.order_by(["at", "id"])


def told(lines: ir.Table, level: int) -> ir.Table:
    """The outcomes in *lines* whose answers are in the sample of *level*."""
    found = lines.select("id", "outcome", at=_text(lines, "at"), hash=md5(_text(lines, "id")).substr(0, DIGITS))
    some = found.filter(found.hash.isnull() | (found.hash < below(level))) if level else found
    return some.order_by(["at", "hash"]) if "at" in lines.schema() else some


def schema_of(contract: Contract) -> ibis.Schema:
    """Of what `typed` gives."""
    found = dict.fromkeys(("id", "hash", "at", "version", "key"), "string")
    found |= {"time": "timestamp('UTC')", "mine": "boolean", "fits": "boolean"}
    found |= {feature.name: _KINDS[feature.kind] for feature in contract.features}
    return ibis.schema(found | dict.fromkeys(scores_of(contract), "float64"))


_KINDS: Mapping[str, Any] = {"number": "float64", "category": "string", "boolean": "boolean"}


def _day(time: Any, zone: str) -> Any:
    """The day of a *time*; of another zone than UTC the quarter of an hour, which no engine reckons differently.

    Every zone's days begin, and its clock changes, at a quarter of an hour of UTC.
    """
    return time.epoch_seconds() // QUARTER if zone else time.date().cast("string")


def _text(lines: ir.Table, name: str) -> Any:
    there = name in lines.schema() and lines[name].type().is_string()
    return lines[name] if there else ibis.null("string")


def _scores(lines: ir.Table, contract: Contract) -> tuple[dict[str, Any], Any]:
    """The columns of the score, and whether it is the task's."""
    names = scores_of(contract)
    score = lines["score"] if "score" in lines.schema() else ibis.null("float64")
    kind = score.type()
    if contract.task == "multiclass" and kind.is_array():
        return {name: score[i] for i, name in enumerate(names)}, score.length() == len(names)
    if contract.task != "multiclass" and kind.is_numeric() and not kind.is_boolean():
        return {"score": score.cast("float64")}, score.notnull()
    return dict.fromkeys(names, ibis.null("float64")), ibis.literal(False)


def _value(column: Any, feature: Feature) -> tuple[Any, Any]:
    """A feature's values, and whether each is missing or what the contract expects."""
    kind = column.type()
    right: Any = ibis.literal(False)
    fits = {
        "number": kind.is_numeric() and not kind.is_boolean(),
        "category": kind.is_string(),
        "boolean": kind.is_boolean(),
    }[feature.kind]
    if not fits:
        return ibis.null(_KINDS[feature.kind]), column.isnull()
    if feature.kind == "number":
        least = -LARGEST if feature.minimum is None else feature.minimum
        most = LARGEST if feature.maximum is None else feature.maximum
        right = column.between(max(least, -LARGEST), min(most, LARGEST))
    elif feature.choices:
        right = column.isin(feature.choices)
    elif feature.kind == "category":
        right = column.length().between(1, LONGEST)
    else:
        right = ibis.literal(True)
    return column.cast(_KINDS[feature.kind]), column.isnull() | right.fill_null(False)


def memtable(rows: Any, contract: Contract) -> ir.Table:
    """A frame that has the columns of `typed`, as a table."""
    return ibis.memtable(rows, schema=schema_of(contract))
