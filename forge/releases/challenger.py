"""Begin and end an experiment: give a stored model a share of the traffic, or make it the shadow, in live.toml."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from contracts.bundle_content import content_digest
from contracts.live_config import LIVE, Live, LiveError, Slot, digests_of, parse_live
from forge.interface import Forge, ForgeError
from forge.releases.live_change import merge_live
from forge.releases.slot_checks import changed_slots, compared_with, unfetched, unfit
from forge.workflow_output import say

BRANCH = "challenge"


@dataclass(frozen=True)
class Part:
    """The challenger's *share* of the traffic, or *shadow*; *salt* of the split, None: as it is."""

    share: float | None = None
    shadow: bool = False
    salt: str | None = None


def challenge(forge: Forge, version: str, part: Part, reason: str = "") -> None:
    """Make *version* the challenger; nothing changes if it is already, with the same *part*.

    Raises `ForgeError` with every mistake.
    """
    live = compared_with(forge)
    wrong = [*_mistakes(live, version, part)]
    after = live if wrong else _after(forge, live, version, part)
    wrong += _misfits(forge, live, after)
    if wrong:
        raise ForgeError(f"the experiment with {version or 'a challenger'} does not begin: {'; '.join(wrong)}")
    how = "as the shadow" if part.shadow else f"with {part.share:.1%} of the traffic"
    if after == live:
        say(f"{version} is the challenger already, {how}")
        return
    before = live.challenger
    changed = f" The experiment so far, with {_part_of(before)}, ends." if before else ""
    _change(forge, after, f"Challenger {version} {how}", f"{_sentence(reason)}{changed}")
    say(f"{version} is the challenger {how}; scorers follow after their next sync. Its result: make experiment")


def end(forge: Forge, version: str = "", reason: str = "") -> None:
    """Remove the challenger, so that the champion gets its traffic; nothing changes if there is none.

    Raises `ForgeError` if another *version* than the challenger is named.
    """
    live = compared_with(forge)
    now = live.challenger
    if now is None:
        say("no experiment is running")
        return
    if version not in ("", now.version):
        raise ForgeError(f"{version} is not the challenger; {now.version} is")
    _change(forge, replace(live, challenger=None), f"End the experiment with {now.version}", _sentence(reason))
    say(f"the experiment with {now.version} has ended; scorers follow after their next sync")


def _mistakes(live: Live, version: str, part: Part) -> Iterator[str]:
    """What is wrong with what was typed, and with when."""
    if not version:
        yield "name a VERSION; python -m forge status lists the stored versions"
    if part.shadow == (part.share is not None):
        yield "say how it takes part: either --share 0.1 (of the traffic) or --shadow"
    if part.share is not None and not (math.isfinite(part.share) and 0 < part.share <= 1):
        yield f"the share is {part.share:g}; expected a number above 0, at most 1"
    if live.champion is None:
        yield "no model is live: there is nothing to compare with"
    elif version == live.champion.version:
        yield f"{version} is the champion"
    if live.challenger and live.challenger.version != version:
        yield (
            f"the experiment with {_part_of(live.challenger)} is running; to end it, type: python -m forge challenge --end"
        )


def _after(forge: Forge, live: Live, version: str, part: Part) -> Live:
    """*live* with the challenger; its digest is what main has named it with, or that of its release."""
    stored = {release.version: release.digest for release in forge.releases()}
    if version not in stored:
        raise ForgeError(f"{version} is not stored; python -m forge status lists the stored versions")
    known = digests_of(forge.history(LIVE)).get(version, set())
    found = {stored[version], content_digest(forge.manifest(version))}
    if len(found | known) != 1:
        raise ForgeError(
            f"{version} has more than one digest: {', '.join(sorted(found | known))}; its release was edited"
        )
    slot = Slot(version, found.pop(), part.share, "shadow" if part.shadow else None)
    return replace(live, challenger=slot, salt=part.salt or live.salt)


def _misfits(forge: Forge, live: Live, after: Live) -> list[str]:
    """Why *after* cannot be served: the file's own rules, and the gate's on each slot."""
    if after == live:
        return []
    try:
        parse_live(after.to_toml())
    except LiveError as error:
        return [str(error).removeprefix("live.toml: ")]
    return unfit(live, after, forge.history(LIVE), forge.releases()) or unfetched(forge, changed_slots(live, after))


def _change(forge: Forge, after: Live, title: str, body: str) -> None:
    merge_live(forge, BRANCH, after, title, body, label="experiment", status="the slots can be served")


def _part_of(slot: Slot) -> str:
    return f"{slot.version} ({'shadow' if slot.shadow else f'{slot.share or 0:.1%} of the traffic'})"


def _sentence(reason: str) -> str:
    return " ".join(reason.split()) or "Typed by a person."
