"""Proposals, releases, alerts: the place where people and robots meet.

`Forge` is what the rest of the project knows of it. A folder on a laptop is one (`forge.local`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol


class ForgeError(Exception):
    """The forge refuses, or cannot be reached. The message says why and what to do."""


@dataclass(frozen=True)
class Release:
    """A stored bundle: a candidate, published, or withdrawn (rolled back, and so in quarantine)."""

    version: str
    digest: str
    state: Literal["candidate", "published", "withdrawn"]
    notes: str
    at: str


@dataclass(frozen=True)
class Proposal:
    """A change of files that waits for a verdict, on a branch of its own."""

    number: int
    branch: str
    title: str
    body: str
    state: Literal["open", "merged", "closed"]
    head: str
    labels: tuple[str, ...]
    status: tuple[bool | None, str] | None
    comments: Mapping[str, str]


@dataclass(frozen=True)
class Alert:
    """Something that somebody should look at; one per marker."""

    number: int
    marker: str
    title: str
    body: str
    state: Literal["open", "closed"]
    history: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A file as one commit on main left it."""

    commit: str
    at: str
    message: str
    text: str


class Forge(Protocol):
    """What a forge can do. Every write may be repeated: it finishes the job and doubles nothing."""

    def read(self, path: str, branch: str = "main") -> str | None: ...
    def history(self, path: str) -> list[Change]: ...
    def upload(self, version: str, folder: Path) -> None: ...
    def download(self, version: str, folder: Path) -> None: ...
    def releases(self) -> list[Release]: ...
    def publish(self, version: str, notes: str) -> None: ...
    def withdraw(self, version: str, reason: str) -> None: ...
    def propose(
        self,
        branch: str,
        title: str,
        body: str,
        files: Mapping[str, str],
        labels: Sequence[str] = (),
    ) -> Proposal: ...
    def proposal(self, branch: str) -> Proposal | None: ...
    def proposals(self) -> list[Proposal]: ...
    def status(self, branch: str, ok: bool | None, summary: str) -> None: ...
    def comment(self, branch: str, marker: str, body: str) -> None: ...
    def merge(self, branch: str, message: str) -> str: ...
    def close(self, branch: str, reason: str) -> None: ...
    def alert(self, marker: str, title: str, body: str) -> Alert: ...
    def resolve(self, marker: str, body: str) -> Alert | None: ...
    def alerts(self) -> list[Alert]: ...


def open_forge(where: str) -> Forge:
    """The forge at *where*: a folder."""
    from forge.local import LocalForge  # noqa: PLC0415 -- it imports the nouns above

    return LocalForge(Path(where))
