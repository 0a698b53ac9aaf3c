"""Merge a proposal as a person: one whose status is good, or one with the verdict HOLD, with a reason.

The reason is kept where the gate's report is: in a comment of the proposal, in the merge commit, and at the top of the
release notes. A REJECT is not merged, nor is what could not be judged.
"""

from __future__ import annotations

from contracts.live_config import LIVE, LiveError, champion_of
from forge.interface import Forge, ForgeError, Proposal
from forge.releases.landing import DECISIONS, overridden
from forge.releases.observed_state import served_on
from forge.releases.reconciliation import follow
from forge.workflow_output import say


def merge(forge: Forge, branch: str, reason: str | None = None) -> None:
    """Merge the open proposal on *branch*; *reason* overrides its verdict HOLD.

    A merge that was done before is completed: what it made live is released. Raises `ForgeError` with everything that
    prevents it.
    """
    reason = None if reason is None else " ".join(reason.split())
    proposal = forge.proposal(branch)
    if proposal is None:
        proposal = _merged(forge, branch)
        _finish(forge, proposal, reason, f"proposal {proposal.number} is merged already")
        return
    wrong = _problems(proposal, reason)
    if wrong:
        raise ForgeError(f"proposal {proposal.number} ({branch}) is not merged: {'; '.join(wrong)}")
    if proposal.status and proposal.status[0]:
        if reason:
            say("the verdict needs no override: the proposal is merged as it is")
        reason = None
    if reason:
        forge.comment(branch, "override", f"**Override:** a person merges this against the verdict HOLD: {reason}\n")
    message = f"{proposal.title}\n\nOverride: {reason}" if reason else proposal.title
    commit = forge.merge(branch, message, override=bool(reason))
    _finish(forge, proposal, reason, f"merged proposal {proposal.number} as {commit[:10]}")


def _problems(proposal: Proposal, reason: str | None) -> list[str]:
    """Why *proposal* cannot be merged; without a *reason* only a good status allows it."""
    found = []
    if reason == "":
        found.append('the reason is empty; type: --override "WHY"')
    ok, said = proposal.status or (None, "no status yet")
    if ok:
        return found
    decision = verdict_of(proposal)
    if decision == "REJECT":
        found.append(f"{said}. A REJECT cannot be overridden: fix its cause, or waive the rule in checks/waivers.toml")
    elif decision != "HOLD":
        found.append(f"{said}. What the gate has not judged cannot be merged; run: make gate land")
    elif reason is None:
        found.append(f'{said}. To merge it all the same, type: --override "WHY"')
    return found


def verdict_of(proposal: Proposal) -> str:
    """The gate's decision on the proposal's head: PROMOTE, HOLD or REJECT; "" if it has not judged it."""
    said = proposal.status[1].partition(":")[0] if proposal.status else ""
    return said if said in DECISIONS else ""


def _merged(forge: Forge, branch: str) -> Proposal:
    """The newest proposal on *branch* where it is merged, and what it proposed is live."""
    found = next((each for each in forge.proposals() if each.branch == branch), None)
    if found and found.state == "merged" and _champion(forge, found) == champion_of(forge.read(LIVE) or ""):
        return found
    raise ForgeError(f"there is no open proposal on branch {branch}; open one: make retrain")


def _champion(forge: Forge, proposal: Proposal) -> str:
    try:
        return champion_of(forge.read(LIVE, proposal.head) or "")
    except LiveError:
        return ""


def _finish(forge: Forge, proposal: Proposal, reason: str | None, done: str) -> None:
    """Record the *reason* with the release that became live, and publish it."""
    live = served_on(forge)[0].champion
    say(f"{done}: {live.version if live else 'nothing'} is live")
    if live and reason and live.version == _champion(forge, proposal):
        notes = next((each.notes for each in forge.releases() if each.version == live.version), "")
        better = overridden(notes, reason)
        if better != notes:
            forge.describe(live.version, better)
    follow(forge)
