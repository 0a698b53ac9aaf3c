"""A probable change of a source, and the limits from which it is one. The standard library alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["units", "stopped", "missing", "renamed", "categories", "rows", "schema", "outlook"]


@dataclass(frozen=True)
class Change:
    """A probable change: of which *field* ("" for all rows), *since* which day ("" if unknown).

    Of an outlook *since* is the day on which a limit will be passed; *names* are the old and the new name of a
    renamed category. A change that is not *certain* is reported, and fails no rule: the column has too few values.
    """

    kind: Kind
    field: str
    since: str
    words: str
    names: tuple[str, ...] = ()
    certain: bool = True

    def __str__(self) -> str:
        return f"`{self.field}` {self.words}" if self.field else self.words


@dataclass(frozen=True)
class Limits:
    """From where on a difference is a change: shares of rows; and the days ahead of an outlook."""

    missing_rise: float
    category_share: float
    sentinel_share: float
    max_missing: float
    horizon: int
