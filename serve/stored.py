"""The files of the bundles that serve: watched in the store, and copied to the scorer's own folder.

A model in memory goes on whatever happens to its files, but a worker that starts again has to read them.
So a change of the files is noticed, and a verified copy is kept to start from. Nothing is taken from a
copy that does not have the digest that `live.toml` names.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from model.core import FILE as CORE
from serve.bundle import Bundle
from serve.live import Slot
from serve.manifest import EVIDENCE, MANIFEST, MODEL, BundleError
from serve.regular import read_regular

#: The folder of copies, beside the proofs.
COPIES = "bundles"
#: Seconds after which files that seem unchanged are read again; after which an unfinished copy is nobody's.
RECHECK, ABANDONED = 300.0, 3600.0
_UNFINISHED = ".unfinished-"
Stat = tuple[int, int, int, int] | None


class _Checked(NamedTuple):
    """What a folder was found to be: "" if it is sound, with its files' stats and the second."""

    why: str
    stats: tuple[Stat, ...]
    at: float


class Stored:
    """The bundles in *store*, and copies in the folder *copies*, or none without it.

    Only who *keeps* writes copies; all may load from them.
    """

    def __init__(
        self, store: Path, copies: Path | None, passes: Callable[[], float], *, keeps: bool = True
    ) -> None:
        self._bundles, self._copies, self._keeps = store / "bundles", copies, keeps
        self._passes = passes
        self._checked: dict[Path, _Checked] = {}
        self._next, self._said = passes() + RECHECK, ""

    def is_due(self) -> bool:
        """Whether all files are to be read again, though they seem unchanged; once every `RECHECK`."""
        now = self._passes()
        due = now >= self._next
        if due:
            self._next = now + RECHECK
        return due

    def stats(self, slots: Iterable[Slot]) -> tuple[Stat, ...]:
        """What says whether a file of *slots* in the store has changed."""
        return tuple(each for slot in slots for each in _stats(self._bundles / slot.version))

    def load(self, slot: Slot, read: Callable[[Path, str], Bundle]) -> Bundle:
        """What *read* makes of the bundle of *slot* in the store, or of the copy if that fails.

        Raises `BundleError`.
        """
        folder, why = self._bundles / slot.version, ""
        before = _stats(folder)
        try:
            found = _named(slot, folder, read)
        except BundleError as error:
            copy = self._copy(slot)
            if copy is None or not copy.is_dir():
                raise
            try:
                found, why = _named(slot, copy, read), str(error)
            except BundleError as also:
                raise BundleError(f"{error}; the scorer's own copy: {also}") from error
        self._checked[folder] = _Checked(why, before, self._passes())
        return found

    def damage(self, slot: Slot) -> str:
        """Why the bundle of *slot*, which is in memory, could not be loaded from the store; "" if it could."""
        why = self._problem(self._bundles / slot.version, slot)
        if not why:
            return ""
        copy = self._copy(slot)
        kept = copy is not None and not self._problem(copy, slot)
        after = "the scorer's own copy is loaded" if kept else "there is no copy to load"
        return f"{why}; the model in memory goes on; after a restart, {after}"

    def keep(self, slots: Iterable[Slot]) -> None:
        """Copy the bundles of *slots* that are sound and have no sound copy; remove all other copies."""
        if self._copies is None or not self._keeps:
            return
        live = {slot.version: slot for slot in slots}
        try:
            self._copies.mkdir(parents=True, exist_ok=True)
            for slot in live.values():
                copy, folder = self._copies / slot.version, self._bundles / slot.version
                if self._problem(copy, slot) and not self._problem(folder, slot):
                    _copy_whole(folder, copy, slot)
            self._said = ""
        except (OSError, BundleError) as error:
            self._say(f"{self._copies}: no copy of what serves could be kept: {error}")
        with suppress(OSError):
            _remove_others(self._copies, live)

    def _copy(self, slot: Slot) -> Path | None:
        return self._copies / slot.version if self._copies else None

    def _problem(self, folder: Path, slot: Slot) -> str:
        """Why *folder* does not hold the bundle of *slot*; read again if it changed, or is due."""
        stats, seen = _stats(folder), self._checked.get(folder)
        if seen is None or seen.stats != stats or self._passes() - seen.at >= RECHECK:
            try:
                _named(slot, folder, Bundle.described)
                why = ""
            except BundleError as error:
                why = str(error)
            seen = self._checked[folder] = _Checked(why, stats, self._passes())
        return seen.why

    def _say(self, words: str) -> None:
        if words != self._said:
            print(words, file=sys.stderr, flush=True)
        self._said = words


def stat_of(path: Path) -> Stat:
    """What changes when the file at *path* does: by a write, a chmod, or another file in its place."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns


def _stats(folder: Path) -> tuple[Stat, ...]:
    return tuple(stat_of(folder / name) for name in (MANIFEST, MODEL, CORE))


def _named(slot: Slot, folder: Path, read: Callable[[Path, str], Bundle]) -> Bundle:
    found = read(folder, slot.digest)
    if found.version != slot.version:
        raise BundleError(
            f"{folder} holds {found.version} ({found.digest}), live.toml names"
            f" {slot.version} ({slot.digest})"
        )
    return found


def _copy_whole(folder: Path, copy: Path, slot: Slot) -> None:
    """Put a copy of *folder*, without its evidence, in the place of *copy*. Raises OSError, BundleError."""
    work = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=copy.parent))
    try:
        files = Bundle.described(folder, slot.digest).manifest["files"]
        for name in (MANIFEST, *(each for each in files if not each.startswith(EVIDENCE + "/"))):
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            with (work / name).open("wb") as file:
                file.write(read_regular(folder / name))
                file.flush()
                os.fsync(file.fileno())
        _named(slot, work, Bundle.described)
        _remove(copy)
        work.rename(copy)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _remove_others(copies: Path, versions: Container[str]) -> None:
    for path in copies.iterdir():
        unfinished = path.name.startswith(_UNFINISHED)
        if unfinished and time.time() - path.lstat().st_mtime < ABANDONED:
            continue  # another process is at it
        if path.name not in versions:
            _remove(path)


def _remove(path: Path) -> None:
    """Whatever *path* is; a link is not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
