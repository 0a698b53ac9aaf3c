"""Land, merge, roll back; see what is live; follow it.

python -m forge land --verdict FILE    what the gate allowed becomes live
python -m forge merge [BRANCH]         a person merges a proposal whose status is good
python -m forge rollback --reason WHY  the older model becomes live again
python -m forge release                live.toml and the releases are made to agree
python -m forge status                 what is live, proposed, released, alarming
python -m forge comment NUMBER WORDS   say something below an alert; a command, such as "/ack 7d"
python -m forge close NUMBER           a person closes an alert; `reopen` opens it again
python -m forge sync --store DIR       a scorer's folder is made to hold what is live
python -m forge tidy                   candidates that came to nothing are removed
python -m forge overdue WORKFLOW       an alert, if a robot has not run for days
python -m forge subject PROPOSAL       what a checkout of a pull request asks the gate to judge
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from forge import Forge, ForgeError, Proposal, open_forge
from forge.actions import output, summary
from forge.arguments import parser
from forge.desk import comment, move, status
from forge.landing import (
    INCIDENT,
    is_landed,
    overridden,
    read_policy,
    read_verdict,
    reason_to_wait,
    refuse_if_stale,
    with_earlier,
)
from forge.live import (
    LIVE,
    Live,
    LiveError,
    champion_of,
    champions_of,
    parse_live,
    with_champion,
    withdrawn_by,
)
from forge.rollback import back_to, incident, settle, taken_off
from forge.streams import ignore_closed_pipes
from forge.subject import changed, subject
from forge.sync import follow
from forge.upkeep import SILENT, leftovers, overdue

OK, USAGE, REJECTED, HELD, FORGE = 0, 2, 3, 4, 6


def main(arguments: list[str] | None = None, opening: Callable[[str], Forge] = open_forge) -> int:
    """Run a command on the forge that *opening* gives; returns its exit code."""
    asked = parser(__doc__).parse_args(arguments)
    try:
        code: int = RUN[asked.command](asked, opening(asked.forge))
    except (ForgeError, LiveError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FORGE
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("stopped; what was begun is finished by typing it again", file=sys.stderr)
        return 130
    return code


def _land(asked: argparse.Namespace, forge: Forge) -> int:
    policy = read_policy(asked.rules, asked.policy)
    _agree(forge)  # a rollback that nobody followed yet is an incident before anything lands
    if not asked.verdict.is_file():
        return _tell_unjudged(asked, forge)
    verdict = read_verdict(asked.verdict)
    report = asked.verdict.with_name("report.md")
    words = report.read_text(encoding="utf-8") if report.is_file() else verdict.summary
    if is_landed(verdict, _live(forge)):
        _say(f"landed already: {verdict.candidate[0]} is live")
        return OK
    proposal = _open(forge, asked.branch)
    refuse_if_stale(verdict, proposal.head, _live(forge, asked.branch), _live(forge))
    forge.describe(verdict.candidate[0], words)
    forge.comment(asked.branch, "verdict", with_earlier(words, proposal.comments.get("verdict")))
    told = f"{verdict.decision}: {verdict.summary}"
    forge.status(asked.branch, verdict.decision == "PROMOTE", told, proposal.head)
    if verdict.decision == "REJECT":
        forge.close(asked.branch, verdict.summary)
        _say(f"not landed, and the proposal is closed: {verdict.summary}")
        return OK if asked.exit_zero else REJECTED
    if verdict.decision == "HOLD":
        _say(f"not landed, the proposal stays open: {verdict.summary}")
        return OK if asked.exit_zero else HELD
    wait = reason_to_wait(verdict, policy, proposal.files, forge.alerts(), _live(forge))
    if wait:
        _say(
            f"good to merge, and left to a person, for {wait}. Merge the pull request, or type:"
            f" python -m forge merge {asked.branch}"
        )
        return OK
    return _merge(asked, forge)


def _tell_unjudged(asked: argparse.Namespace, forge: Forge) -> int:
    proposal, words = _open(forge, asked.branch), "could not be judged, and that is no pass"
    told = f"## ❔ Not judged\n\nThis proposal {words}: see the newest run of the gate.\n"
    forge.comment(asked.branch, "verdict", with_earlier(told, proposal.comments.get("verdict")))
    forge.status(asked.branch, False, words, proposal.head)
    raise ForgeError(f"there is no verdict at {asked.verdict}: the proposal {words}; make gate")


def _merge(asked: argparse.Namespace, forge: Forge) -> int:
    proposal = _open(forge, asked.branch)
    commit = forge.merge(asked.branch, proposal.title)
    live = _live(forge).champion
    _say(
        f"merged proposal {proposal.number} as {commit[:10]}: {live.version if live else 'nothing'} is live"
    )
    _settle(forge)
    return OK


def _release(_: argparse.Namespace, forge: Forge) -> int:
    if not _agree(forge):
        _say("live.toml and the releases agree")
    return OK


def _agree(forge: Forge) -> bool:
    """What a person did to a release, live.toml follows; what is live, the releases follow."""
    hand = taken_off(_live(forge), _champions(forge), forge.releases())
    if hand:
        _go_back(forge, *hand)
    return bool(hand or _settle(forge))


def _rollback(asked: argparse.Namespace, forge: Forge) -> int:
    live = _live(forge).champion
    now = live.version if live else "nothing"
    unfinished = withdrawn_by(_champions(forge)) & _settle(forge, asked.reason).keys()
    if unfinished and asked.to in (None, now):
        _say(f"an earlier rollback was finished: {now} is live")
    elif asked.to == now:
        _say(f"{now} is live already")
    else:
        _go_back(forge, asked.to, asked.reason)
    return OK


def _go_back(forge: Forge, wanted: str | None, reason: str) -> None:
    """live.toml first, by a merged proposal; the releases follow.

    So a rollback that was cut off is known by releases that do not agree, and is finished.
    """
    live, releases = _live(forge), forge.releases()
    target = back_to(wanted, live, _champions(forge), releases)
    bad = live.champion.version if live.champion else ""
    proposal = forge.propose(
        "rollback",
        f"Roll back to {target.version}",
        f"{reason}\n\n{bad} is withdrawn.\n",
        {LIVE: with_champion(live, target.version, target.digest).to_toml()},
        labels=("rollback",),
    )
    forge.status("rollback", True, f"rolled back: {reason}", proposal.head)
    forge.merge("rollback", f"Roll back to {target.version}: {reason}")
    _say(f"rolled back: {target.version} is live, {bad} is withdrawn: {reason}")
    if bad not in {release.version for release in releases}:
        _raise_incident(forge, bad, reason)
    _settle(forge, reason)


def _settle(forge: Forge, reason: str = "") -> Mapping[str, str]:
    """Make the releases agree with live.toml; returns what each became.

    What is withdrawn gets the *reason*, and an incident.
    """
    releases, live = forge.releases(), _live(forge).champion
    stored = {release.version: release.digest for release in releases}
    notes = {release.version: release.notes for release in releases}
    if live and stored.get(live.version, live.digest) != live.digest:
        raise ForgeError(
            f"{LIVE} names {live.version} with {live.digest}, and the release has"
            f" {stored[live.version]}; no scorer will serve it: revert that change of {LIVE}"
        )
    changes = settle(_champions(forge), releases)
    for version, state in changes.items():
        if state == "published":
            if overridden(notes[version]) != notes[version]:
                forge.describe(version, overridden(notes[version]))
            forge.publish(version)
        else:
            why = reason or "live.toml went back to an older version"
            _raise_incident(forge, version, why)
            forge.withdraw(version, f"Withdrawn: {why}")
        _say(f"{state}: {version}")
    return changes


def _raise_incident(forge: Forge, bad: str, reason: str) -> None:
    told = incident(bad, reason, forge.history(LIVE))
    number = forge.alert(f"{INCIDENT}{bad}", f"Rolled back from {bad}", told).number
    _say(f"incident {number} tells what was served from when to when")


def _sync(asked: argparse.Namespace, forge: Forge) -> int:
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    result = follow(forge, asked.store, asked.every, done)
    return FORGE if result.failed and asked.every is None else OK


def _tidy(asked: argparse.Namespace, forge: Forge) -> int:
    wanted = set(_champions(forge))
    if forge.proposal(asked.branch):
        wanted.add(champion_of(forge.read(LIVE, asked.branch) or ""))
    for version in leftovers(forge.releases(), wanted, datetime.now(UTC), asked.days):
        forge.discard(version)
        _say(f"removed candidate {version}: it came to nothing")
    return OK


def _overdue(asked: argparse.Namespace, forge: Forge) -> int:
    schedule = forge.schedule(asked.workflow)
    marker = f"robot:{asked.workflow}"
    wrong = overdue(asked.workflow, schedule, datetime.now(UTC), asked.days) if schedule else ""
    if wrong:
        alert = forge.alert(marker, wrong, f"{wrong}.\n\n{SILENT}")
        _say(f"alert {alert.number}: {wrong}")
    elif forge.resolve(marker, f"{asked.workflow} runs again.\n"):
        _say(f"{asked.workflow} runs again: its alert is closed")
    return OK


def _subject(asked: argparse.Namespace, forge: Forge) -> int:
    recipe = os.environ.get("RECIPE") or "model/recipe.py"
    found = subject(asked.main, asked.proposal, set(_champions(forge)), recipe)
    output("subject", found)
    output("rules", " ".join(changed(asked.main / "checks", asked.proposal / "checks")))
    _say(f"the gate is asked to judge: {found}")
    return OK


def _open(forge: Forge, branch: str) -> Proposal:
    proposal = forge.proposal(branch)
    if proposal is None:
        raise ForgeError(f"there is no open proposal on branch {branch}; open one: make retrain")
    return proposal


def _live(forge: Forge, branch: str = "main") -> Live:
    text = forge.read(LIVE, branch)
    if text is None:
        raise ForgeError(
            f"there is no {LIVE} on branch {branch}; propose a model first: make retrain"
        )
    return parse_live(text)


def _champions(forge: Forge) -> list[str]:
    """The champions there were, oldest first; "" where nothing was live."""
    return champions_of(forge.history(LIVE))


def _say(words: str) -> None:
    print(words, flush=True)
    summary(words)


RUN = {
    "land": _land,
    "merge": _merge,
    "rollback": _rollback,
    "release": _release,
    "status": status,
    "comment": comment,
    "close": move,
    "reopen": move,
    "sync": _sync,
    "tidy": _tidy,
    "overdue": _overdue,
    "subject": _subject,
}

if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
