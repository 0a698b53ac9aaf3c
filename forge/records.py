"""Records: Markdown text below a hidden line of JSON; files in a folder, bodies of issues on GitHub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contracts.atomic_file import write_atomically
from forge.interface import ForgeError

_MARK, _END = "<!-- tidegate: ", " -->"
Meta = dict[str, Any]


class Records:
    """The numbered records in *folder*: 0001.md, 0002.md, … The caller holds the lock while writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def all(self) -> list[tuple[Meta, str]]:
        """Every record, newest first."""
        return [read_record(path) for path in reversed(self._paths())]

    def find(self, **wanted: object) -> tuple[Meta, str] | None:
        """The newest record whose values are *wanted*."""
        found = (
            (meta, body) for meta, body in self.all() if all(meta.get(name) == value for name, value in wanted.items())
        )
        return next(found, None)

    def new_number(self) -> int:
        """The number of the next record."""
        return 1 + len(self._paths())

    def put(self, meta: Meta, body: str) -> None:
        """Write the record whose number is in *meta*."""
        self.folder.mkdir(exist_ok=True)
        write_record(self.folder / f"{meta['number']:04}.md", meta, body)

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.md"))


def read_record(path: Path) -> tuple[Meta, str]:
    """Values and text of a record. Raises `ForgeError` if it is not a record."""
    try:
        return parse(path.read_bytes().decode())
    except (OSError, ValueError) as error:
        raise ForgeError(f"{path} cannot be read: {error}; correct it, or restore it from a copy") from error


def write_record(path: Path, meta: Meta, body: str) -> None:
    """Write a record atomically."""
    write_atomically(path, render(meta, body), durable=True)


def parse(text: str) -> tuple[Meta, str]:
    """Values and text of a record that `render` made. Raises ValueError."""
    first, _, body = text.partition("\n")
    if not (first.startswith(_MARK) and first.endswith(_END)):
        raise ValueError("the first line is not a hidden line of JSON")
    try:
        return dict(json.loads(first[len(_MARK) : -len(_END)])), body
    except (TypeError, RecursionError) as error:
        raise ValueError("the hidden line is not a JSON object") from error


def render(meta: Meta, body: str) -> str:
    """*body* below a hidden line with *meta*."""
    hidden = json.dumps(meta, ensure_ascii=False).replace("-->", "--\\u003e")
    return f"{_MARK}{hidden}{_END}\n{body}"
