"""The drill's section of BENCHMARKS.md: the gate and its peers on the same variants. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from drill.harm_score import HARMFUL, harm_score, harm_sentence, harm_table, held_beyond, is_harmful, result_of, summed
from drill.score import Outcome, sentence

Drills = Mapping[str, Mapping[str, Any]]
RESULTS = {
    "own": "REJECT",
    "other": "REJECT, another rule",
    "named": "HOLD, reason named",
    "held": "HOLD, missed",
    "promoted": "PROMOTE, missed",
}


def markdown(drills: Drills, peers: Drills) -> str:
    """The section on the *drills* of some streams; *peers*: by stream, the result of `drill.peer_suites.compare`."""
    seeds = ", ".join(f"{name}: seed {drill['seed']}, as of {drill['today']}" for name, drill in drills.items())
    first = next(iter(drills.values()))
    total = summed([harm_score(drill) for drill in drills.values()])
    lines = [
        "## The drill",
        "",
        (
            "Variants of faults, with days, shares, features and segments drawn at random, injected into a stream's data,"
            f" recipe and bundle, one at a time (about {first['rows']:,} rows). {harm_sentence(total)}."
            f" Written by `make drill STREAM=FILE PEERS=all` on {first['when']}, on {first['machine']}; {seeds}."
        ),
        "",
        (
            "Harm is measured on truth: the loss of the faulty candidate on the rows of the month after its window, loaded"
            " without the fault, compared with a clean candidate's that was trained on the same window."
        ),
        "",
        *harm_table(drills),
        "",
        *_beside(drills, peers),
        "",
        *next(iter(peers.values()), {}).get("notes", ()),
        "",
        *_unseen(drills),
    ]
    for name, drill in drills.items():
        lines += ["", f"<details><summary>{name}: {sentence(drill['score'])}</summary>", ""]
        lines += [*_table(drill, peers.get(name, {})), "", "</details>"]
    return "\n".join([*lines, ""])


def _beside(drills: Drills, peers: Drills) -> list[str]:
    """The gate and each peer: harmful faults found, clean nights with an alarm."""
    harmful = [(name, each) for name, drill in drills.items() for each in drill["faults"] if is_harmful(each)]
    nights = [(name, each) for name, drill in drills.items() for each in drill["clean"]]
    found = sum(result_of(each) in ("own", "other", "named") for _, each in harmful)
    alarms = sum(each["decision"] not in ("PROMOTE", "HOLD") or held_beyond(each) for _, each in nights)
    lines = [
        "| | harmful faults found | clean candidates with an alarm | conditions that fail for the unchanged candidate |",
        "|---|---:|---:|---:|",
        (
            f"| **the gate** | **{found} of {len(harmful)}** | **{alarms} of {len(nights)}**"
            f" | {_most(len(drill['usual']) for drill in drills.values())} |"
        ),
    ]
    for peer in next(iter(peers.values()), {}).get("peers", {}):
        by = {name: each["peers"][peer] for name, each in peers.items()}
        seen = sum(bool(by[name]["by"].get(each["name"])) for name, each in harmful if name in by)
        false = sum(bool(by[name]["clean"].get(each["name"])) for name, each in nights if name in by)
        title, usual = next(iter(by.values()))["title"], _most(len(each["usual"]) for each in by.values())
        lines.append(f"| {title} | {seen} of {len(harmful)} | {false} of {len(nights)} | {usual} |")
    return lines


def _most(counts: Iterable[int]) -> str:
    return f"up to {max(counts, default=0)}"


def _unseen(drills: Drills) -> list[str]:
    """What a missed fault needs to be seen, where that is known."""
    missed = [each for drill in drills.values() for each in drill["faults"] if is_harmful(each)]
    needs: dict[str, list[str]] = {}
    for each in missed:
        if each["needs"] and result_of(each) in ("held", "promoted"):
            needs.setdefault(each["needs"], []).append(each["name"])
    return [
        f"Not to be seen in what the gate has, but in {what}: {', '.join(sorted(set(names)))}."
        for what, names in needs.items()
    ]


def _table(drill: Mapping[str, Any], peers: Mapping[str, Any]) -> list[str]:
    others = list(peers.get("peers", {}).values())
    columns = ["fault", "next month's loss", "the gate", *(peer["title"] for peer in others)]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for each in sorted(drill["faults"], key=lambda each: -(each["harm"] or 0)):
        loss = "not measured" if each["harm"] is None else f"{each['harm']:+.3f}"
        cells = [f"{each['name']}: {each['what']}", loss, _ours(each)]
        cells += [", ".join(peer["by"].get(each["name"], ())[:2]) or "missed" for peer in others]
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return lines


def _ours(each: Outcome) -> str:
    rules = ", ".join([*each["own"], *each["also"]][:2])
    if each["harm"] is None:
        return rules if each["caught"] else "missed"
    result = RESULTS[result_of(each)]
    if result_of(each) == "held" and each["decision"] != "HOLD":
        result = f"{each['decision']} like the unchanged candidate, missed"
    if not is_harmful(each):
        result = f"{result.removesuffix(', missed')} (below {HARMFUL})"
    return f"{result}: {rules}" if rules else result
