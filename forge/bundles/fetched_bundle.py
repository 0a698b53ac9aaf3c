"""A bundle in a folder, brought from the forge and verified: what it must be to be served.

Files are read only where they are regular ones: the open of a FIFO waits for a writer, and a device
never ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from contracts.live_config import Slot
from contracts.regular_file import read_regular
from forge.bundles.bundle_files import MANIFEST, content_digest
from forge.interface import Forge, ForgeError

#: Bytes of the largest manifest.
LARGEST = 64 * 2**20


def fetch(forge: Forge, store: Path, slot: Slot) -> None:
    """Have the bundle of *slot* in the *store*. Raises `ForgeError` or OSError; then nothing is left."""
    place = store / "bundles" / slot.version
    if place.is_dir() and not problem(place, slot):
        os.utime(place)
        return
    fresh = store / "bundles" / f".fetched-{os.getpid()}-{slot.version}"
    _remove(fresh)
    try:
        forge.download(slot.version, fresh)
        wrong = problem(fresh, slot)
        if wrong:
            raise ForgeError(f"{slot.version} is not what live.toml names: {wrong}")
        _remove(place)  # a damaged copy
        fresh.rename(place)
    finally:
        _remove(fresh)


def problem(folder: Path, slot: Slot) -> str:
    """What keeps *folder* from being the bundle that *slot* names; "" if nothing does."""
    try:
        manifest = json.loads(read_regular(folder / MANIFEST, LARGEST))
        found = content_digest(manifest)
        if not slot.digest == manifest["digest"] == found:
            return f"its manifest has the digest {found}"
        if manifest["version"] != slot.version:
            return f"its manifest has the version {manifest['version']}"
        for name, expected in manifest["files"].items():
            if "sha256:" + hashlib.sha256(read_regular(folder / name)).hexdigest() != expected:
                return f"{name} is damaged"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"it cannot be read: {error!r}"
    return ""


def replace_whole(path: Path, text: str, *, durable: bool = False) -> None:
    """Write the file at *path*, whole or not at all; a *durable* one outlives a crash of the system."""
    work = path.with_name(f".{path.name}-{os.getpid()}")
    with work.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    work.replace(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
