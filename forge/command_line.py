"""The command line of `python -m forge`: what may be typed, and what is taken where nothing is."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from forge.releases.landing import POLICIES


def parser(words: str) -> argparse.ArgumentParser:
    """A parser of every command, *words* its description."""
    found = argparse.ArgumentParser(
        "python -m forge", description=words, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words)
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
    land.add_argument("--exit-zero", action="store_true", help="also where nothing landed")
    merge = command("merge", "merge a proposal whose status is good")
    merge.add_argument("branch", nargs="?", default="retrain", help="the proposal's branch")
    rollback = command("rollback", "the older model becomes live again")
    rollback.add_argument(
        "--to",
        metavar="VERSION",
        type=_given,
        help="the version that becomes live (default: the published release before)",
    )
    rollback.add_argument(
        "--bad",
        metavar="VERSION",
        type=_given,
        help="what is rolled back; if another is live by then, nothing is (default: what is live)",
    )
    rollback.add_argument(
        "--requested",
        metavar="COMMIT",
        default="",
        help="main when this was asked for: without --bad, what was live then is meant",
    )
    rollback.add_argument("--reason", required=True, help="kept with the version that is withdrawn")
    command("release", "make live.toml and the releases agree")
    restore = command("restore", "store a release that was deleted again")
    restore.add_argument("bundle", type=Path, help="a copy of it, such as STORE/bundles/VERSION")
    command("status", "what is live, proposed, released, alarming")
    command("doctor", "what of the guard rails on GitHub is not set")
    comment = command("comment", "say something below an alert, such as a command")
    comment.add_argument("number", type=int, help="the alert's number")
    comment.add_argument("words", help='such as "/ack 7d"; "/help" lists them')
    for name, state, what in (
        ("close", "closed", "close an alert, as a person does"),
        ("reopen", "open", "open a closed alert again, as a person does"),
    ):
        move = command(name, what)
        move.add_argument("number", type=int, help="the alert's number")
        move.set_defaults(state=state)
    follow = command("sync", "make a scorer's folder hold what is live")
    follow.add_argument("--store", type=Path, required=True, help="the scorer's folder")
    follow.add_argument("--every", type=float, metavar="SECONDS", help="go on following")
    tidy = command("tidy", "remove candidates that came to nothing")
    tidy.add_argument("--days", type=int, default=14, help="those older than this (default: 14)")
    tidy.add_argument("--branch", default="retrain", help="what is proposed there stays")
    overdue = command("overdue", "raise an alert if a robot has not run for days")
    overdue.add_argument("workflow", help="its file, such as nightly.yml")
    overdue.add_argument("--days", type=float, default=2, help="days without a run (default: 2)")
    about = command("subject", "what a checkout of a pull request asks the gate to judge")
    about.add_argument("proposal", type=Path, help="a checkout of the pull request")
    about.add_argument("--main", type=Path, default=Path(), help="a checkout of the default branch")
    return found


def _given(text: str) -> str | None:
    # A workflow's input that was left empty arrives as "".
    return text or None
