"""Land, merge, roll back; see what is live; follow it.

python -m forge land --verdict FILE    what the gate allowed becomes live
python -m forge merge [BRANCH]         a person merges a proposal whose status is good
python -m forge rollback --reason WHY  the older model becomes live again
python -m forge restore BUNDLE         a release that was deleted is stored again
python -m forge release                live.toml and the releases are made to agree
python -m forge status                 what is live, proposed, released, alarming
python -m forge doctor                 what of the guard rails on GitHub is not set, and the step to take
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
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from contracts.live_config import LIVE, Live, LiveError, champion_of, champions_of, moves
from forge.bundles.sync import follow as follow_live
from forge.closed_pipes import ignore_closed_pipes
from forge.command_line import parser
from forge.github.doctor import doctor
from forge.interface import Forge, ForgeError, Proposal
from forge.maintenance import SILENT, leftovers, overdue
from forge.opening import open_forge
from forge.releases.gate_request import changed, subject
from forge.releases.landing import is_landed, read_policy, read_verdict, reason_to_wait, refuse_if_stale, with_earlier
from forge.releases.observed_state import live_on, releases_with, served_on
from forge.releases.quarantine import stuck
from forge.releases.reconciliation import agree, follow, restore, roll_back
from forge.releases.slot_checks import changed_slots, unfetched, unfit
from forge.terminal import comment, move, status
from forge.workflow_output import output, summary

OK, USAGE, REJECTED, HELD, FORGE = 0, 2, 3, 4, 6


def main(arguments: list[str] | None = None, opening: Callable[[str], Forge] = open_forge) -> int:
    """Run a command on the forge that *opening* gives; returns its exit code."""
    asked = parser(__doc__).parse_args(arguments)
    try:
        code: int = RUN[asked.command](asked, opening(asked.forge))
    except (ForgeError, LiveError) as error:
        return _refuse(FORGE, error)
    except ValueError as error:
        return _refuse(USAGE, error)
    except KeyboardInterrupt:
        print("stopped; what was begun is finished by typing it again", file=sys.stderr)
        return 130
    return code


def _refuse(code: int, error: ValueError | ForgeError) -> int:
    """Say why the command ends, where a person looks first: at a terminal, or in the summary of the job."""
    print(f"error: {error}", file=sys.stderr)
    summary(f"❌ {error}")
    return code


def _land(asked: argparse.Namespace, forge: Forge) -> int:
    policy = read_policy(asked.rules, asked.policy)
    agree(forge)  # a rollback that nobody followed yet is an incident before anything lands
    if not asked.verdict.is_file():
        return _tell_unjudged(asked, forge)
    verdict = read_verdict(asked.verdict)
    report = asked.verdict.with_name("report.md")
    words = report.read_text(encoding="utf-8") if report.is_file() else verdict.summary
    if is_landed(verdict, live_on(forge)):
        _say(f"landed already: {verdict.candidate[0]} is live")
        return OK
    proposal = _open(forge, asked.branch)
    refuse_if_stale(verdict, proposal.head, live_on(forge, asked.branch), live_on(forge))
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
    wait = reason_to_wait(verdict, policy, proposal.files, forge.alerts(), live_on(forge))
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
    live = served_on(forge)[0].champion
    _say(f"merged proposal {proposal.number} as {commit[:10]}: {live.version if live else 'nothing'} is live")
    follow(forge)
    return OK


def _release(_: argparse.Namespace, forge: Forge) -> int:
    if not agree(forge):
        _say("live.toml and the releases agree")
    live, wrong, history = served_on(forge)
    releases = releases_with(forge, live)
    for each in stuck(live, history, releases):
        raise ForgeError(f"{each.title}.\n\n{each.body}")
    # An anchor without a share answers nobody: the gate says what is wrong with it.
    anchor = live.anchor if live.anchor and live.anchor.share else None
    wrong += unfit(Live(live.champion), replace(live, anchor=anchor), history, releases)
    wrong += unfetched(forge, changed_slots(Live(), live))
    if wrong:
        raise ForgeError(
            f"scorers cannot follow all that {LIVE} names: {'; '.join(wrong)}. Without a champion that"
            " can be fetched they go on with what they have; another slot is left out. Put it right by a"
            " pull request"
        )
    return OK


def _rollback(asked: argparse.Namespace, forge: Forge) -> int:
    roll_back(forge, asked.bad or "", asked.to, asked.reason, asked.requested, datetime.now(UTC))
    return OK


def _restore(asked: argparse.Namespace, forge: Forge) -> int:
    _say(f"{restore(forge, asked.bundle)} is stored again")
    agree(forge)
    return OK


def _sync(asked: argparse.Namespace, forge: Forge) -> int:
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    result = follow_live(forge, asked.store, asked.every, done)
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
    history = forge.history(LIVE)

    def check(before: Live, after: Live) -> list[str]:
        slots = changed_slots(before, after)
        wrong = unfit(before, after, history, forge.releases())
        if after.champion not in [slot for _, slot in moves(history)]:
            slots.pop("champion", None)  # a candidate, which the gate fetches to judge it
        return wrong or unfetched(forge, slots)

    try:
        found = subject(asked.main, asked.proposal, history, recipe, check)
    except (ForgeError, LiveError) as error:
        output("why", str(error))
        summary("## ❌ This may not be merged")
        raise
    output("subject", found)
    output("rules", " ".join(changed(asked.main / "checks", asked.proposal / "checks")))
    _say(f"the gate is asked to judge: {found}")
    return OK


def _open(forge: Forge, branch: str) -> Proposal:
    proposal = forge.proposal(branch)
    if proposal is None:
        raise ForgeError(f"there is no open proposal on branch {branch}; open one: make retrain")
    return proposal


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
    "restore": _restore,
    "status": status,
    "doctor": doctor,
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
