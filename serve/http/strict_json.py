"""A request's body as JSON values, read in one way only: RFC 8259, no name twice, finite numbers, bounded."""

from __future__ import annotations

import json
import math
from typing import Any

from contracts.row_contract import show
from serve.scoring.validation import RequestError

#: Levels of nesting that a body may have; a row needs two.
MAX_DEPTH = 32
#: Digits of the longest whole number: more than any float64 has.
MAX_DIGITS = 310
#: Names of one object: far more than any contract has.
MAX_NAMES = 10_000
#: What RFC 8259 does not have and Python's json writes.
CONSTANTS = {"NaN": None, "Infinity": math.inf, "-Infinity": -math.inf}


def read_json(content: bytes, deepest: int = MAX_DEPTH, *, nan_is_missing: bool = False) -> Any:
    """The JSON in *content*: RFC 8259's, with no name twice in an object, and finite numbers only.

    With *nan_is_missing* the constants that Python's json writes are read as well: NaN is None, and
    an infinity is one, for the contract to refuse it with the name of its field.
    """
    if not content.strip():
        raise RequestError(400, "the body is empty; expected a JSON object, or a list of them")
    try:
        found = json.loads(
            content,
            parse_constant=CONSTANTS.__getitem__ if nan_is_missing else _refuse,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_once,
        )
    except UnicodeDecodeError as error:
        raise RequestError(400, "the body is not JSON: it is not UTF-8 text") from error
    except RecursionError as error:
        raise RequestError(400, "the body is nested too deeply") from error
    except ValueError as error:
        raise RequestError(400, f"the body is not JSON: {error}") from error
    if _deeper(found, deepest):
        raise RequestError(400, f"the body is nested too deeply; {deepest} levels are taken")
    return found


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is not a JSON number; send null for what is missing")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large: a float64 holds at most 1.8e308")
    return value


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number is too large: {len(text):,} digits, at most {MAX_DIGITS}")
    return int(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_NAMES:
        raise ValueError(f"an object has {len(pairs):,} names; at most {MAX_NAMES:,} are taken")
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {show(name)} is twice in one object")
            seen.add(name)
    return found


def _deeper(found: Any, levels: int) -> bool:
    layer = [found]
    for _ in range(levels):
        layer = [
            inner
            for each in layer
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, (dict, list))
        ]
        if not layer:
            return False
    return True
