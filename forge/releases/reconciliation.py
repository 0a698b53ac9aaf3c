"""live.toml, the releases and the incidents are made to agree: after a rollback, a revert, a person's hand.

Each step looks at what is there, and is done once however often it is repeated: a run that was
killed anywhere is finished by the next one, whichever command that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from contracts.live_config import LIVE, Live, champions_of, digests_of, with_champion, withdrawn_by
from forge.bundles.bundle_files import content_digest, manifest_in
from forge.interface import Alert, Change, Forge, ForgeError, Release
from forge.releases.landing import INCIDENT, overridden
from forge.releases.observed_state import named_on, releases_with, says, served_on
from forge.releases.quarantine import Trouble, changed, due, live_again, over, reason_of, rolled_back, troubles
from forge.releases.rollback import WITHDRAWN, back_to, cleared, older, put_back, settle, stopped, taken_off, undone
from forge.releases.slot_checks import changed_slots, unfetched
from forge.workflow_output import summary


def agree(forge: Forge) -> bool:
    """What a person did to a release, live.toml follows; what is live, the releases follow.

    Returns whether anything was done. What a person has to put right becomes an incident.
    """
    live, _, history = served_on(forge)
    releases = releases_with(forge, live)
    hand = taken_off(live, champions_of(history), releases)
    if hand and older(live, champions_of(history), releases):
        go_back(forge, *hand)
        return True
    return bool(follow(forge))


def roll_back(forge: Forge, bad: str, wanted: str | None, reason: str, requested: str, now: datetime) -> None:
    """Go back from the *bad* version, to *wanted* or the published one before it.

    Where *bad* is empty it is what was live on the commit *requested*, or, without that, what is live now. If
    another version is live by now, nothing is rolled back, and an earlier rollback is finished. Where
    live.toml on main does not say what is live, what scorers serve is named again, unless that is the bad one.
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
            forge.close("rollback", f"{bad or version} is not what is rolled back any more")
        follow(forge)
        _say(stopped(bad, history))
    elif wanted and wanted == version:
        follow(forge)
        _say(f"{version} is live already")
    else:
        go_back(forge, wanted, reason)


def go_back(forge: Forge, wanted: str | None, reason: str) -> None:
    """live.toml first, by a merged proposal; the releases follow.

    So a rollback that was cut off is known by releases that do not agree, and is finished.
    """
    text = forge.read(LIVE)
    live, wrong, history = served_on(forge)
    releases = releases_with(forge, live)
    champions, reason = champions_of(history), " ".join(reason.split())
    bad = live.champion.version if live.champion else ""
    repairs = wanted == bad and _has_published(releases, bad)
    target = bad if repairs else back_to(None if wanted == bad else wanted, live, champions, releases)
    after = with_champion(live, target, _digest(forge, target, history, releases))
    if after.challenger and after.challenger.version in withdrawn_by([*champions, target]):
        after = replace(after, challenger=None)
    deed = f"Name {target} again" if repairs else f"Roll back to {target}"
    became = [] if repairs else [f"{bad} is withdrawn"]
    left_out = [f"what was wrong in {LIVE} is left out ({'; '.join(wrong)})"] if wrong else []
    proposal = forge.propose(
        "rollback",
        deed,
        f"{reason}\n\n{'; '.join([*became, *left_out])}.\n",
        {LIVE: after.to_toml()},
        labels=("rollback",),
    )
    if forge.read(LIVE) != text:
        raise ForgeError(f"{LIVE} changed while {bad} was rolled back; nothing was done: try again")
    forge.status("rollback", True, f"rolled back: {reason}", proposal.head)
    forge.merge("rollback", f"{deed}: {reason}")
    done = ", ".join([f"{LIVE} names {target}", *became, *left_out])
    _say(f"{'repaired' if repairs else 'rolled back'}: {done}: {reason}")
    follow(forge)
    lost = unfetched(forge, changed_slots(Live(), after))
    _say("; ".join(lost) or f"scorers serve {target} when they look next")


def follow(forge: Forge) -> Mapping[str, str]:
    """Make releases and incidents agree with live.toml's history; returns what each release became."""
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
        _say(f"withdrawn: {version}")
    return changes


def restore(forge: Forge, bundle: Path) -> str:
    """Store the *bundle* of a release that was deleted again; returns its version.

    Raises `ForgeError` unless main has named its version with the digest that it has.
    """
    manifest = manifest_in(bundle)
    version, digest = str(manifest["version"]), content_digest(manifest)
    known = digests_of(forge.history(LIVE)).get(version, set())
    if digest not in known:
        names = ", ".join(sorted(known)) or "nothing"
        raise ForgeError(f"{bundle} is {version} with {digest}; {LIVE} has named it with {names}")
    forge.upload(version, bundle)
    return version


def _has_published(releases: Iterable[Release], version: str) -> bool:
    return any(each.version == version and each.state == "published" for each in releases)


def _digest(forge: Forge, version: str, history: Sequence[Change], releases: Sequence[Release]) -> str:
    """The digest that main has given *version*. Its release must have just that, in its files and its notes.

    Raises `ForgeError`, and an incident, where they differ: what is on a release can be edited.
    """
    known = digests_of(history).get(version, set())
    noted = {release.digest for release in releases if release.version == version}
    found = noted | {content_digest(forge.manifest(version))}
    if len(found) != 1 or not found <= known:
        alerts = {each.marker: each for each in forge.alerts()}
        _raise(forge, alerts, [changed(version, known, found)])
        raise ForgeError(
            f"nothing was rolled back: {LIVE} has named {version} with {', '.join(sorted(known))}, and its"
            f" release has {', '.join(sorted(found))}. Go back to another: --to VERSION"
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
    """Open an incident for each that is *wanted*, unless a person closed it as it is."""
    for each in wanted:
        known = alerts.get(each.marker)
        if known and known.state == "closed" and known.body.strip() == each.body.strip():
            continue
        number = forge.alert(each.marker, each.title, each.body, each.memory).number
        _say(f"incident {number}: {each.title}")


def _explain(forge: Forge, incident: Alert | None, version: str, why: str) -> None:
    """Say that a person's hand on a release does not last: below its *incident*, if there is one."""
    _say(why)
    if incident:
        forge.note(incident.number, f"undone:{version}", f"{why}.\n")


def _clear(forge: Forge, version: str, alerts: Mapping[str, Alert], history: Sequence[Change]) -> None:
    """What is live is not in quarantine: its incident says so, and closes."""
    words = live_again(version, alerts, history)
    if words:
        marker = f"{INCIDENT}{version}"
        if alerts[marker].state == "closed":  # its text changes only while it is open
            forge.alert(marker, alerts[marker].title, words)
        closed = forge.resolve(marker, words)
        _say(f"incident {closed.number if closed else ''} is closed: {version} is live again")


def _publish(forge: Forge, versions: Iterable[str], releases: Iterable[Release], live: str) -> None:
    """Only what is *live* becomes the latest: an older one that did would be taken for a wish to go back."""
    notes = {release.version: release.notes for release in releases}
    for version in versions:
        better = overridden(cleared(notes[version]))
        if better != notes[version]:
            forge.describe(version, better)
        forge.publish(version, latest=version == live)
        _say(f"published: {version}")


def _say(words: str) -> None:
    print(words, flush=True)
    summary(words)
