"""Private fields of a contract: removed from the journal's lines, with keys replaced by hashes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace


class PrivateFields:
    """Removes private fields from lines. The salt of the hashes is stored in the journal's *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def without(self, lines: Sequence[Any], private: frozenset[str], key: str) -> list[Any]:
        """*lines* (structs) without the features in *private*; if the field *key* is private, with its hash. Raises OSError."""
        spelt = self._hash if key in private else str
        return [replace(line, row=_public(line.row, private), key=spelt(line.key)) for line in lines]

    def _hash(self, key: str) -> str:
        text = key.encode("utf-8", "surrogatepass")
        return "sha256:" + hashlib.sha256(self._salt + text).hexdigest()

    @cached_property
    def _salt(self) -> bytes:
        """The salt; the first process writes it, and all processes read the same file."""
        path = self._folder / "salt"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._folder, prefix=".salt-") as draft:
                draft.write(secrets.token_bytes(32))
                draft.flush()
                with suppress(FileExistsError):  # another process wrote it first
                    path.hardlink_to(draft.name)
        return path.read_bytes()


def _public(row: Any, private: frozenset[str]) -> Any:
    """*row*, a mapping or a struct, without its *private* features."""
    if isinstance(row, msgspec.Struct):
        return replace(row, **_unset(type(row), private))
    return {name: value for name, value in row.items() if name not in private}


@lru_cache
def _unset(row: type[msgspec.Struct], private: frozenset[str]) -> dict[str, UnsetType]:
    """The arguments of `replace` that remove *private* features from a struct."""
    names = zip(row.__struct_fields__, row.__struct_encode_fields__, strict=True)
    return {field: UNSET for field, name in names if name in private}
