"""Change live.toml at once, by a merged proposal, so that a revert undoes it."""

from __future__ import annotations

from contracts.live_config import LIVE, Live
from forge.interface import Forge
from forge.workflow_output import say


def merge_live(forge: Forge, branch: str, after: Live, title: str, body: str, *, label: str, status: str) -> None:
    """Propose *after* as live.toml from *branch*, and merge it; *status* is why it may be merged."""
    proposal = forge.propose(branch, title, f"{body}\n", {LIVE: after.to_toml()}, labels=(label,))
    forge.status(branch, True, status, proposal.head)
    commit = forge.merge(branch, f"{title}\n\n{body}")
    say(f"merged proposal {proposal.number} as {commit[:10]}: {title}")
