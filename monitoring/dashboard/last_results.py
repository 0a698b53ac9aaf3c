"""Results that commands left in files of the checkout: the last drill of the gate, and the ML Test Score."""

from __future__ import annotations

import json
from pathlib import Path


def read_drill(path: Path) -> tuple[str, str]:
    """The day and the score in `drill.json`; empty where no drill was run."""
    if not path.is_file():
        return "", ""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        return str(result["when"]), str(result["sentence"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return "", f"{path} cannot be read ({error!r}); type: make drill"


def read_score(path: Path) -> tuple[str, str, str]:
    """The day, the ML Test Score and the sums of its sections in `score.json`; empty where it was not computed."""
    if not path.is_file():
        return "", "", ""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        sections = ", ".join(f"{name} {float(value):g}" for name, value in found["sections"].items())
        return str(found["day"]), f"{float(found['score']):g} of 7", sections
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", "", ""
