"""Texts of the issues on rollbacks, and on releases that differ from live.toml. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.live_config import LIVE, Live, champions_of, digests_of, moves, withdrawn_by
from forge.interface import Alert, Change, Release
from forge.releases.landing import INCIDENT
from forge.releases.rollback import Back, backs, older, since, withdrawn_by_hand

#: What follows `INCIDENT` in the markers of the two other kinds of incident.
STUCK, CHANGED = "stuck:", "changed:"
_HELD = "is in quarantine"


@dataclass(frozen=True)
class Trouble:
    """A problem of a release that a person has to solve."""

    marker: str
    title: str
    body: str
    memory: Mapping[str, str] = field(default_factory=dict)


def rolled_back(back: Back, history: Sequence[Change]) -> Trouble:
    """The incident on a rollback; *history* is that of live.toml, newest first."""
    spans = _spans(history)
    place = max((n for n, (at, _) in enumerate(spans) if at == back.change.at), default=0)
    began = spans[place - 1][0] if place else "an unknown time"
    served = "\n".join(f"| {when} | `{version}` |" for when, version in spans[-10:])
    also = ", ".join(f"`{version}`" for version in back.gone if version != back.bad)
    more = f"\nAlso withdrawn, since they came after `{back.good}`: {also}.\n" if also else ""
    body = f"""\
`{back.bad}` was live from {began} to {back.change.at}. `{back.good or "nothing"}` serves again.

**Why:** {back.reason}

`{back.bad}` {_HELD}: the same bytes are not promoted again.
{more}
| from | live |
|---|---|
{served}

**What to do.** Find the cause: the release of `{back.bad}` has the verdict it was promoted with. If the gate
should have found it, change `checks/thresholds.toml`. While this issue is open, no candidate is merged
automatically; a person may merge one. Close this issue to resume automatic merges.
"""
    title = f"Rolled back from {back.bad}"
    return Trouble(f"{INCIDENT}{back.bad}", title, body, {"change": back.change.commit})


def due(history: Sequence[Change], withdrawn: Iterable[str], alerts: Mapping[str, Alert]) -> list[Back]:
    """The rollbacks without an incident: the one that led to the live version, and those of the *withdrawn*.

    *withdrawn* are the versions whose releases are being withdrawn now, *alerts* the existing ones by marker. An older
    incident, without a commit in its memory, is recognised by the time in its text.
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
    """Why the withdrawn *version* was rolled back."""
    bad = withdrawn_by(champions_of(history))[version]
    return next(back.reason for back in reversed(backs(history)) if back.bad == bad)


def live_again(version: str, alerts: Mapping[str, Alert], history: Sequence[Change]) -> str:
    """The new text of the incident on *version*, which is live again; "" if no change is needed.

    The rollback was reverted, or a person landed the version again.
    """
    alert = alerts.get(f"{INCIDENT}{version}")
    change = since(history)
    if alert is None or change is None:
        return ""
    left_open = alert.state == "open" and not alert.by_hand  # a person may still work on it
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
    """The problems of *releases* that only a person can solve."""
    return [*stuck(live, history, releases), *_changed(live, history, releases)]


def over(alerts: Iterable[Alert], wrong: Iterable[Trouble]) -> list[str]:
    """The markers of incidents to close: the live version has a release again, or another is live.

    An incident on an edited release is closed by a person.
    """
    still = {each.marker for each in wrong}
    return [
        each.marker
        for each in alerts
        if each.state == "open" and each.marker.startswith(f"{INCIDENT}{STUCK}") and each.marker not in still
    ]


def changed(version: str, known: Iterable[str], found: Iterable[str]) -> Trouble:
    """The incident on a release whose digest differs from the one that main has for its *version*."""
    names, has = ", ".join(sorted(known)) or "no digest", ", ".join(sorted(found))
    return Trouble(
        f"{INCIDENT}{CHANGED}{version}",
        f"The release {version} is not what main names",
        f"""\
{LIVE} has named `{version}` with {names}. Its release has {has}.

The release or `{LIVE}` was edited. No rollback goes to this release, and no scorer serves it.

**What to do.** Find out who changed what. If its notes were edited, remove their first line, which is hidden: the
bundle has the same values. If its files were changed, delete the release and store the bundle again from a copy,
such as a scorer's store: `python -m forge restore STORE/bundles/{version}`. If the digest in `{LIVE}` is wrong,
revert that change. While this issue is open, no candidate is merged automatically.
""",
    )


def stuck(live: Live, history: Sequence[Change], releases: Sequence[Release]) -> Iterator[Trouble]:
    """The incident on a live release that was withdrawn or deleted by hand, without an earlier one to go back to."""
    champions = champions_of(history)
    hand = withdrawn_by_hand(live, champions, releases)
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
{hand[1][0].upper()}{hand[1][1:]}, and there is no published release before it. `{LIVE}` still names it: a running
scorer keeps it, a new one may not be able to start.

**What to do**, one of these:

- To keep `{version}`: {restore}.
- To replace it: merge the pull request of a model that the gate has judged.
- Otherwise: merge a pull request in which `{LIVE}` has `champion = "none"` instead of `[champion]`, then run
  `make retrain gate land`. The next model is judged as the first one.

While this issue is open, no candidate is merged automatically.
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
    """The champions with the time since when each was live, oldest first."""
    found: list[tuple[str, str]] = []
    for when, slot in moves(history):
        version = slot.version if slot else "nothing"
        if not found or found[-1][1] != version:
            found.append((when, version))
    return found
