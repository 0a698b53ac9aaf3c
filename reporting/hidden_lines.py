"""Hidden lines of a report: values as JSON in comments of its Markdown. Landing keeps them in the release notes.

Later verdicts read them there: `<!-- NAME {...} -->`, each on one line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

Value = TypeVar("Value")


def hidden_line(name: str, fields: Mapping[str, Any]) -> str:
    """The line that records *fields* as *name*; nothing in it ends the comment."""
    content = json.dumps(fields).replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<!-- {name} {content} -->"


def recorded_values(name: str, notes: Iterable[str], read: Callable[[dict[str, Any]], Value]) -> list[Value]:
    """What *read* makes of the fields of each line *name* in the *notes*; lines that a person edited are skipped.

    A line was edited if it is no JSON, or if *read* raises one of ValueError, TypeError, KeyError and AttributeError.
    """
    found = []
    for text in notes:
        for content in re.findall(rf"^<!-- {name} (\{{.*\}}) -->\s*$", text, re.MULTILINE):
            try:
                found.append(read(json.loads(content)))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue
    return found
