"""Compare monitoring with other drift detectors; writes BENCHMARKS.md.

python -m bench.watch [--seeds 12] [--pools flights,generated] [--data FOLDER]

*generated* streams have no peers: false alarms on everything that moves although nothing is wrong. FOLDER may hold hotel_cancellation.parquet (Antonio et al., 2019); without it that stream is left out.
Results are kept in --work: an interrupted run continues, and a run of all pools is quick after a run of each.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.sections import put
from bench.watch import false_alarms, late_arrivals
from bench.watch.daily_streams import BEFORE, CHANGES, REFERENCE, ROWS_PER_DAY
from bench.watch.delay_svg import draw
from bench.watch.detector_peers import Adwin, evidently
from bench.watch.detector_results import WATCH, WOKEN, Result, budgets, delays, later, text_of
from bench.watch.detector_rounds import DEFAULTS, Ours, delay, limit_at, others, rate
from bench.watch.pools import pools
from bench.watch.statistics_cache import STABLE_YEAR, YEAR, Kept
from forge.closed_pipes import ignore_closed_pipes

ROOT = Path(__file__).parents[2]
CHART = "bench/watch.svg"
BUDGET = 1.0
ARRIVALS, GENERATED = "arrivals", "generated"
ADWIN = "river ADWIN, any column's daily mean"
_began = time.monotonic()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser("python -m bench.watch", description=__doc__)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument(
        "--pools", default="", help="names separated by commas, also generated and arrivals (default: all)"
    )
    parser.add_argument("--data", type=Path, help="a folder with more streams")
    parser.add_argument("--work", type=Path, default=ROOT / "build/bench/watch")
    parser.add_argument("--out", type=Path, default=ROOT / "BENCHMARKS.md")
    args = parser.parse_args(arguments)
    wanted = [name for name in args.pools.split(",") if name]
    thresholds = ROOT / "checks/thresholds.toml"
    if not wanted or GENERATED in wanted:
        words = false_alarms.section(range(args.seeds), thresholds, args.work / "measured")
        put(args.out, GENERATED, "\n".join(words))
        say(f"{args.out}: generated streams")
    if not wanted or ARRIVALS in wanted:
        words = late_arrivals.section(range(args.seeds), thresholds)
        put(args.out, ARRIVALS, "\n".join(words))
        say(f"{args.out}: outcomes that are late, at odd hours")
    if wanted and not {*wanted} - {ARRIVALS, GENERATED}:
        return 0
    found = []
    for pool in pools(args.data, wanted):
        say(f"{pool.name}: {len(pool.rows):,} rows, {len(pool.features)} features")
        kept = Kept(pool, args.work / "streams")
        found.append(measured(kept, range(args.seeds), args.work))
    put(args.out, "watch", "\n".join(document(found, args.seeds)))
    (args.out.parent / CHART).write_text(draw(found), encoding="utf-8")
    say(f"{args.out} and {args.out.parent / CHART} are written")
    return 0


def measured(kept: Kept, seeds: Sequence[int], work: Path) -> Result:
    """False alarms and delays of all detectors on one pool's streams."""
    name = kept.pool.name
    ours, rates = [], []
    alarming: dict[str, list[Any]] = {each: [] for each in DEFAULTS}
    for seed in seeds:
        found = kept.daily(STABLE_YEAR, seed)
        ours.append(Ours.solved(found, BUDGET))
        rates.append({severity: rate([days]) for severity, days in ours[-1].alarms(found).items()})
        for each, values in others(found).items():
            alarming[each].append(values)
        say(f"{name}: quiet year {seed}, {sum(rates[-1].values()):.2f} false alarms a quarter")
    mean = sum(sum(each.values()) for each in rates) / len(rates)
    # The others get at least one alarm over all quiet years, and ours if that is more.
    equal = max(mean, 91 / (YEAR * len(seeds)) * 1.001)
    limits = {each: limit_at(values, equal) for each, values in alarming.items()}
    adwin = Adwin(work, kept, seeds, equal)
    say(f"{name}: ADWIN at {adwin.at or adwin.remark}")
    late: dict[str, dict[str, list[float]]] = {}
    costs: dict[str, float] = {}
    for change in CHANGES:
        if change.startswith("mean") and "5 features" in change and kept.pool.numeric.sum() < 5:
            continue
        of: dict[str, list[float]] = {each: [] for each in (WATCH, WOKEN, *DEFAULTS)}
        for charts, seed in zip(ours, seeds, strict=True):
            found = kept.daily(change, seed)
            auc = found["auc"]
            cost = np.nanmean(auc[REFERENCE + BEFORE :]) - np.nanmean(auc[: REFERENCE + BEFORE])
            costs[change] = costs.get(change, 0.0) + float(cost) / len(seeds)
            days = charts.alarms(found)
            of[WATCH].append(delay(np.any(list(days.values()), axis=0), BEFORE))
            of[WOKEN].append(delay(days["page"] | days["issue"], BEFORE))
            for each, values in others(found).items():
                of[each].append(delay(values >= limits[each], BEFORE))
        if adwin.at:
            of[ADWIN] = [delay(days, BEFORE) for days in adwin.days(change, seeds)]
        late[change] = of
        say(f"{name}: {change}: " + ", ".join(f"{who} {text_of(each)}" for who, each in of.items()))
    remarks = [*filter(None, [adwin.remark]), evidently(work, kept, seeds[-1])]
    say(f"{name}: {remarks[-1]}")
    own = {each: rate([v > DEFAULTS[each] for v in values]) for each, values in alarming.items()}
    return Result(
        name,
        len(kept.pool.features),
        {severity: [each[severity] for each in rates] for severity in rates[0]},
        own if math.isnan(adwin.own) else {**own, ADWIN: adwin.own},
        equal,
        late,
        costs,
        remarks,
    )


def document(found: Sequence[Result], seeds: int) -> list[str]:
    """The section."""
    introduction = (
        f"Written by `make bench-watch SEEDS={seeds}` on {datetime.now(UTC):%Y-%m-%d}. Real rows, {ROWS_PER_DAY} a day,"
        f" drawn in blocks that keep the weekday; {REFERENCE} days of reference, then {YEAR} quiet days, or {BEFORE}"
        f" and a change. Each of {seeds} seeds draws its own reference, and so has its own limits. Outcomes arrive two"
        " days late, for everybody."
    )
    equal = (
        "Below, everybody but the watch is brought to its rate of false alarms in hindsight, on the very quiet years that"
        " it is counted on; monitoring solved its limits on the reference only. A figure is the median of"
        " the seeds, in brackets the first and the last."
    )
    why = (
        "Why it can be later: a shift that is small beside what days differ by anyway needs weeks of memory, and ADWIN"
        " forgets nothing, while the watch's level is some ten days deep (`ewma_weight`); what is below the floors"
        " (`min_loss`, `min_share`, ...) is no alarm by choice, however sure it is, which the others do not know; and drift"
        " of rows and scores opens an issue when it is beyond on two days of three."
    )
    tables = [line for each in found for line in delays(each)]
    return [
        "## The watch",
        "",
        introduction,
        "",
        *budgets(found, BUDGET),
        "",
        equal,
        "",
        f"![Days until a change is noticed, by pool and change]({CHART})",
        "",
        *later(found),
        "",
        why,
        "",
        *tables,
    ]


def say(words: str) -> None:
    """A line of progress."""
    seconds = int(time.monotonic() - _began)
    print(f"[{seconds // 60}:{seconds % 60:02}] {words}", flush=True)


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
