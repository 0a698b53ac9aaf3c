"""Error rates and duration of an experiment, compared with a test on a fixed day.

python -m bench.experiment_errors          writes its section of BENCHMARKS.md

Visitors are simulated; the rest is the code of `python -m monitoring experiment`: sample ratio, coverage, adjustment,
confidence sequences, states.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

import numpy as np
import pandas as pd

from bench.sections import put
from contracts.release_policy import Experiment, Measures
from contracts.row_contract import Contract, Feature, Target
from contracts.thresholds import read_rules
from forge.closed_pipes import ignore_closed_pipes
from monitoring.experiment.aggregates import ExperimentSums
from monitoring.experiment.experiment_units import Split, Units
from monitoring.experiment.variant_comparison import Result, compare, measures

DAYS = 60
RATE, LIFT = 0.10, 0.05
#: The effect of a visitor's features on the purchase: three standard normal numbers.
SLOPES = (0.7, 0.4, 0.2)
CONTRACT = Contract(
    name="shop",
    task="binary",
    key="visitor",
    time="at",
    features=tuple(Feature(f"x{number}", "number") for number in range(len(SLOPES))),
    target=Target("bought", ("no", "yes")),
)


@dataclass(frozen=True)
class Site:
    """New visitors per day, the challenger's share, and its lift of the rate."""

    visitors: int
    share: float
    lift: float = 0.0
    features: bool = False


def drawn(site: Site, seed: int) -> Units:
    """Sixty days of visitors who buy or do not."""
    rng = np.random.default_rng(seed)
    count = site.visitors * DAYS
    challenger = rng.random(count) < site.share
    rate = RATE * (1 + site.lift * challenger)
    columns: dict[str, Any] = {}
    if site.features:
        x = rng.normal(size=(count, len(SLOPES)))
        odds = np.exp(x @ np.array(SLOPES))
        rate = rate * odds / math.exp(sum(slope**2 for slope in SLOPES) / 2)  # its mean stays
        columns = {f"row.x{number}": x[:, number] for number in range(len(SLOPES))}
    bought = (rng.random(count) < np.minimum(rate, 1.0)).astype(float)
    frame = pd.DataFrame(
        {
            "key": np.arange(count),
            "day": np.repeat(np.arange(DAYS), site.visitors),
            "challenger": challenger,
            "labelled": True,
            "outcome": bought,
            **columns,
        }
    )
    return Units(frame, DAYS)


def looked_at(site: Site, rules: Experiment, seed: int) -> tuple[Result, pd.DataFrame]:
    """The results of sixty daily runs: the sequence of a result has each day's interval at that time."""
    units = drawn(site, seed)
    split = Split("champion", "challenger", "2026-01-01T00:00:00Z", site.share)
    sums = ExperimentSums(split, CONTRACT, measures(rules, CONTRACT.task, shadow=False))
    sums.add(units)
    return compare(sums, split, CONTRACT, rules), units.frame


def naive(frame: pd.DataFrame) -> Iterator[float]:
    """The z of a two-sample test, at the end of each day."""
    arms = [frame[frame["challenger"] == arm].groupby("day")["outcome"] for arm in (False, True)]
    counts, sums = ([arm.agg(how).cumsum() for arm in arms] for how in ("count", "sum"))
    rates = [total / count for total, count in zip(sums, counts, strict=True)]
    noise = sum(rate * (1 - rate) / count for rate, count in zip(rates, counts, strict=True))
    yield from (rates[1] - rates[0]) / np.sqrt(noise)


def fixed_days(site: Site, power: float) -> int:
    """Days that a single two-sided z-test at 5 % needs to find the lift with this *power*."""
    normal = NormalDist()
    quantiles = normal.inv_cdf(0.975) + normal.inv_cdf(power)
    better = RATE * (1 + site.lift)
    noise = RATE * (1 - RATE) / (1 - site.share) + better * (1 - better) / site.share
    return math.ceil(quantiles**2 * noise / (better - RATE) ** 2 / site.visitors)


