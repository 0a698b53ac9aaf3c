"""Fetch a bundle from the forge to a store, and verify it.

Only regular files are read: opening a FIFO blocks until there is a writer, and a device has no end.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from contracts.bundle_content import MAX_MANIFEST_BYTES, content_digest, erased_digests, read_regular, sha256
from contracts.live_config import BUNDLES, Slot
from forge.bundles.bundle_files import MANIFEST
from forge.interface import Forge, ForgeError


def fetch(forge: Forge, store: Path, slot: Slot) -> None:
    """Fetch the bundle of *slot* to the *store*, if needed. Raises `ForgeError` or OSError, and then leaves nothing."""
    place = store / BUNDLES / slot.version
    if place.is_dir() and not problem(place, slot):
        forge.prove(slot.version, place)
        os.utime(place)
        return
    fresh = store / BUNDLES / f".fetched-{os.getpid()}-{slot.version}"
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
    """Why *folder* is not the bundle that *slot* names; "" if it is."""
    try:
        manifest = json.loads(read_regular(folder / MANIFEST, MAX_MANIFEST_BYTES))
        found = content_digest(manifest)
        if not slot.digest == manifest["digest"] == found:
            return f"its manifest has the digest {found}"
        if manifest["version"] != slot.version:
            return f"its manifest has the version {manifest['version']}"
        erased = erased_digests(folder)
        for name, expected in manifest["files"].items():
            found = sha256(read_regular(folder / name))
            if found != expected and found not in erased.get(name, {}).get("now", ()):
                return f"{name} is damaged"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"it cannot be read: {error!r}"
    return ""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
