"""A forge in a folder: what GitHub does in production, for a laptop.

Everything in it can be read with an editor and with git:

    repo/                     a git repository; main holds serve/live.toml, a proposal is a branch
    releases/<version>/       bundle/ and release.md
    proposals/0001.md         alerts/0001.md
    lock                      held while something is written, so two processes are both right
"""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from forge import Alert, Change, ForgeError, Proposal, Release
from forge.live import Live
from forge.records import Meta, Records, read_record, write_record
from forge.repository import Repository

LIVE = "serve/live.toml"


class LocalForge:
    """The forge in the folder *root*, made when it is first written to."""

    def __init__(
        self, root: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.root = root.resolve()
        self._clock = clock
        self._repository = Repository(self.root / "repo")
        self._proposals = Records(self.root / "proposals")
        self._alerts = Records(self.root / "alerts")

    # Files and their history

    def read(self, path: str, branch: str = "main") -> str | None:
        """The text of *path* as it stands on *branch*; None if there is none."""
        if not self._repository.exists():
            return Live().to_toml() if path == LIVE else None
        return self._repository.read(path, branch)

    def history(self, path: str) -> list[Change]:
        """What *path* was on main, newest first."""
        return self._repository.history(path) if self._repository.exists() else []

    # Releases

    def upload(self, version: str, folder: Path) -> None:
        """Store the bundle in *folder* as a candidate. The same bytes again change nothing."""
        with self._writing():
            place = self.root / "releases" / version
            if place.exists():
                if _content(place / "bundle") != _content(folder):
                    raise ForgeError(
                        f"release {version} is stored already, with other content; a bundle never changes"
                    )
                return
            try:
                digest = json.loads((folder / "manifest.json").read_bytes())["digest"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise ForgeError(f"{folder} is not a bundle: {error!r}") from error
            place.parent.mkdir(exist_ok=True)
            for left in place.parent.glob(".unfinished-*"):
                shutil.rmtree(left)
            work = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=place.parent))
            shutil.copytree(folder, work / "bundle")
            meta = {"version": version, "digest": digest, "state": "candidate", "at": self._now()}
            write_record(work / "release.md", meta, "")
            work.chmod(0o755)
            work.rename(place)

    def download(self, version: str, folder: Path) -> None:
        """Copy the bundle of *version* to *folder*, which must not be there; whole, or not at all."""
        source = self.root / "releases" / version / "bundle"
        if not source.is_dir():
            raise ForgeError(f"there is no release {version}; there are: {self._known()}")
        if folder.exists():
            raise ForgeError(f"{folder} is there already; a bundle is downloaded to a new folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
        try:
            shutil.copytree(source, work / "bundle")
            (work / "bundle").rename(folder)
        except OSError as error:
            raise ForgeError(
                f"{version} could not be copied to {folder}: {error}; nothing was left there"
            ) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def releases(self) -> list[Release]:
        """Every stored bundle, newest first."""
        found = []
        for path in sorted((self.root / "releases").glob("[!.]*/release.md"), reverse=True):
            meta, notes = read_record(path)
            found.append(Release(meta["version"], meta["digest"], meta["state"], notes, meta["at"]))
        return found

    def publish(self, version: str, notes: str) -> None:
        """Make *version* a published release; empty *notes* leave those it has."""
        with self._changing_release(version) as (path, meta, before):
            write_record(path, meta | {"state": "published"}, notes or before)

    def withdraw(self, version: str, reason: str) -> None:
        """Put *version* into quarantine; *reason* goes before the notes it has."""
        with self._changing_release(version) as (path, meta, before):
            told = f"{reason}\n\n{before}".rstrip() + "\n"
            write_record(path, meta | {"state": "withdrawn"}, told)

    # Proposals

    def propose(
        self,
        branch: str,
        title: str,
        body: str,
        files: Mapping[str, str],
        labels: Sequence[str] = (),
    ) -> Proposal:
        """Open the proposal of *branch*, or refresh it if it is open."""
        if branch == "main":
            raise ForgeError("a proposal needs a branch other than main")
        with self._writing():
            head = self._repository.commit(files, title)
            if head is None:
                raise ForgeError(
                    f"nothing to propose: {', '.join(files)} would be what it is on main"
                )
            found = self._proposals.find(branch=branch, state="open")
            meta: Meta = (
                found[0] if found else {"number": self._proposals.new_number(), "comments": {}}
            )
            # A status belongs to a content: one that was judged need not be judged again.
            if not (found and self._repository.is_same(meta["head"], head)):
                self._repository.branch(branch, head)
                meta |= {"head": head, "status": None}
            meta |= {"branch": branch, "title": title, "state": "open", "labels": list(labels)}
            self._proposals.put(meta, body)
            return _proposal(meta, body)

    def proposal(self, branch: str) -> Proposal | None:
        """The open proposal of *branch*, if there is one."""
        found = self._proposals.find(branch=branch, state="open")
        return _proposal(*found) if found else None

    def proposals(self) -> list[Proposal]:
        """Every proposal there was, newest first."""
        return [_proposal(*record) for record in self._proposals.all()]

    def status(self, branch: str, ok: bool | None, summary: str) -> None:
        """Say on the head of the proposal whether it may be merged; None is pending."""
        with self._changing_proposal(branch) as (meta, body):
            self._proposals.put(meta | {"status": [ok, summary]}, body)

    def comment(self, branch: str, marker: str, body: str) -> None:
        """Write the one comment with *marker*, or bring it up to date."""
        with self._changing_proposal(branch) as (meta, text):
            comments = meta["comments"] | {marker: body}
            self._proposals.put(meta | {"comments": comments}, text)

    def merge(self, branch: str, message: str) -> str:
        """Put the proposal on main as one commit; returns the commit."""
        with self._changing_proposal(branch) as (meta, body):
            ok, said = meta["status"] or (None, "no status yet")
            if not ok:
                raise ForgeError(f"proposal {meta['number']} ({branch}) may not be merged: {said}")
            commit = self._repository.squash(meta["head"], message)
            self._proposals.put(meta | {"state": "merged"}, body)
            return commit

    def close(self, branch: str, reason: str) -> None:
        """Close the open proposal of *branch* unmerged."""
        with self._changing_proposal(branch) as (meta, body):
            comments = meta["comments"] | {"closed": reason}
            self._proposals.put(meta | {"state": "closed", "comments": comments}, body)

    # Alerts

    def alert(self, marker: str, title: str, body: str) -> Alert:
        """Raise the one alert with *marker*, or bring it up to date; a closed one opens again."""
        with self._writing():
            found = self._alerts.find(marker=marker)
            meta: Meta = found[0] if found else {"number": self._alerts.new_number(), "history": []}
            word = {None: "opened", "open": "updated", "closed": "opened again"}[meta.get("state")]
            history = [*meta["history"], f"{self._now()} {word}: {title}"]
            meta |= {"marker": marker, "title": title, "state": "open", "history": history}
            self._alerts.put(meta, body)
            return _alert(meta, body)

    def resolve(self, marker: str, body: str) -> Alert | None:
        """Close the open alert with *marker*; None if there was none."""
        with self._writing():
            found = self._alerts.find(marker=marker, state="open")
            if found is None:
                return None
            history = [*found[0]["history"], f"{self._now()} closed"]
            meta = found[0] | {"state": "closed", "history": history}
            self._alerts.put(meta, body)
            return _alert(meta, body)

    def alerts(self) -> list[Alert]:
        """Every alert there was, newest first."""
        return [_alert(*record) for record in self._alerts.all()]

    # How it is kept

    def _now(self) -> str:
        return self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _known(self) -> str:
        return ", ".join(release.version for release in self.releases()) or "none"

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
            raise ForgeError(
                f"the forge in {self.root} cannot be written: {error}; what was there is as it was"
            ) from error

    @contextmanager
    def _changing_release(self, version: str) -> Iterator[tuple[Path, Meta, str]]:
        with self._writing():
            path = self.root / "releases" / version / "release.md"
            if not path.is_file():
                raise ForgeError(f"there is no release {version}; there are: {self._known()}")
            yield path, *read_record(path)

    @contextmanager
    def _changing_proposal(self, branch: str) -> Iterator[tuple[Meta, str]]:
        with self._writing():
            found = self._proposals.find(branch=branch, state="open")
            if found is None:
                raise ForgeError(
                    f"there is no open proposal on branch {branch}; open one: make retrain"
                )
            yield found


def _proposal(meta: Meta, body: str) -> Proposal:
    status = tuple(meta["status"]) if meta["status"] else None
    return Proposal(
        meta["number"], meta["branch"], meta["title"], body, meta["state"], meta["head"],
        tuple(meta["labels"]), status, meta["comments"],
    )  # fmt: skip


def _alert(meta: Meta, body: str) -> Alert:
    return Alert(
        meta["number"], meta["marker"], meta["title"], body, meta["state"], tuple(meta["history"])
    )


def _content(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