def won_on(result: Result, rules: Experiment) -> int | None:
    """The first day with the state *wins*; without guardrails it depends on the interval only."""
    low = result.measures[0].sequence.low
    days = [day + 1 for day in np.flatnonzero(low > 0) if day + 1 >= 7 * rules.min_weeks]
    return int(days[0]) if days else None


def document(runs: int, rules: Experiment) -> str:
    """The section, as Markdown."""
    began = time.monotonic()
    rules = replace(rules, binary=Measures("outcome", {"outcome": 0.002}))
    lines = [
        "## Experiments",
        "",
        (
            f"`make bench-experiment`: {DAYS} days of simulated visitors, {RATE:.0%} of which buy, analysed every day;"
            f" alpha is {rules.alpha:g}. The z-test is analysed as often."
        ),
        "",
        f"**Nothing to find** (A/A, {runs} runs each)",
        "",
        "| visitors a day, challenger's share | false winners, from day 1 | false winners, as judged | truth ever outside | broken | z-test: false winners | z-test: truth ever outside |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for site in (Site(200, 0.5), Site(1000, 0.5), Site(1000, 0.1), Site(400, 0.5, features=True)):
        lines.append(_nothing(site, runs, rules))
        _say(began, lines[-1])
    few = max(1, runs // 5)
    lines += [
        "",
        f"**A lift of {LIFT:.0%}** (A/B, {few} runs each; a rate of {RATE:.1%} becomes {RATE * (1 + LIFT):.1%})",
        "",
        "| visitors a day, challenger's share | found within 60 days | days: median | days: 90 % | z-test at one day: 80 % power | 95 % power |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for site in (Site(8000, 0.5, LIFT), Site(8000, 0.5, LIFT, features=True)):
        lines.append(_lift(site, few, rules))
        _say(began, lines[-1])
    lines += [
        "",
        (
            'A winner needs two whole weeks (`min_weeks`), so no fewer than 14 days; "from day 1" is without that. Lines'
            " that say so reduce the variance by the features (CUPED). The z-test's days are those of a plan that knew"
            " the lift: half the lift would need four times as long, without an earlier analysis; the sequence needs"
            " no plan, and ends sooner if the lift is larger."
        ),
    ]
    return "\n".join(lines)


def _nothing(site: Site, runs: int, rules: Experiment) -> str:
    found = dict.fromkeys(("early", "judged", "outside", "broken", "z above", "z outside"), 0)
    for seed in range(runs):
        result, frame = looked_at(site, rules, seed)
        band = result.measures[0].sequence
        z = np.array(list(naive(frame)))
        found["early"] += bool((band.low > 0).any())
        found["judged"] += won_on(result, rules) is not None
        found["outside"] += bool(((band.low > 0) | (band.high < 0)).any())
        found["broken"] += result.decision.state == "broken"
        found["z above"] += bool((z > 1.96).any())
        found["z outside"] += bool((np.abs(z) > 1.96).any())
    return f"| {_site(site)} | " + " | ".join(f"{n / runs:.1%}" for n in found.values()) + " |"


def _lift(site: Site, runs: int, rules: Experiment) -> str:
    won = [won_on(looked_at(site, rules, seed)[0], rules) for seed in range(runs)]
    days = sorted(day if day is not None else math.inf for day in won)
    late = days[math.ceil(0.9 * runs) - 1]
    return (
        f"| {_site(site)} | {sum(day is not None for day in won) / runs:.0%} | {_day(median(days))} | {_day(late)}"
        f" | {fixed_days(site, 0.8)} | {fixed_days(site, 0.95)} |"
    )


def _site(site: Site) -> str:
    more = ", with features" if site.features else ""
    return f"{site.visitors:,}, {site.share:.0%}{more}"


def _day(day: float) -> str:
    return f"{day:g}" if math.isfinite(day) else f"over {DAYS}"


def _say(began: float, words: str) -> None:
    print(f"[{time.monotonic() - began:4.0f} s] {words}", flush=True)


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser("python -m bench.experiment_errors", description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("BENCHMARKS.md"))
    args = parser.parse_args()
    rules = read_rules(Path("checks/thresholds.toml")).experiment
    put(args.out, "experiment", document(args.runs, rules))


if __name__ == "__main__":
    ignore_closed_pipes()
    main()
