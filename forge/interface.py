"""Proposals, releases, alerts: the place where people and robots meet.

`Forge` is what the rest of the project knows of it. GitHub is one (`forge.github.github_forge`), a folder on a
laptop is another (`forge.local.folder_forge`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from contracts.live_config import Change as Change  # noqa: PLC0414 -- part of the interface

GITHUB = "github:"
#: Begins the marker of an incident that the watch keeps.
WATCH = "watch:"
#: Begins the marker of a note that answers a comment; its id follows.
REPLY = "reply:"


class ForgeError(Exception):
    """The forge refuses, or cannot be reached. The message says why and what to do."""


@dataclass(frozen=True)
class Release:
    """A stored bundle: a candidate, published, or withdrawn (rolled back, and so in quarantine).

    *latest* is the one that people and programs take who ask for no version. *by_hand* says that a
    person changed its state on the forge, or lost what robots noted there, and no robot has followed
    yet. *digest* is what its notes say; only the history of live.toml says what may be served.
    """

    version: str
    digest: str
    state: Literal["candidate", "published", "withdrawn"]
    notes: str
    at: str
    latest: bool = False
    by_hand: bool = False


@dataclass(frozen=True)
class Proposal:
    """A change of files that waits for a verdict, on a branch of its own.

    *files* are the paths it changes, *head* its newest commit. *comments* are the robots' own, by
    marker. *link* leads to it from another text.
    """

    number: int
    branch: str
    title: str
    body: str
    state: Literal["open", "merged", "closed"]
    head: str
    labels: tuple[str, ...]
    status: tuple[bool | None, str] | None
    comments: Mapping[str, str]
    files: tuple[str, ...] = ()
    link: str = ""


@dataclass(frozen=True)
class Alert:
    """Something that somebody should look at; one per marker.

    *memory* is what robots noted for their next run, as JSON. *by_hand* says that a person closed
    it, or opened it again, and no robot has followed yet. *link* leads to it from another text.
    """

    number: int
    marker: str
    title: str
    body: str
    state: Literal["open", "closed"]
    history: tuple[str, ...]
    memory: Mapping[str, Any] = field(default_factory=dict)
    by_hand: bool = False
    closed_at: str = ""
    link: str = ""


@dataclass(frozen=True)
class Comment:
    """What a person wrote below an alert; *reply* is the robots' word on it, None if there is none."""

    id: int
    author: str
    at: str
    body: str
    reply: str | None = None


@dataclass(frozen=True)
class Schedule:
    """A robot that should run by itself: whether it is switched on, and when it last ran well.

    One that never did counts from when it was set up.
    """

    enabled: bool
    last_success: str


class Forge(Protocol):
    """What a forge can do. Every write may be repeated: it finishes the job and doubles nothing.

    A file is read from the default branch where none is named. A title is one line. An alert whose label or hidden line a person removed is still one;
    `put_back` puts back what is missing. `history` may know the newest fifty changes only. `say` and `set_state` are
    what a person does to an alert; a robot uses `alert`, `resolve` and `note`.
    """

    def read(self, path: str, branch: str | None = None) -> str | None: ...
    def history(self, path: str) -> list[Change]: ...
    def upload(self, version: str, folder: Path, attestation: Path | None = None) -> None: ...
    def download(self, version: str, folder: Path) -> None: ...
    def manifest(self, version: str) -> dict[str, Any]: ...
    def releases(self) -> list[Release]: ...
    def has_release(self, version: str) -> bool: ...
    def discard(self, version: str) -> None: ...
    def describe(self, version: str, notes: str) -> None: ...
    def publish(self, version: str, latest: bool = True) -> None: ...
    def withdraw(self, version: str, reason: str) -> None: ...
    def propose(
        self, branch: str, title: str, body: str, files: Mapping[str, str], labels: Sequence[str] = ()
    ) -> Proposal: ...
    def proposal(self, branch: str) -> Proposal | None: ...
    def proposals(self) -> list[Proposal]: ...
    def status(self, branch: str, ok: bool | None, summary: str, head: str | None = None) -> None: ...
    def comment(self, branch: str, marker: str, body: str) -> None: ...
    def merge(self, branch: str, message: str) -> str: ...
    def close(self, branch: str, reason: str) -> None: ...
    def alert(self, marker: str, title: str, body: str, memory: Mapping[str, Any] | None = None) -> Alert: ...
    def resolve(self, marker: str, body: str, memory: Mapping[str, Any] | None = None) -> Alert | None: ...
    def alerts(self) -> list[Alert]: ...
    def put_back(self) -> list[int]: ...
    def comments(self, number: int) -> list[Comment]: ...
    def note(self, number: int, marker: str, body: str) -> None: ...
    def say(self, number: int, body: str) -> None: ...
    def set_state(self, number: int, state: Literal["open", "closed"]) -> None: ...
    def may_write(self, person: str) -> bool: ...
    def schedule(self, name: str) -> Schedule | None: ...
    def artifact(self, name: str, path: str) -> bytes | None: ...
    def public(self) -> bool: ...
