"""Receipts of erasures, in the journal's folder `erased`: what, where, how many and when; hashes of the key and of ids.

Each receipt has its salt, so that a key or an id that somebody asks about can be recognised, and none can be read from it.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from audit.erasure.erased_key import hashed

FOLDER = "erased"
BEGUN, COMPLETE, INCOMPLETE = "begun", "complete", "incomplete"


@dataclass
class Receipt:
    """An erasure, begun *at* a time and ended at *until*: the rows that were erased by place, and what is left.

    *key* and *ids* are hashes with the *salt* (hexadecimal).
    """

    at: str
    salt: str
    key: str
    state: str = BEGUN
    until: str = ""
    erased: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, key: str, at: str) -> Receipt:
        """A receipt for *key*, with a new salt."""
        salt = secrets.token_bytes(32)
        return cls(at, salt.hex(), hashed(salt, key))

    @property
    def salt_bytes(self) -> bytes:
        """The salt."""
        return bytes.fromhex(self.salt)

    def is_about(self, key: str) -> bool:
        """Whether *key* was erased."""
        return hashed(self.salt_bytes, key) == self.key

    def has_id(self, id_: str) -> bool:
        """Whether the answer with the id was erased."""
        return hashed(self.salt_bytes, id_) in self.ids

    def lines_of(self, journal: Path) -> int:
        """How many lines of *journal* were erased."""
        return sum(count for place, count in self.erased.items() if Path(place).is_relative_to(journal))

    def path(self, journal: Path) -> Path:
        """Its file."""
        return journal / FOLDER / f"{self.at.replace(':', '')}-{self.key[7:15]}.json"

    def write(self, journal: Path) -> Path:
        """Write it whole, or not at all, in place of what it was before."""
        folder = journal / FOLDER
        folder.mkdir(exist_ok=True)
        path = self.path(journal)
        draft = path.with_name(f".{path.name}-{os.getpid()}")
        with draft.open("w", encoding="utf-8") as file:
            json.dump({"format": 1, **asdict(self)}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return path


def receipts(journal: Path) -> Iterator[Receipt]:
    """The receipts of *journal*, the oldest first; what is not one is passed over."""
    for path in sorted((journal / FOLDER).glob("[!.]*.json")):
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
            found.pop("format")
            receipt = Receipt(**found)
            receipt.salt_bytes  # noqa: B018  # hexadecimal?
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
        yield receipt
