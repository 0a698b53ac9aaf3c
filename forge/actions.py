"""What a command tells the workflow it runs in; on a laptop, nothing is told."""

from __future__ import annotations

import os
from pathlib import Path


def output(name: str, value: str) -> None:
    """Give the step the output *name*, one line."""
    _append("GITHUB_OUTPUT", f"{name}={' '.join(value.split())}\n")


def summary(text: str) -> None:
    """Add Markdown to the job's summary."""
    _append("GITHUB_STEP_SUMMARY", text.rstrip() + "\n\n")


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
