"""The key whose rows are erased, as it may be written; a digest in its place. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any


def hashed(salt: bytes, text: str) -> str:
    """The hash that the journal has in place of a private key."""
    return "sha256:" + hashlib.sha256(salt + text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class ErasedKey:
    """A *key*, and the *salts* of the journals in which it may be hashed; *ids* are those of its answers.

    *earlier* has the salt and the hashes of the ids of each earlier erasure of it: their outcomes may come in later.
    """

    key: str
    salts: Collection[bytes] = ()
    ids: frozenset[str] = frozenset()
    earlier: Sequence[tuple[bytes, frozenset[str]]] = ()

    @cached_property
    def spelt(self) -> frozenset[str]:
        """The key as it may be written in a line."""
        return frozenset({self.key, *(hashed(salt, self.key) for salt in self.salts)})

    def is_answer(self, line: Any) -> bool:
        """Whether the *line* of an answer or of a shadow's score is about the key."""
        return isinstance(line, dict) and (line.get("key") in self.spelt or self.is_id(line.get("id")))

    def is_outcome(self, line: Any) -> bool:
        """Whether the *line* of an outcome belongs to one of the answers."""
        return isinstance(line, dict) and self.is_id(line.get("id"))

    def is_id(self, id_: Any) -> bool:
        """Whether an answer with the id was, or is to be, erased."""
        if not isinstance(id_, str):
            return False
        return id_ in self.ids or any(hashed(salt, id_) in known for salt, known in self.earlier)

    def is_in(self, content: bytes) -> bool:
        """Whether the key is in a line that is cut off or not JSON."""
        texts = (json.dumps(each, ensure_ascii=ascii_) for each in self.spelt for ascii_ in (True, False))
        return any(text.encode("utf-8", "surrogatepass") in content for text in texts)
