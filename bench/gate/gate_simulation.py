"""Simulate the gate's comparison: acceptance rates, cumulative loss, and coverage of its confidence intervals.

python -m bench.gate.gate_simulation                 writes BENCHMARKS.md, in a few minutes on two cores
python -m bench.gate.gate_simulation --repeats 50    a rough estimate

It runs the gate's code: `checks.comparison.bootstrap` and `checks.comparison.compare`, with the margins of thresholds.toml.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.document import machine
from bench.gate.acceptance import GAPS, METRIC, SIZES, Accepted, acceptance
from bench.gate.acceptance_svg import draw
from bench.gate.cumulative_loss import DECAY, NIGHTS, RULES, Lost, creep
from bench.gate.gate_streams import Stream, flights, made_up, scores
from bench.gate.interval_coverage import CHECKED_METRICS, SCENES, Covered, coverage, real
from bench.sections import put
from checks.comparison.bootstrap import Blocks, measures, paired
from contracts.thresholds import Compare, read_rules
from forge.closed_pipes import ignore_closed_pipes

ROOT = Path(__file__).parents[2]
CHART = "bench/gate.svg"
STREAMS = ("flights", "made-up rows")
#: Rows of the measured speed.
LARGE = 100_000


@lru_cache
def stream(name: str) -> Stream:
    """A stream by its name; created once per process."""
    return flights(ROOT / "model/recipe.py") if name == STREAMS[0] else made_up()


@lru_cache
def rules() -> Compare:
    """The comparison settings and margins."""
    return read_rules(ROOT / "checks/thresholds.toml").gate.compare


def accepted(name: str, rows: int, gap: float, repeats: int) -> Accepted:
    """One point of a curve."""
    return acceptance(stream(name), rows, gap, rules(), repeats)


def lost(name: str, way: str, runs: int) -> Lost:
    """One row of the cumulative loss."""
    return creep(stream(name), way, rules(), runs)


def covered(number: int | None, metric: str, repeats: int) -> Covered:
    """One row of the coverage; None means the real days."""
    if number is None:
        return real(stream(STREAMS[0]), metric, rules(), repeats)
    return coverage(SCENES[number], metric, rules(), repeats)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all simulations, print progress, write the section."""
    parser = argparse.ArgumentParser(
        "python -m bench.gate.gate_simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=200, help="of each point (default: 200)")
    parser.add_argument("--out", type=Path, default=ROOT / "BENCHMARKS.md")
    args = parser.parse_args(arguments)
    began, runs = time.monotonic(), max(2, args.repeats // 20)
    work: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        *((accepted, (name, rows, gap, args.repeats)) for name in STREAMS for rows in SIZES[::-1] for gap in GAPS),
        *((lost, (name, way, runs)) for name in STREAMS for way in RULES[::-1]),
        *((covered, (n, metric, 10 * args.repeats)) for n in (*range(len(SCENES)), None) for metric in CHECKED_METRICS),
    ]
    try:
        found = _run(work, began)
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    curves = [each for each in found if isinstance(each, Accepted)]
    margin = rules().binary.margins[METRIC]
    (ROOT / CHART).write_text(draw([c for c in curves if c.stream == STREAMS[0]], margin))
    more = f" --repeats {args.repeats}" if args.repeats != 200 else ""
    put(
        args.out,
        "gate",
        "\n".join(_section(found, time.monotonic() - began, f"python -m bench.gate.gate_simulation{more}")),
    )
    print(f"{args.out} and {CHART} are written")
    return 0


def speed() -> float:
    """Seconds that one metric's interval takes on `LARGE` rows of 60 days, ROC AUC being the slowest."""
    large, random = made_up(60, LARGE // 60, keys=20_000), np.random.default_rng(0)
    both = measures(METRIC, large.truth, *(scores(large.logit, s, random) for s in (0.3, 0.4)))
    began = time.process_time()
    blocks = Blocks(large.day, np.unique(large.key, return_inverse=True)[1], rules().draws, 0)
    paired(METRIC, (both[0], both[1]), blocks, rules().confidence)
    return time.process_time() - began


def _run(work: Sequence[tuple[Callable[..., Any], tuple[Any, ...]]], began: float) -> list[Any]:
    """The results of the tasks, in order, by two processes; prints a line per task."""
    print(f"{len(work)} tasks, on two cores ...", flush=True)
    with ProcessPoolExecutor(2) as pool:
        futures: list[Future[Any]] = [pool.submit(function, *given) for function, given in work]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                clock = int(time.monotonic() - began)
                print(f"[{clock // 60}:{clock % 60:02}] {done} of {len(work)}: {future.result()}", flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _section(found: Sequence[Any], seconds: float, command: str) -> list[str]:
    settings, margin = rules(), rules().binary.margins[METRIC]
    curves = [each for each in found if isinstance(each, Accepted)]
    losses = [each for each in found if isinstance(each, Lost)]
    sure = [each for each in found if isinstance(each, Covered)]
    return [
        "## The gate",
        "",
        (
            f"Simulations of the comparison, with the gate's code and the margins of `thresholds.toml`"
            f" (ROC AUC: {margin:g}, {settings.confidence:.0%}, {settings.draws:,} draws of days). Written by `{command}`"
            f" on {datetime.now(UTC):%Y-%m-%d}, in {seconds / 60:.0f} minutes; {machine()}."
        ),
        "",
        "### Acceptance rate",
        "",
        f"![Share of candidates accepted, by their true gap]({CHART})",
        "",
        (
            "A candidate whose ROC AUC is truly so much better or worse than the champion's, judged on 14 days in a row."
            " Worse by the margin or more, it should be accepted about 2.5 % of the time at most; what the gate does not"
            " accept, it rejects only if it is sure, else it holds and says how many rows are missing."
        ),
        "",
        *_curves(curves),
        "",
        f"Each point: {curves[0].repeats:,} repeats.",
        "",
        "### Cumulative loss",
        "",
        (
            f"{NIGHTS} nights; each night's candidate is {DECAY:g} ROC AUC worse than the last night's, which no night"
            f" shows. The loss of what serves in the end ({DECAY * NIGHTS:.3f} if every night is accepted):"
        ),
        "",
        "| stream | way of deciding | mean loss | largest | nights promoted |",
        "|---|---|---:|---:|---:|",
        *(f"| {e.stream} | {e.way} | {e.mean:.4f} | {e.most:.4f} | {e.promoted:.0f} |" for e in losses),
        "",
        f"{losses[0].runs} runs of each. The anchor is the first model, with its own margin, on the same rows.",
        "",
        "### Coverage of the confidence intervals",
        "",
        "| rows | metric | coverage | mean width |",
        "|---|---|---:|---:|",
        *(
            f"| {e.words} | {e.metric} | {e.share:.1%}{'' if abs(e.share - settings.confidence) <= 0.015 else ' **off**'} | {e.width:.4f} |"
            for e in sure
        ),
        "",
        (
            f"Wanted: {settings.confidence:.0%} ± 1.5 points; {sure[0].repeats:,} repeats (a standard error of"
            f" {100 * (0.05 * 0.95 / sure[0].repeats) ** 0.5:.1f} points)."
        ),
        "",
        "### Computing time",
        "",
        (
            f"One interval of ROC AUC, the slowest, on {LARGE:,} rows of 60 days with {settings.draws:,} draws:"
            f" {speed():.2f} s of one core."
        ),
    ]


def _curves(found: Sequence[Accepted]) -> list[str]:
    lines = [
        "| stream | rows | true gap | `candidate >= champion` | within the margin | the gate: PROMOTE | HOLD | REJECT |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for each in sorted(found, key=lambda e: (STREAMS.index(e.stream), e.rows, e.gap)):
        ways = (each.at_least, each.tolerance, each.promote, each.hold, each.reject)
        shares = " | ".join(f"{way:.0%}" for way in ways)
        lines.append(f"| {each.stream} | {each.rows:,} | {each.gap:+g} | {shares} |")
    return lines


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
