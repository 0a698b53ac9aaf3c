"""The debt ledger as a page of Markdown, whose hidden line is read for the next one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby

from checks.debt.debt_items import Debt, removed
from reporting.hidden_lines import hidden_line, recorded_values
from reporting.markdown import text


def ledger_title(debts: Sequence[Debt], page: str) -> str:
    """The counts of a *page* as a sentence."""
    return f"Debt ledger: {len(debts)} open, {_last(page)[1]} removed so far"


def debt_page(debts: Sequence[Debt], unseen: Mapping[str, str], before: str, today: date) -> str:
    """The page; *before* is the text of the last one ("" for none).

    *unseen* has the kinds that could not be looked at, each with the reason: a debt of such a kind stays in the record, and
    is not counted as removed.
    """
    names, count = _last(before)
    gone = removed(names, debts, unseen)
    kept = sorted({each.key for each in debts} | ({*names} - {*gone}))
    lines = [
        "# Debt ledger",
        "",
        f"As of {today}, by `python -m checks debt`: {len(debts)} open, {count + len(gone)} removed so far.",
    ]
    for kind, group in groupby(sorted(debts), key=lambda debt: debt.kind):
        lines += ["", f"## {kind[0].upper()}{kind[1:]}", "", "| what | why | remove it |", "|---|---|---|"]
        lines += [f"| {text(each.name)} | {text(each.why, 2000)} | {text(each.cure)} |" for each in group]
    if gone:
        lines += ["", "## Removed since the last ledger", "", *(f"- {text(each)}" for each in gone)]
    if unseen:
        lines += [
            "",
            "## Could not be looked at",
            "",
            *(f"- {text(kind)}: {text(why)}" for kind, why in unseen.items()),
        ]
    record = hidden_line("debts", {"open": kept, "removed": count + len(gone)})
    return "\n".join(lines) + f"\n\n{record}\n"


def _last(page: str) -> tuple[list[str], int]:
    """The keys of the open debts of a *page*, and how many were removed until then."""
    read = recorded_values(
        "debts", [page], lambda found: ([str(each) for each in found["open"]], int(found["removed"]))
    )
    return read[-1] if read else ([], 0)
