"""The files of the bundles that are served: watched in the store, and copied to the scorer's own folder.

A model in memory is served whatever happens to its files, but a worker that restarts has to read them.
So a change of the files is noticed, and a verified copy is kept to start from. A copy is only loaded if
it has the digest that `live.toml` names.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from pathlib import Path

from bundles.bundle import Bundle
from bundles.manifest import EVIDENCE, MANIFEST, MODEL, BundleError
from bundles.onnx_core import FILE as CORE
from contracts.bundle_content import read_regular
from contracts.live_config import BUNDLES, Slot
from serve.log import log

#: The folder of copies, beside the proofs.
COPIES = "bundles"
#: Seconds after which files that seem unchanged are read again.
RECHECK_SECONDS = 300.0
#: Seconds after which an unfinished copy is removed: the process that made it has ended.
ABANDONED_SECONDS = 3600.0
_UNFINISHED = ".unfinished-"
Stat = tuple[int, int, int, int] | None


class BundleCopies:
    """The bundles in *store*, and copies in the folder *copies* if one is given.

    Every process may load from the copies; one of them *keeps* them.
    """

    def __init__(self, store: Path, copies: Path | None, passes: Callable[[], float], *, keeps: bool = True) -> None:
        self._bundles, self._copies, self._keeps = store / BUNDLES, copies, keeps
        self._passes, self._next, self._logged = passes, passes() + RECHECK_SECONDS, ""
        #: What was found of a folder ("" if it is sound), and the stats of its files then.
        self._checked: dict[Path, tuple[str, tuple[Stat, ...]]] = {}

    def is_due(self) -> bool:
        """Whether all files are to be read again although they seem unchanged: once in `RECHECK_SECONDS` seconds."""
        if (now := self._passes()) < self._next:
            return False
        self._next = now + RECHECK_SECONDS
        self._checked.clear()
        return True

    def stats(self, slots: Iterable[Slot]) -> tuple[Stat, ...]:
        """What differs after a file of *slots* in the store has changed."""
        return tuple(each for slot in slots for each in _stats(self._bundles / slot.version))

    def load(self, slot: Slot, read: Callable[[Path, str], Bundle]) -> Bundle:
        """What *read* makes of the bundle of *slot* in the store, or if that fails, of its copy.

        Raises `BundleError`.
        """
        folder, why = self._bundles / slot.version, ""
        before = _stats(folder)
        try:
            bundle = _read(folder, slot, read)
        except BundleError as error:
            copy = self._copy(slot)
            if copy is None or not copy.is_dir():
                raise
            try:
                bundle, why = _read(copy, slot, read), str(error)
            except BundleError as also:
                raise BundleError(f"{error}; the scorer's own copy: {also}") from error
        self._checked[folder] = why, before
        return bundle

    def damage(self, slot: Slot) -> str:
        """Why the bundle of *slot*, which is in memory, cannot be loaded from the store; "" if it can."""
        why = self._problem(self._bundles / slot.version, slot)
        if not why:
            return ""
        copy = self._copy(slot)
        kept = copy is not None and not self._problem(copy, slot)
        after = "the scorer's own copy is loaded" if kept else "there is no copy to load"
        return f"{why}; the model in memory goes on; after a restart, {after}"

    def keep(self, slots: Iterable[Slot]) -> None:
        """Copy the sound bundles of *slots* that have no sound copy, and remove all other copies."""
        if self._copies is None or not self._keeps:
            return
        live, why = {slot.version: slot for slot in slots}, ""
        try:
            self._copies.mkdir(parents=True, exist_ok=True)
            for version, slot in live.items():
                copy, folder = self._copies / version, self._bundles / version
                if self._problem(copy, slot) and not self._problem(folder, slot):
                    _copy_whole(folder, copy, slot)
        except (OSError, BundleError) as error:
            why = f"{self._copies}: no copy of what serves could be kept: {error}"
        if why and why != self._logged:
            log(why)
        self._logged = why
        with suppress(OSError):
            _remove_others(self._copies, live)

    def _copy(self, slot: Slot) -> Path | None:
        return self._copies / slot.version if self._copies else None

    def _problem(self, folder: Path, slot: Slot) -> str:
        """Why *folder* does not hold the bundle of *slot*; read again if its files have changed."""
        stats, (why, before) = _stats(folder), self._checked.get(folder, ("", ()))
        if stats != before:
            try:
                _read(folder, slot, Bundle.described)
                why = ""
            except BundleError as error:
                why = str(error)
            self._checked[folder] = why, stats
        return why


def stat_of(path: Path) -> Stat:
    """What differs after the file at *path* was written, replaced, or its mode changed; None without one."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns


def _stats(folder: Path) -> tuple[Stat, ...]:
    return tuple(stat_of(folder / name) for name in (MANIFEST, MODEL, CORE))


def _read(folder: Path, slot: Slot, read: Callable[[Path, str], Bundle]) -> Bundle:
    """What *read* makes of *folder*, if that is the bundle of *slot*. Raises `BundleError`."""
    bundle = read(folder, slot.digest)
    if bundle.version != slot.version:
        raise BundleError(
            f"{folder} holds {bundle.version} ({bundle.digest}), live.toml names {slot.version} ({slot.digest})"
        )
    return bundle


def _copy_whole(folder: Path, copy: Path, slot: Slot) -> None:
    """Replace *copy* by a copy of *folder* without its evidence. Raises OSError or BundleError."""
    work = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=copy.parent))
    try:
        files = Bundle.described(folder, slot.digest).manifest["files"]
        for name in (MANIFEST, *(each for each in files if not each.startswith(EVIDENCE + "/"))):
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            with (work / name).open("wb") as file:
                file.write(read_regular(folder / name))
                file.flush()
                os.fsync(file.fileno())
        _read(work, slot, Bundle.described)
        _remove(copy)
        work.rename(copy)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _remove_others(copies: Path, versions: Container[str]) -> None:
    for path in copies.iterdir():
        unfinished = path.name.startswith(_UNFINISHED)
        if unfinished and time.time() - path.lstat().st_mtime < ABANDONED_SECONDS:
            continue  # another process may be writing it
        if path.name not in versions:
            _remove(path)


def _remove(path: Path) -> None:
    """Remove a file, a folder, or a link without what it leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
