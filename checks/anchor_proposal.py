"""`python -m checks anchor`: a pull request that moves the anchor and changes nothing else."""

from __future__ import annotations

from dataclasses import replace

from checks.evidence import cannot_read
from contracts.live_config import LIVE, Live, Slot, digests_of, parse_live
from contracts.row_contract import Contract, ContractError
from forge.interface import Forge, ForgeError


def propose_anchor(forge: Forge, version: str | None, reason: str) -> str:
    """Propose *version* (None: the champion) as the anchor, for a person to merge; returns what was done.

    Raises `ForgeError` where that version cannot be the anchor, or where a readable anchor would move without a
    *reason*.
    """
    live = parse_live(forge.read(LIVE) or "")
    if live.champion is None:
        raise ForgeError("no model is live yet; the first model becomes the anchor automatically")
    wanted = version or live.champion.version
    if wanted not in {release.version for release in forge.releases()}:
        raise ForgeError(f"{wanted} is not stored; python -m forge status lists the stored versions")
    # A release's text can be edited: its digest comes from the history of live.toml.
    digests = digests_of(forge.history(LIVE)).get(wanted, set())
    if len(digests) != 1:
        raise ForgeError(
            f"{LIVE} has never named {wanted}, or with more than one digest: the anchor must be a version"
            " that was live; python -m forge status lists the stored versions"
        )
    if live.anchor and live.anchor.version == wanted:
        raise ForgeError(f"{wanted} is the anchor already; for another: --to VERSION")
    reason = reason or _unreadable(forge, live)
    if not reason:
        raise ForgeError(
            f"the anchor {live.anchor.version if live.anchor else ''} can still be read; to move it"
            " all the same, give a reason: python -m checks anchor --reason WHY"
        )
    share = live.anchor.share if live.anchor else None
    moved = replace(live, anchor=Slot(wanted, digests.pop(), share))
    before = live.anchor.version if live.anchor else "none"
    body = (
        f"{reason}\n\nOnce this is merged, no candidate may be worse than {wanted} by more than the anchor's margins."
        f" The anchor until then: {before}.\n"
    )
    proposal = forge.propose("anchor", f"Anchor {wanted}", body, {LIVE: moved.to_toml()}, labels=("anchor",))
    forge.status("anchor", True, f"for a person to merge: {reason}", proposal.head)
    return (
        f"proposal {proposal.number} moves the anchor from {before} to {wanted}: {reason}\n"
        "Merge the pull request, or type: python -m forge merge anchor"
    )


def _unreadable(forge: Forge, live: Live) -> str:
    """Why the anchor cannot score the champion's rows; "" if it can."""
    if live.anchor is None or live.champion is None:
        return "there was no anchor"
    try:
        anchor, champion = (
            Contract.from_json(forge.manifest(slot.version)["contract"]) for slot in (live.anchor, live.champion)
        )
    except (ForgeError, ContractError, KeyError) as error:
        return f"the anchor cannot be read: {error}"
    return cannot_read(anchor, champion, "anchor")
