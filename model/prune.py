"""A verdict's features -> which of them to drop, and the proposal's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from checks.markdown import text
from model.contract import Contract


@dataclass(frozen=True)
class Pruned:
    """The features to drop, the least useful first, with the proposal's words; or *why* there are none."""

    names: tuple[str, ...]
    title: str = ""
    body: str = ""
    why: str = ""


def pruned(verdict: Mapping[str, Any], contract: Contract) -> Pruned:
    """What to drop of *contract*: features whose benefit may be none (its interval reaches zero)."""
    told = [
        each for each in verdict.get("features") or () if each["name"] in contract.feature_names
    ]
    if not told:
        return Pruned((), why="the verdict measured no feature of this recipe")
    useless = sorted((each for each in told if not each["shown"]), key=lambda each: each["benefit"])
    names = [str(each["name"]) for each in useless][: len(contract.features) - 1]
    if not names:
        return Pruned(())
    rows = "\n".join(
        f"| {text(each['name'])} | {each['benefit']:+.5f} ({each['low']:+.5f} to {each['high']:+.5f}) |"
        for each in useless
        if each["name"] in names
    )
    candidate = verdict.get("candidate") or {}
    body = f"""\
Measured on {text(candidate.get("version", "the live model"))}: how much the loss of fresh rows grows when a feature's
values are dealt anew among them. For these the interval reaches zero: no benefit is shown.

| feature | benefit |
|---|---:|
{rows}

The gate judges this proposal like any other: it trains the recipe without them and compares. Features that tell the
same share a benefit, so two that look useless alone may not be both: where the gate says no, drop them one at a time
(`python -m model feature drop NAME`, which also says who uses a feature). A website may go on sending them.
"""
    count = f"{len(names)} feature{'s' if len(names) > 1 else ''}"
    return Pruned(tuple(names), f"Drop {count} with no shown benefit: {', '.join(names)}", body)


def without(contract: Contract, name: str) -> Contract:
    """The contract with a feature retired, and gone from the slices."""
    return replace(
        contract,
        features=tuple(each for each in contract.features if each.name != name),
        slices=tuple(each for each in contract.slices if each != name),
        retired=(*contract.retired, contract.feature(name)),
    )
