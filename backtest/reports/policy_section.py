"""The section of BENCHMARKS.md on policies: what each realised on several streams. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.comparison_limits import LARGER_IS_BETTER
from reporting.markdown import table_row

#: The policies of the table; a stream without one has an empty cell.
POLICIES = ("never", "always", "proven", "expected")
#: `expected` may realise at most so much more loss than the best of the others.
GOAL = 0.01


def policy_section(streams: Mapping[str, Mapping[str, Any]], facts: Sequence[str], absent: Sequence[str]) -> str:
    """The section on *streams*, by name what backtest.json holds; *absent* says which streams were not run, and why."""
    lines = [
        "## Policies of landing",
        "",
        (
            "Realised performance in the days after each decision, by the product itself: evaluation models judge, release"
            " models trained on all rows serve. In brackets the standard error of the paired difference to `proven`."
            " Decisions are PROMOTE / HOLD / REJECT. Written by `make bench-policy`; " + "; ".join(facts) + "."
        ),
        "",
        table_row(["stream", "decisions", "metric", *POLICIES, "proven decided", "expected decided"]),
        table_row(["---", "---:", "---", *["---:"] * len(POLICIES), "---", "---"]),
        *(_row(name, found) for name, found in streams.items()),
        "",
        *_goals(streams),
    ]
    return "\n".join([*lines, *(f"- not run: {line}" for line in absent), ""])


def _row(name: str, found: Mapping[str, Any]) -> str:
    policies = found["policies"]
    span = f"{len(found['nights']) - 1}, every {found['every']} days from {found['nights'][0]}"
    decided = [_decided(policies.get(each)) for each in ("proven", "expected")]
    return table_row([name, span, found["metric"], *(_cell(found, each) for each in POLICIES), *decided])


def _cell(found: Mapping[str, Any], name: str) -> str:
    policy = found["policies"].get(name)
    if policy is None:
        return "not run"
    loss, error = policy["loss"]["value"], policy["better"]["error"]
    value = -loss if found["metric"] in LARGER_IS_BETTER else loss
    shown = f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
    return shown if name == "proven" or error is None else f"{shown} ({error:.4f})"


def _decided(policy: Mapping[str, Any] | None) -> str:
    if policy is None:
        return "not run"
    return " / ".join(str(policy["decisions"].get(each, 0)) for each in ("PROMOTE", "HOLD", "REJECT"))


def _goals(streams: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Whether `expected` meets the two goals on each stream."""
    lines = []
    for name, found in streams.items():
        losses = {each: policy["loss"]["value"] for each, policy in found["policies"].items() if each in POLICIES}
        if "expected" not in losses or "proven" not in losses or found["metric"] in LARGER_IS_BETTER:
            continue
        ours, best = losses["expected"], min(value for each, value in losses.items() if each != "expected")
        more = ours / best - 1
        met = "met" if more <= GOAL and ours <= losses["proven"] else "missed"
        lines.append(
            f"- {name}: `expected` realised {more:+.1%} of loss against the best of the others, and"
            f" {ours / losses['proven'] - 1:+.1%} against `proven` (goals: at most {GOAL:+.0%}, and not above 0): {met}"
        )
    return lines
