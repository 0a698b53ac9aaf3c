"""The interface `Forge` (proposals, releases, alerts), with two implementations: GitHub and a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from contracts.live_config import Change as Change  # noqa: PLC0414 -- part of the interface

GITHUB = "github:"
#: Begins the marker of an incident of monitoring.
WATCH = "watch:"
#: Begins the marker of a note that answers a comment; followed by the comment's id.
REPLY = "reply:"


class ForgeError(Exception):
    """The forge refuses a request or cannot be reached. The message says why and what to do."""


@dataclass(frozen=True)
class Release:
    """A stored bundle: a candidate, published, or withdrawn (rolled back, and so quarantined).

    *latest* is the default for downloads without a version. *by_hand*: a person changed its state on the forge,
    or removed the hidden line, and no robot has followed yet. *digest* is taken from its notes; only the history
    of live.toml decides what may be served.
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
    """A change of files on a branch, which waits for a verdict; on GitHub a pull request.

    *files* are the paths it changes, *head* its newest commit, *comments* those of robots, by marker, and *link*
    refers to it in Markdown.
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
    """Something a person should look at, one per *marker*; on GitHub an issue.

    *memory* is JSON kept for the next run. *by_hand*: a person closed or reopened it, and no robot has followed
    yet. *link* refers to it in Markdown.
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
    """A person's comment on an alert; *reply* is the robots' answer, None if there is none."""

    id: int
    author: str
    at: str
    body: str
    reply: str | None = None


@dataclass(frozen=True)
class Schedule:
    """A scheduled workflow: whether it is enabled, and its last success (or when it was created, where it never *ran*)."""

    enabled: bool
    last_success: str
    ran: bool = True


class Forge(Protocol):
    """What a forge can do. Every write is idempotent.

    `read` uses the default branch unless one is named. Titles are one line. An alert is recognised without its
    label or hidden line, and `put_back` restores both. `history` may be limited to the newest fifty changes.
    `merge` with *override* merges although the status `gate` is not good; other rules of the repository still apply.
    `attestation` is what `upload` stored beside a bundle. `prove` raises `ForgeError` unless a bundle (its copy in
    *folder*) is signed as provenance/trust.toml demands. `origin` is OWNER/NAME and the ref of its default branch on
    GitHub, ("", "") for a folder.
    People use `say` and `set_state` on an alert; robots use `alert`, `resolve` and `note`.
    """

    def read(self, path: str, branch: str | None = None) -> str | None: ...
    def history(self, path: str) -> list[Change]: ...
    def upload(self, version: str, folder: Path, attestation: Path | None = None) -> None: ...
    def download(self, version: str, folder: Path) -> None: ...
    def attestation(self, version: str) -> bytes | None: ...
    def prove(self, version: str, folder: Path | None = None) -> None: ...
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
    def merge(self, branch: str, message: str, override: bool = False) -> str: ...
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
    def origin(self) -> tuple[str, str]: ...
