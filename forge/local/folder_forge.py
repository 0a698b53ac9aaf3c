"""A forge in a folder, for a laptop and tests, in place of GitHub.

Everything in it can be read with an editor and git:

    repo/                     a git repository; main holds serve/live.toml, a proposal is a branch
    releases/<version>/       bundle/ and release.md, and attestation.jsonl if there is one
    releases/latest           the default version for downloads
    proposals/0001.md         alerts/0001.md         comments/0001.md
    lock                      held while something is written
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.live_config import LIVE, Live
from forge.interface import Change, ForgeError, Proposal, Release, Schedule
from forge.local.alert_files import Board
from forge.local.bundle_store import BundleStore
from forge.local.git_repository import BRANCH, Repository
from forge.records import Meta, Records


class LocalForge(Board):
    """The forge in the folder *root*, created by the first write."""

    def __init__(self, root: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.root = root.resolve()
        self._clock = clock
        self._repository = Repository(self.root / "repo")
        self._bundles = BundleStore(self.root / "releases")
        self._proposals = Records(self.root / "proposals")
        Board.__init__(self, self.root, self._now, self._writing)

    # Files and their history

    def read(self, path: str, branch: str | None = None) -> str | None:
        """The text of *path* on *branch* (main); None if there is none."""
        if not self._repository.exists():
            return Live().to_toml() if path == LIVE else None
        return self._repository.read(path, branch or BRANCH)

    def history(self, path: str) -> list[Change]:
        """The changes of *path* on main, newest first."""
        return self._repository.history(path) if self._repository.exists() else []

    # Releases

    def upload(self, version: str, folder: Path, attestation: Path | None = None) -> None:
        """Store the bundle in *folder* as a candidate, with the *attestation* of how it was built.

        The same content again changes nothing.
        """
        with self._writing():
            self._bundles.put(version, folder, attestation, self._now())

    def download(self, version: str, folder: Path) -> None:
        """Copy the bundle of *version* to *folder*, which must not exist, atomically."""
        self._bundles.copy(version, folder)

    def attestation(self, version: str) -> bytes | None:
        """The attestation of *version*; None if it has none."""
        return self._bundles.attestation(version)

    def prove(self, version: str, folder: Path | None = None) -> None:
        """Nothing is demanded here; `VerifyingForge` demands it."""

    def manifest(self, version: str) -> dict[str, Any]:
        """The manifest of the bundle of *version*."""
        return self._bundles.manifest(version)

    def releases(self) -> list[Release]:
        """Every stored bundle, newest first."""
        return self._bundles.releases()

    def has_release(self, version: str) -> bool:
        """Whether the release of *version* exists."""
        return any(each.version == version for each in self._bundles.releases())

    def describe(self, version: str, notes: str) -> None:
        """Write the notes of *version*, whatever its state."""
        with self._writing():
            self._bundles.describe(version, notes)

    def publish(self, version: str, latest: bool = True) -> None:
        """Publish *version*, and mark it as the *latest* if wanted."""
        with self._writing():
            self._bundles.publish(version, latest)

    def withdraw(self, version: str, reason: str) -> None:
        """Quarantine *version*; *reason* is put before its notes, once."""
        with self._writing():
            self._bundles.withdraw(version, reason)

    def discard(self, version: str) -> None:
        """Remove a candidate, if it is there."""
        with self._writing():
            self._bundles.discard(version)

    # Proposals

    def propose(
        self, branch: str, title: str, body: str, files: Mapping[str, str], labels: Sequence[str] = ()
    ) -> Proposal:
        """Open the proposal of *branch*, or refresh it if it is open."""
        if branch == BRANCH:
            raise ForgeError(f"a proposal needs a branch other than {BRANCH}")
        with self._writing():
            head = self._repository.commit(files, title)
            if head is None:
                raise ForgeError(f"nothing to propose: {', '.join(files)} would be what it is on main")
            found = self._proposals.find(branch=branch, state="open")
            meta: Meta = found[0] if found else {"number": self._proposals.new_number(), "comments": {}}
            # Unchanged content keeps its status.
            if not (found and self._repository.is_same(meta["head"], head)):
                self._repository.branch(branch, head)
                meta |= {"head": head, "status": None}
            meta |= {"branch": branch, "title": title, "state": "open", "labels": list(labels)}
            meta["files"] = sorted(files)
            self._proposals.put(meta, body)
            return _proposal(meta, body)

    def proposal(self, branch: str) -> Proposal | None:
        """The open proposal of *branch*, if there is one."""
        found = self._proposals.find(branch=branch, state="open")
        return _proposal(*found) if found else None

    def proposals(self) -> list[Proposal]:
        """All proposals, newest first."""
        return [_proposal(*record) for record in self._proposals.all()]

    def status(self, branch: str, ok: bool | None, summary: str, head: str | None = None) -> None:
        """Set the status of the proposal's head: whether it may be merged; None is pending.

        Raises `ForgeError` if the head is not *head*.
        """
        with self._changing_proposal(branch) as (meta, body):
            if head not in (None, meta["head"]):
                raise ForgeError(f"the proposal on branch {branch} has changed; run the gate again")
            self._proposals.put(meta | {"status": [ok, summary]}, body)

    def comment(self, branch: str, marker: str, body: str) -> None:
        """Write or update the one comment with *marker*."""
        with self._changing_proposal(branch) as (meta, text):
            comments = meta["comments"] | {marker: body}
            self._proposals.put(meta | {"comments": comments}, text)

    def merge(self, branch: str, message: str, override: bool = False) -> str:
        """Merge the proposal as one commit; returns the commit. Its status must be good, unless *override*."""
        with self._changing_proposal(branch) as (meta, body):
            ok, text = meta["status"] or (None, "no status yet")
            if not (ok or override):
                raise ForgeError(f"proposal {meta['number']} ({branch}) may not be merged: {text}")
            commit = self._repository.squash(meta["head"], message)
            self._proposals.put(meta | {"state": "merged"}, body)
            return commit

    def close(self, branch: str, reason: str) -> None:
        """Close the open proposal of *branch* unmerged."""
        with self._changing_proposal(branch) as (meta, body):
            comments = meta["comments"] | {"closed": reason}
            self._proposals.put(meta | {"state": "closed", "comments": comments}, body)

    # Robots

    def schedule(self, name: str) -> Schedule | None:  # noqa: ARG002 -- see the protocol
        """None: a folder has no scheduled workflows."""
        return None

    def artifact(self, name: str, path: str) -> bytes | None:  # noqa: ARG002 -- see the protocol
        """None: a folder has no artifacts."""
        return None

    def public(self) -> bool:
        """False: a folder is not public."""
        return False

    def origin(self) -> tuple[str, str]:
        """Two empty strings: a folder is not on GitHub."""
        return "", ""

    # Storage

    def _now(self) -> str:
        return self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with (self.root / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self._repository.exists():
                    self._repository.begin({LIVE: Live().to_toml()}, "Nothing is live yet")
                yield
        except OSError as error:
            raise ForgeError(f"the forge in {self.root} cannot be written: {error}; nothing was changed") from error

    @contextmanager
    def _changing_proposal(self, branch: str) -> Iterator[tuple[Meta, str]]:
        with self._writing():
            found = self._proposals.find(branch=branch, state="open")
            if found is None:
                raise ForgeError(f"there is no open proposal on branch {branch}; open one: make retrain")
            yield found


def _proposal(meta: Meta, body: str) -> Proposal:
    status = tuple(meta["status"]) if meta["status"] else None
    return Proposal(
        meta["number"],
        meta["branch"],
        meta["title"],
        body,
        meta["state"],
        meta["head"],
        tuple(meta["labels"]),
        status,
        meta["comments"],
        tuple(meta.get("files", ())),
        f"proposal {meta['number']}",
    )
