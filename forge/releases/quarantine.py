"""What issues say of versions that were rolled back, and of releases that are not what main names. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.live_config import LIVE, Live, champions_of, digests_of, moves, withdrawn_by
from forge.interface import Alert, Change, Release
from forge.releases.landing import INCIDENT
from forge.releases.rollback import Back, backs, older, since, taken_off

#: Begin what follows `INCIDENT` in the markers of the two other kinds of incident.
STUCK, CHANGED = "stuck:", "changed:"
_HELD = "is in quarantine"


@dataclass(frozen=True)
class Trouble:
    """Something about a release that a person has to put right."""

    marker: str
    title: str
    body: str
    memory: Mapping[str, str] = field(default_factory=dict)


def rolled_back(back: Back, history: Sequence[Change]) -> Trouble:
    """The incident of a rollback; *history* is live.toml's, newest first."""
    spans = _spans(history)
    place = max((n for n, (at, _) in enumerate(spans) if at == back.change.at), default=0)
    began = spans[place - 1][0] if place else "an unknown time"
    served = "\n".join(f"| {when} | `{version}` |" for when, version in spans[-10:])
    also = ", ".join(f"`{version}`" for version in back.gone if version != back.bad)
    more = f"\nWithdrawn with it, since they came after `{back.good}`: {also}.\n" if also else ""
    words = f"""\
`{back.bad}` was live from {began} to {back.change.at}. `{back.good or "nothing"}` serves again.

**Why:** {back.reason}

`{back.bad}` {_HELD}: the same bytes are not promoted again.
{more}
| from | live |
|---|---|
{served}

**What to do.** Find out what was wrong with `{back.bad}`: its release has the verdict it was promoted with.
If the gate should have seen it, add the rule to `checks/thresholds.toml`. While this issue is open, no
candidate lands by itself: a good one waits for a person to merge it. Close it, and the nights go on.
"""
    title = f"Rolled back from {back.bad}"
    return Trouble(f"{INCIDENT}{back.bad}", title, words, {"change": back.change.commit})


def due(history: Sequence[Change], withdrawn: Iterable[str], alerts: Mapping[str, Alert]) -> list[Back]:
    """The rollbacks that have no incident yet: the one that made live what is, and those of the *withdrawn*.

    *withdrawn* are the versions whose releases follow just now, *alerts* what there is by marker. An
    incident from before the commit was noted in it is known by the time in its text.
    """
    found, gone = backs(history), withdrawn_by(champions_of(history))
    wanted = {gone[version] for version in withdrawn}
    wanted |= {back.bad for back in found if back.change == since(history)}
    newest = {back.bad: back for back in found if back.bad in wanted}
    return [back for bad, back in newest.items() if not _is_about(alerts.get(f"{INCIDENT}{bad}"), back)]


def _is_about(alert: Alert | None, back: Back) -> bool:
    if alert is None:
        return False
    if "change" in alert.memory:
        return bool(alert.memory["change"] == back.change.commit)
    return back.change.at in alert.body


def reason_of(version: str, history: Sequence[Change]) -> str:
    """Why *version*, which is withdrawn, was rolled back."""
    bad = withdrawn_by(champions_of(history))[version]
    return next(back.reason for back in reversed(backs(history)) if back.bad == bad)


def live_again(version: str, alerts: Mapping[str, Alert], history: Sequence[Change]) -> str:
    """What the incident of *version*, which is live, says from now on; "" if it does not need to.

    The rollback was reverted, or a person landed the version again.
    """
    alert = alerts.get(f"{INCIDENT}{version}")
    change = since(history)
    if alert is None or change is None:
        return ""
    left_open = alert.state == "open" and not alert.by_hand  # a person may go on with it
    if not left_open and _HELD not in alert.body:
        return ""
    before = [back for back in backs(history) if back.bad == version][-1:]
    why = "".join(
        f"\nIt had been rolled back to `{back.good or 'nothing'}` at {back.change.at}.\n\n"
        f"**Why it was:** {back.reason}\n"
        for back in before
    )
    return f"`{version}` is live again, since {change.at}: {change.message}\n{why}"


def troubles(live: Live, history: Sequence[Change], releases: Sequence[Release]) -> list[Trouble]:
    """What of the *releases* no robot can put right."""
    return [*stuck(live, history, releases), *_changed(live, history, releases)]


def over(alerts: Iterable[Alert], wrong: Iterable[Trouble]) -> list[str]:
    """The markers of incidents that can be closed: what is live has a release again, or another is live.

    That a release was edited is for a person to close.
    """
    still = {each.marker for each in wrong}
    return [
        each.marker
        for each in alerts
        if each.state == "open" and each.marker.startswith(f"{INCIDENT}{STUCK}") and each.marker not in still
    ]


def changed(version: str, known: Iterable[str], found: Iterable[str]) -> Trouble:
    """The trouble of a release that has not the digest which main has given its *version*."""
    names, has = ", ".join(sorted(known)) or "no digest", ", ".join(sorted(found))
    return Trouble(
        f"{INCIDENT}{CHANGED}{version}",
        f"The release {version} is not what main names",
        f"""\
{LIVE} has named `{version}` with {names}. Its release has {has}.

Somebody edited the release, or `{LIVE}`. Nothing goes back to a release that is not what main has named, and
no scorer serves it.

**What to do.** Find out who changed what. If its notes were edited, remove their first line, which is hidden: what it
said is then read from the bundle. If its files were changed, delete the release and store the bundle again from a copy, such as
a scorer's store: `python -m forge restore STORE/bundles/{version}`. If the digest
in `{LIVE}` is wrong, revert that change. While this issue is open, no candidate lands by itself.
""",
    )


def stuck(live: Live, history: Sequence[Change], releases: Sequence[Release]) -> Iterator[Trouble]:
    """A person took the live release off, and there is none before it."""
    champions = champions_of(history)
    hand = taken_off(live, champions, releases)
    if not hand or not live.champion or older(live, champions, releases):
        return
    version = live.champion.version
    restore = (
        "turn it from a pre-release into a release again"
        if any(each.version == version for each in releases)
        else f"store it again from a copy, such as a scorer's store: `python -m forge restore STORE/bundles/{version}`"
    )
    yield Trouble(
        f"{INCIDENT}{STUCK}{version}",
        f"{version} is live, its release is gone, and there is none to go back to",
        f"""\
{hand[1][0].upper()}{hand[1][1:]}, and there is no published release before it. `{LIVE}` still names it: a scorer
that has it goes on with it, a new one may not be able to start.

**What to do**, one of these:

- To keep `{version}`: {restore}.
- To replace it: merge the pull request of a model that the gate has judged.
- Where there is neither: merge a pull request in which `{LIVE}` says `champion = "none"` instead of `[champion]`, then
  `make retrain gate land`. The next model is judged as a first one.

While this issue is open, no candidate lands by itself.
""",
    )


def _changed(live: Live, history: Sequence[Change], releases: Iterable[Release]) -> Iterator[Trouble]:
    known = digests_of(history)
    if live.champion:
        known[live.champion.version] = {live.champion.digest}
    for each in releases:
        names = known.get(each.version, {each.digest})
        if each.digest not in names:
            yield changed(each.version, names, {each.digest})


def _spans(history: Sequence[Change]) -> list[tuple[str, str]]:
    """From when which champion was live, oldest first."""
    found: list[tuple[str, str]] = []
    for when, slot in moves(history):
        version = slot.version if slot else "nothing"
        if not found or found[-1][1] != version:
            found.append((when, version))
    return found
