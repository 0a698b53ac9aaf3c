"""Land, merge, roll back; see what is live; sync it to a scorer.

python -m forge land --verdict FILE    merge and publish a proposal if the verdict allows it
python -m forge merge [BRANCH]         merge a proposal whose status is good, as a person; --override WHY: a HOLD, too
python -m forge challenge VERSION      begin an experiment: --share 0.1 of the traffic, or --shadow; --end ends it
python -m forge online MODE            off, shadow or on: whether answers are corrected between two trainings
python -m forge rollback --reason WHY  make an earlier model live again
python -m forge restore BUNDLE         store a deleted release again
python -m forge release                make the releases agree with live.toml
python -m forge status                 list what is live, the proposals, releases and alerts
python -m forge unsigned                print the releases without a signature, for [earlier] in provenance/trust.toml
python -m forge doctor                 list what is in working order and what is not, each with the step to take
python -m forge comment NUMBER TEXT    comment on an alert; may be a command, such as "/ack 7d"
python -m forge close NUMBER           close an alert, as a person; `reopen` opens it again
python -m forge note NUMBER --file F   write or update a robot's comment on an alert or pull request
python -m forge may-write PERSON       print whether a person may write to the repository
python -m forge drill-rollback         roll back and forward again in a copy, and record how long it took
python -m forge sync --store DIR       copy what is live to a scorer's folder
python -m forge tidy                   remove candidates that are neither live nor proposed
python -m forge overdue WORKFLOW       open an alert if a workflow has not succeeded for days
python -m forge subject PROPOSAL       print what the gate has to judge in a pull request's checkout
python -m forge upgrade                merge a newer version of Tidegate into a branch; --check: is there one?
python -m forge changes VERSION        print the section of CHANGELOG.md about a version of Tidegate
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contracts.live_config import LIVE, Live, LiveError, champion_of, champions_of, moves
from forge.bundles.sync import follow as follow_live
from forge.closed_pipes import ignore_closed_pipes
from forge.command_line import parser
from forge.drills.drill_commands import rollback_command
from forge.github.doctor import doctor
from forge.interface import Forge, ForgeError, Proposal
from forge.maintenance import SILENT, leftovers, overdue
from forge.opening import open_forge
from forge.releases.challenger import Part, challenge, end
from forge.releases.gate_request import changed, subject
from forge.releases.landing import is_landed, read_policy, read_verdict, reason_to_wait, refuse_if_stale, with_earlier
from forge.releases.merging_by_hand import merge
from forge.releases.observed_state import live_on, releases_with, served_on
from forge.releases.online_mode import set_mode
from forge.releases.quarantine import stuck
from forge.releases.reconciliation import agree, restore, roll_back
from forge.releases.slot_checks import changed_slots, unfetched, unfit
from forge.releases.unsigned import earlier_table, unsigned
from forge.terminal import comment, may_write, move, note, status
from forge.upgrades.upgrade_command import changes_command, upgrade_command
from forge.workflow_output import output, say, summary

OVERRIDE = 'To merge it all the same: python -m forge merge --override "WHY"'
OK, USAGE, REJECTED, HELD, FORGE = 0, 2, 3, 4, 6


def main(arguments: list[str] | None = None, opening: Callable[[str], Forge] = open_forge) -> int:
    """Run a command on the forge that *opening* gives; returns its exit code."""
    args = parser(__doc__).parse_args(arguments)
    try:
        code: int = RUN[args.command](args, opening(args.forge))
    except (ForgeError, LiveError) as error:
        return _refuse(FORGE, error)
    except ValueError as error:
        return _refuse(USAGE, error)
    except KeyboardInterrupt:
        print("interrupted; run the command again to finish it", file=sys.stderr)
        return 130
    return code


def _refuse(code: int, error: ValueError | ForgeError) -> int:
    """Print *error* on standard error and in the job's summary; returns *code*."""
    print(f"error: {error}", file=sys.stderr)
    summary(f"❌ {error}")
    return code


def _land(args: argparse.Namespace, forge: Forge) -> int:
    policy = read_policy(args.rules, args.policy)
    agree(forge)  # so that an unfinished rollback has its incident before anything lands
    if not args.verdict.is_file():
        return _report_unjudged(args, forge)
    verdict = read_verdict(args.verdict)
    report = args.verdict.with_name("report.md")
    text = report.read_text(encoding="utf-8") if report.is_file() else verdict.summary
    if is_landed(verdict, live_on(forge)):
        say(f"landed already: {verdict.candidate[0]} is live")
        return OK
    proposal = _open(forge, args.branch)
    refuse_if_stale(verdict, proposal.head, live_on(forge, args.branch), live_on(forge))
    forge.describe(verdict.candidate[0], text)
    forge.comment(args.branch, "verdict", with_earlier(text, proposal.comments.get("verdict")))
    state = f"{verdict.decision}: {verdict.summary}"
    forge.status(args.branch, verdict.decision == "PROMOTE", state, proposal.head)
    if verdict.decision == "REJECT":
        forge.close(args.branch, verdict.summary)
        say(f"not landed, and the proposal is closed: {verdict.summary}")
        return OK if args.exit_zero else REJECTED
    if verdict.decision == "HOLD":
        say(f"not landed, the proposal stays open: {verdict.summary} {OVERRIDE}")
        return OK if args.exit_zero else HELD
    wait = reason_to_wait(verdict, policy, proposal.files, forge.alerts(), live_on(forge))
    if wait:
        say(
            f"ready to merge, but left to a person: {wait}. Merge the pull request, or type:"
            f" python -m forge merge {args.branch}"
        )
        return OK
    merge(forge, args.branch)
    return OK


