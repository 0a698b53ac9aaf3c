"""Whether the slots of a live.toml can be served: valid name and digest, stored, judged, not withdrawn."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from contracts.live_config import LIVE, Live, Slot, champions_of, digests_of, moves, parse_live, withdrawn_by
from contracts.live_tables import ROLES, VERSION
from forge.bundles.fetched_bundle import fetch
from forge.interface import Change, Forge, ForgeError, Release

#: The heading of a report in a release's notes.
_VERDICT = re.compile(r"^## \S+ (PROMOTE|HOLD|REJECT)\s*$", re.MULTILINE)


def changed_slots(before: Live, after: Live) -> dict[str, Slot]:
    """The slots of *after* that differ from *before*, by role, shares included."""
    found: dict[str, Slot] = {}
    for role in ROLES:
        slot: Slot | None = getattr(after, role)
        if slot and slot != getattr(before, role):
            found[role] = slot
    return found


def unfit(before: Live, after: Live, history: Sequence[Change], releases: Sequence[Release]) -> list[str]:
    """Why slots changed from *before* to *after* may not be served; [] if all may.

    *history* is that of live.toml on main. A champion that was never live is a candidate, which the gate judges.
    """
    if not after.says and before.says:
        why = "names no champion, so scorers would keep what they have; to serve nothing"
        return [f'{LIVE} {why}, it must say: champion = "none"']
    champions = {(slot.version, slot.digest) for _, slot in moves(history) if slot}
    known, gone = digests_of(history), withdrawn_by(champions_of(history))
    stored = {release.version: release for release in releases}
    first = before.champion is None and before.anchor is None
    found = []
    for role, slot in changed_slots(before, after).items():
        release, pair = stored.get(slot.version), (slot.version, slot.digest)
        wrong = list(_misnamed(slot, known))
        if release is None:
            wrong.append("there is no such release: it was deleted, or the name is wrong")
        if slot.version in gone or (release and release.state == "withdrawn"):
            wrong.append("it is withdrawn, and so quarantined")
        new = role == "champion" or (first and pair == _pair(after.champion))
        here = [_pair(getattr(before, each)) for each in ROLES]
        if release and not new and pair not in champions and pair not in here:
            wrong += _unjudged(release)
        found += [f"the {role} {slot.version}: {why}" for why in wrong]
    return found


def compared_with(forge: Forge) -> Live:
    """What main has live. Raises `ForgeError` if it names no champion although scorers keep one."""
    live = parse_live(forge.read(LIVE) or "")
    before = "" if live.says else "".join(champions_of(forge.history(LIVE))[-1:])
    if before:
        raise ForgeError(
            f"{LIVE} on main names no champion, but scorers keep {before}: there is nothing to"
            " compare with; name a champion first"
        )
    return live


def unfetched(forge: Forge, slots: Mapping[str, Slot]) -> list[str]:
    """Why the bundles of *slots*, by role, cannot be fetched; [] if all can."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for role, slot in slots.items():
            try:
                fetch(forge, Path(folder), slot)
            except (ForgeError, OSError) as error:
                found.append(f"the {role} {slot.version} cannot be fetched: {error}")
    return found


def _misnamed(slot: Slot, known: Mapping[str, set[str]]) -> Iterator[str]:
    name, digests = VERSION.fullmatch(slot.version), known.get(slot.version, set())
    if not name:
        yield "this is not a bundle's name; expected one such as 20261123T0317-a1b2c3d4e5f6"
    elif not slot.digest.startswith(f"sha256:{name[1]}"):
        yield f"the digest {slot.digest} does not match the name"
    if digests and slot.digest not in digests:
        yield f"main has named it with {', '.join(sorted(digests))}, not with {slot.digest}"


def _unjudged(release: Release) -> Iterator[str]:
    verdict = _VERDICT.search(release.notes)
    if verdict is None:
        yield "it was never live, and its release has no verdict: the gate did not judge it"
    elif verdict[1] == "REJECT":
        yield "the gate rejected it: see the notes of its release"


def _pair(slot: Slot | None) -> tuple[str, str] | None:
    return (slot.version, slot.digest) if slot else None
