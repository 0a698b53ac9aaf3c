"""Three-way merge of `thresholds.toml`: new keys arrive with their comments, changed values stay.

A merge of lines conflicts where a new key is next to a changed value. This one compares values, and edits the
user's text, so that its comments stay.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, NamedTuple

_HEADER = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+\s*(#.*)?$")
_KEY = re.compile(r"([A-Za-z0-9_.\"'-]+)\s*=")
#: A table and a key of it; "" is the table's own lines: its header, and the comments in front of it.
Place = tuple[str, str]


class Merged(NamedTuple):
    """The merged *text*, and what a person should know: one line each."""

    text: str
    remarks: list[str]


def merge_thresholds(base: str, ours: str, new: str) -> Merged | None:
    """*ours* with what changed from *base* to *new*; where both changed a value, it stays as in *ours*.

    None if one of the texts is not valid TOML, or if the result does not have the values that the merge of the
    values has.
    """
    old, text = _blocks(ours), _blocks(new)
    keys = {*_blocks(base), *old, *text}
    try:
        was, have, come = (_values(tomllib.loads(each), keys) for each in (base, ours, new))
    except tomllib.TOMLDecodeError:
        return None
    wanted, remarks = _merged_values(was, have, come)
    merged: dict[Place, str] = {}
    for place, lines in old.items():
        if place[1] and place not in wanted and place not in text:
            continue  # removed by the new version
        taken = place[1] and place in text and have.get(place) != wanted.get(place)
        merged[place] = text[place] if taken else lines
    merged = _with_new(merged, text, wanted)
    result = "".join(merged.values())
    try:
        right = _values(tomllib.loads(result), keys) == wanted
    except tomllib.TOMLDecodeError:
        right = False
    return Merged(result, remarks) if right else None


def _merged_values(
    was: dict[Place, Any], have: dict[Place, Any], come: dict[Place, Any]
) -> tuple[dict[Place, Any], list[str]]:
    wanted, remarks, missing = dict(have), list[str](), object()
    for place in {**have, **come}:
        before, mine, theirs = (each.get(place, missing) for each in (was, have, come))
        name = ".".join(filter(None, place))
        if theirs in (before, mine):
            continue
        if mine != before:
            what = f"its default is now {_written(theirs)}" if theirs is not missing else "it has been removed"
            remarks.append(f"`{name}` stays {_written(mine)}: {what}" if mine is not missing else f"`{name}`: {what}")
        elif theirs is missing:
            del wanted[place]
            remarks.append(f"`{name}` is removed")
        else:
            wanted[place] = theirs
            what = f"is new: {_written(theirs)}" if before is missing else f"is now {_written(theirs)}"
            remarks.append(f"`{name}` {what}")
    return wanted, remarks


def _with_new(merged: dict[Place, str], text: dict[Place, str], wanted: dict[Place, Any]) -> dict[Place, str]:
    """*merged* with the blocks of *text* that it lacks, each after the one that it follows in *text*."""
    order, previous = list(merged), ("", "")
    for place in text:
        table, key = place
        if place not in merged and (place in wanted if key else any(each[0] == table for each in wanted)):
            after = order.index(previous) + 1 if previous in order else len(order)
            order.insert(after, place)
        if place in order:
            previous = place
    return {place: merged.get(place) or text[place] for place in order}


def _blocks(text: str) -> dict[Place, str]:
    """The lines of *text* by the key that they set; comments and empty lines belong to what follows them."""
    found: dict[Place, str] = {}
    table, place, waiting = "", ("", ""), ""
    for line in text.splitlines(keepends=True):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header and not key:
            table, place = header[1], (header[1], "")
        elif key:
            place = (table, key[1])
        elif not line.strip() or line.startswith("#"):
            waiting += line
            continue
        found[place] = found.get(place, "") + waiting + line
        waiting = ""
    found[place] = found.get(place, "") + waiting
    return found


def _values(table: dict[str, Any], keys: set[Place], name: str = "") -> dict[Place, Any]:
    """The values of a table and of the tables in it, by place. An inline table, which is one of *keys*, is a value."""
    found: dict[Place, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and (name, key) not in keys:
            found |= _values(value, keys, f"{name}.{key}" if name else key)
        else:
            found[name, key] = value
    return found


def _written(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else f"{value}"