def _report_unjudged(args: argparse.Namespace, forge: Forge) -> int:
    proposal, state = _open(forge, args.branch), "could not be judged, which is not a pass"
    comment = f"## ❔ Not judged\n\nThis proposal {state}: see the newest run of the gate.\n"
    forge.comment(args.branch, "verdict", with_earlier(comment, proposal.comments.get("verdict")))
    forge.status(args.branch, False, state, proposal.head)
    raise ForgeError(f"there is no verdict at {args.verdict}: the proposal {state}; run: make gate")


def _merge(args: argparse.Namespace, forge: Forge) -> int:
    merge(forge, args.branch, args.override)
    return OK


def _challenge(args: argparse.Namespace, forge: Forge) -> int:
    part = Part(args.share, args.shadow, args.salt)
    if args.end and part != Part():
        raise ValueError("--end goes without --share, --shadow and --salt")
    if args.end:
        end(forge, args.version, args.reason)
    else:
        challenge(forge, args.version, part, args.reason)
    return OK


def _online(args: argparse.Namespace, forge: Forge) -> int:
    set_mode(forge, args.mode, args.reason)
    return OK


def _release(_: argparse.Namespace, forge: Forge) -> int:
    if not agree(forge):
        say("live.toml and the releases agree")
    live, wrong, history = served_on(forge)
    releases = releases_with(forge, live)
    for each in stuck(live, history, releases):
        raise ForgeError(f"{each.title}.\n\n{each.body}")
    # An anchor without a share of the traffic is never served: the gate reports its problems.
    anchor = live.anchor if live.anchor and live.anchor.share else None
    wrong += unfit(Live(live.champion), replace(live, anchor=anchor), history, releases)
    wrong += unfetched(forge, changed_slots(Live(), live))
    if wrong:
        raise ForgeError(
            f"scorers cannot serve every slot of {LIVE}: {'; '.join(wrong)}. Without a champion that can be"
            " fetched they keep what they have; another slot is left out. Correct it with a pull request"
        )
    return OK


def _rollback(args: argparse.Namespace, forge: Forge) -> int:
    roll_back(forge, args.bad or "", args.to, args.reason, args.requested, datetime.now(UTC))
    return OK


def _restore(args: argparse.Namespace, forge: Forge) -> int:
    say(f"{restore(forge, args.bundle, args.attestation)} is stored again")
    agree(forge)
    return OK


def _sync(args: argparse.Namespace, forge: Forge) -> int:
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    result = follow_live(forge, args.store, args.every, done)
    return FORGE if result.failed and args.every is None else OK


def _tidy(args: argparse.Namespace, forge: Forge) -> int:
    wanted = set(_champions(forge)) | {slot.version for slot in changed_slots(Live(), served_on(forge)[0]).values()}
    if forge.proposal(args.branch):
        wanted.add(champion_of(forge.read(LIVE, args.branch) or ""))
    for version in leftovers(forge.releases(), wanted, datetime.now(UTC), args.days):
        forge.discard(version)
        say(f"removed candidate {version}: neither live nor proposed")
    return OK


def _overdue(args: argparse.Namespace, forge: Forge) -> int:
    schedule = forge.schedule(args.workflow)
    marker = f"robot:{args.workflow}"
    wrong = overdue(args.workflow, schedule, datetime.now(UTC), args.days) if schedule else ""
    if wrong:
        alert = forge.alert(marker, wrong, f"{wrong}.\n\n{SILENT}")
        say(f"alert {alert.number}: {wrong}")
    elif forge.resolve(marker, f"{args.workflow} runs again.\n"):
        say(f"{args.workflow} succeeded again: its alert is closed")
    return OK


def _unsigned(_: argparse.Namespace, forge: Forge) -> int:
    print(earlier_table(unsigned(forge), datetime.now(UTC).date() + timedelta(days=1)))
    return OK


def _subject(args: argparse.Namespace, forge: Forge) -> int:
    recipe = os.environ.get("RECIPE") or "model/recipe.py"
    history = forge.history(LIVE)

    def check(before: Live, after: Live) -> list[str]:
        slots = changed_slots(before, after)
        wrong = unfit(before, after, history, forge.releases())
        if after.champion not in [slot for _, slot in moves(history)]:
            slots.pop("champion", None)  # a candidate, which the gate fetches itself
        return wrong or unfetched(forge, slots)

    try:
        request = subject(args.main, args.proposal, history, recipe, check)
    except (ForgeError, LiveError) as error:
        output("why", str(error))
        summary("## ❌ This may not be merged")
        raise
    output("subject", request)
    output("rules", " ".join(changed(args.main / "checks", args.proposal / "checks")))
    say(f"the gate has to judge: {request}")
    return OK


def _open(forge: Forge, branch: str) -> Proposal:
    proposal = forge.proposal(branch)
    if proposal is None:
        raise ForgeError(f"there is no open proposal on branch {branch}; open one: make retrain")
    return proposal


def _champions(forge: Forge) -> list[str]:
    """All champions so far, oldest first; "" where nothing was live."""
    return champions_of(forge.history(LIVE))


RUN = {
    "land": _land,
    "merge": _merge,
    "challenge": _challenge,
    "online": _online,
    "rollback": _rollback,
    "drill-rollback": rollback_command,
    "release": _release,
    "restore": _restore,
    "unsigned": _unsigned,
    "status": status,
    "doctor": doctor,
    "comment": comment,
    "note": note,
    "may-write": may_write,
    "close": move,
    "reopen": move,
    "sync": _sync,
    "tidy": _tidy,
    "overdue": _overdue,
    "subject": _subject,
    "upgrade": upgrade_command,
    "changes": changes_command,
}

if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
