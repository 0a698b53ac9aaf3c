"""The score of a drill's outcomes: numbers, a table for the terminal, and Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Outcome = Mapping[str, Any]
#: The family of clean candidates, and the name of the unchanged one.
CLEAN, UNCHANGED = "clean", "as it is"


def score(faults: Sequence[Outcome], clean: Sequence[Outcome], left_out: Sequence[Outcome] = ()) -> dict[str, int]:
    """Counts of faults, faults caught, and faults caught by their rules only; of clean candidates, and those rejected.

    *left_out* are the cases that do not apply to the recipe; they are counted separately.
    """
    return {
        "faults": len(faults),
        "caught": sum(each["caught"] for each in faults),
        "precisely": sum(each["caught"] and not each["beyond"] for each in faults),
        "clean": len(clean),
        "rejected": sum(each["decision"] not in ("PROMOTE", "HOLD") for each in clean),
        "left_out": len(left_out),
    }


def sentence(found: Mapping[str, int]) -> str:
    """The score as a sentence."""
    left_out = found.get("left_out", 0)
    more = f"; {left_out} do{'es' if left_out == 1 else ''} not apply to this recipe" if left_out else ""
    return (
        f"{found['caught']} of {found['faults']} faults caught by the expected rules,"
        f" {found['precisely']} of them without a failure of an unrelated rule;"
        f" {found['rejected']} of {found['clean']} clean candidates rejected{more}"
    )


def summary(drill: Mapping[str, Any]) -> list[str]:
    """A line for each fault missed, clean candidate rejected, and case that does not apply."""
    return [
        *(
            line(each)
            for each in drill["faults"]
            if (each["harm"] is None and not each["caught"]) or (each["caught"] and each["beyond"])
        ),
        *(
            f"REJECTED though clean: {each['name']}: {each['said']}"
            for each in drill["clean"]
            if each["decision"] not in ("PROMOTE", "HOLD")
        ),
        *(f"does not apply: {each['name']}: {each['why']}" for each in drill["left_out"]),
    ]


def line(each: Outcome) -> str:
    """One outcome, for the terminal."""
    if each["caught"]:
        return f"caught  {each['name']}: {', '.join(each['own'])}" + (
            f" (and {', '.join(each['beyond'])}, unrelated)" if each["beyond"] else ""
        )
    warned = f" (only a warning: {', '.join(each['warned'])})" if each["warned"] else ""
    also = f", stopped by {', '.join(each['also'])}" if each["also"] else ""
    return f"MISSED  {each['name']}: {each['decision']}{also}{warned}"
