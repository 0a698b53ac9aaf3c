"""The change of live.toml that an experiment's result calls for, by policy. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from monitoring.experiment.variant_comparison import Result

Policy = Literal["always", "propose", "never"]


@dataclass(frozen=True)
class SlotChange:
    """A change of live.toml to propose: the challenger becomes champion, or is removed.

    *automatic* needs no person. The gate evaluates a new champion in any case.
    """

    branch: Literal["promote", "end-experiment"]
    title: str
    why: str
    automatic: bool

    @property
    def promotes(self) -> bool:
        """Whether the challenger becomes champion."""
        return self.branch == "promote"


def change_due(result: Result, policy: Policy) -> SlotChange | None:
    """The change that is due; None if there is none, or the policy is "never".

    With a harmed slice or a novelty effect a person decides, whatever the policy.
    """
    version, decision = result.split.challenger, result.decision
    if policy == "never":
        return None
    if decision.state == "wins":
        doubts = [f"worse in slices: {', '.join(result.harmed_slices)}"] if result.harmed_slices else []
        doubts += ["novelty effect: the first week's gain differs from later ones"] if result.novelty_effect else []
        why = "; ".join([decision.why, *doubts])
        return SlotChange(
            "promote", f"Promote {version}: it won its experiment", why, policy == "always" and not doubts
        )
    if decision.state == "loses":
        title = f"End the experiment with {version}: it lost"
        return SlotChange("end-experiment", title, decision.why, policy == "always")
    return None


def decided_proposal(change: SlotChange, proposals: Iterable[Any]) -> Any | None:
    """The merged or closed proposal of the same change: it is not proposed again."""
    return next((each for each in proposals if each.title == change.title and each.state != "open"), None)
