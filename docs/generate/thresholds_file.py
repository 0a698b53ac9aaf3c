"""thresholds.toml with its comments: tables, and their values with what the file says of each.

A comment above a table, or above values, is text; one behind a value, with the indented lines below it, is that
value's meaning.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field

TABLE = re.compile(r"\[([\w.]+)\]\s*(?:#\s*(.*))?$")
VALUE = re.compile(r"(\w+)\s*=\s*")


@dataclass
class Value:
    """A value as it is written, and its meaning."""

    name: str
    text: str
    meaning: str


@dataclass
class Group:
    """Values that follow each other in *table*, and the comment above them."""

    table: str
    text: str
    values: list[Value] = field(default_factory=list)


def read_groups(content: str) -> tuple[str, list[Group]]:
    """The text at the top of the file, and its values by table and comment. Raises ValueError."""
    top, groups, comment = "", [Group("", "")], ""
    for line in content.splitlines():
        if not line.strip():
            if not groups[-1].table and comment:
                top, comment = f"{top}\n\n{comment}".strip(), ""
        elif line.startswith("#"):
            comment = f"{comment} {line[1:].strip()}".strip()
        elif line.lstrip().startswith("#"):
            last = groups[-1].values[-1]
            last.meaning += " " + line.strip()[1:].strip()
        elif found := TABLE.match(line):
            groups.append(Group(found[1], f"{comment} {found[2] or ''}".strip()))
            comment = ""
        elif found := VALUE.match(line):
            if comment:
                groups.append(Group(groups[-1].table, comment))
                comment = ""
            groups[-1].values.append(_value(found[1], line[found.end() :]))
        else:
            raise ValueError(f"a line of thresholds.toml is neither a table, a value nor a comment: {line}")
    return top, [group for group in groups if group.table]


def _value(name: str, rest: str) -> Value:
    """The value and the comment behind it; a "#" may be part of the value."""
    for end in [*(found.start() for found in re.finditer("#", rest)), len(rest)]:
        try:
            tomllib.loads(f"{name} = {rest[:end]}")
        except tomllib.TOMLDecodeError:
            continue
        return Value(name, rest[:end].strip(), rest[end + 1 :].strip())
    raise ValueError(f"{name} has a value of several lines: {rest}")
