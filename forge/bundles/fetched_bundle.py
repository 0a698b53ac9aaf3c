"""A bundle in a folder, brought from the forge and verified: what it must be to be served.

Files are read only where they are regular ones: the open of a FIFO waits for a writer, and a device
never ends.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
from pathlib import Path

from contracts.live_config import Slot
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


def read_regular(path: Path, most: int | None = None) -> bytes:
    """The content of the regular file at *path*, of at most *most* bytes. Raises OSError, with why."""
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        with open(number, "rb", closefd=False) as file:
            content = file.read() if most is None else file.read(most + 1)
    finally:
        os.close(number)
    if most is not None and len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes", str(path))
    return content


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
