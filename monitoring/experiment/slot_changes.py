"""What an experiment's result has done to live.toml, by policy. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from monitoring.experiment.variant_comparison import Result

Policy = Literal["always", "propose", "never"]


@dataclass(frozen=True)
class Deed:
    """A change of live.toml to propose: the challenger becomes champion, or leaves.

    *alone* says that no person is asked. Who becomes champion is judged by the gate all the same.
    """

    branch: Literal["promote", "end-experiment"]
    title: str
    why: str
    alone: bool

    @property
    def promotes(self) -> bool:
        """Whether the challenger becomes champion."""
        return self.branch == "promote"


def deed_of(result: Result, policy: Policy) -> Deed | None:
    """What is due; None if nothing is, or the policy leaves it to people.

    Where a slice is hurt, or the gain wears off, a person decides whatever the policy.
    """
    version, judgement = result.split.challenger, result.judgement
    if policy == "never":
        return None
    if judgement.state == "wins":
        doubts = [f"worse for sure: {', '.join(result.hurt)}"] if result.hurt else []
        doubts += ["the first week's gain is not that of later"] if result.wears_off else []
        why = "; ".join([judgement.why, *doubts])
        title = f"Promote {version}: it won its experiment"
        return Deed("promote", title, why, policy == "always" and not doubts)
    if judgement.state == "loses":
        title = f"End the experiment with {version}: it lost"
        return Deed("end-experiment", title, judgement.why, policy == "always")
    return None


def settled(deed: Deed, proposals: Iterable[Any]) -> Any | None:
    """The proposal of just this deed that is merged, or that a person closed: it is not made again."""
    return next((each for each in proposals if each.title == deed.title and each.state != "open"), None)
