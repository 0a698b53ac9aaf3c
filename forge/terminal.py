"""What a person at a terminal sees of a forge, and does to its alerts."""

from __future__ import annotations

import argparse

from contracts.live_config import LIVE, champion_of
from forge.interface import Forge, ForgeError


def status(_: argparse.Namespace, forge: Forge) -> int:
    """Print what is live, proposed, released, alarming."""
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


def comment(asked: argparse.Namespace, forge: Forge) -> int:
    """Say something below an alert; the watch answers commands when it looks next."""
    _refuse_unknown(forge, asked.number)
    forge.say(asked.number, asked.words)
    print(f"said below alert {asked.number}; the watch reads it when it looks next: make watch")
    return 0


def move(asked: argparse.Namespace, forge: Forge) -> int:
    """Close an alert, or open it again: the watch does not fight a person who did."""
    _refuse_unknown(forge, asked.number)
    state = asked.state
    forge.set_state(asked.number, state)
    print(f"alert {asked.number} is {state}")
    return 0


def _refuse_unknown(forge: Forge, number: int) -> None:
    known = [alert.number for alert in forge.alerts()]
    if number not in known:
        there = ", ".join(map(str, known)) or "none"
        raise ForgeError(f"there is no alert {number}; there are: {there}")
