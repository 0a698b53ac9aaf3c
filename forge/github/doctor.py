"""`python -m forge doctor`: what is in working order and what is not, each with the step to take. Read-only."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from forge.github.guardrails import findings
from forge.interface import Forge, ForgeError
from forge.order_inputs import in_order
from forge.workflow_output import summary

#: Exit codes: all is right; some is not; nothing is known to be wrong, but some could not be checked.
SET, NOT_SET, NOT_CHECKED = 0, 3, 4
_MARKS = {"set": "right", "not set": "NOT RIGHT", "not checked": "NOT CHECKED"}


def doctor(args: argparse.Namespace, forge: Forge) -> int:
    """Print each finding, with the step to take; what could not be checked does not pass."""
    settings = getattr(forge, "settings", None)
    if args.settings and settings is None:
        raise ForgeError(
            "a forge in a folder has no guard rails; type --forge github:OWNER/NAME, or leave out --settings"
        )
    found = findings(settings()) if args.settings and settings else [*in_order(forge, args.forge, datetime.now(UTC))]
    lines = []
    for each in found:
        lines.append(f"{_MARKS[each.state]:<12} {each.what}")
        if each.step:
            lines.append(f"{'':<12} → {each.step}")
    states = [each.state for each in found]
    lines.append(
        f"{states.count('set')} of {len(found)} are right, {states.count('not set')} are not,"
        f" {states.count('not checked')} could not be checked"
    )
    print("\n".join(lines), flush=True)
    summary("```text\n" + "\n".join(lines) + "\n```")
    if "not set" in states:
        return NOT_SET
    return NOT_CHECKED if "not checked" in states else SET
