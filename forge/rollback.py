"""What is to be done when live.toml and the releases tell different stories. Pure.

Robots change live.toml first and let the releases follow (`settle`). A person may also go the other
way: withdraw or delete a release, or mark an older one as the latest; then live.toml follows
(`taken_off`). `back_to` says where a rollback goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from forge import Change, ForgeError, Release
from forge.live import Live, age, moves, withdrawn_by


def settle(champions: Sequence[str], releases: Sequence[Release]) -> Mapping[str, str]:
    """What each release should become, by the *champions* there were, oldest first.

    What is live is published, last of all that is, and so is the latest. What it went back from is
    withdrawn, and so is what a person withdrew; nothing that is withdrawn is published again unless
    it is live. A live release that was withdrawn by hand is left alone: see `taken_off`.
    """
    live, withdrawn = champions[-1] if champions else "", withdrawn_by(champions)
    found = {}
    for release in releases:
        version, state = release.version, release.state
        if version == live:
            if not release.by_hand and not (state == "published" and release.latest):
                found[version] = "published"
        elif release.by_hand or (version in withdrawn and state != "withdrawn"):
            found[version] = "withdrawn"
        elif version in champions and state == "candidate":
            found[version] = "published"
    return dict(sorted(found.items(), key=lambda each: (each[1] == "withdrawn", each[0] == live)))


def back_to(
    wanted: str | None, live: Live, champions: Sequence[str], releases: Iterable[Release]
) -> Release:
    """The release that a rollback goes to: *wanted*, or the newest published one before the live.

    Raises `ForgeError`, with what there is to go back to, if that cannot be.
    """
    if live.champion is None:
        raise ForgeError("nothing is live: there is nothing to roll back")
    now, key = live.champion.version, age(champions)
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


def taken_off(
    live: Live, champions: Sequence[str], releases: Sequence[Release]
) -> tuple[str | None, str] | None:
    """Where a person's hand on the releases goes back to (None: wherever), and what it was.

    None if nobody touched them. Only a move backwards counts: a *latest* that is newer than what is
    live is a rollback that has not settled yet, not a wish.
    """
    if live.champion is None:
        return None
    now, key = live.champion.version, age(champions)
    mine = next((release for release in releases if release.version == now), None)
    if mine is None:
        return None, f"the release {now} was deleted by hand"
    if mine.by_hand:
        return None, f"the release {now} was withdrawn by hand"
    latest = next((release for release in releases if release.latest), None)
    if (
        latest
        and mine.state == "published"
        and latest.state == "published"
        and latest.version in champions
        and key(latest.version) < key(now)
    ):
        return latest.version, f"the release {latest.version} was marked as the latest by hand"
    return None


def incident(bad: str, reason: str, history: Sequence[Change]) -> str:
    """The text of the issue on a rollback from *bad*; *history* is live.toml's, newest first."""
    told = [(when, slot.version if slot else "nothing") for when, slot in moves(history)]
    began = max((n for n, (_, version) in enumerate(told) if version == bad), default=None)
    after = told[began + 1 :] if began is not None else told[-1:]
    until, good = after[0] if after else ("now", "nothing")
    since = told[began][0] if began is not None else "an unknown time"
    served = "\n".join(f"| {when} | `{version}` |" for when, version in told[-10:])
    return f"""\
`{bad}` was live from {since} to {until}. `{good}` serves again.

**Why:** {reason}

`{bad}` is in quarantine: the same bytes are not promoted again.

| from | live |
|---|---|
{served}

**What to do.** Find out what was wrong with `{bad}`: its release has the verdict it was promoted with.
If the gate should have seen it, add the rule to `checks/thresholds.toml`. While this issue is open, no
candidate lands by itself: a good one waits for a person to merge it. Close it, and the nights go on.
"""
