"""The git repository of a forge in a folder: main, branches and commits, by the git command.

Commits do not use the working tree, so that unfinished edits are not included.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from forge.interface import Change, ForgeError

#: The default branch of a forge in a folder.
BRANCH = "main"
MAIN = f"refs/heads/{BRANCH}"
_WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "tidegate"), ("EMAIL", "tidegate@localhost"))
}


class Repository:
    """The repository in *folder*. The caller holds the forge's lock while writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self) -> bool:
        """Whether the repository exists."""
        return (self.folder / ".git").exists()

    def begin(self, files: Mapping[str, str], message: str) -> None:
        """Create it atomically, with one commit of *files* on main."""
        work = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=self.folder.parent)) / "repo"
        for path, text in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_bytes(text.encode())
        fresh = Repository(work)
        # Without a template, which would add sample hooks.
        fresh.git("init", "--quiet", "--template=", f"--initial-branch={BRANCH}")
        # So that `git revert` works here without a configured identity.
        fresh.git("config", "user.name", "tidegate")
        fresh.git("config", "user.email", "tidegate@localhost")
        fresh.git("add", "--all")
        fresh.git("commit", "--quiet", "-m", message)
        work.chmod(0o755)
        work.rename(self.folder)
        work.parent.rmdir()

    def read(self, path: str, branch: str) -> str | None:
        """The text of *path* on *branch*, or on a commit; None if there is none."""
        place = branch if re.fullmatch("[0-9a-f]{40}", branch) else f"refs/heads/{branch}"
        return self._text(f"{place}:{path}")

    def history(self, path: str) -> list[Change]:
        """The changes of *path* on main, newest first; the text is empty where a commit removed the file."""
        lines = self.git("log", "--format=%H%x00%aI%x00%an%x00%s", MAIN, "--", path).splitlines()
        commits = [line.split("\0", 3) for line in lines]
        texts = self._texts([f"{sha}:{path}" for sha, *_ in commits])
        return [Change(sha, at, words, text, by) for (sha, at, by, words), text in zip(commits, texts, strict=True)]

    def commit(self, files: Mapping[str, str], message: str) -> str | None:
        """A new commit on top of main with *files* changed; None if nothing changes."""
        main = self.git("rev-parse", MAIN).strip()
        tree = self._tree(main, files)
        if tree == self.git("rev-parse", f"{main}^{{tree}}").strip():
            return None
        return self.git("commit-tree", tree, "-p", main, "-m", message).strip()

    def is_same(self, one: str, other: str) -> bool:
        """Whether two commits have the same content and the same parent."""
        return self._content(one) == self._content(other)

    def branch(self, name: str, commit: str) -> None:
        """Point the branch *name* to *commit*."""
        self.git("update-ref", f"refs/heads/{name}", commit)

    def squash(self, head: str, message: str) -> str:
        """Merge the commit *head* into main, as one commit; returns it.

        Raises `ForgeError` if main has changed the same files since, or if edits in the working tree would be lost.
        """
        self._refuse_if_dirty()
        main, old = self.git("rev-parse", MAIN, f"{head}^").split()
        files = self._changed(old, head)
        moved = self._changed(old, main, "--", *files)
        if moved:
            raise ForgeError(f"main has changed {', '.join(moved)} since then; propose again")
        tree = self._tree(main, {file: self.git("show", f"{head}:{file}") for file in files})
        commit = self.git("commit-tree", tree, "-p", main, "-m", message).strip()
        self.git("update-ref", MAIN, commit, main)
        self.git("reset", "--quiet", "--hard", MAIN)
        return commit

    def git(self, *words: str, given: str | None = None, more: Mapping[str, str] | None = None) -> str:
        """The output of git, run without the user's settings and hooks. Raises `ForgeError`."""
        done = self._run(*words, given=given, more=more)
        return done.decode()  # not as text: that would change the ends of lines

    def _text(self, what: str) -> str | None:
        """The text of a committed file, None if there is none; invalid UTF-8 is replaced."""
        try:
            return self._run("show", what).decode(errors="replace")
        except ForgeError:
            return None

    def _texts(self, names: Sequence[str]) -> Iterator[str]:
        """The texts of committed files, "" for a missing one, by one process since a history may be long."""
        given = "".join(f"{name}\n" for name in names)
        left = self._run("cat-file", "--batch", given=given)
        while left:
            about, _, left = left.partition(b"\n")
            # git adds a line end after each text.
            size = -1 if about.endswith(b" missing") else int(about.rpartition(b" ")[2])
            yield left[: max(size, 0)].decode(errors="replace")
            left = left[size + 1 :]

    def _run(self, *words: str, given: str | None = None, more: Mapping[str, str] | None = None) -> bytes:
        own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        quiet = {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CEILING_DIRECTORIES": str(self.folder.parent),
        }
        done = subprocess.run(
            ["git", "-c", f"core.hooksPath={os.devnull}", *words],
            cwd=self.folder,
            env=own | _WHO | quiet | dict(more or {}),
            input=given.encode() if given is not None else None,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            why = done.stderr.decode(errors="replace").strip()
            raise ForgeError(f"git {words[0]} failed in {self.folder}: {why}")
        return done.stdout

    def _changed(self, *words: str) -> list[str]:
        return self.git("diff", "-z", "--name-only", *words).split("\0")[:-1]

    def _content(self, commit: str) -> list[str]:
        return self.git("rev-parse", f"{commit}^{{tree}}", f"{commit}^").split()

    def _tree(self, commit: str, files: Mapping[str, str]) -> str:
        """The tree of *commit* with *files* in it."""
        with tempfile.TemporaryDirectory(dir=self.folder.parent) as work:
            index = {"GIT_INDEX_FILE": str(Path(work) / "index")}
            self.git("read-tree", commit, more=index)
            for path, text in files.items():
                blob = self.git("hash-object", "-w", "--stdin", given=text).strip()
                self.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", more=index)
            return self.git("write-tree", more=index).strip()

    def _refuse_if_dirty(self) -> None:
        changed = self.git("status", "--porcelain", "--untracked-files=no").strip()
        on = (self.folder / ".git/HEAD").read_text().strip()
        if changed or on != f"ref: {MAIN}":
            raise ForgeError(
                f"{self.folder} has changes that are not committed, or is not on main; commit or undo them first"
            )
