"""Commands for a person at a terminal, and for a workflow that comments: status, comment, note, close and reopen."""

from __future__ import annotations

import argparse

from contracts.live_config import LIVE, champion_of
from forge.interface import Forge, ForgeError
from forge.workflow_output import output


def status(_: argparse.Namespace, forge: Forge) -> int:
    """Print what is live, the open proposals, the releases and the alerts."""
    live, changes = champion_of(forge.read(LIVE) or ""), forge.history(LIVE)
    since = f", since {changes[0].at}: {changes[0].message}" if changes else ""
    print(f"live      {live or 'nothing'}{since}")
    for proposal in forge.proposals():
        if proposal.state == "open":
            print(
                f"proposal  {proposal.number} {proposal.branch}: {proposal.title}"
                + (f" ({proposal.status[1]})" if proposal.status else " (not judged yet)")
            )
    for release in forge.releases():
        print(f"release   {release.version}  {release.state}")
    for alert in forge.alerts():
        by_hand = " by hand" if alert.by_hand else ""
        print(f"alert     {alert.number} {alert.state}{by_hand}: {alert.title}")
    return 0


def comment(args: argparse.Namespace, forge: Forge) -> int:
    """Comment on an alert; the next monitoring run answers commands."""
    _refuse_unknown(forge, args.number)
    forge.say(args.number, args.text)
    print(f"commented on alert {args.number}; the next monitoring run reads it: make watch")
    return 0


def move(args: argparse.Namespace, forge: Forge) -> int:
    """Close an alert, or open it again; monitoring respects what a person did."""
    _refuse_unknown(forge, args.number)
    state = args.state
    forge.set_state(args.number, state)
    print(f"alert {args.number} is {state}")
    return 0


def _refuse_unknown(forge: Forge, number: int) -> None:
    numbers = [alert.number for alert in forge.alerts()]
    if number not in numbers:
        raise ForgeError(f"there is no alert {number}; alerts: {', '.join(map(str, numbers)) or 'none'}")


def note(args: argparse.Namespace, forge: Forge) -> int:
    """Write or update the robots' one comment with a marker."""
    try:
        text = args.file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ForgeError(f"{args.file} cannot be read: {error}") from error
    forge.note(args.number, args.marker, text)
    print(f"commented on {args.number}")
    return 0


def may_write(args: argparse.Namespace, forge: Forge) -> int:
    """Whether a person may write to the repository, as an output of the workflow, too."""
    found = forge.may_write(args.person)
    output("may_write", "true" if found else "false")
    print(f"{args.person} may {'' if found else 'not '}write to this repository")
    return 0
