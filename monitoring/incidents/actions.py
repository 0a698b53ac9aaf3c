"""What a monitoring run wants done, as plain values; `forge_actions.apply` carries them out.

Every action is idempotent, so a run that was interrupted can be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class OpenAlert:
    """Open, reopen or update the alert with *marker*."""

    marker: str
    title: str
    body: str
    memory: Mapping[str, Any]


@dataclass(frozen=True)
class ResolveAlert:
    """Close the alert with *marker*; *why* is printed."""

    marker: str
    body: str
    memory: Mapping[str, Any]
    why: str


@dataclass(frozen=True)
class PostComment:
    """Write, or update, the one comment with *marker* below alert *number*."""

    number: int
    marker: str
    body: str


@dataclass(frozen=True)
class ProposeChange:
    """Open a pull request from *branch* for a person to merge, then post *note* with its link."""

    branch: str
    title: str
    body: str
    path: str
    text: str
    note: PostComment


@dataclass(frozen=True)
class StartWorkflow:
    """Start a retrain or a rollback: by a job's outputs on GitHub Actions, at once or by hand elsewhere.

    A rollback is of the *bad* version, to *version* or (if that is empty) the champion before it.
    """

    workflow: Literal["retrain", "rollback"]
    reason: str
    version: str = ""
    bad: str = ""


@dataclass(frozen=True)
class SetOnline:
    """Set the mode of online corrections in live.toml, at once."""

    mode: str
    reason: str


@dataclass(frozen=True)
class LogLine:
    """A line to print."""

    text: str


Action = OpenAlert | ResolveAlert | PostComment | ProposeChange | StartWorkflow | SetOnline | LogLine
