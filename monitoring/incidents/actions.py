"""What a run of the watch wants done, as plain values: the shell does them one by one.

Each may be done twice and doubles nothing, so a run that was killed is simply run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class OpenAlert:
    """Open the alert with *marker*, open it again, or bring it up to date."""

    marker: str
    title: str
    body: str
    memory: Mapping[str, Any]


@dataclass(frozen=True)
class ResolveAlert:
    """Close the alert with *marker*; *why* is for the terminal."""

    marker: str
    body: str
    memory: Mapping[str, Any]
    why: str


@dataclass(frozen=True)
class PostComment:
    """Write the robots' one comment with *marker* below alert *number*."""

    number: int
    marker: str
    body: str


@dataclass(frozen=True)
class ProposeChange:
    """Open the proposal of *branch*, for a person to merge, then write *note* with its link in it."""

    branch: str
    title: str
    body: str
    path: str
    text: str
    note: PostComment


@dataclass(frozen=True)
class StartWorkflow:
    """Start a robot: in a workflow by its outputs, on a laptop at once or in words.

    A rollback is about the *bad* version, and goes to *version* if that is not empty.
    """

    workflow: Literal["retrain", "rollback"]
    reason: str
    version: str = ""
    bad: str = ""


@dataclass(frozen=True)
class LogLine:
    """A line for the terminal."""

    text: str


Action = OpenAlert | ResolveAlert | PostComment | ProposeChange | StartWorkflow | LogLine
