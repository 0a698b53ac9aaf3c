"""The parts of the backtest's report, which Markdown and HTML share: words, a table, and a chart. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backtest.results.length_results import LengthResult
from backtest.results.policy_results import PolicyResult
from backtest.results.realised_loss import Realised
from backtest.results.rule_outcomes import PERIODS_AFTER, Night, RuleOutcome
from backtest.results.staleness_curve import Point
from backtest.results.weighted_means import Mean
from checks.reports.evidence_charts import Chart


@dataclass(frozen=True)
class Part:
    """A section: *words* below its *heading*, a table of *rows* under *heads*, and a chart, each if there is one."""

    id: str
    heading: str
    words: tuple[str, ...]
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    chart: Chart | None = None


def policy_part(found: Sequence[PolicyResult], realised: Realised, against: str) -> Part:
    """Realised performance by policy, with paired differences, decisions and worst period."""
    heads = (
        "policy",
        "what it does",
        realised.metric,
        f"better than {against} (95 % interval)",
        "landed",
        "PROMOTE",
        "HOLD",
        "REJECT",
        "worst period",
    )
    rows = tuple(
        (
            each.name,
            each.path.policy.words,
            number(realised.shown(each.loss.value)),
            "" if each.name == against else between(each.better),
            str(each.landed),
            *(_times(each, decision) for decision in ("PROMOTE", "HOLD", "REJECT")),
            "never behind" if each.worst is None else f"{realised.labels[each.worst]}: {each.cost:.4f} behind the best",
        )
        for each in found
    )
    values = tuple(realised.shown(each.loss.value) for each in found)
    words = (
        (
            f"Realised {realised.metric} in the periods after each night, weighted by rows. Differences are paired by night;"
            " their intervals allow for correlation between successive nights."
        ),
    )
    chart = Chart(f"Realised {realised.metric} by policy", realised.metric, "", _names(found), values, across="policy")
    return Part("policies", "Policies", words, heads, rows, chart if all(map(math.isfinite, values)) else None)


def staleness_part(points: Sequence[Point], metric: str) -> Part:
    """How much more a model loses as it gets older."""
    if len(points) < 2:
        return Part("staleness", "Staleness", ("There are too few nights for a curve.",))
    rows = tuple(
        (str(each.age_days), number(each.loss), f"{each.more:+.4f}", f"{each.error:.4f}", str(each.nights))
        for each in points
    )
    later = [each for each in points if each.age_days]
    clear = next((each for each in later if each.more > 1.96 * each.error), None)
    words = (
        (
            f"The loss by the age of the served model, in days; every age is compared with the newest model on the same"
            f" periods. {_worth(clear)}"
        ),
    )
    chart = Chart(
        f"Additional loss ({metric}) by age",
        metric,
        "",
        tuple(str(each.age_days) for each in points),
        tuple(max(each.more, 0.0) for each in points),
        across="age in days",
    )
    heads = ("age in days", f"loss ({metric})", "more than the newest", "standard error", "periods")
    drawn = chart if any(chart.bars) else None
    return Part("staleness", "Staleness", words, heads, rows, drawn)


def lengths_part(found: Sequence[LengthResult], nights: int) -> Part:
    """What other lengths of the window and of the holdout would have earned."""
    if not found:
        return Part("lengths", "Window and holdout", ("No other lengths were fitted.",))
    words = (
        (
            f"Fitted on {nights} nights, evenly spread, and measured in the period after each, against the release model"
            " (the recipe's window, trained on all its rows). A model with a holdout is the evaluation model, if it served."
        ),
    )
    rows = tuple((each.of, f"{each.share:g} times", between(each.better), str(each.better.count)) for each in found)
    return Part("lengths", "Window and holdout", words, ("length", "the recipe's own", "better by", "nights"), rows)


def rules_part(
    found: Sequence[RuleOutcome], missed: Sequence[Night], realised: Realised, policy: str, margin: float
) -> Part:
    """Rules that stopped candidates, by how those turned out; and bad candidates that nothing stopped."""
    words = [
        (
            f"The nights of the policy {policy}. A candidate turned out better or worse than the champion if their realised"
            f" losses in the next {PERIODS_AFTER} periods differ by more than the margin, {margin:g}."
        )
    ]
    words += [
        f"Nothing stopped the candidate of {realised.labels[night.number]}, which turned out worse by {-night.earned:.4f}."
        for night in missed
    ] or ["Every candidate that was promoted turned out worse by less than the margin, or better."]
    rows = tuple((each.rule, str(each.better), str(each.as_good), str(each.worse)) for each in found)
    heads = ("rule that stopped the candidate", "it was better", "as good", "worse")
    return Part(f"rules-{policy}", f"Rules: {policy}", tuple(words), heads if rows else (), rows)


def between(gap: Mean) -> str:
    """A paired difference with its interval."""
    low, high = gap.interval
    if not math.isfinite(gap.value):
        return "not measured"
    return f"{gap.value:+.4f}" + (f" ({low:+.4f} to {high:+.4f})" if math.isfinite(low) else " (too few nights)")


def number(value: float) -> str:
    """A metric as text."""
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def _worth(clear: Point | None) -> str:
    if clear is None:
        return (
            "No age is clearly worse than the newest: on this stream retraining more often earned nothing measurable."
        )
    return f"From {clear.age_days} days on the loss is clearly higher (by {clear.more:.4f} there)."


def _times(each: PolicyResult, decision: str) -> str:
    return str(each.decisions[decision]) if each.path.policy.kind == "gate" else ""


def _names(found: Sequence[PolicyResult]) -> tuple[str, ...]:
    return tuple(each.name for each in found)
