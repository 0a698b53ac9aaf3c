"""The traffic split: which variant (champion, challenger, anchor) answers which key.

A row's key has a point in [0, 1) from a salted hash. It is the same in every worker, replica and
language, and does not depend on the shares. The anchor has the low end of the interval (the holdback), the
challenger the high end, the champion the middle: so a share that grows takes keys from the champion alone, and one that
shrinks returns them to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bundles.bundle import Bundle
from contracts.row_contract import Contract
from online.correction import Correction
from serve.traffic.row_adaptation import as_read_by

#: Points are whole numbers below this.
POINT_RANGE = 2**64


@dataclass(frozen=True)
class Variant:
    """A variant: a bundle under a name (champion, challenger, anchor, shadow), its share, since when.

    `rows` is the champion's contract, by which rows are validated for every variant. `correction` is what its scores are
    corrected by.
    """

    name: str
    bundle: Bundle
    share: float
    since: str
    rows: Contract = field(compare=False, repr=False)
    correction: Correction | None = field(default=None, compare=False, repr=False)

    def read(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """*row* as this variant's bundle takes it."""
        return row if self._alike else as_read_by(self.bundle.contract, self.rows, row)

    @cached_property
    def private(self) -> frozenset[str]:
        """The fields that are not written to the journal in clear."""
        return frozenset({*self.bundle.contract.private, *self.rows.private})

    @cached_property
    def _alike(self) -> bool:
        return self.bundle.contract == self.rows


@dataclass(frozen=True)
class TrafficSplit:
    """The variants that are live at one moment. A request takes it once and uses that to its end."""

    since: str = ""
    champion: Variant | None = None
    challenger: Variant | None = None
    anchor: Variant | None = None
    shadow: Variant | None = None
    salt: str = ""

    @cached_property
    def bundle(self) -> Bundle | None:
        """The champion's; None before the first release."""
        return self.champion.bundle if self.champion else None

    @cached_property
    def split(self) -> bool:
        """Whether the variant depends on the key."""
        return bool(self.challenger or self.anchor)

    def all(self) -> list[Variant]:
        """Every variant, the champion first."""
        found = (self.champion, self.challenger, self.anchor, self.shadow)
        return [variant for variant in found if variant]

    def at(self, point: int) -> Variant | None:
        """The variant that answers the keys at *point*."""
        if self.anchor and point < self._anchor_ends:
            return self.anchor
        if self.challenger and point >= self._challenger_begins:
            return self.challenger
        return self.champion

    def pick(self, key: str) -> Variant | None:
        """The variant that answers *key*; None if nothing is live."""
        return self.at(point(self.salt, key)) if self.split else self.champion

    def assign(self, keys: Sequence[str]) -> list[tuple[Variant, Sequence[int]]]:
        """The variants that answer *keys*, each with the positions of its keys."""
        if not (self.champion and keys):
            return []
        if not self.split:
            return [(self.champion, range(len(keys)))]
        found: dict[str, tuple[Variant, list[int]]] = {}
        for number, key in enumerate(keys):
            variant = self.pick(key) or self.champion
            found.setdefault(variant.name, (variant, []))[1].append(number)
        return [*found.values()]

    def mark(self, variant: Variant, key: str) -> dict[str, Any]:
        """For the journal, why *variant* answers *key*: the salt, the arm's share, the key's point.

        The point of a private key is left out: with the salt it would confirm a guessed key.
        """
        found = {"salt": self.salt, "share": variant.share}
        if variant.rows.key not in variant.private:
            found["split"] = fraction(point(self.salt, key))
        return found

    def state(self) -> list[dict[str, Any]]:
        """The variants as `/ready` shows them."""
        return [
            {
                "arm": variant.name,
                "version": variant.bundle.version,
                "share": variant.share,
                "since": variant.since,
                "correction": variant.correction.digest if variant.correction else None,
            }
            for variant in self.all()
        ]

    @cached_property
    def _anchor_ends(self) -> int:
        return int(self.anchor.share * POINT_RANGE) if self.anchor else 0

    @cached_property
    def _challenger_begins(self) -> int:
        return POINT_RANGE - int(self.challenger.share * POINT_RANGE) if self.challenger else POINT_RANGE


def point(salt: str, key: str) -> int:
    """The point of *key*: the first 8 bytes of SHA-256 over salt, a zero byte, and the key."""
    hashed = f"{salt}\0{key}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(hashed).digest()[:8], "big")


def fraction(point: int) -> float:
    """*point* as a number in [0, 1); the last 11 of its 64 bits do not fit a float."""
    return (point >> 11) / 2**53
