"""Conflicts: rows of the same key and time with different outcomes or values."""

from __future__ import annotations

from typing import Any

import pandas as pd

from checks.evidence import Evidence
from checks.verdict import Finding, ruled
from contracts.gate_limits import Rows
from contracts.row_contract import Contract


def conflicts(evidence: Evidence, limits: Rows) -> Finding:
    """Rows of the same key and time have the same outcome and values.

    Any number is named, with an example. The rule holds the candidate where the share of rows in conflict exceeds that
    of the champion's rows by more than the limit. Without a champion's rows, and where keys recur at one time as a
    matter of course, it only reports.
    """
    contract, before = evidence.contract, evidence.past.before
    rows = pd.concat([evidence.train, evidence.holdout], ignore_index=True)
    outcomes, values, example = _conflicting(rows, contract)
    share, was = outcomes.mean(), 0.0
    if before is not None and contract.target.name in before:
        was = float(_conflicting(before, contract)[0].mean())
    any_share, any_was = values.mean(), 0.0
    if before is not None and set(contract.feature_names) <= set(before):
        any_was = float(_conflicting(before, contract)[1].mean())
    observed = "no rows of the same key and time differ"
    if values.any():
        observed = (
            f"{int(values.sum()):,} of {len(rows):,} rows have the key and time of another row and differ from it,"
            f" {int(outcomes.sum()):,} of them in {contract.target.name}, such as {example}"
        )
        observed += f"; {any_was:.2%} of the champion's rows did" if before is not None else ""
    fails = max(share - was, any_share - any_was) > limits.max_conflicts
    return ruled(
        "data.conflicts",
        not fails,
        observed,
        f"at most {limits.max_conflicts:.1%} of rows more than in the champion's",
        "At most one of them is right; both are trained on.",
        "warn" if before is None or limits.severity == "warn" else "hold",
    )


def _conflicting(rows: pd.DataFrame, contract: Contract) -> tuple[Any, Any, str]:
    """Masks of the rows whose outcome, and whose outcome or features, differ from another row's; and an example."""
    names = [contract.key, contract.time]
    few = rows[rows.duplicated(names, keep=False)]
    if few.empty:
        nothing = pd.Series(False, index=rows.index)
        return nothing, nothing, ""
    group = few.groupby(names, sort=False).ngroup()
    columns = [name for name in (contract.target.name, *contract.feature_names) if name in few]
    codes = {name: pd.Series(pd.factorize(few[name])[0], few.index).groupby(group) for name in columns}
    differs = {name: each.transform("max") != each.transform("min") for name, each in codes.items()}
    outcomes = differs[contract.target.name].reindex(rows.index, fill_value=False)
    values = pd.concat(differs, axis=1).any(axis=1).reindex(rows.index, fill_value=False)
    if not values.any():
        return outcomes, values, ""
    chosen = (outcomes if outcomes.any() else values).idxmax()
    which = [name for name in columns if differs[name][chosen]]
    same = few[group == group[chosen]]
    word = which[0] if which[0] not in contract.private else ""
    shown = " and ".join(_shown(each, word, contract) for each in list(dict.fromkeys(same[which[0]]))[:2])
    key = "(private)" if contract.key in contract.private else rows.loc[chosen, contract.key]
    what = f"{which[0]} = {shown}" if word else f"{which[0]} (private)"
    return outcomes, values, f"{key} at {rows.loc[chosen, contract.time]:%Y-%m-%d %H:%M} with {what}"


def _shown(value: Any, name: str, contract: Contract) -> str:
    if name == contract.target.name and contract.task != "regression":
        return str(contract.target.classes[int(value)])
    return f"{value:g}" if isinstance(value, float) else str(value)
