"""Private fields of a contract: the journal's lines without their values, and with keys as hashes."""

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
    """Takes private fields out of lines; the salt of the hashes is kept in the journal's *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def without(self, lines: Sequence[Any], private: frozenset[str], key: str) -> list[Any]:
        """*lines*, structs, without the features in *private*; a hash if the field *key* is one. Raises OSError."""
        spelt = self._hash if key in private else str
        return [replace(line, row=_public(line.row, private), key=spelt(line.key)) for line in lines]

    def _hash(self, key: str) -> str:
        text = key.encode("utf-8", "surrogatepass")
        return "sha256:" + hashlib.sha256(self._salt + text).hexdigest()

    @cached_property
    def _salt(self) -> bytes:
        """Whichever process is first writes it, and all read the same."""
        path = self._folder / "salt"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._folder, prefix=".salt-") as draft:
                draft.write(secrets.token_bytes(32))
                draft.flush()
                with suppress(FileExistsError):  # another was first
                    path.hardlink_to(draft.name)
        return path.read_bytes()


def _public(row: Any, private: frozenset[str]) -> Any:
    """*row*, a mapping or a struct, without its *private* features."""
    if isinstance(row, msgspec.Struct):
        return replace(row, **_unset(type(row), private))
    return {name: value for name, value in row.items() if name not in private}


@lru_cache
def _unset(row: type[msgspec.Struct], private: frozenset[str]) -> dict[str, UnsetType]:
    """The changes to a struct that leave out *private* features."""
    names = zip(row.__struct_fields__, row.__struct_encode_fields__, strict=True)
    return {field: UNSET for field, name in names if name in private}
