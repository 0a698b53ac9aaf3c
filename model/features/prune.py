"""Features without significant permutation importance in a verdict: the recipe without them, and the proposal's text. Pure."""

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
    """The features to drop, the least important first, and the proposal; *text* is the recipe without them.

    *why*: there is nothing to drop, or features have to be dropped by hand, as the recipe's text does not list them.
    """

    names: tuple[str, ...]
    title: str = ""
    body: str = ""
    why: str = ""
    text: str = ""


def pruned(verdict: Mapping[str, Any], contract: Contract, recipe: str) -> Pruned:
    """What to drop of *contract* in the text *recipe*: features whose permutation importance has an interval with zero."""
    measured = [each for each in verdict.get("features") or () if each["name"] in contract.feature_names]
    if not measured:
        return Pruned((), why="nothing to drop: the verdict measured no feature of this recipe")
    useless = sorted((each for each in measured if not each["shown"]), key=lambda each: each["benefit"])[
        : len(contract.features) - 1
    ]
    if not useless:
        return Pruned((), why="nothing to drop: all features have significant permutation importance")
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
    title = f"Drop {count} without significant permutation importance: {', '.join(names)}"
    dropped = [each for each in useless if each["name"] in names]
    return Pruned(tuple(names), title, _body(verdict, dropped), why, recipe)


def _by_hand(reasons: Mapping[str, str]) -> str:
    """Instructions for features that the recipe's text does not list."""
    lines = "\n".join(f"- {name}: {reason}" for name, reason in reasons.items())
    return f"""\
These features show no significant permutation importance, but were not dropped: the recipe's text does not list them one by one.

{lines}

To drop one, remove it where it is listed and name it in the contract's `retired`; then open a pull request."""


def _body(verdict: Mapping[str, Any], dropped: Iterable[Mapping[str, Any]]) -> str:
    rows = "\n".join(
        f"| {text(each['name'])} | {each['benefit']:+.5f} ({each['low']:+.5f} to {each['high']:+.5f}) |"
        for each in dropped
    )
    candidate = verdict.get("candidate") or {}
    return f"""\
The permutation importance of {text(candidate.get("version", "the live model"))}: by how much the loss of fresh rows grows
when a feature's values are permuted. The intervals of these features contain zero.

| feature | permutation importance |
|---|---:|
{rows}

The gate judges this proposal like any other: it trains the recipe without them and compares. Correlated features share
their importance, so two that look useless may not both be: if the gate rejects this, drop them one at a time
(`python -m model feature drop NAME`, which also lists the users of a feature). Clients may go on sending them.
"""


def without(contract: Contract, name: str) -> Contract:
    """The contract with a feature retired, and removed from the slices."""
    return replace(
        contract,
        features=tuple(each for each in contract.features if each.name != name),
        slices=tuple(each for each in contract.slices if each != name),
        retired=(*contract.retired, contract.feature(name)),
    )
