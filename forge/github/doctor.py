"""`python -m forge doctor`: guard rails that are not set on GitHub. Read-only."""

from __future__ import annotations

import argparse

from forge.github.guardrails import findings
from forge.interface import Forge, ForgeError
from forge.workflow_output import summary

#: Exit codes: all are set; some are not set; none is known to be missing, but some could not be checked.
SET, NOT_SET, NOT_CHECKED = 0, 3, 4
_MARKS = {"set": "set", "not set": "NOT SET", "not checked": "NOT CHECKED"}


def doctor(_: argparse.Namespace, forge: Forge) -> int:
    """Print each guard rail, with the step to take; one that could not be checked does not pass."""
    settings = getattr(forge, "settings", None)
    if settings is None:
        raise ForgeError("a forge in a folder has no guard rails; type --forge github:OWNER/NAME")
    found = findings(settings())
    lines = []
    for each in found:
        lines.append(f"{_MARKS[each.state]:<12} {each.what}")
        if each.step:
            lines.append(f"{'':<12} → {each.step}")
    states = [each.state for each in found]
    lines.append(
        f"{states.count('set')} of {len(found)} are set, {states.count('not set')} are not,"
        f" {states.count('not checked')} could not be checked"
    )
    print("\n".join(lines), flush=True)
    summary("```text\n" + "\n".join(lines) + "\n```")
    if "not set" in states:
        return NOT_SET
    return NOT_CHECKED if "not checked" in states else SET
