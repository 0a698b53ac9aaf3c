"""JSON files between the steps of a drill: an interrupted run leaves none that is incomplete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any:
    """The content of the file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write the file as a whole."""
    draft = path.with_suffix(".draft")
    text = json.dumps(content, indent=1, ensure_ascii=False)
    draft.write_text(text, encoding="utf-8", errors="backslashreplace")  # half of a character, as "\ud800"
    draft.replace(path)
