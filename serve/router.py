"""Which bundle answers: follows `live.toml` in the store, and swaps models while running.

A new bundle is loaded and verified beside the old one; then one assignment makes it the one that
answers. When it is bad the old one goes on, and `refused` says why.
"""

from __future__ import annotations

import re
import sys
import threading
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from serve.bundle import MANIFEST, MODEL, Bundle, BundleError

Stat = tuple[int, int, int] | None
ROLES = ("champion", "challenger", "anchor")


class LiveFileError(Exception):
    """live.toml does not say what is live. The message lists everything that is wrong."""


class Slot(NamedTuple):
    """The bundle that live.toml names: its version, and the digest it must have."""

    version: str
    digest: str


@dataclass(frozen=True)
class Live:
    """The bundle that answers, since when; None before the first release."""

    bundle: Bundle | None
    since: str


class Router:
    """Knows the bundle to answer with. `refresh` may be called as often as one likes."""

    def __init__(
        self, store: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.store, self._clock = store, clock
        self.live = Live(None, "")
        self.refused: dict[str, str] | None = None
        self._seen: tuple[Stat, Stat, Stat] | None = None
        self._named: Slot | None = None
        self._stopped = threading.Event()
        self._one_at_a_time = threading.Lock()

    def arm(self, key: str) -> tuple[str, Bundle | None]:  # noqa: ARG002 -- the key will choose
        """The arm that *key* belongs to, and its bundle. One look, so both are of one moment."""
        return "champion", self.live.bundle

    def refresh(self) -> None:
        """Look whether the store changed since the last look, and follow it if what is new is good."""
        with self._one_at_a_time:
            if self._look() == self._seen:
                return
            what, why = "live.toml", ""
            try:
                # Looked at before it is read: what changes from here on is seen the next time.
                live = _stat(self.store / "live.toml")
                self._named = read_live(self.store / "live.toml")
                self._seen = (live, *self._look()[1:])
                if self._named is None:
                    why = "live.toml names no champion"
                else:
                    what = self._named.version
                self._swap(self._named)
            except (LiveFileError, BundleError) as error:
                why = str(error)
                if isinstance(error, LiveFileError):
                    self._named, self._seen = None, (live, None, None)
            except Exception as error:
                # Whatever a store holds, the model in memory goes on; the next look tries again.
                why, self._seen = f"{type(error).__name__}: {error}", None
            self._refuse(what, why)

    def follow(self, interval: float) -> None:
        """Refresh every *interval* seconds from a thread of this process, until `stop`."""
        self.refresh()
        threading.Thread(target=self._follow, args=(interval,), name="follow", daemon=True).start()

    def stop(self) -> None:
        """Follow no longer."""
        self._stopped.set()

    def _follow(self, interval: float) -> None:
        while not self._stopped.wait(interval):
            self.refresh()

    def _refuse(self, what: str, why: str) -> None:
        refused = {"what": what, "why": why} if why else None
        if refused and refused != self.refused:
            print(f"refused {what}: {why}", file=sys.stderr, flush=True)
        self.refused = refused

    def _swap(self, named: Slot | None) -> None:
        before = self.live.bundle
        if named is None or (
            before and before.digest == named.digest and before.version == named.version
        ):
            if named is None and before is not None:
                self.live = Live(None, self._now())
            return
        folder = self.store / "bundles" / named.version
        bundle = Bundle.load(folder)
        if bundle.digest != named.digest or bundle.version != named.version:
            raise BundleError(
                f"{folder} holds {bundle.version} ({bundle.digest}), live.toml names {named}"
            )
        self.live = Live(bundle, self._now())
        print(f"live: {bundle.version}", file=sys.stderr, flush=True)

    def _look(self) -> tuple[Stat, Stat, Stat]:
        folder = self.store / "bundles" / self._named.version if self._named else None
        manifest, model = (folder / MANIFEST, folder / MODEL) if folder else (None, None)
        return _stat(self.store / "live.toml"), _stat(manifest), _stat(model)

    def _now(self) -> str:
        return self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_live(path: Path) -> Slot | None:
    """The champion that live.toml names; None if it names none. Raises `LiveFileError`."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LiveFileError(
            f"there is no {path}: nothing is live yet, or the store is elsewhere"
        ) from error
    except (OSError, ValueError) as error:
        raise LiveFileError(f"{path} cannot be read: {error}") from error
    unknown = tables.keys() - ROLES
    if unknown:
        # Not to be passed over: under a misspelt [champion] nothing would be live.
        said = ", ".join(f"[{name}]" for name in sorted(unknown))
        raise LiveFileError(f"{path}: {said} is not a role; roles are {', '.join(ROLES)}")
    champion = tables.get("champion")
    if champion is None:
        return None
    if not isinstance(champion, dict):
        raise LiveFileError(f"{path}: champion is {champion!r}; expected a table [champion]")
    version, digest = champion.get("version"), champion.get("digest")
    problems = []
    if not (isinstance(version, str) and re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}", version)):
        problems.append(
            f"champion.version is {version!r}; expected one such as 20261123T0317-a1b2c3d"
        )
    if not (isinstance(digest, str) and re.fullmatch(r"sha256:[0-9a-f]{64}", digest)):
        problems.append(
            f"champion.digest is {digest!r}; expected sha256: and 64 hexadecimal digits"
        )
    if problems:
        raise LiveFileError(f"{path}: {'; '.join(problems)}")
    return Slot(str(version), str(digest))


def _stat(path: Path | None) -> Stat:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
