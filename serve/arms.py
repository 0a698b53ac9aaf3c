"""The arms of an experiment: who answers whose rows, and who only looks on.

A row's key has a point in [0, 1), from a salted hash: the same in every worker, replica and
language, and whatever the shares are. The anchor's share lies at the low end, the challenger's at
the high end, the champion's between them; so a share that grows takes keys from the champion alone,
and one that shrinks gives them back to it alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from model.contract import Contract, Feature
from serve.bundle import Bundle

#: Points are whole numbers below this.
WHOLE = 2**64


@dataclass(frozen=True)
class Arm:
    """A bundle under a name (champion, challenger, anchor, shadow), with its share, since when.

    `rows` is the champion's contract: what it lets in is what every arm gets.
    """

    name: str
    bundle: Bundle
    share: float
    since: str
    rows: Contract = field(compare=False, repr=False)

    def read(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """*row* as this arm's bundle takes it."""
        return row if self._alike else as_read_by(self.bundle.contract, self.rows, row)

    @cached_property
    def private(self) -> frozenset[str]:
        """What neither this arm's contract nor the champion's lets into the journal in clear."""
        return frozenset({*self.bundle.contract.private, *self.rows.private})

    @cached_property
    def _alike(self) -> bool:
        return self.bundle.contract == self.rows


@dataclass(frozen=True)
class Arms:
    """Everything that is live at one moment. A request looks at it once and keeps what it saw."""

    since: str = ""
    champion: Arm | None = None
    challenger: Arm | None = None
    anchor: Arm | None = None
    shadow: Arm | None = None
    salt: str = ""

    @cached_property
    def bundle(self) -> Bundle | None:
        """The champion's; None before the first release."""
        return self.champion.bundle if self.champion else None

    @cached_property
    def split(self) -> bool:
        """Whether it matters whose row it is."""
        return bool(self.challenger or self.anchor)

    def all(self) -> list[Arm]:
        """Every arm there is, the champion first."""
        found = (self.champion, self.challenger, self.anchor, self.shadow)
        return [arm for arm in found if arm]

    def at(self, point: int) -> Arm | None:
        """Who answers the keys at *point*."""
        if self.anchor and point < self._held_back:
            return self.anchor
        if self.challenger and point >= self._challenged:
            return self.challenger
        return self.champion

    def pick(self, key: str) -> Arm | None:
        """Who answers *key*; None if nothing is live."""
        return self.at(point(self.salt, key)) if self.split else self.champion

    def deal(self, keys: Sequence[str]) -> list[tuple[Arm, Sequence[int]]]:
        """The arms that answer *keys*, each with the numbers of its own."""
        if not (self.champion and keys):
            return []
        if not self.split:
            return [(self.champion, range(len(keys)))]
        found: dict[str, tuple[Arm, list[int]]] = {}
        for number, key in enumerate(keys):
            arm = self.pick(key) or self.champion
            found.setdefault(arm.name, (arm, []))[1].append(number)
        return [*found.values()]

    def mark(self, arm: Arm, key: str) -> dict[str, Any]:
        """Why *key* fell to *arm*, for the journal: the salt, the key's point, the arm's share.

        A private key's point is left out: with the salt beside it, it would tell a guessed key.
        """
        told = {"salt": self.salt, "share": arm.share}
        if arm.rows.key not in arm.private:
            told["split"] = fraction(point(self.salt, key))
        return told

    def state(self) -> list[dict[str, Any]]:
        """The arms as `/ready` and the status page tell them."""
        return [
            {"arm": arm.name, "version": arm.bundle.version, "share": arm.share, "since": arm.since}
            for arm in self.all()
        ]

    @cached_property
    def _held_back(self) -> int:
        return int(self.anchor.share * WHOLE) if self.anchor else 0

    @cached_property
    def _challenged(self) -> int:
        return WHOLE - int(self.challenger.share * WHOLE) if self.challenger else WHOLE


def point(salt: str, key: str) -> int:
    """Where *key* lies: the first 8 bytes of SHA-256 over salt, a zero byte, and the key."""
    told = f"{salt}\0{key}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(told).digest()[:8], "big")


def fraction(point: int) -> float:
    """*point* as a number in [0, 1); the last 11 of its 64 bits do not fit a float."""
    return (point >> 11) / 2**53


def cannot_read(reader: Contract, rows: Contract) -> list[str]:
    """Why the contract *reader* cannot take each row that fits the contract *rows*; [] if it can."""
    return [*_unlike(reader, rows), *_narrower(reader, rows)]


def as_read_by(reader: Contract, rows: Contract, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """*row*, which fits the contract *rows*, with the fields that *reader* looks at.

    Nobody looked at a field that *reader* alone has; one that does not fit counts as missing, so
    that an experiment refuses no row that the champion would answer.
    """
    known = {feature.name for feature in rows.features}
    found = {name: row[name] for name in (rows.key, rows.time, "id") if name in row}
    for feature in reader.features:
        value = row.get(feature.name)
        if feature.name not in known and feature.problem(value):
            value = None
        found[feature.name] = value
    return found


def _unlike(reader: Contract, rows: Contract) -> Iterator[str]:
    for what, mine, theirs in (
        ("task", reader.task, rows.task),
        ("key", reader.key, rows.key),
        ("time", reader.time, rows.time),
        ("target", reader.target.name, rows.target.name),
        ("classes", reader.target.classes, rows.target.classes),
    ):
        if mine != theirs:
            be = "are" if what == "classes" else "is"
            yield f"its {what} {be} {mine!r}, the champion's {be} {theirs!r}"


def _narrower(reader: Contract, rows: Contract) -> Iterator[str]:
    sent = {feature.name: feature for feature in rows.features}
    for feature in reader.features:
        other = sent.get(feature.name)
        if other:
            yield from _refuses(feature, other)
        elif feature.name == "id":
            yield "it has a feature called id, which the champion's rows use for an id of their own"
        elif not feature.nullable:
            yield f"{feature.name} is not in the champion's rows and may not be missing"


def _refuses(feature: Feature, other: Feature) -> Iterator[str]:
    name = feature.name
    if feature.kind != other.kind:
        yield f"{name} is a {feature.kind}, the champion's is a {other.kind}"
        return
    if other.nullable and not feature.nullable:
        yield f"{name} may not be missing, the champion's may"
    if not _covers(feature, other):
        yield f"{name} takes {feature.expects()}, the champion's takes {other.expects()}"


def _covers(feature: Feature, other: Feature) -> bool:
    least, most = feature.minimum, feature.maximum
    return (
        (least is None or (other.minimum is not None and other.minimum >= least))
        and (most is None or (other.maximum is not None and other.maximum <= most))
        and (
            not feature.choices or (bool(other.choices) and {*other.choices} <= {*feature.choices})
        )
    )
