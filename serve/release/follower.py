"""Follows `live.toml` in the store, and replaces the live models while the scorer runs.

A new set of bundles is loaded and verified beside the old one, and takes its place in one assignment. If something is
invalid, or live.toml does not name a champion, the old set continues and `refused` says why. A valid champion never
waits for an invalid challenger or anchor, since it may be a rollback: it starts without that variant. While the
champion stays the same, an invalid variant does not replace the one that had its role; the other roles change.

A live.toml that was written in place is read after it has not changed for `SETTLED_SECONDS` seconds, since the writer may not
have finished. One that was moved into place, or ends with the last line of `forge sync`, is complete.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bundles.bundle import Bundle
from bundles.manifest import BundleError
from contracts.live_config import Live, Slot
from contracts.live_tables import NOTHING, SHADOW, Online
from serve.log import log
from serve.release.bundle_copies import BundleCopies, Stat, stat_of
from serve.release.correction_files import CorrectionFiles, digests
from serve.release.live_slots import LiveFileError, loaded_slots, read_live
from serve.release.sync_status import Agreement, agreement
from serve.traffic.row_adaptation import cannot_read
from serve.traffic.split import TrafficSplit, Variant

#: Seconds after which a thread that loads a bundle gives the interpreter to other threads: Python's default of 5 ms is
#: ten times the time of an answer, and an answer needs the interpreter several times.
SWITCH_INTERVAL = 0.0002
#: Seconds for which a live.toml that was written in place must not change to be followed.
SETTLED_SECONDS = 2.0


class Follower:
    """Follows the *store*; `live` is what answers now. `refresh` may be called at any time.

    *load* makes a bundle that answers from a folder and a digest; *shadow* one that is only described
    here, since another process scores with it. *prefix* begins each line of the log. *copies* is the
    folder for copies of what is served, which this router *keeps*, or only loads from. *corrections* are applied to the
    scores of their versions.
    """

    def __init__(
        self,
        store: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        load: Callable[[Path, str], Bundle] = Bundle.load,
        *,
        shadow: Callable[[Path, str], Bundle] = Bundle.described,
        prefix: str = "",
        passes: Callable[[], float] = time.monotonic,
        copies: Path | None = None,
        keeps: bool = True,
        corrections: CorrectionFiles | None = None,
    ) -> None:
        self.store, self._clock, self._prefix, self._passes = store, clock, prefix, passes
        self._stored = BundleCopies(store, copies, passes, keeps=keeps)
        self._load_model, self._load_shadow = load, shadow
        self.live = TrafficSplit()
        self.refused: dict[str, str] | None = None
        #: The time since something is refused.
        self.refused_at: datetime | None = None
        #: The stat of live.toml at the last check, and the time at which it was changed in place.
        self._written: tuple[Stat, float | None] = (None, None)
        self._seen: tuple[Stat, ...] | None = None
        self._named = Live()
        self._stopped = threading.Event()
        self._one_at_a_time = threading.Lock()
        self.corrections = corrections
        #: When each version that became live during this process did so.
        self._became_live: dict[str, datetime] = {}

    def refresh(self) -> None:
        """Check whether the store has changed, and load what it names if it is valid."""
        with self._one_at_a_time:
            self._refresh()
            self._correct()

    @property
    def online(self) -> Online:
        """The table [online] of live.toml; without corrections if it cannot be read."""
        return self._named.online

    def _refresh(self) -> None:
        if self._look() == self._seen and not self._stored.is_due():
            return
        what, why = "live.toml", ""
        # Before the file is read, so that a later change is noticed at the next check.
        live = stat_of(self.store / "live.toml")
        try:
            settled = self._is_settled(live)
            named, is_whole = read_live(self.store / "live.toml")
            if named.says and not (settled or is_whole):
                return
            self._named = named
            self._seen = (live, *self._look()[1:])
            if named.champion:
                what = named.champion.version
                what, why = self._swap(named, named.champion)
            elif named.nothing:
                if self.live.champion:
                    self._put_in_place(TrafficSplit(self._now()))
            else:
                why = self._without_champion()
        except LiveFileError as error:
            why, self._named, self._seen = str(error), Live(), (live,)
        except BundleError as error:
            why = str(error)
        except Exception as error:
            # Whatever is in the store, the model in memory continues; the next check tries again.
            why, self._seen = f"{type(error).__name__}: {error}", None
        self._refuse(what, why)

    def agreement(self) -> Agreement | None:
        """Whether the scorer serves what the forge names; None if the store is not filled by `forge sync`."""
        return agreement(self.store, self.refused, self.refused_at, self._clock())

    def follow(self, interval: float) -> None:
        """Refresh now, and every *interval* seconds from a thread of this process, until `stop`."""
        self.refresh()
        threading.Thread(target=self._follow, args=(interval,), name="follow", daemon=True).start()

    def stop(self) -> None:
        """Stop following."""
        self._stopped.set()

    def _follow(self, interval: float) -> None:
        while not self._stopped.wait(interval):
            self.refresh()

    def _look(self) -> tuple[Stat, ...]:
        slots = loaded_slots(self._named).values()
        return (stat_of(self.store / "live.toml"), *self._stored.stats(slots))

    def _is_settled(self, live: Stat) -> bool:
        """Whether live.toml, whose stat is *live*, is not being written; assumed while nothing is live."""
        before, since = self._written
        if live != before:
            in_place = live and before and live[2] == before[2]  # the same inode
            since = self._passes() if in_place else None
            self._written = (live, since)
        return since is None or not self.live.champion or self._passes() - since >= SETTLED_SECONDS

    def _without_champion(self) -> str:
        why = "live.toml names no champion"
        if not self.live.champion:
            return why
        return (
            f'{why}: {self.live.champion.bundle.version} goes on; to serve nothing, it must say: champion = "{NOTHING}"'
        )

    def _swap(self, named: Live, first: Slot) -> tuple[str, str]:
        """Make live what *named* says. Returns which versions were refused, and why ("": none).

        Raises `BundleError` if the champion, *first*, is bad.
        """
        before, now, slots = self.live, self._now(), loaded_slots(named)
        loaded = {
            (variant.bundle.version, variant.bundle.digest, variant.name == SHADOW): variant.bundle
            for variant in before.all()
        }
        champion = self._load(first, loaded)
        variants: dict[str, Variant] = {}
        refused: dict[str, str] = {}
        for role, slot in slots.items():
            try:
                bundle = self._load(slot, loaded)
                if problems := cannot_read(bundle.contract, champion.contract):
                    raise BundleError(
                        f"the {role} {slot.version} cannot read the champion's rows: {'; '.join(problems)}"
                    )
            except BundleError as error:
                refused[slot.version] = str(error)
                continue
            if damage := self._stored.damage(slot):
                refused[slot.version] = damage
            name = SHADOW if slot.shadow else role
            since = _since(before, name, bundle) or now
            variants[name] = Variant(name, bundle, float(slot.share or 0), since, champion.contract)
        if champion is before.bundle:
            variants |= _retained(before, slots, variants)
        left = round(1 - sum(variant.share for variant in variants.values()), 12)
        variants["champion"] = replace(variants["champion"], share=left)
        salt = champion.contract.name if named.salt is None else named.salt
        live = TrafficSplit(variants["champion"].since, **variants, salt=salt)
        if live != before:
            self._put_in_place(live)
        served = {variant.bundle.version for variant in live.all()}
        self._stored.keep(slot for slot in slots.values() if slot.version in served)
        return ", ".join(refused) or first.version, "; ".join(refused.values())

    def _load(self, slot: Slot, loaded: dict[tuple[str, str, bool], Bundle]) -> Bundle:
        """The bundle of *slot*, taken from *loaded* or put there: two roles may have the same."""
        known = (slot.version, slot.digest, slot.shadow)
        if known not in loaded:
            with _short_turns():
                read = self._load_shadow if slot.shadow else self._load_model
                loaded[known] = self._stored.load(slot, read)
        return loaded[known]

    def _correct(self) -> None:
        """Apply the corrections that the store has now."""
        before = self.live
        if self.corrections and before.champion:
            live = self._with_corrections(before)
            if digests(live) != digests(before):
                self.live = live
                log(f"{self._prefix}corrections: {', '.join(filter(None, digests(live))) or 'none'}")

    def _with_corrections(self, live: TrafficSplit) -> TrafficSplit:
        return self.corrections.on(live, self.online, self._became_live) if self.corrections else live

    def _put_in_place(self, live: TrafficSplit) -> None:
        known = {variant.bundle.version for variant in self.live.all()}
        if known:
            now = self._clock().astimezone(UTC).replace(microsecond=0)
            new = {variant.bundle.version: now for variant in live.all() if variant.bundle.version not in known}
            self._became_live |= new
        self.live = self._with_corrections(live)
        log(f"{self._prefix}live: {_description(live)}")

    def _refuse(self, what: str, why: str) -> None:
        refused = {"what": what, "why": why} if why else None
        if refused and refused != self.refused:
            log(f"{self._prefix}refused {what}: {why}")
        if bool(refused) != bool(self.refused):
            self.refused_at = self._clock().astimezone(UTC) if refused else None
        self.refused = refused

    def _now(self) -> str:
        return self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _short_turns() -> Iterator[None]:
    """While this thread computes in Python, other threads wait for `SWITCH_INTERVAL` seconds at most."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _since(before: TrafficSplit, name: str, bundle: Bundle) -> str:
    """The time since *bundle* has the role *name* in *before*; "" if it does not have it."""
    return next((a.since for a in before.all() if a.name == name and a.bundle is bundle), "")


def _retained(before: TrafficSplit, roles: Iterable[str], variants: dict[str, Variant]) -> dict[str, Variant]:
    """Variants of *before* for those of *roles* that have none in *variants*, if their shares fit."""
    left, found = 1 - sum(variant.share for variant in variants.values()), {}
    for role in roles:
        names = {role, SHADOW} if role == "challenger" else {role}
        variant = next((variant for variant in before.all() if variant.name in names), None)
        if variant and not names & variants.keys() and variant.share <= left:
            left -= variant.share
            found[variant.name] = variant
    return found


def _description(live: TrafficSplit) -> str:
    """The versions with their roles and shares; "nothing" without any."""
    return (
        ", ".join(
            variant.bundle.version + ("" if variant.name == "champion" else f" ({variant.name} {variant.share:g})")
            for variant in live.all()
        )
        or "nothing"
    )
