"""A verdict's features -> which of them to drop, the recipe without them, and the proposal's words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from contracts.row_contract import Contract
from model.features.add_drop import drop
from model.features.recipe_syntax import EditError
from reporting.markdown import text


@dataclass(frozen=True)
class Pruned:
    """The features to drop, the least useful first, and the proposal: *text* is the recipe without them.

    *why* says that there is nothing to drop, or which features a person has to drop by hand, because
    the recipe's text does not list them one by one.
    """

    names: tuple[str, ...]
    title: str = ""
    body: str = ""
    why: str = ""
    text: str = ""


def pruned(verdict: Mapping[str, Any], contract: Contract, recipe: str) -> Pruned:
    """What to drop of *contract*, which stands in the text *recipe*: features with no shown benefit.

    No benefit is shown where the interval of the permutation importance reaches zero.
    """
    measured = [each for each in verdict.get("features") or () if each["name"] in contract.feature_names]
    if not measured:
        return Pruned((), why="nothing to drop: the verdict measured no feature of this recipe")
    useless = sorted((each for each in measured if not each["shown"]), key=lambda each: each["benefit"])[
        : len(contract.features) - 1
    ]
    if not useless:
        return Pruned((), why="nothing to drop: every feature shows a benefit")
    names, reasons = [], {}
    for name in (str(each["name"]) for each in useless):
        try:
            recipe = drop(recipe, contract, name)
        except (EditError, SyntaxError) as error:  # or the edited text would not be Python
            reasons[name] = str(error)
        else:
            contract = without(contract, name)
            names.append(name)
    why = _by_hand(reasons) if reasons else ""
    if not names:
        return Pruned((), why=why)
    count = f"{len(names)} feature{'s' if len(names) > 1 else ''}"
    title = f"Drop {count} with no shown benefit: {', '.join(names)}"
    dropped = [each for each in useless if each["name"] in names]
    return Pruned(tuple(names), title, _body(verdict, dropped), why, recipe)


def _by_hand(reasons: Mapping[str, str]) -> str:
    """What a person can do about the features that the recipe's text does not list."""
    lines = "\n".join(f"- {name}: {reason}" for name, reason in reasons.items())
    return f"""\
No benefit is shown for these features, and they were not dropped: the recipe's text does not list them one by one.

{lines}

To drop one, remove it where it is listed and name it in the contract's `retired`; then open a pull request."""


def _body(verdict: Mapping[str, Any], dropped: Iterable[Mapping[str, Any]]) -> str:
    rows = "\n".join(
        f"| {text(each['name'])} | {each['benefit']:+.5f} ({each['low']:+.5f} to {each['high']:+.5f}) |"
        for each in dropped
    )
    candidate = verdict.get("candidate") or {}
    return f"""\
Measured on {text(candidate.get("version", "the live model"))}: how much the loss of fresh rows grows when a feature's
values are dealt anew among them. For these the interval reaches zero: no benefit is shown.

| feature | benefit |
|---|---:|
{rows}

The gate judges this proposal like any other: it trains the recipe without them and compares. Features that tell the
same share a benefit, so two that look useless alone may not be both: where the gate says no, drop them one at a time
(`python -m model feature drop NAME`, which also says who uses a feature). A website may go on sending them.
"""


def without(contract: Contract, name: str) -> Contract:
    """The contract with a feature retired, and gone from the slices."""
    return replace(
        contract,
        features=tuple(each for each in contract.features if each.name != name),
        slices=tuple(each for each in contract.slices if each != name),
        retired=(*contract.retired, contract.feature(name)),
    )
