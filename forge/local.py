"""A forge in a folder: what GitHub does in production, for a laptop.

Everything in it can be read with an editor and with git:

    repo/                     a git repository; main holds serve/live.toml, a proposal is a branch
    releases/<version>/       bundle/ and release.md
    proposals/0001.md         alerts/0001.md
    lock                      held while something is written, so two processes are both right

A record (`*.md`) begins with a hidden line of JSON; what follows is for people.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forge import Alert, Change, ForgeError, Proposal, Release
from forge.live import Live

LIVE = "serve/live.toml"
MAIN = "refs/heads/main"
_MARK, _END = "<!-- tidegate: ", " -->"


class LocalForge:
    """The forge in the folder *root*, made when it is first written to."""

    def __init__(
        self, root: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.root = root.resolve()
        self._clock = clock

    # Files and their history

    def read(self, path: str, branch: str = "main") -> str | None:
        """The text of *path* as it stands on *branch*; None if there is none."""
        if not (self._repo / ".git").exists():
            return Live().to_toml() if path == LIVE else None
        try:
            return self._git("show", f"refs/heads/{branch}:{path}")
        except ForgeError:
            return None

    def history(self, path: str) -> list[Change]:
        """What *path* was on main, newest first."""
        if not (self._repo / ".git").exists():
            return []
        lines = self._git("log", "--format=%H%x09%aI%x09%s", MAIN, "--", path).splitlines()
        commits = [line.split("\t", 2) for line in lines]
        return [
            Change(sha, at, words, self._git("show", f"{sha}:{path}")) for sha, at, words in commits
        ]

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
            _write(work / "release.md", meta, "")
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
        for path in sorted((self.root / "releases").glob("*/release.md"), reverse=True):
            meta, notes = _read(path)
            found.append(Release(meta["version"], meta["digest"], meta["state"], notes, meta["at"]))
        return found

    def publish(self, version: str, notes: str) -> None:
        """Make *version* a published release; empty *notes* leave those it has."""
        self._release(version, "published", notes)

    def withdraw(self, version: str, reason: str) -> None:
        """Put *version* into quarantine."""
        self._release(version, "withdrawn", reason)

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
            main = self._git("rev-parse", MAIN).strip()
            tree = self._tree(main, files)
            if tree == self._git("rev-parse", f"{main}^{{tree}}").strip():
                raise ForgeError(
                    f"nothing to propose: {', '.join(files)} would be what it is on main"
                )
            meta = self._open(branch)
            fresh = meta is None or self._git(
                "rev-parse", f"{meta['head']}^{{tree}}", f"{meta['head']}^"
            ).split() != [tree, main]
            if meta is None:
                meta = {
                    "number": 1 + len(self._records("proposals")),
                    "branch": branch,
                    "comments": {},
                }
            if fresh:
                head = self._git("commit-tree", tree, "-p", main, "-m", title).strip()
                self._git("update-ref", f"refs/heads/{branch}", head)
                meta |= {"head": head, "status": None}
            meta |= {"title": title, "state": "open", "labels": list(labels)}
            self._put("proposals", meta, body)
            return _proposal(meta, body)

    def proposal(self, branch: str) -> Proposal | None:
        """The open proposal of *branch*, if there is one."""
        return next((p for p in self.proposals() if p.branch == branch and p.state == "open"), None)

    def proposals(self) -> list[Proposal]:
        """Every proposal there was, newest first."""
        return [_proposal(*_read(path)) for path in reversed(self._records("proposals"))]

    def status(self, branch: str, ok: bool | None, summary: str) -> None:
        """Say on the head of the proposal whether it may be merged; None is pending."""
        with self._writing():
            meta, body = self._must_be_open(branch)
            self._put("proposals", meta | {"status": [ok, summary]}, body)

    def comment(self, branch: str, marker: str, body: str) -> None:
        """Write the one comment with *marker*, or bring it up to date."""
        with self._writing():
            meta, text = self._must_be_open(branch)
            self._put("proposals", meta | {"comments": meta["comments"] | {marker: body}}, text)

    def merge(self, branch: str, message: str) -> str:
        """Put the proposal on main as one commit; returns the commit."""
        with self._writing():
            meta, body = self._must_be_open(branch)
            if not (meta["status"] and meta["status"][0]):
                said = meta["status"][1] if meta["status"] else "no status yet"
                raise ForgeError(f"proposal {meta['number']} ({branch}) may not be merged: {said}")
            self._refuse_if_dirty()
            main, head = self._git("rev-parse", MAIN).strip(), meta["head"]
            old = self._git("rev-parse", f"{head}^").strip()
            files = self._git("diff", "--name-only", old, head).splitlines()
            moved = self._git("diff", "--name-only", old, main, "--", *files).splitlines()
            if moved:
                raise ForgeError(
                    f"main has changed {', '.join(moved)} since {branch} was proposed; propose again"
                )
            tree = self._tree(main, {file: self._git("show", f"{head}:{file}") for file in files})
            commit = self._git("commit-tree", tree, "-p", main, "-m", message).strip()
            self._git("update-ref", MAIN, commit, main)
            self._git("reset", "--quiet", "--hard", MAIN)
            self._put("proposals", meta | {"state": "merged"}, body)
            return commit

    def close(self, branch: str, reason: str) -> None:
        """Close the open proposal of *branch* unmerged."""
        with self._writing():
            meta, body = self._must_be_open(branch)
            self._put(
                "proposals",
                meta | {"state": "closed", "comments": meta["comments"] | {"closed": reason}},
                body,
            )

    # Alerts

    def alert(self, marker: str, title: str, body: str) -> Alert:
        """Raise the one alert with *marker*, or bring it up to date; a closed one opens again."""
        with self._writing():
            meta = next((m for m in self._alerts() if m["marker"] == marker), None)
            word = (
                "opened"
                if meta is None
                else "updated"
                if meta["state"] == "open"
                else "opened again"
            )
            meta = meta or {
                "number": 1 + len(self._records("alerts")),
                "marker": marker,
                "history": [],
            }
            meta |= {
                "title": title,
                "state": "open",
                "history": [*meta["history"], f"{self._now()} {word}: {title}"],
            }
            self._put("alerts", meta, body)
            return _alert(meta, body)

    def resolve(self, marker: str, body: str) -> Alert | None:
        """Close the open alert with *marker*; None if there was none."""
        with self._writing():
            meta = next(
                (m for m in self._alerts() if m["marker"] == marker and m["state"] == "open"), None
            )
            if meta is None:
                return None
            meta |= {"state": "closed", "history": [*meta["history"], f"{self._now()} closed"]}
            self._put("alerts", meta, body)
            return _alert(meta, body)

    def alerts(self) -> list[Alert]:
        """Every alert there was, newest first."""
        return [_alert(*_read(path)) for path in reversed(self._records("alerts"))]

    # How it is kept

    @property
    def _repo(self) -> Path:
        return self.root / "repo"

    def _now(self) -> str:
        return self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _known(self) -> str:
        return ", ".join(release.version for release in self.releases()) or "none"

    def _records(self, kind: str) -> list[Path]:
        return sorted((self.root / kind).glob("[0-9]*.md"))

    def _alerts(self) -> list[dict[str, Any]]:
        return [_read(path)[0] for path in self._records("alerts")]

    def _put(self, kind: str, meta: dict[str, Any], body: str) -> None:
        folder = self.root / kind
        folder.mkdir(exist_ok=True)
        _write(folder / f"{meta['number']:04}.md", meta, body)

    def _open(self, branch: str) -> dict[str, Any] | None:
        found = [_read(path)[0] for path in self._records("proposals")]
        return next((m for m in found if m["branch"] == branch and m["state"] == "open"), None)

    def _must_be_open(self, branch: str) -> tuple[dict[str, Any], str]:
        meta = self._open(branch)
        if meta is None:
            raise ForgeError(
                f"there is no open proposal on branch {branch}; open one: make retrain"
            )
        return _read(self.root / "proposals" / f"{meta['number']:04}.md")

    def _release(self, version: str, state: str, notes: str) -> None:
        with self._writing():
            path = self.root / "releases" / version / "release.md"
            if not path.is_file():
                raise ForgeError(f"there is no release {version}; there are: {self._known()}")
            meta, before = _read(path)
            told = (
                f"{notes}\n\n{before}".rstrip() + "\n" if state == "withdrawn" else notes or before
            )
            _write(path, meta | {"state": state}, told)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with (self.root / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._begin()
                yield
        except OSError as error:
            raise ForgeError(
                f"the forge in {self.root} cannot be written: {error}; what was there is as it was"
            ) from error

    def _begin(self) -> None:
        """Make the repository, with nothing live."""
        if (self._repo / ".git").exists():
            return
        work = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=self.root)) / "repo"
        (work / "serve").mkdir(parents=True)
        (work / LIVE).write_text(Live().to_toml())
        self._git("init", "--quiet", "--initial-branch=main", at=work)
        # So that a person can `git revert` here on a machine where git knows nobody.
        self._git("config", "user.name", "tidegate", at=work)
        self._git("config", "user.email", "tidegate@localhost", at=work)
        self._git("add", LIVE, at=work)
        self._git("commit", "--quiet", "-m", "Nothing is live yet", at=work)
        work.chmod(0o755)
        work.rename(self._repo)
        work.parent.rmdir()

    def _tree(self, commit: str, files: Mapping[str, str]) -> str:
        """The tree of *commit* with *files* in it, made beside the working tree."""
        with tempfile.TemporaryDirectory(dir=self.root) as work:
            index = {"GIT_INDEX_FILE": str(Path(work) / "index")}
            self._git("read-tree", commit, more=index)
            for path, text in files.items():
                blob = self._git("hash-object", "-w", "--stdin", given=text).strip()
                self._git(
                    "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", more=index
                )
            return self._git("write-tree", more=index).strip()

    def _refuse_if_dirty(self) -> None:
        changed = self._git("status", "--porcelain", "--untracked-files=no").strip()
        on = self._git("symbolic-ref", "--quiet", "HEAD").strip()
        if changed or on != MAIN:
            raise ForgeError(
                f"{self._repo} has changes that are not committed, or is not on main; commit or undo them first"
            )

    def _git(
        self,
        *words: str,
        at: Path | None = None,
        given: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> str:
        own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "tidegate"), ("EMAIL", "tidegate@localhost"))
        }
        quiet = {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CEILING_DIRECTORIES": str(self.root),
        }
        done = subprocess.run(
            ["git", "-c", f"core.hooksPath={os.devnull}", *words],
            cwd=at or self._repo,
            env=own | who | quiet | dict(more or {}),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ForgeError(f"git {words[0]} failed in {at or self._repo}: {done.stderr.strip()}")
        return done.stdout


def _proposal(meta: Mapping[str, Any], body: str) -> Proposal:
    status = tuple(meta["status"]) if meta["status"] else None
    return Proposal(
        meta["number"], meta["branch"], meta["title"], body, meta["state"], meta["head"],
        tuple(meta["labels"]), status, meta["comments"],
    )  # fmt: skip


def _alert(meta: Mapping[str, Any], body: str) -> Alert:
    return Alert(
        meta["number"], meta["marker"], meta["title"], body, meta["state"], tuple(meta["history"])
    )


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        first, _, body = path.read_text().partition("\n")
        if not (first.startswith(_MARK) and first.endswith(_END)):
            raise ValueError("the first line is not the hidden line of JSON it should be")
        return dict(json.loads(first[len(_MARK) : -len(_END)])), body
    except (OSError, ValueError) as error:
        raise ForgeError(
            f"{path} cannot be read: {error}; put it right, or back from a copy"
        ) from error


def _write(path: Path, meta: Mapping[str, Any], body: str) -> None:
    hidden = json.dumps(meta, ensure_ascii=False).replace("-->", "--\\u003e")
    work = path.with_suffix(".unfinished")
    with work.open("w") as file:
        file.write(f"{_MARK}{hidden}{_END}\n{body}")
        file.flush()
        os.fsync(file.fileno())
    work.replace(path)


def _content(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
