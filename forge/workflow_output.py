"""Outputs and summary of a workflow's job; outside GitHub Actions nothing is written."""

from __future__ import annotations

import os
from pathlib import Path


def output(name: str, value: str) -> None:
    """Give the step the output *name*, one line."""
    _append("GITHUB_OUTPUT", f"{name}={' '.join(value.split())}\n")


def summary(text: str) -> None:
    """Add Markdown to the job's summary."""
    _append("GITHUB_STEP_SUMMARY", text.rstrip() + "\n\n")


def run_address() -> str:
    """The address of this workflow run; "" outside GitHub Actions."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run = (os.environ.get(name, "") for name in names)
    return f"{server}/{repository}/actions/runs/{run}" if os.environ.get("GITHUB_ACTIONS") else ""


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def say(text: str) -> None:
    """Print *text*, and add it to the job's summary."""
    print(text, flush=True)
    summary(text)
