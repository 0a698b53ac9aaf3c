"""What a verdict allows: pure decisions of `land`, `release` and `rollback`.

A verdict comes from a job that ran a proposal's code: it is data, and nothing of it is believed
before it is checked against the proposal and against what is live now.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from forge import ForgeError, Release
from forge.live import Live, Slot, age, withdrawn_by

POLICIES = ("always", "never")
DECISIONS = ("PROMOTE", "HOLD", "REJECT")


@dataclass(frozen=True)
class Verdict:
    """The part of verdict.json that landing needs."""

    decision: Literal["PROMOTE", "HOLD", "REJECT"]
    summary: str
    candidate: tuple[str, str]
    champion: tuple[str, str] | None


def read_verdict(path: Path) -> Verdict:
    """The verdict in the file *path*. Raises `ForgeError` if it is none."""
    try:
        data = json.loads(path.read_bytes())
        if data["format"] != 1 or data["decision"] not in DECISIONS:
            raise ValueError(f"format {data['format']!r}, decision {data['decision']!r}")
        return Verdict(
            data["decision"], str(data["summary"]), _named(data["candidate"]),
            _named(data["champion"]) if data["champion"] else None,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ForgeError(f"{path} is not a verdict ({error!r}); make one: make gate") from error


def refuse_if_stale(verdict: Verdict, proposed: Live, live: Live) -> None:
    """Raise `ForgeError` unless the verdict is about just this candidate and this champion."""
    if proposed.champion is None or verdict.candidate != _slot(proposed.champion):
        now = proposed.champion.version if proposed.champion else "nothing"
        raise ForgeError(
            f"the verdict is about {verdict.candidate[0]}, but the proposal is for {now}; judge again: make gate"
        )
    champion = _slot(live.champion) if live.champion else None
    if verdict.champion != champion:
        judged = verdict.champion[0] if verdict.champion else "no champion"
        now = champion[0] if champion else "nothing"
        raise ForgeError(
            f"the verdict compared with {judged}, but {now} is live now; judge again: make gate"
        )


def settle(champions: Sequence[str], releases: Iterable[Release]) -> Mapping[str, str]:
    """The state each release should have but has not, by the *champions* there were, oldest first."""
    once_live, withdrawn = {version for version in champions if version}, withdrawn_by(champions)
    wanted = {
        version: "withdrawn" if version in withdrawn else "published" for version in once_live
    }
    return {
        release.version: wanted[release.version]
        for release in releases
        if release.version in wanted and wanted[release.version] != release.state
    }


def back_to(
    wanted: str | None, live: Live, champions: Sequence[str], releases: Iterable[Release]
) -> Release:
    """The release that a rollback goes to: *wanted*, or the newest published one before the live.

    Raises `ForgeError`, with what there is to go back to, if that cannot be.
    """
    if live.champion is None:
        raise ForgeError("nothing is live: there is nothing to roll back")
    now = live.champion.version
    key = age(champions)
    good = {
        r.version: r
        for r in releases
        if r.state == "published" and r.version in champions and key(r.version) < key(now)
    }
    choice = ", ".join(sorted(good, key=key, reverse=True)) or "none"
    if wanted is None:
        if not good:
            raise ForgeError(f"there is no published release before {now}; nothing to go back to")
        return good[max(good, key=key)]
    if wanted not in good:
        raise ForgeError(f"cannot go back from {now} to {wanted}; releases to go back to: {choice}")
    return good[wanted]


def _slot(slot: Slot) -> tuple[str, str]:
    return slot.version, slot.digest


def _named(data: Mapping[str, Any]) -> tuple[str, str]:
    return str(data["version"]), str(data["digest"])
