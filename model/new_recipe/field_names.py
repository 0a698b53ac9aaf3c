"""Names of fields for a table's columns: plain identifiers that differ, none of which is reserved."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable

from contracts.row_fields import SCORE

#: Letters that are no others with a mark.
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "œ": "oe", "ł": "l", "Ł": "L", "đ": "d"})


def field_names(columns: Iterable[str]) -> dict[str, str]:
    """The table's names -> names of fields."""
    found: dict[str, str] = {}
    taken = set()
    for name in columns:
        plain = _plain(name)
        if not plain or plain[0].isdigit() or keyword.iskeyword(plain):
            plain = f"field_{plain}".rstrip("_")
        if plain == SCORE or plain.startswith(SCORE + "_"):
            plain = f"given_{plain}"
        while plain.casefold() in taken:
            plain += "_"
        taken.add(plain.casefold())
        found[name] = plain
    return found


def _plain(name: str) -> str:
    """*name* in ASCII if that can be read: without marks on letters. A name in another script stays in it."""
    if name.isidentifier() and name.isascii():
        return name
    latin = "".join(c for c in unicodedata.normalize("NFKD", name.translate(_LETTERS)) if not unicodedata.combining(c))
    lost = sum(c.isalpha() and not c.isascii() for c in latin)
    if lost:
        latin = unicodedata.normalize("NFKC", name)
    words = re.sub(r"\W+", "_", latin, flags=0 if lost else re.ASCII).strip("_").lower()
    return words if f"x{words}".isidentifier() else re.sub(r"\W+", "_", words, flags=re.ASCII).strip("_")
