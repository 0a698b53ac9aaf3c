"""Replace a file in one step, so that a reader finds the old content or the new one, and never a part."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Replace the file at *path* by *content*; text is written as UTF-8. Its folder is created if needed.

    A *durable* file survives a crash of the operating system (fsync). Raises OSError, and then leaves the old file.
    An unpaired surrogate in text, which JSON may contain and UTF-8 cannot encode, is written as its escape.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
