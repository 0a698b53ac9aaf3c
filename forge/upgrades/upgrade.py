"""`python -m forge upgrade`: merge a newer version into a branch; nothing of the working tree is changed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from forge.interface import ForgeError
from forge.upgrades.merged_thresholds import merge_thresholds
from forge.upgrades.template import Template, Version, parse_version

THRESHOLDS = "checks/thresholds.toml"
#: In .gitattributes, of a file that belongs to the user: an upgrade leaves it as it is.
_YOURS = "merge=ours"


@dataclass(frozen=True)
class Upgrade:
    """A *branch* with *version* merged; *conflicts* are files in which both sides changed the same lines."""

    branch: str
    old: Version
    version: Version
    conflicts: tuple[str, ...]
    body: str


def upgrade(template: Template, to: str | None = None, base: str | None = None) -> Upgrade | None:
    """Merge the newest version, or *to*, into a new branch; None if the repository has it already.

    *base* names the version that the repository was made from, where that cannot be found.
    """
    old, version = template.version_at("HEAD"), wanted(template, to)
    if version <= old:
        return None
    template.fetch()
    began = template.commit(_known(template, base)) if base else template.base()
    new = template.commit(version)
    tree, conflicts, remarks = _merge(template, began, new)
    branch = f"upgrade/{version}"
    if template.git("for-each-ref", f"refs/heads/{branch}"):
        raise ForgeError(f"there is a branch {branch} already; remove it with: git branch -D {branch}")
    notes = changes_between(template.git("show", f"{new}:CHANGELOG.md"), old, version)
    body = _body(old, version, conflicts, remarks, notes)
    message = f"Upgrade Tidegate from {old} to {version}"
    commit = template.git("commit-tree", tree, "-p", "HEAD", "-m", message).strip()
    template.git("branch", branch, commit)
    return Upgrade(branch, old, version, conflicts, body)


def wanted(template: Template, to: str | None = None) -> Version:
    """The version that *to* names, else the newest."""
    versions = template.versions
    if not versions:
        raise ForgeError(f"{template.address} has released no version (no tag such as v0.3.0)")
    return _known(template, to) if to else versions[-1]


def changes_between(changelog: str, old: Version | None, new: Version) -> str:
    """The sections of a *changelog* that are later than *old*, up to *new*; without *old*, that of *new* alone."""
    sections = re.split(r"(?m)^(?=## )", changelog)
    names = [re.match(r"## \[?v?(\d+\.\d+\.\d+)", each) for each in sections]
    found = [
        section.strip()
        for section, name in zip(sections, names, strict=True)
        if name and (version := parse_version(name[1])) and (old < version <= new if old else version == new)
    ]
    return "\n\n".join(found)


def _known(template: Template, text: str) -> Version:
    version, versions = parse_version(text), template.versions
    if version not in versions:
        raise ForgeError(f"{template.address} has no version {text}; it has {', '.join(map(str, versions)) or 'none'}")
    return version


def _merge(template: Template, base: str, new: str) -> tuple[str, tuple[str, ...], list[str]]:
    """The tree of HEAD with what changed from *base* to *new*, the files in conflict, and remarks."""
    # A commit with HEAD's files on top of *base*: git then finds *base* as what both have in common.
    ours = template.git("commit-tree", "HEAD^{tree}", "-p", base, "-m", "as it is").strip()
    tree, conflicts = _merged_tree(template, ours, new)
    files, remarks = dict[str, str | None](), list[str]()
    kept = _yours(template, new)
    for path in {*conflicts, *_changed(template, "HEAD", tree)} & {*kept}:
        if _exists(template, "HEAD", path) or _exists(template, base, path):
            files[path] = "HEAD"  # as it is, or removed as it is
    for path in conflicts:
        if path not in files and not _exists(template, "HEAD", path):
            files[path] = None
            remarks.append(f"`{path}` stays removed")
    limits = merge_thresholds(*(_text(template, commit, THRESHOLDS) for commit in (base, "HEAD", new)))
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        template.git("read-tree", tree, index=index)
        for path, source in files.items():
            _take(template, index, path, source)
        if limits:
            blob = template.git("hash-object", "-w", "--stdin", given=limits.text).strip()
            template.git("update-index", "--cacheinfo", f"100644,{blob},{THRESHOLDS}", index=index)
            remarks = [f"thresholds.toml: {each}" for each in limits.remarks] + remarks
        tree = template.git("write-tree", index=index).strip()
    settled = {*files, *([THRESHOLDS] if limits else [])}
    return tree, tuple(path for path in conflicts if path not in settled), remarks


def _merged_tree(template: Template, ours: str, new: str) -> tuple[str, list[str]]:
    """The tree of git's merge, and the paths in conflict: they are in the tree with both sides marked."""
    words = ("merge-tree", "--write-tree", "--name-only", "-z", "--no-messages", ours, new)
    tree, *paths = template.git(*words, may_differ=True).split("\0")
    return tree, [path for path in paths if path]


def _yours(template: Template, new: str) -> Iterable[str]:
    """The files that belong to the user, by the .gitattributes of *new*."""
    lines = _text(template, new, ".gitattributes").splitlines()
    return [line.split()[0].removeprefix("/") for line in lines if _YOURS in line.split()]


def _changed(template: Template, one: str, other: str) -> list[str]:
    return [path for path in template.git("diff", "--name-only", "-z", one, other).split("\0") if path]


def _exists(template: Template, commit: str, path: str) -> bool:
    return bool(template.git("ls-tree", commit, "--", path))


def _text(template: Template, commit: str, path: str) -> str:
    return template.git("show", f"{commit}:{path}") if _exists(template, commit, path) else ""


def _take(template: Template, index: Path, path: str, source: str | None) -> None:
    """Put *path* as it is at the commit *source* into *index*; remove it without one."""
    entry = template.git("ls-tree", source, "--", path).split() if source else []
    if entry:
        template.git("update-index", "--add", "--cacheinfo", f"{entry[0]},{entry[2]},{path}", index=index)
    else:
        template.git("update-index", "--force-remove", path, index=index)


def _body(old: Version, new: Version, conflicts: Iterable[str], remarks: list[str], notes: str) -> str:
    lines = [f"Tidegate {old} → {new}. Your recipe, thresholds, waivers and what is live stay as they are.", ""]
    if conflicts:
        lines += ["**Both sides changed the same lines of these files; they have conflict markers:**", ""]
        lines += [*(f"- `{path}`" for path in conflicts), ""]
    if remarks:
        lines += ["### What changes for you", "", *(f"- {each}" for each in remarks), ""]
    return "\n".join([*lines, notes, ""])
