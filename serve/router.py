"""Which bundle answers: follows the store's `live.toml` and swaps models while running.

The store is a folder with `live.toml` and `bundles/<version>/`. A new bundle is loaded and verified
beside the old one, then a single assignment puts it in its place, so a request sees the one or the
other and never half of each. Whatever is wrong with the new one, the old one goes on answering and
the reason is kept for `/ready`.

Also a `live.toml` that is gone or names no champion leaves the old model in place: an empty file is
rather an accident than the wish to answer nobody. To answer nobody, stop the scorer.
"""

from __future__ import annotations

import logging
import re
import threading
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from serve.bundle import MANIFEST, MODEL, VERSION, Bundle, BundleError

LIVE, BUNDLES = "live.toml", "bundles"
#: The roles live.toml may give, and the keys each may have.
ROLES = {
    "champion": ("version", "digest"),
    "challenger": ("version", "digest", "share", "mode"),
    "anchor": ("version", "digest"),
}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

log = logging.getLogger("serve")


class LiveFileError(ValueError):
    """live.toml cannot be followed. The message lists everything that is wrong with it."""


@dataclass(frozen=True)
class Slot:
    """What live.toml says of a role: the bundle's version, and the digest it must have."""

    version: str
    digest: str


@dataclass(frozen=True)
class Arm:
    """A loaded bundle in its role, and since when it answers here."""

    name: str
    bundle: Bundle
    since: datetime


@dataclass(frozen=True)
class Refusal:
    """What the store offers and the router does not take: a version or live.toml, and why."""

    what: str
    why: str


class Router:
    """Gives the arm that answers; `refresh` brings it up to date with the *store*.

    `pick` may be called from any thread. Make a router after a fork, not before (see `Bundle`).
    """

    def __init__(self, store: Path, clock: Callable[[], datetime]) -> None:
        self.store = store
        #: Why what the store offers is not served, or None if it is.
        self.refused: Refusal | None = None
        self._clock = clock
        self._champion: Arm | None = None
        self._seen: object = None
        self._refreshing = threading.Lock()
        self._closed = threading.Event()

    def pick(self) -> Arm | None:
        """The arm that answers a request, or None while nothing is live.

        Take it once per request: the next call may give another model.
        """
        return self._champion

    def refresh(self) -> None:
        """Follow the store; does next to nothing when nothing changed on disk. Never raises."""
        with self._refreshing:
            try:
                found = self._look()
                if found != self._seen:
                    self._seen = found
                    self._refuse(self._follow())
            except Exception as error:
                # Whatever a store holds, the model in memory goes on answering.
                self._refuse(Refusal(LIVE, f"{type(error).__name__}: {error}"))

    def follow(self, interval: float) -> None:
        """Refresh now, and then every *interval* seconds in the background until `close`."""
        self.refresh()
        threading.Thread(target=self._keep_up, args=(interval,), name="router", daemon=True).start()

    def close(self) -> None:
        """Stop following."""
        self._closed.set()

    def _keep_up(self, interval: float) -> None:
        while not self._closed.wait(interval):
            self.refresh()

    def _look(self) -> object:
        # The text of live.toml, and the state of the files it names: those of a bundle that was
        # refused may be put right while live.toml stays as it is.
        text = _read(self.store / LIVE)
        versions = sorted(set(VERSION.findall(text or "")))
        files = [self.store / BUNDLES / v / name for v in versions for name in (MANIFEST, MODEL)]
        return text, [_state(file) for file in files]

    def _follow(self) -> Refusal | None:
        text = _read(self.store / LIVE)
        if text is None:
            return Refusal(LIVE, f"the store has no {LIVE}")
        try:
            slot = read_live(text).get("champion")
        except LiveFileError as error:
            return Refusal(LIVE, str(error))
        if slot is None:
            return Refusal(LIVE, f"{LIVE} names no champion")
        old = self._champion
        if old and (old.bundle.version, old.bundle.digest) == (slot.version, slot.digest):
            return None
        try:
            bundle = load_slot(self.store, slot)
        except BundleError as error:
            return Refusal(slot.version, str(error).replace(f"{self.store}/", ""))
        self._champion = Arm("champion", bundle, self._clock())
        log.info("%s answers now, before it %s", slot.version, old.bundle.version if old else "none")
        return None

    def _refuse(self, refusal: Refusal | None) -> None:
        if refusal and refusal != self.refused:
            log.warning("%s is not served: %s", refusal.what, refusal.why)
        self.refused = refusal


def load_slot(store: Path, slot: Slot) -> Bundle:
    """The bundle that *slot* names, verified. Raises `BundleError` if it is another or is bad."""
    folder = store / BUNDLES / slot.version
    if not folder.is_dir():
        raise BundleError(f"{folder} is not there; {LIVE} names it")
    bundle = Bundle.load(folder)
    if (bundle.version, bundle.digest) != (slot.version, slot.digest):
        raise BundleError(
            f"{folder} holds {bundle.version} with {bundle.digest}; {LIVE} says {slot.version}"
            f" with {slot.digest}"
        )
    return bundle


def read_live(text: str) -> dict[str, Slot]:
    """The slot of each role that the *text* of live.toml fills.

    Raises `LiveFileError` with all that is wrong.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LiveFileError(f"{LIVE} is not TOML: {error}") from error
    problems = [p for role, table in tables.items() for p in _wrong(role, table)]
    if problems:
        raise LiveFileError(f"{LIVE}: " + "; ".join(problems))
    return {role: Slot(table["version"], table["digest"]) for role, table in tables.items()}


def _wrong(role: str, table: Any) -> Iterable[str]:
    if role not in ROLES:
        yield f"[{role}] is not a role; roles are {', '.join(ROLES)}"
        return
    if not isinstance(table, Mapping):
        yield f"{role} is {table!r}; expected a table [{role}]"
        return
    for key in sorted(table.keys() - ROLES[role]):
        yield f"{role}.{key} is not known; keys are {', '.join(ROLES[role])}"
    version, digest = table.get("version"), table.get("digest")
    if not (isinstance(version, str) and VERSION.fullmatch(version)):
        yield f"{role}.version is {version!r}; expected one such as 20261123T0317-a1b2c3d"
    if not (isinstance(digest, str) and DIGEST.fullmatch(digest)):
        yield f"{role}.digest is {digest!r}; expected sha256: and 64 hexadecimal digits"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
