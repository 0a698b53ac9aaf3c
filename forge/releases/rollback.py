"""Decisions where live.toml and the releases differ. Pure.

The history of live.toml on main decides what releases should be (`settle`). A person may also withdraw or delete the
live release, or mark an older one as the latest; then live.toml is changed (`withdrawn_by_hand`). `back_to` gives the
target of a rollback, `stopped` why a rollback does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.live_config import Live, age, champions_of, readable, restored_by, withdrawals, withdrawn_by
from forge.interface import Change, ForgeError, Release

#: Prefix of the reason at the top of a withdrawn release's notes.
WITHDRAWN = "Withdrawn: "
#: A rollback without a version, this soon after another, does not mean the version that was just restored.
REPEAT_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Back:
    """A rollback in the history: the *change* from the *bad* version to the *good* one ("" for none).

    *gone* are the versions that it withdrew, the bad one among them.
    """

    bad: str
    good: str
    change: Change
    gone: tuple[str, ...]

    @property
    def reason(self) -> str:
        """The reason, from the commit's message."""
        return self.change.message.removeprefix(f"Roll back to {self.good}: ")


def backs(history: Sequence[Change]) -> list[Back]:
    """All rollbacks, oldest first; *history* is that of live.toml, newest first."""
    changes = [change for change, _ in readable(history)]
    champions = champions_of(history)
    steps = zip(["", *champions], champions, changes, withdrawals(champions), strict=False)
    return [Back(bad, good, change, gone) for bad, good, change, gone in steps if gone]


def settle(champions: Sequence[str], releases: Sequence[Release]) -> Mapping[str, str]:
    """The new state of each release, by the *champions* so far, oldest first.

    What is live is published, last, and becomes the latest. What a rollback withdrew is withdrawn, also after a
    person published it, and is published again if that rollback is undone. An older release that a person withdrew
    stays withdrawn. The live one, if withdrawn by hand, is left to `withdrawn_by_hand`.
    """
    live, withdrawn = champions[-1] if champions else "", withdrawn_by(champions)
    restored = restored_by(champions)
    found = {}
    for release in releases:
        version, state, by_hand = release.version, release.state, release.by_hand
        if version == live:
            good = state == "published" and release.latest and not by_hand
            if not good and not (state == "withdrawn" and by_hand):
                found[version] = "published"
        elif version in withdrawn:
            if state != "withdrawn" or by_hand:
                found[version] = "withdrawn"
        elif not by_hand and (
            (state == "candidate" and version in champions) or (state == "withdrawn" and version in restored)
        ):
            found[version] = "published"
    return dict(sorted(found.items(), key=lambda each: (each[1] == "withdrawn", each[0] == live)))


def older(live: Live, champions: Sequence[str], releases: Iterable[Release]) -> list[str]:
    """The possible targets of a rollback, newest first: published, and champion before the live one."""
    if live.champion is None:
        return []
    key, gone = age(champions), withdrawn_by(champions)
    now = key(live.champion.version)
    good = [
        each.version
        for each in releases
        if each.state == "published" and each.version not in gone and key(each.version) < now
    ]
    return sorted(good, key=key, reverse=True)


def back_to(wanted: str | None, live: Live, champions: Sequence[str], releases: Iterable[Release]) -> str:
    """The target of a rollback: *wanted*, or the newest published one before the live version.

    Raises `ForgeError` with the possible targets if there is no such target.
    """
    if live.champion is None:
        raise ForgeError("nothing is live: there is nothing to roll back")
    now, good = live.champion.version, older(live, champions, releases)
    if wanted is None:
        if not good:
            raise ForgeError(
                f"there is no published release before {now}; nothing to roll back to. Land a better"
                " model instead: make retrain gate land"
            )
        return good[0]
    if wanted not in good:
        raise ForgeError(f"cannot roll back from {now} to {wanted}; possible targets: {', '.join(good) or 'none'}")
    return wanted


def withdrawn_by_hand(
    live: Live, champions: Sequence[str], releases: Sequence[Release]
) -> tuple[str | None, str] | None:
    """The target (None: the default one) and the description of a rollback by hand on the releases; None if there is none.

    A *latest* release newer than the live one is an unfinished rollback, not a change by hand.
    """
    if live.champion is None:
        return None
    now = live.champion.version
    mine = next((release for release in releases if release.version == now), None)
    if mine is None:
        return None, f"the release {now} was deleted by hand"
    if mine.by_hand and mine.state == "withdrawn":
        return None, f"the release {now} was withdrawn by hand"
    latest = next((release.version for release in releases if release.latest), "")
    if mine.state == "published" and latest in older(live, champions, releases):
        return latest, f"the release {latest} was marked as the latest by hand"
    return None


def undone(champions: Sequence[str], releases: Iterable[Release]) -> dict[str, str]:
    """Changes by hand on releases that are undone: version -> why."""
    live, gone = champions[-1] if champions else "", withdrawn_by(champions)
    found = {}
    for each in releases:
        version = each.version
        published = each.state == "published" and each.by_hand
        if version in gone and (published or (each.state == "withdrawn" and each.latest)):
            found[version] = (
                f"{version} was published again, or marked as the latest, by hand. It is withdrawn again:"
                " what is live, and what was rolled back, is decided by serve/live.toml alone. To make it"
                " live again, revert the commit that rolled it back, by a pull request"
            )
        elif version not in champions and each.latest:
            found[version] = (
                f"{version} was marked as the latest by hand, and was never live. {live or 'Nothing'} stays"
                " the latest: a version becomes live by its pull request, once the gate has judged it"
            )
        elif version == live and each.state == "candidate" and each.by_hand:
            found[version] = (
                f"{version} is live, was a pre-release, and the first line of its notes was lost: it is"
                " published. To withdraw it, mark it as a pre-release again"
            )
    return found


def put_back(history: Sequence[Change], now: datetime, unfinished: bool) -> bool:
    """Whether what is live was restored by a recent rollback, or by one that is *unfinished*."""
    last = [back.change for back in backs(history)][-1:]
    if last != [since(history)]:
        return False
    return unfinished or now - datetime.fromisoformat(last[0].at) < REPEAT_WITHIN


def since(history: Sequence[Change]) -> Change | None:
    """The change that made the champion what it is; None where live.toml has no history."""
    found: Change | None = None
    before = None
    for change, live in readable(history):
        champion = live.champion.version if live.champion else ""
        if champion != before:
            found, before = change, champion
    return found


def stopped(bad: str, history: Sequence[Change]) -> str:
    """Why a rollback from *bad* ("": the live one) does nothing, as another version is live."""
    champions, found, change = champions_of(history), backs(history), since(history)
    now = ["", *champions][-1] or "nothing"
    lives = f"{now} is live" + (f", since {change.at} ({change.message})" if change else "")
    again = f"If {now} is bad, too, pass --bad {now}, or the workflow's input `bad`"
    if not bad:
        return f"nothing was rolled back: {found[-1].bad} was just rolled back; {lives}. {again}"
    why = "was rolled back before" if bad in withdrawn_by(champions) else "is not live any more"
    return f"nothing was rolled back: {bad} {why}; {lives}. {again}"


def cleared(notes: str) -> str:
    """The *notes* of a release that is live again, without the reasons of earlier withdrawals."""
    return re.sub(rf"^{WITHDRAWN}.*(\r?\n)*", "", notes, flags=re.MULTILINE)
