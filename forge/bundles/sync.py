"""Copy what `live.toml` names from the forge to a store, which a scorer follows.

The store's own `live.toml` is replaced last and atomically, and names only verified bundles. A challenger or an
anchor that cannot be fetched is left out and tried again. Without a champion that can be fetched, or without a
readable `live.toml` on the forge, the store stays as it was. A new champion begins without an online correction, also
one that was champion before. `sync.json` has the result of the last sync, which the
scorer reports.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from contracts.atomic_file import write_atomically
from contracts.bundle_content import read_regular
from contracts.live_config import (
    BEGINS,
    BUNDLES,
    CORRECTIONS,
    ENDS,
    LIVE,
    MAX_BYTES,
    STATUS,
    Live,
    LiveError,
    Slot,
    parse_live,
    usable,
)
from contracts.live_tables import ROLES
from forge.bundles.fetched_bundle import fetch
from forge.interface import Forge, ForgeError

MAX_PAUSE = 300.0  # longest pause after a failure, in seconds
KEPT_BUNDLES = 5  # earlier bundles that are kept, so that a rollback needs no download


@dataclass(frozen=True)
class SyncResult:
    """The result of one sync. *failed*: the store differs from the forge, as *message* says.

    *follows* is false where the store stays as it was.
    """

    changed: bool
    message: str
    failed: bool = False
    follows: bool = True


class Sync:
    """Copies what is live in *forge* to *store*, *every* so many seconds, or once."""

    def __init__(
        self,
        forge: Forge,
        store: Path,
        every: float | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._forge, self._store, self._every, self._now, self._clock = (forge, store, every, now, clock)
        self._lost: dict[Slot, tuple[str, float, float]] = {}

    def look(self) -> SyncResult:
        """Sync once. Does not raise for a bad forge, bundle or store."""
        try:
            result = self._follow()
        except (ForgeError, LiveError, OSError) as error:
            result = SyncResult(False, f"the store stays as it was: {error}", True, False)
        except Exception as error:
            # No content of a forge or a store ends the loop.
            why = f"{type(error).__name__}: {error}"
            result = SyncResult(False, f"the store stays as it was: {why}", True, False)
        self._report(result)
        return result

    def _follow(self) -> SyncResult:
        text = self._forge.read(LIVE)
        if text is None:
            raise ForgeError(f"there is no {LIVE} on the forge's main branch, or the token may not read it")
        wanted, problems = usable(text)
        if not wanted.says and problems:
            raise LiveError(f"{LIVE}: {'; '.join(problems)}")
        if not wanted.says and self._names_champion():
            raise LiveError(f'{LIVE} names no champion; to serve nothing, it must say: champion = "none"')
        self._store.mkdir(parents=True, exist_ok=True)
        if wanted.champion:
            fetch(self._forge, self._store, wanted.champion)
        beside: dict[str, Slot | None] = {"challenger": wanted.challenger, "anchor": wanted.anchor}
        for role, slot in beside.items():
            if slot and (why := self._lacks(slot)):
                problems.append(f"the {role} {slot.version} cannot be fetched: {why}")
                beside[role] = None
        live = replace(wanted, challenger=beside["challenger"], anchor=beside["anchor"])
        changed = self._write(live)
        left = f", except: {'; '.join(problems)}" if problems else ""
        named = live.champion.version if live.champion else "nothing"
        message = f"live: {named}{left}" if changed or problems else "nothing new"
        return SyncResult(changed, message, bool(problems))

    def _lacks(self, slot: Slot) -> str:
        """Why the bundle of *slot* cannot be fetched; "" if it is in the store.

        After a failure it is tried less and less often (GitHub counts requests); other slots are not delayed.
        """
        why, pause, until = self._lost.get(slot, ("", self._every or 0.0, 0.0))
        if self._clock() < until:
            return why
        try:
            fetch(self._forge, self._store, slot)
        except (ForgeError, OSError) as error:
            pause = min(pause * 2, MAX_PAUSE)
            self._lost[slot] = (str(error), pause, self._clock() + pause)
            return str(error)
        self._lost.pop(slot, None)
        return ""

    def _reset_correction(self, champion: Slot | None) -> None:
        """Remove the correction of *champion* if another version, or none, was champion: it may be from then."""
        try:
            before = usable(read_regular(self._store / "live.toml", MAX_BYTES).decode())[0].champion
        except (OSError, ValueError):
            before = None
        if champion and not (before and before.version == champion.version):
            (self._store / CORRECTIONS / f"{champion.version}.json").unlink(missing_ok=True)

    def _names_champion(self) -> bool:
        """Whether the store has a live.toml that names a champion, or one that cannot be read."""
        path = self._store / "live.toml"
        try:
            return bool(parse_live(read_regular(path, MAX_BYTES).decode()).champion)
        except FileNotFoundError:
            return False
        except (OSError, ValueError):
            return True

    def _write(self, live: Live) -> bool:
        text = f"{BEGINS}\n{live.to_toml()}{ENDS}\n"
        path = self._store / "live.toml"
        try:
            if read_regular(path, MAX_BYTES) == text.encode():
                return False
        except OSError:
            pass  # no such file, or not a file
        self._reset_correction(live.champion)
        write_atomically(path, text, durable=True)
        _forget(self._store, {slot.version for role in ROLES if (slot := getattr(live, role))})
        return True

    def _report(self, result: SyncResult) -> None:
        """Write the result to the store's sync.json, if possible."""
        at = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        agreed: str | None = at
        if result.failed:
            try:
                agreed = json.loads(read_regular(self._store / STATUS, MAX_BYTES))["agreed"]
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                agreed = None
        status = {
            "format": 1,
            "at": at,
            "agreed": agreed,
            "every": self._every,
            "problem": result.message if result.failed else "",
        }
        try:
            self._store.mkdir(parents=True, exist_ok=True)
            write_atomically(self._store / STATUS, json.dumps(status) + "\n")
        except OSError:
            pass  # the scorer reports that sync.json is old


def sync(forge: Forge, store: Path) -> SyncResult:
    """Copy what is live in *forge* to *store*, once."""
    return Sync(forge, store).look()


def follow(forge: Forge, store: Path, every: float | None, done: threading.Event) -> SyncResult:
    """Sync every so many seconds until *done*, or once; prints changes and new problems.

    After failures the pauses grow, to at most five minutes.
    """
    follower, before, failures = Sync(forge, store, every), "", 0
    while True:
        result = follower.look()
        trouble = result.message if result.failed else ""
        if result.changed or every is None or trouble != before:
            print(result.message, flush=True)
        before, failures = trouble, 0 if result.follows else failures + 1
        if every is None or done.wait(min(every * 2 ** min(failures, 20), max(every, MAX_PAUSE))):
            return result


def _forget(store: Path, live: set[str]) -> None:
    others = [p for p in (store / BUNDLES).glob("[0-9]*") if p.is_dir() and p.name not in live]
    for path in sorted(others, key=lambda p: p.stat().st_mtime, reverse=True)[KEPT_BUNDLES:]:
        shutil.rmtree(path, ignore_errors=True)
