"""What the last drill said of this gate: a line for the report."""

from __future__ import annotations

import json
from pathlib import Path

from reporting.markdown import text


def drilled(path: Path) -> str:
    """The score in `drill.json`; "" where no drill was held, and what is wrong with a broken file."""
    if not path.is_file():
        return ""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return f"The drill of {text(told['when'])} on this gate: {text(told['sentence'])}."
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"The last drill's result cannot be read ({type(error).__name__}); hold it again: make drill"
