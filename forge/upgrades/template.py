"""The template that a repository was made from: its versions, and the commit that the repository began with."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from forge.interface import ForgeError

_TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
#: Where the template's commits and tags are kept in the user's repository: no branch, and no tag of it.
_REFS = "refs/template"


class Version(NamedTuple):
    """A released version of Tidegate, such as v0.3.0; versions compare by their numbers."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"


def parse_version(text: str) -> Version | None:
    """The version that *text* names, with or without the v; None if it names none."""
    found = _TAG.fullmatch(text if text.startswith("v") else f"v{text}")
    return Version(*map(int, found.groups())) if found else None


def version_in(pyproject: str) -> Version:
    """The version of a pyproject.toml. Raises `ForgeError` if there is none."""
    try:
        found = parse_version(str(tomllib.loads(pyproject).get("project", {}).get("version", "")))
    except tomllib.TOMLDecodeError as error:
        raise ForgeError(f"pyproject.toml is not valid TOML: {error}") from None
    if found is None:
        raise ForgeError("pyproject.toml names no version such as 0.2.0 in [project]")
    return found


class Template:
    """The template at *address*, seen from the user's repository in *folder*. It is asked once; all methods raise `ForgeError`."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address

    @cached_property
    def versions(self) -> list[Version]:
        """What the template has released, oldest first."""
        lines = self.git("ls-remote", "--tags", "--refs", self.address).splitlines()
        found = (parse_version(line.rpartition("refs/tags/")[2]) for line in lines)
        return sorted(filter(None, found))

    def fetch(self) -> None:
        """Fetch the template's history and versions."""
        specs = (f"+refs/tags/v*:{_REFS}/v*", f"+HEAD:{_REFS}/HEAD")
        self.git("fetch", "--quiet", "--no-tags", self.address, *specs)

    def commit(self, version: Version) -> str:
        """The commit of a *version* that was fetched."""
        return self.git("rev-parse", f"{_REFS}/{version}^{{commit}}").strip()

    def base(self) -> str:
        """The template's commit that HEAD was last made from, or brought up to.

        A repository that was made from the template has another history: its first commit has the files of a
        commit of the template. After an upgrade, the version in pyproject.toml names the commit.
        """
        now = self.version_at("HEAD")
        start = self._start()
        if start and self.version_at(start) == now:
            return start
        if now not in self.versions:
            raise ForgeError(
                f"pyproject.toml says version {now}, which {self.address} has not released, and no commit of it has"
                " the files that this repository began with; name the version that it was made from: BASE=v0.2.0"
            )
        return self.commit(now)

    def version_at(self, commit: str) -> Version:
        """The version in the pyproject.toml of a *commit*."""
        return version_in(self.git("show", f"{commit}:pyproject.toml"))

    def _start(self) -> str | None:
        """The template's commit that the repository has in its history, or began as a copy of."""
        try:
            return self.git("merge-base", "HEAD", f"{_REFS}/HEAD").strip()
        except ForgeError:  # no common history
            roots = self.git("log", "--max-parents=0", "--format=%T", "HEAD").split()
            commits = self.git("log", "--format=%T %H", f"{_REFS}/HEAD").splitlines()
            return next((commit for tree, _, commit in map(_parts, commits) if tree in roots), None)

    def git(self, *words: str, given: str | None = None, index: Path | None = None, may_differ: bool = False) -> str:
        """The output of git, with the user's settings: they say how the template is reached.

        With *may_differ*, an exit with 1 is an answer.
        """
        more = {"GIT_INDEX_FILE": str(index)} if index else {}
        done = subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env={**os.environ, **more},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode and not (may_differ and done.returncode == 1):
            raise ForgeError(f"git {words[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def _parts(line: str) -> tuple[str, str, str]:
    return line.partition(" ")
