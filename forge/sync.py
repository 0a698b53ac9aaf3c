"""Bring what `live.toml` names to where a scorer runs; it follows the store, never the forge.

The store's own `live.toml` is replaced last and atomically, after every file named by it is there
and verified. Whatever goes wrong, the store stays as it was, and the result says why.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from forge import Forge, ForgeError
from forge.live import LIVE, ROLES, LiveError, Slot, parse_live

PATIENCE = 300.0  # seconds between looks in trouble, at most
KEPT = 5  # bundles that are not live any more: a rollback to one of them needs no download


@dataclass(frozen=True)
class SyncResult:
    """Whether the store changed, what it serves now, and why it could not follow if it could not."""

    changed: bool
    words: str
    failed: bool = False


def sync(forge: Forge, store: Path) -> SyncResult:
    """Make *store* hold what is live. Never raises for a forge or a bundle that is bad."""
    try:
        text = forge.read(LIVE) or ""
        live = parse_live(text)
        store.mkdir(parents=True, exist_ok=True)
        slots = [slot for role in ROLES if (slot := getattr(live, role))]
        for slot in slots:
            _fetch(forge, store, slot)
        present = store / "live.toml"
        if present.is_file() and present.read_text(encoding="utf-8") == text:
            return SyncResult(False, "nothing new")
        _replace(present, text)
        _forget(store, {slot.version for slot in slots})
    except (ForgeError, LiveError, OSError) as error:
        return SyncResult(False, f"the store stays as it was: {error}", failed=True)
    return SyncResult(True, f"live: {live.champion.version if live.champion else 'nothing'}")


def follow(forge: Forge, store: Path, every: float | None, done: threading.Event) -> SyncResult:
    """Sync every so many seconds until *done*, or once; says what changes, and each new trouble.

    While there is trouble it asks less and less often, at least every five minutes.
    """
    before, failures = "", 0
    while True:
        result = sync(forge, store)
        trouble = result.words if result.failed else ""
        if result.changed or every is None or trouble != before:
            print(result.words, flush=True)
        before, failures = trouble, failures + 1 if result.failed else 0
        if every is None or done.wait(min(every * 2**failures, max(every, PATIENCE))):
            return result


def _fetch(forge: Forge, store: Path, slot: Slot) -> None:
    place = store / "bundles" / slot.version
    if place.is_dir() and not _wrong(place, slot):
        os.utime(place)
        return
    fresh = store / "bundles" / f".fetched-{os.getpid()}-{slot.version}"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        forge.download(slot.version, fresh)
        wrong = _wrong(fresh, slot)
        if wrong:
            raise ForgeError(f"{slot.version} is not what live.toml names: {wrong}")
        shutil.rmtree(place, ignore_errors=True)  # a damaged copy
        fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _wrong(folder: Path, slot: Slot) -> str:
    """What keeps *folder* from being the bundle that *slot* names; "" if nothing does."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        content = {k: v for k, v in manifest.items() if k not in ("version", "digest", "build")}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        found = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        if not slot.digest == manifest["digest"] == found:
            return f"its manifest has the digest {found}"
        for name, expected in manifest["files"].items():
            if "sha256:" + hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
                return f"{name} is damaged"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"it cannot be read: {error!r}"
    return ""


def _replace(path: Path, text: str) -> None:
    work = path.with_name(f".{path.name}-{os.getpid()}")
    with work.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    work.replace(path)


def _forget(store: Path, live: set[str]) -> None:
    others = [p for p in (store / "bundles").glob("[0-9]*") if p.is_dir() and p.name not in live]
    for path in sorted(others, key=lambda p: p.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
