"""The score on truth: what the gate did about the faults that would have made the next month's loss worse. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Outcome = Mapping[str, Any]
Result = Literal["own", "other", "named", "held", "promoted"]
#: A fault is harmful if the next month's loss is worse by this much.
HARMFUL = 0.002
#: Rules of the comparison: its HOLD says that two models were compared, not what is wrong.
COMPARISON = ("compare.", "calibration.", "slice.", "slices.")
#: The goal: shares of harmful faults found, of clean nights rejected, and of those held beyond the comparison.
FOUND, REJECTED, HELD = 0.9, 0.02, 0.1


def result_of(each: Outcome) -> Result:
    """What happened to a fault.

    `own`: rejected by one of its rules; `other`: rejected by another rule; `named`: HOLD, and the verdict's first
    sentence names one of its rules; `held`: HOLD for another reason; `promoted`. What rejects the unchanged candidate,
    too, does not count.
    """
    if each["decision"] == "PROMOTE":
        return "promoted"
    if each["decision"] != "HOLD" and (each["own"] or each["also"]):
        return "own" if each["own"] else "other"
    return "named" if each["decision"] == "HOLD" and each["named"] else "held"


def is_harmful(each: Outcome) -> bool:
    """Whether the harm of a fault was measured, and is large enough."""
    return each["harm"] is not None and each["harm"] >= HARMFUL


def harm_score(drill: Mapping[str, Any]) -> dict[str, int]:
    """Counts: harmful faults by result, faults with a measured harm, and clean nights by decision."""
    measured = [each for each in drill["faults"] if each["harm"] is not None]
    results = [result_of(each) for each in measured if is_harmful(each)]
    nights = [*drill["unchanged"], *drill["clean"]]
    return {
        "measured": len(measured),
        "harmful": len(results),
        **{name: results.count(name) for name in ("own", "other", "named", "held", "promoted")},
        "nights": len(nights),
        "rejected": sum(each["decision"] not in ("PROMOTE", "HOLD") for each in nights),
        "held_beyond": sum(held_beyond(each) for each in nights),
    }


def held_beyond(each: Outcome) -> bool:
    """Whether a clean night is held although the comparison alone would not hold it."""
    causes = [*each["own"], *each["also"], *each["open"]]
    return each["decision"] == "HOLD" and not any(rule.startswith(COMPARISON) for rule in causes)


def summed(scores: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The sum of several streams' scores."""
    return {name: sum(each[name] for each in scores) for name in scores[0]}


def harm_sentence(found: Mapping[str, int]) -> str:
    """The score as a sentence."""
    good = found["own"] + found["other"] + found["named"]
    share = f" ({good / found['harmful']:.0%}; the goal is {FOUND:.0%})" if found["harmful"] else ""
    return (
        f"{found['harmful']} of {found['measured']} faults make the next month's loss worse by {HARMFUL} or more;"
        f" {good} of them{share} are rejected, or held with the reason in the first sentence;"
        f" {found['promoted']} are promoted. Of {found['nights']} clean nights {found['rejected']} are rejected,"
        f" {found['held_beyond']} held for another reason than the comparison"
    )


def harm_table(drills: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A row for each stream and one for all of them, as Markdown."""
    scores = {name: harm_score(drill) for name, drill in drills.items()}
    if len(scores) > 1:
        scores["all"] = summed(list(scores.values()))
    columns = ["stream", "measured", "harmful", "REJECT, own reason", "REJECT, other", "HOLD, reason named"]
    columns += ["HOLD, other", "PROMOTE", "found", "clean nights", "REJECT", "HOLD beyond comparison"]
    lines = [f"| {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) - 1)]
    for name, each in scores.items():
        good = each["own"] + each["other"] + each["named"]
        share = f"{good / each['harmful']:.0%}" if each["harmful"] else "-"
        numbers = (*(each[key] for key in ("measured", "harmful", "own", "other", "named", "held", "promoted")), share)
        nights = (each["nights"], each["rejected"], each["held_beyond"])
        lines.append(f"| {name} | {' | '.join(str(value) for value in (*numbers, *nights))} |")
    return lines


def missed_lines(drill: Mapping[str, Any]) -> list[str]:
    """A line for each harmful fault that was held for another reason or promoted, the most harmful first."""
    missed = [each for each in drill["faults"] if is_harmful(each) and result_of(each) in ("held", "promoted")]
    return [
        f"MISSED  {each['name']}: {each['what']}: loss worse by {each['harm']:.3f}; {each['decision']}: {each['said']}"
        for each in sorted(missed, key=lambda each: -each["harm"])
    ]
