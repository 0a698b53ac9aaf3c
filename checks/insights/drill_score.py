"""The result of the last drill, as a line for the report."""

from __future__ import annotations

import json
from pathlib import Path

from reporting.markdown import text


def drill_sentence(path: Path) -> str:
    """The score in the file `drill.json`; "" without a file, and what is wrong with a broken one."""
    if not path.is_file():
        return ""
    try:
        drill = json.loads(path.read_text(encoding="utf-8"))
        return f"Drill of this gate on {text(drill['when'])}: {text(drill['sentence'])}."
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"The last drill's result cannot be read ({type(error).__name__}); run it again: make drill"
