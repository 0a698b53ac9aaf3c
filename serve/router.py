"""Which bundles answer: follows `live.toml` in the store, and swaps models while running.

All that is new is loaded and verified beside the old; then one assignment makes it what answers.
When something is bad the old set goes on, and `refused` says why; so it does where live.toml does not
say what is live. Only a champion never waits for anybody: where a new one is good and an arm beside it
is not, it begins without that arm, since it may be a rollback. While the champion stays, an arm that is
bad leaves its role to the one that had it, and the other roles change.

A live.toml that was written in place is followed once it has not changed for `SETTLED` seconds: whoever
writes it may not have written all of it yet. One that was moved into place, or ends with the last line of
`forge sync`, is whole.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from serve.arms import Arm, Arms, cannot_read
from serve.bundle import Bundle
from serve.live import NOTHING, SHADOW, LiveFileError, Named, Slot, read_live
from serve.manifest import BundleError
from serve.stored import Stat, Stored, stat_of
from serve.synced import Agreement, agreement

#: Python's own 5 ms would be ten times what an answer takes, and an answer needs several turns.
TURN = 0.0002
#: Seconds for which a live.toml that was written in place must stay as it is to be followed.
SETTLED = 2.0


class Router:
    """Knows the bundle to answer with. `refresh` may be called as often as one likes.

    *load* makes the bundles that answer, of a folder and a digest; *shadow* one that does not answer:
    another process scores with it, so here it is only described. *says* begins what is logged. *copies*
    is the folder for copies of what serves, which this router *keeps*, or only loads from.
    """

    def __init__(
        self,
        store: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        load: Callable[[Path, str], Bundle] = Bundle.load,
        *,
        shadow: Callable[[Path, str], Bundle] = Bundle.described,
        says: str = "",
        passes: Callable[[], float] = time.monotonic,
        copies: Path | None = None,
        keeps: bool = True,
    ) -> None:
        self.store, self._clock, self._says, self._passes = store, clock, says, passes
        self._stored = Stored(store, copies, passes, keeps=keeps)
        self._read, self._read_shadow = load, shadow
        self.live = Arms()
        self.refused: dict[str, str] | None = None
        #: When what is refused was refused first.
        self.refused_at: datetime | None = None
        self._written: tuple[Stat, float | None] = (None, None)
        self._seen: tuple[Stat, ...] | None = None
        self._named = Named()
        self._stopped = threading.Event()
        self._one_at_a_time = threading.Lock()

    def arm(self, key: str) -> tuple[str, Bundle | None]:
        """The arm that *key* belongs to, and its bundle. One look, so both are of one moment."""
        arm = self.live.pick(key)
        return (arm.name, arm.bundle) if arm else ("champion", None)

    def refresh(self) -> None:
        """Look whether the store changed since the last look, and follow it if what is new is good."""
        with self._one_at_a_time:
            if self._look() == self._seen and not self._stored.is_due():
                return
            what, why = "live.toml", ""
            try:
                # Looked at before it is read: what changes from here on is seen the next time.
                live = stat_of(self.store / "live.toml")
                settled = self._settled(live)
                named = read_live(self.store / "live.toml")
                says = named.nothing or named.champion
                if says and not (settled or named.whole):
                    return
                self._named = named
                self._seen = (live, *self._look()[1:])
                if self._named.champion:
                    what = self._named.champion.version
                    what, why = self._swap(self._named, self._named.champion)
                elif self._named.nothing:
                    if self.live.champion:
                        self.live = Arms(self._now())
                        print(f"{self._says}live: nothing", file=sys.stderr, flush=True)
                else:
                    why = self._unsaid()
            except (LiveFileError, BundleError) as error:
                why = str(error)
                if isinstance(error, LiveFileError):
                    self._named, self._seen = Named(), (live,)
            except Exception as error:
                # Whatever a store holds, the model in memory goes on; the next look tries again.
                why, self._seen = f"{type(error).__name__}: {error}", None
            self._refuse(what, why)

    def agreement(self) -> Agreement | None:
        """Whether what the forge names is served; None where no `forge sync` fills the store."""
        return agreement(self.store, self.refused, self.refused_at, self._clock())

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
            print(f"{self._says}refused {what}: {why}", file=sys.stderr, flush=True)
        if bool(refused) != bool(self.refused):
            self.refused_at = self._clock().astimezone(UTC) if refused else None
        self.refused = refused

    def _settled(self, live: Stat) -> bool:
        """Whether live.toml, which is *live* now, is not being written.

        While nothing is live, what it says is followed at once.
        """
        before, since = self._written
        if live != before:
            in_place = live and before and live[2] == before[2]
            since = self._passes() if in_place else None
            self._written = (live, since)
        return since is None or not self.live.champion or self._passes() - since >= SETTLED

    def _unsaid(self) -> str:
        if not self.live.champion:
            return "live.toml names no champion"
        return (
            f"live.toml names no champion: {self.live.champion.bundle.version} goes on; to serve"
            f' nothing, it must say: champion = "{NOTHING}"'
        )

    def _swap(self, named: Named, first: Slot) -> tuple[str, str]:
        """Make live what *named* says; what of it was left out or refused, and why ("": nothing)."""
        before, now = self.live, self._now()
        loaded = {
            (arm.bundle.version, arm.bundle.digest, arm.name == SHADOW): arm.bundle
            for arm in before.all()
        }
        champion = self._load(first, loaded)
        arms: dict[str, Arm] = {}
        refused: dict[str, str] = {}
        for role, slot in named.needed.items():
            try:
                bundle = self._load(slot, loaded)
                odd = cannot_read(bundle.contract, champion.contract)
                if odd:
                    raise BundleError(
                        f"the {role} {slot.version} cannot read the champion's rows: {'; '.join(odd)}"
                    )
            except BundleError as error:
                refused[slot.version] = str(error)
                continue
            name = SHADOW if slot.shadow else role
            since = _since(name, bundle, before) or now
            arms[name] = Arm(name, bundle, slot.share, since, champion.contract)
        for slot in named.needed.values():
            if slot.version not in refused and (damage := self._stored.damage(slot)):
                refused[slot.version] = damage
        what, why = ", ".join(refused) or first.version, "; ".join(refused.values())
        if champion is before.bundle:
            arms |= _still(before, named, arms)
        left = round(1 - sum(arm.share for arm in arms.values()), 12)
        arms["champion"] = replace(arms["champion"], share=left)
        after = Arms(
            arms["champion"].since,
            **arms,
            salt=champion.contract.name if named.salt is None else named.salt,
        )
        if after != before:
            self.live = after
            print(f"{self._says}live: {_in_words(after)}", file=sys.stderr, flush=True)
        serving = {arm.bundle.version for arm in after.all()}
        self._stored.keep(slot for slot in named.needed.values() if slot.version in serving)
        return what, why

    def _load(self, slot: Slot, loaded: dict[tuple[str, str, bool], Bundle]) -> Bundle:
        """The bundle of *slot*: the one in memory if it is, for two roles may have the same."""
        known = (slot.version, slot.digest, slot.shadow)
        found = loaded.get(known)
        if found is None:
            read = self._read_shadow if slot.shadow else self._read
            with _giving_way():
                found = self._stored.load(slot, read)
            loaded[known] = found
        return found

    def _look(self) -> tuple[Stat, ...]:
        return (
            stat_of(self.store / "live.toml"),
            *self._stored.stats(self._named.needed.values()),
        )

    def _now(self) -> str:
        return self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _giving_way() -> Iterator[None]:
    """While this thread computes in Python, whoever answers waits for turns of `TURN` seconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _since(name: str, bundle: Bundle, before: Arms) -> str:
    return next((a.since for a in before.all() if a.name == name and a.bundle is bundle), "")


def _still(before: Arms, named: Named, arms: Mapping[str, Arm]) -> dict[str, Arm]:
    """The arms of *before* whose roles are named and have no arm now, so far as their shares fit."""
    left, found = 1 - sum(arm.share for arm in arms.values()), {}
    for role in named.needed:
        had = {role, SHADOW} if role == "challenger" else {role}
        arm = next((arm for arm in before.all() if arm.name in had), None)
        if arm and not had & arms.keys() and arm.share <= left:
            left -= arm.share
            found[arm.name] = arm
    return found


def _in_words(live: Arms) -> str:
    return ", ".join(
        f"{arm.bundle.version}" + ("" if arm.name == "champion" else f" ({arm.name} {arm.share:g})")
        for arm in live.all()
    )
