"""What git knows of a recipe's file."""

from __future__ import annotations

import subprocess
from pathlib import Path


def committed(file: Path) -> bool:
    """Whether git has *file* as it is, so that it can be written over."""
    return _git(file, "status", "--porcelain", "--ignored", "--", file.name) == ""


def commit_of(recipe: Path) -> str:
    """The git commit of the recipe's folder, with "-dirty" if files differ; "" outside git."""
    return _git(recipe, "describe", "--always", "--abbrev=40", "--dirty") or ""


def _git(file: Path, *words: str) -> str | None:
    """What git prints in the folder of *file*; None if it fails, or is not installed."""
    try:
        found = subprocess.run(
            ["git", "-C", str(file.resolve().parent), *words], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return None if found.returncode else found.stdout.strip()
