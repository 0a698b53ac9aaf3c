"""A typical row that the contract admits, for the form of the status page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median_low
from typing import Any

from contracts.row_contract import MAX_FLOAT32, Contract, Feature

#: Golden rows that are used: the first ones are spread over the holdout.
ROWS = 50
#: Digits of a number: enough for a year or a minute of the day, too few to identify a person.
DIGITS = 6


def typical_row(contract: Contract, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """For each feature the median, or the most frequent value, of the golden rows in *manifest*.

    Golden rows are real, so each column is taken by itself, and a private feature is made up; so is
    one without a value that fits.
    """
    rows, seen = manifest["golden"]["rows"][:ROWS], categories(contract, manifest)
    private = contract.private
    return {
        each.name: _usual(each, [row.get(each.name) for row in rows if each.name not in private], seen[each.name])
        for each in contract.features
    }


def categories(contract: Contract, manifest: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """For each feature, the categories seen in training; none for a private feature."""
    seen = manifest.get("data", {}).get("categories", {})
    return {each.name: () if each.name in contract.private else seen.get(each.name, ()) for each in contract.features}


def _usual(feature: Feature, values: Sequence[Any], seen: Sequence[str]) -> Any:
    fit = [value for value in values if value is not None and feature.problem(value) is None]
    if feature.kind == "number":
        return _number(feature, median_low(fit) if fit else _middle(feature))
    if feature.kind == "category":
        listed = (*feature.choices, *seen)
        fit = [value for value in fit if value in listed] or [*listed[:1], "x"][:1]
    return Counter(fit or [True]).most_common(1)[0][0]


def _number(feature: Feature, value: float) -> float:
    rounded = float(f"{value:.{DIGITS}g}")
    found = rounded if feature.problem(rounded) is None else value
    return int(found) if found == int(found) and abs(found) < 2**53 else found


def _middle(feature: Feature) -> float:
    """The middle of the range, or the number nearest to 0 if the range is not bounded."""
    low = -MAX_FLOAT32 if feature.minimum is None else max(feature.minimum, -MAX_FLOAT32)
    high = MAX_FLOAT32 if feature.maximum is None else min(feature.maximum, MAX_FLOAT32)
    if feature.minimum is None or feature.maximum is None:
        return min(max(0, low), high)
    return low / 2 + high / 2
