"""Make live.toml, the releases and the incidents agree, after a rollback, a revert or a change by hand.

Each step is idempotent: an interrupted run is completed by the next command.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from contracts.bundle_content import content_digest
from contracts.live_config import LIVE, Live, champions_of, digests_of, with_champion, withdrawn_by
from forge.bundles.bundle_files import manifest_in
from forge.interface import Alert, Change, Forge, ForgeError, Release
from forge.releases.landing import INCIDENT, overridden
from forge.releases.observed_state import named_on, releases_with, says, served_on
from forge.releases.quarantine import Trouble, changed, due, live_again, over, reason_of, rolled_back, troubles
from forge.releases.rollback import (
    WITHDRAWN,
    back_to,
    cleared,
    older,
    put_back,
    settle,
    stopped,
    undone,
    withdrawn_by_hand,
)
from forge.releases.slot_checks import changed_slots, unfetched
from forge.workflow_output import say


def agree(forge: Forge) -> bool:
    """Update live.toml after a person changed a release, then the releases by live.toml.

    Returns whether anything was done. A problem that only a person can solve becomes an incident.
    """
    live, _, history = served_on(forge)
    releases = releases_with(forge, live)
    hand = withdrawn_by_hand(live, champions_of(history), releases)
    if hand and older(live, champions_of(history), releases):
        go_back(forge, *hand)
        return True
    return bool(follow(forge))


def roll_back(forge: Forge, bad: str, wanted: str | None, reason: str, requested: str, now: datetime) -> None:
    """Roll back from the *bad* version to *wanted*, or to the previous published one.

    By default *bad* is what was live on the commit *requested*, or without that, what is live now. If another version
    is live by now, nothing is rolled back, and an earlier rollback is completed. If live.toml on main cannot be read,
    what scorers serve is named again, unless that is the bad version.
    """
    now_live, wrong, history = served_on(forge)
    champions, live = champions_of(history), now_live.champion
    version = live.version if live else ""
    if requested and not bad:
        bad = named_on(forge, requested, history)
    if bad and bad not in champions:
        raise ForgeError(f"{bad} was never live; {version or 'nothing'} is")
    unfinished = "withdrawn" in settle(champions, forge.releases()).values()
    if wrong and not says(forge) and bad != version and wanted in (None, version):
        go_back(forge, version, reason)
        return
    again = not bad and wanted is None and put_back(history, now, unfinished)
    if again or (bad and bad != version):
        if forge.proposal("rollback"):
            forge.close("rollback", f"{bad or version} is not the version to roll back any more")
        follow(forge)
        say(stopped(bad, history))
    elif wanted and wanted == version:
        follow(forge)
        say(f"{version} is live already")
    else:
        go_back(forge, wanted, reason)


def go_back(forge: Forge, wanted: str | None, reason: str) -> None:
    """Change live.toml first, by a merged proposal, then the releases.

    An interrupted rollback is recognised by releases that do not agree, and is completed.
    """
    text = forge.read(LIVE)
    live, wrong, history = served_on(forge)
    releases = releases_with(forge, live)
    champions, reason = champions_of(history), " ".join(reason.split())
    bad = live.champion.version if live.champion else ""
    repairs = wanted == bad and _has_published(releases, bad)
    target = bad if repairs else back_to(None if wanted == bad else wanted, live, champions, releases)
    forge.prove(target)
    after = with_champion(live, target, _digest(forge, target, history, releases))
    if after.challenger and after.challenger.version in withdrawn_by([*champions, target]):
        after = replace(after, challenger=None)
    title = f"Name {target} again" if repairs else f"Roll back to {target}"
    became = [] if repairs else [f"{bad} is withdrawn"]
    left_out = [f"problems of {LIVE} are removed ({'; '.join(wrong)})"] if wrong else []
    proposal = forge.propose(
        "rollback",
        title,
        f"{reason}\n\n{'; '.join([*became, *left_out])}.\n",
        {LIVE: after.to_toml()},
        labels=("rollback",),
    )
    if forge.read(LIVE) != text:
        raise ForgeError(f"{LIVE} changed during the rollback of {bad}; nothing was done: try again")
    forge.status("rollback", True, f"rolled back: {reason}", proposal.head)
    forge.merge("rollback", f"{title}: {reason}")
    done = ", ".join([f"{LIVE} names {target}", *became, *left_out])
    say(f"{'repaired' if repairs else 'rolled back'}: {done}: {reason}")
    follow(forge)
    lost = unfetched(forge, changed_slots(Live(), after))
    say("; ".join(lost) or f"scorers serve {target} after their next sync")


def follow(forge: Forge) -> Mapping[str, str]:
    """Make releases and incidents agree with the history of live.toml; returns the new state of each changed release."""
    forge.put_back()
    live, _, history = served_on(forge)
    releases = releases_with(forge, live)
    champions, alerts = champions_of(history), {each.marker: each for each in forge.alerts()}
    wrong = troubles(live, history, releases)
    _raise(forge, alerts, wrong)
    for marker in over(alerts.values(), wrong):
        forge.resolve(marker, "What is live has a release again.\n")
    _refuse_other_digest(live, releases)
    changes = settle(champions, releases)
    for version, why in undone(champions, releases).items():
        _explain(forge, alerts.get(f"{INCIDENT}{version}"), version, why)
    if live.champion:
        _clear(forge, live.champion.version, alerts, history)
    published, withdrawn = (
        [each for each, state in changes.items() if state == wanted] for wanted in ("published", "withdrawn")
    )
    _publish(forge, published, releases, champions[-1] if champions else "")
    for back in due(history, withdrawn, alerts):
        _raise(forge, alerts, [rolled_back(back, history)])
    for version in withdrawn:
        forge.withdraw(version, f"{WITHDRAWN}{reason_of(version, history)}")
        say(f"withdrawn: {version}")
    return changes


def restore(forge: Forge, bundle: Path, attestation: Path | None = None) -> str:
    """Store the *bundle* of a deleted release again, with its *attestation*; returns its version.

    Raises `ForgeError` unless main has named that version with the bundle's digest.
    """
    manifest = manifest_in(bundle)
    version, digest = str(manifest["version"]), content_digest(manifest)
    known = digests_of(forge.history(LIVE)).get(version, set())
    if digest not in known:
        names = ", ".join(sorted(known)) or "nothing"
        raise ForgeError(f"{bundle} is {version} with {digest}; {LIVE} has named it with {names}")
    forge.upload(version, bundle, attestation)
    return version


def _has_published(releases: Iterable[Release], version: str) -> bool:
    return any(each.version == version and each.state == "published" for each in releases)


def _digest(forge: Forge, version: str, history: Sequence[Change], releases: Sequence[Release]) -> str:
    """The digest that main has for *version*; files and notes of its release must have the same.

    If they differ, opens an incident and raises `ForgeError`, since a release can be edited.
    """
    known = digests_of(history).get(version, set())
    noted = {release.digest for release in releases if release.version == version}
    found = noted | {content_digest(forge.manifest(version))}
    if len(found) != 1 or not found <= known:
        alerts = {each.marker: each for each in forge.alerts()}
        _raise(forge, alerts, [changed(version, known, found)])
        raise ForgeError(
            f"nothing was rolled back: {LIVE} has named {version} with {', '.join(sorted(known))}, and its"
            f" release has {', '.join(sorted(found))}. Roll back to another: --to VERSION"
        )
    return found.pop()


def _refuse_other_digest(live: Live, releases: Sequence[Release]) -> None:
    slot = live.champion
    for each in releases:
        if slot and each.version == slot.version and each.digest != slot.digest:
            raise ForgeError(
                f"{LIVE} names {slot.version} with {slot.digest}, and the release has {each.digest};"
                f" no scorer will serve it: revert that change of {LIVE}, or see the incident if the release was edited"
            )


def _raise(forge: Forge, alerts: Mapping[str, Alert], wanted: Iterable[Trouble]) -> None:
    """Open each *wanted* incident, unless a person closed it with the same text."""
    for each in wanted:
        known = alerts.get(each.marker)
        if known and known.state == "closed" and known.body.strip() == each.body.strip():
            continue
        number = forge.alert(each.marker, each.title, each.body, each.memory).number
        say(f"incident {number}: {each.title}")


def _explain(forge: Forge, incident: Alert | None, version: str, why: str) -> None:
    """Report that a change of a release by hand is undone, on its *incident* if there is one."""
    say(why)
    if incident:
        forge.note(incident.number, f"undone:{version}", f"{why}.\n")


def _clear(forge: Forge, version: str, alerts: Mapping[str, Alert], history: Sequence[Change]) -> None:
    """Close the incident on a version that is live again."""
    message = live_again(version, alerts, history)
    if message:
        marker = f"{INCIDENT}{version}"
        if alerts[marker].state == "closed":  # only an open alert can be changed
            forge.alert(marker, alerts[marker].title, message)
        closed = forge.resolve(marker, message)
        say(f"incident {closed.number if closed else ''} is closed: {version} is live again")


def _publish(forge: Forge, versions: Iterable[str], releases: Iterable[Release], live: str) -> None:
    """Mark only what is *live* as the latest: an older latest release would count as a rollback by hand."""
    notes = {release.version: release.notes for release in releases}
    for version in versions:
        better = overridden(cleared(notes[version]))
        if better != notes[version]:
            forge.describe(version, better)
        forge.publish(version, latest=version == live)
        say(f"published: {version}")
