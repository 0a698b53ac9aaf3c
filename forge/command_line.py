"""The command line of `python -m forge`: commands, options and defaults."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from contracts.live_tables import MODES
from forge.releases.landing import POLICIES


def parser(text: str) -> argparse.ArgumentParser:
    """The parser of all commands, with the description *text*."""
    commands_parser = argparse.ArgumentParser(
        "python -m forge", description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = commands_parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text)
        where = os.environ.get("FORGE") or ".forge"
        made.add_argument("--forge", default=where, help="a folder, or github:OWNER/NAME")
        return made

    land = command("land", "merge and publish what the verdict allows")
    land.add_argument("--verdict", type=Path, required=True, help="verdict.json of the gate")
    land.add_argument("--policy", type=_given, choices=(*POLICIES, None), help="instead of land.policy in the rules")
    land.add_argument(
        "--rules", type=Path, default=Path("checks/thresholds.toml"), help="the limits: a thresholds.toml"
    )
    land.add_argument("--branch", default="retrain", help="the proposal's branch")
    land.add_argument("--exit-zero", action="store_true", help="exit with 0 even if nothing landed")
    merge = command("merge", "merge a proposal whose status is good")
    merge.add_argument("branch", nargs="?", default="retrain", help="the proposal's branch")
    merge.add_argument("--override", metavar="WHY", help="merge although the verdict is HOLD; the reason is recorded")
    _challenge(command("challenge", "begin an experiment with a challenger, or end it"))
    _online(command("online", "whether answers are corrected between two trainings"))
    rollback = command("rollback", "make an earlier model live again")
    rollback.add_argument(
        "--to",
        metavar="VERSION",
        type=_given,
        help="the version to make live (default: the previous published release)",
    )
    rollback.add_argument(
        "--bad",
        metavar="VERSION",
        type=_given,
        help="the version to roll back (default: what is live); nothing is done if another one is live",
    )
    rollback.add_argument(
        "--requested",
        metavar="COMMIT",
        default="",
        help="the commit of main at the time of the request; without --bad, what was live then is rolled back",
    )
    rollback.add_argument("--reason", required=True, help="recorded with the withdrawn version")
    _drill(command("drill-rollback", "roll back and forward again in a copy of the forge"))
    command("release", "make the releases agree with live.toml")
    restore = command("restore", "store a deleted release again")
    restore.add_argument("bundle", type=Path, help="a copy of it, such as STORE/bundles/VERSION")
    restore.add_argument("--attestation", type=Path, help="its attestation.jsonl, where signatures are demanded")
    command("status", "list what is live, the proposals, releases and alerts")
    command("unsigned", "print the releases without a signature, to be trusted by their digests")
    _doctor(command("doctor", "list what is in working order and what is not, each with the step to take"))
    comment = command("comment", "comment on an alert; may be a command")
    comment.add_argument("number", type=int, help="the alert's number")
    comment.add_argument("text", help='such as "/ack 7d"; "/help" lists the commands')
    _note(command("note", "write or update a robot's comment on an alert, or on GitHub a pull request"))
    asked = command("may-write", "print whether a person may write to the repository")
    asked.add_argument("person", help="the account's name")
    for name, state, what in (
        ("close", "closed", "close an alert, as a person does"),
        ("reopen", "open", "open a closed alert again, as a person does"),
    ):
        move = command(name, what)
        move.add_argument("number", type=int, help="the alert's number")
        move.set_defaults(state=state)
    follow = command("sync", "copy what is live to a scorer's folder")
    follow.add_argument("--store", type=Path, required=True, help="the scorer's folder")
    follow.add_argument("--every", type=float, metavar="SECONDS", help="repeat after so many seconds")
    _tidy(command("tidy", "remove candidates that are neither live nor proposed"))
    overdue = command("overdue", "open an alert if a workflow has not succeeded for days")
    overdue.add_argument("workflow", help="the workflow's file, such as nightly.yml")
    overdue.add_argument("--days", type=float, default=2, help="days without a success (default: 2)")
    _subject(command("subject", "print what the gate has to judge in a pull request's checkout"))
    _version(command("changes", "print what a version of Tidegate changes, for its release"))
    _upgrade(command("upgrade", "merge a newer version of Tidegate into a branch"))
    return commands_parser


def _subject(command: argparse.ArgumentParser) -> None:
    command.add_argument("proposal", type=Path, help="a checkout of the pull request")
    command.add_argument("--main", type=Path, default=Path(), help="a checkout of the default branch")


def _version(command: argparse.ArgumentParser) -> None:
    command.add_argument("version", help="the version in pyproject.toml, such as v0.3.0")


def _upgrade(command: argparse.ArgumentParser) -> None:
    command.add_argument("--to", type=_given, help="the version, such as v0.3.0 (default: the newest)")
    command.add_argument("--template", type=_given, help="its address (default: that of the git remote `template`)")
    command.add_argument("--base", type=_given, help="the version that this repository was made from, if not found")
    command.add_argument("--check", action="store_true", help="only keep an alert while there is a newer version")


def _drill(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--out", type=Path, help="folder for drills.json (default: the forge's folder, or build/drills for GitHub)"
    )


def _doctor(command: argparse.ArgumentParser) -> None:
    command.add_argument("--settings", action="store_true", help="only the guard rails: the settings on GitHub")


def _tidy(tidy: argparse.ArgumentParser) -> None:
    tidy.add_argument("--days", type=int, default=14, help="only those older than this (default: 14)")
    tidy.add_argument("--branch", default="retrain", help="the candidate proposed on this branch is kept")


def _note(note: argparse.ArgumentParser) -> None:
    note.add_argument("number", type=int, help="the number of the alert or pull request")
    note.add_argument("--marker", required=True, help="which comment: there is one for each marker")
    note.add_argument("--file", type=Path, required=True, help="its text, Markdown")


def _given(text: str) -> str | None:
    # An empty input of a workflow arrives as "".
    return text or None


def _challenge(command: argparse.ArgumentParser) -> None:
    command.add_argument("version", nargs="?", default="", help="the challenger's version, a stored release")
    command.add_argument("--share", type=float, help="its share of the traffic, from 0 to 1")
    command.add_argument("--shadow", action="store_true", help="it scores the champion's rows and answers no request")
    command.add_argument("--salt", help="of the traffic split: another one assigns the keys differently")
    command.add_argument("--end", action="store_true", help="end the experiment: the champion gets all of the traffic")
    command.add_argument("--reason", default="", help="recorded with the change of live.toml")


def _online(command: argparse.ArgumentParser) -> None:
    command.add_argument("mode", choices=MODES, help="off; shadow: computed, and no answer changes; on: applied")
    command.add_argument("--reason", default="", help="recorded with the change of live.toml")
