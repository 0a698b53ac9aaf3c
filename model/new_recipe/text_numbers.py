"""Numbers that a table has as text: 1.234,50 or 1,234.50, with a currency or a percent sign, or with words for missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from model.features.recipe_syntax import literal

#: A column has at most so many different words for a missing value, in at most this share of its rows.
MAX_WORDS, MAX_MISSING = 10, 0.3
#: From so many different whole numbers on, digits are a number and no code.
MAX_CODES = 12
#: What may be beside a number: spaces, currencies, per cent and per mille.
_BESIDE = r"[\s€$£¥%‰']|\b(?:EUR|USD|GBP|CHF)\b"


@dataclass(frozen=True)
class TextNumbers:
    """The *numbers* of a column of texts, the expression that reads them in a recipe, and the *words* for missing."""

    numbers: pd.Series[Any]
    reading: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class _Style:
    """How numbers are written: what a number looks like, and two ways to read a column: by code, and here."""

    number: str
    code: str
    read: Callable[[pd.Series[Any]], pd.Series[Any]]


_POINT = _Style(
    r"[+-]?(\d+|\d{1,3}(,\d{3})+)?(\.\d+)?(e[+-]?\d+)?",
    'pd.to_numeric({}.str.replace(r"[^\\d.e+-]", "", regex=True), errors="coerce")',
    lambda texts: pd.to_numeric(texts.str.replace(r"[^\d.e+-]", "", regex=True), errors="coerce"),
)
_COMMA = _Style(
    r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?",
    'pd.to_numeric({}.str.replace(r"[^\\d,+-]", "", regex=True).str.replace(",", "."), errors="coerce")',
    lambda texts: pd.to_numeric(
        texts.str.replace(r"[^\d,+-]", "", regex=True).str.replace(",", ".", regex=False), errors="coerce"
    ),
)


def text_numbers(column: pd.Series[Any], name: str) -> TextNumbers | None:
    """The numbers of the texts in *column*, called *name*; None if it holds words, codes, ids or dates."""
    texts = pd.Series(column.dropna().unique(), dtype=str)
    plain = texts.str.replace(_BESIDE, "", regex=True)
    found = {style.code: plain.map(lambda text, s=style: _is_number(s, text)) for style in (_POINT, _COMMA)}
    style = _COMMA if found[_COMMA.code].sum() > found[_POINT.code].sum() else _POINT
    numbers = found[style.code].to_numpy(dtype=bool)
    digits = texts[numbers]
    words = tuple(sorted(texts[~numbers]))
    if len(words) > MAX_WORDS or not len(digits) or digits.str.match(r"[+-]?0\d").any():
        return None
    if digits.str.fullmatch(r"\d+").all() and not (words and len(digits) > MAX_CODES):
        return None
    values = style.read(column)
    is_word = column.isin(words)
    if is_word.mean() > MAX_MISSING or values[is_word].notna().any() or values[column.notna() & ~is_word].isna().any():
        return None
    return TextNumbers(values, style.code.format(f"rows[{literal(name)}]"), words)


def without_infinity(column: pd.Series[Any], name: str) -> TextNumbers:
    """*column* with missing values where it is infinite, which no contract admits."""
    values = column.replace([float("inf"), float("-inf")], float("nan"))
    reading = f'rows[{literal(name)}].replace([float("inf"), float("-inf")], float("nan"))'
    return TextNumbers(values, reading, ("infinite",))


def _is_number(style: _Style, text: str) -> bool:
    return bool(re.search(r"\d", text) and re.fullmatch(style.number, text))
