"""Whether a bundle can score the rows that another bundle's contract admits, and how it reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contracts.row_contract import Contract, Feature


def cannot_read(reader: Contract, rows: Contract) -> list[str]:
    """Why *reader* cannot take every row that fits the contract *rows*; empty if it can."""
    return [*_differences(reader, rows), *_refusals(reader, rows)]


def as_read_by(reader: Contract, rows: Contract, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """*row*, which fits the contract *rows*, with the fields that *reader* knows.

    A field of *reader* alone was not validated. A value that does not fit counts as missing, so that an
    experiment refuses no row that the champion would answer.
    """
    validated = {feature.name for feature in rows.features}
    found = {name: row[name] for name in (rows.key, rows.time, "id") if name in row}
    for feature in reader.features:
        value = row.get(feature.name)
        fits = feature.name in validated or not feature.problem(value)
        found[feature.name] = value if fits else None
    return found


def _differences(reader: Contract, rows: Contract) -> Iterator[str]:
    for what, own, champions in (
        ("task is", reader.task, rows.task),
        ("key is", reader.key, rows.key),
        ("time is", reader.time, rows.time),
        ("target is", reader.target.name, rows.target.name),
        ("classes are", reader.target.classes, rows.target.classes),
    ):
        if own != champions:
            yield f"its {what} {own!r}, the champion's {what.split()[1]} {champions!r}"


def _refusals(reader: Contract, rows: Contract) -> Iterator[str]:
    """Rows that fit the contract *rows* and that *reader* would refuse."""
    sent = {feature.name: feature for feature in rows.features}
    for feature in reader.features:
        name, other = feature.name, sent.get(feature.name)
        if other is None:
            if name == "id":
                yield "it has a feature called id, which the champion's rows use for the row's id"
            elif not feature.nullable:
                yield f"{name} is not in the champion's rows and may not be missing"
        elif feature.kind != other.kind:
            yield f"{name} is a {feature.kind}, the champion's is a {other.kind}"
        else:
            if other.nullable and not feature.nullable:
                yield f"{name} may not be missing, the champion's may"
            if not _covers(feature, other):
                yield f"{name} takes {feature.expects()}, the champion's takes {other.expects()}"


def _covers(feature: Feature, other: Feature) -> bool:
    """Whether *feature* takes every value that *other* takes, apart from a missing one."""
    least, most, choices = feature.minimum, feature.maximum, feature.choices
    return (
        (least is None or (other.minimum is not None and other.minimum >= least))
        and (most is None or (other.maximum is not None and other.maximum <= most))
        and (not choices or (bool(other.choices) and {*other.choices} <= {*choices}))
    )
