"""JSON files between the steps of a drill: an interrupted run leaves none that is incomplete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contracts.atomic_file import write_atomically


def read_json(path: Path) -> Any:
    """The content of the file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write the file atomically."""
    write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False))
