"""Train while outcomes are still coming in, in several ways, and score the period that follows with all outcomes.

python -m bench.delay.delay_bench                     writes the section of BENCHMARKS.md, in about an hour
python -m bench.delay.delay_bench --every 4           every fourth night, a rough estimate
python -m bench.delay.delay_bench --minutes 20        what is measured after 20 minutes

Measured nights are stored in build/delay, and a command that was stopped goes on where it was.

The hotel bookings need their two files: STREAMS=FOLDER (`drill.streams.folder`); without them they are left out.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

from backtest.time_left import progress
from bench.delay.evaluation_coverage import DAYS_BEHIND, Covered, coverage
from bench.delay.late_decisions import Decided, agreement, decided
from bench.delay.late_streams import Stream, flights, hotel, orders
from bench.document import machine
from bench.sections import put
from drill.drill_digest import identity
from forge.closed_pipes import ignore_closed_pipes
from model.data import check, encoded_target, model_inputs
from model.label_delay.delay_curves import whole_after
from model.label_delay.expected_outcomes import TrainingSet, training_set
from model.label_delay.known_outcomes import as_of, delays, known
from model.label_delay.training_rows import HISTORY

ROOT = Path(__file__).parents[2]
STREAMS: tuple[Callable[[], Stream], ...] = (
    hotel,
    *(lambda days=days: flights(days) for days in (1, 7, 30)),
    *(lambda days=days: orders(days) for days in (0, 10)),
)
FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
#: Scores are kept from 0 and 1 by this.
CLIP = 1e-4
METHODS = (
    "known so far",
    "rows that are old enough",
    "not known is taken for the first class",
    "expected outcomes",
    "at once",
)
TRUTH, DECISION = "truth", "decision"
#: The packages that the stored nights depend on, besides this one.
PACKAGES = ("checks/comparison", "checks/decision", "contracts", "model")
Array = np.ndarray[Any, Any]
Scored = dict[str, list[tuple[Array, Array]]]


def sets(stream: Stream, night: datetime) -> dict[str, TrainingSet]:
    """The training set of each way, on the *night*."""
    start, contract = night - stream.window, stream.contract
    before = start - HISTORY * stream.window
    early = stream.load(before, start)
    whole = check(stream.load(start, night), contract, start, night, known_by=FAR_FUTURE)
    rows = as_of(whole, contract, night)
    older = check(early, contract, before, start, known_by=night) if len(early) else rows.iloc[:0]
    every = pd.concat([older, rows], ignore_index=True)
    oldest = (pd.Timestamp(night) - every[contract.time].min()) / pd.Timedelta(days=1)
    age = whole_after(delays(every, contract, night), known(every, contract), oldest)
    old = every[contract.time] <= pd.Timestamp(night) - pd.Timedelta(days=age or 0)
    matured = every[old & known(every, contract)].tail(len(rows)).reset_index(drop=True)
    target = contract.target
    assumed = rows.assign(**{target.name: rows[target.name].where(known(rows, contract), target.classes[0])})

    def plain(part: pd.DataFrame) -> TrainingSet:
        return TrainingSet(model_inputs(part, contract), encoded_target(part, contract))

    seen = plain(rows[known(rows, contract)].reset_index(drop=True))
    expected = training_set(stream.make, rows, older, contract, night)
    return dict(zip(METHODS, (seen, plain(matured), plain(assumed), expected, plain(whole)), strict=True))


def scored(stream: Stream, night: datetime) -> dict[str, Array]:
    """Outcome and score by each way of the rows of the period that follows the *night*: (n,) each."""
    end = night + stream.period
    rows = check(stream.load(night, end), stream.contract, night, end, known_by=FAR_FUTURE)
    inputs = model_inputs(rows, stream.contract)
    found = {TRUTH: encoded_target(rows, stream.contract)}
    for way, trained in sets(stream, night).items():
        score = trained.fit(stream.make()).predict_proba(inputs)[:, 1]
        found[way] = np.clip(score, CLIP, 1 - CLIP)
    return found


def night_of(stream: Stream, night: datetime, kept: Path, of: str) -> tuple[dict[str, Array], Decided]:
    """The scores and the decisions of the *night*; stored in the folder *kept* under the digest *of* of the code."""
    path = kept / f"{stream.name.replace(', ', '-').replace(' ', '-')}-{night:%Y-%m-%d}-{of[:12]}.npz"
    if not path.is_file():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = scored(stream, night) | {DECISION: np.array(astuple(decided(stream, night)), dtype=str)}
        kept.mkdir(parents=True, exist_ok=True)
        work = path.with_suffix(".part.npz")
        np.savez(work, **found)
        work.replace(path)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    date, *three = arrays.pop(DECISION).tolist()
    return arrays, Decided(date, *(each == "True" for each in three))


def lines(name: str, found: Scored) -> list[str]:
    """Rows of the table: log loss and ROC AUC of all rows, and the mean difference to `at once` with its standard error."""
    by_period = {way: np.array([log_loss(*each, labels=[0, 1]) for each in parts]) for way, parts in found.items()}
    written = []
    for way, parts in found.items():
        truth, score = (np.concatenate(each) for each in zip(*parts, strict=True))
        more = by_period[way] - by_period[METHODS[-1]]
        error = more.std(ddof=1) / np.sqrt(len(more)) if len(more) > 1 else float("nan")
        words = "" if way == METHODS[-1] else f"{more.mean():+.3f} ± {error:.3f}"
        written.append(
            f"| {name} | {way} | {log_loss(truth, score):.3f} | {roc_auc_score(truth, score):.3f} | {words} |"
        )
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all streams, and write the section."""
    parser = argparse.ArgumentParser(
        "python -m bench.delay.delay_bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--every", type=int, default=1, help="train on every so many of the nights (default: 1)")
    parser.add_argument("--repeats", type=int, default=2_000, help="of the simulated holdouts (default: 2,000)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no night after so many (default: all)")
    parser.add_argument("--kept", type=Path, default=ROOT / "build/delay", help="the folder of the measured nights")
    parser.add_argument("--out", type=Path, default=ROOT / "BENCHMARKS.md")
    args = parser.parse_args(arguments)
    began, times, left = time.monotonic(), list[float](), list[str]()
    of, tasks = identity(packages=("bench/delay", *PACKAGES)), []
    for make in STREAMS:
        try:
            stream = make()
            stream.load(*stream.span)
            tasks += [(stream, night) for night in stream.nights[:: args.every]]
        except FileNotFoundError as error:
            left.append(str(error))
    # One night of each stream in turn: a run that ends early has measured all streams.
    order = sorted(tasks, key=lambda task: [each for _, each in tasks if _ is task[0]].index(task[1]))
    done: dict[str, list[tuple[dict[str, Array], Decided]]] = {stream.name: [] for stream, _ in tasks}
    for stream, night in order:
        if time.monotonic() - began > args.minutes * 60:
            left.append(
                f"{len(order) - len(times)} of {len(order)} nights, for lack of time: the command goes on with them"
            )
            break
        done[stream.name].append(night_of(stream, night, args.kept, of))
        times.append(time.monotonic() - began)
        scores, decision = done[stream.name][-1]
        losses = ", ".join(f"{way} {log_loss(scores[TRUTH], scores[way], labels=[0, 1]):.3f}" for way in METHODS)
        said = f"{stream.name}, {night:%Y-%m-%d}, {len(scores[TRUTH]):,} rows: {losses}; {decision}"
        print(progress(times, len(order), said), flush=True)
    more = f" --every {args.every}" if args.every > 1 else ""
    command = f"`python -m bench.delay.delay_bench{more}` on {datetime.now(UTC):%Y-%m-%d}"
    table = [
        line
        for name, nights in done.items()
        for line in lines(
            f"{name}, {len(nights)} nights, {sum(len(each[TRUTH]) for each, _ in nights):,} rows",
            {way: [(each[TRUTH], each[way]) for each, _ in nights] for way in METHODS},
        )
    ]
    decisions = [(name, [decision for _, decision in nights]) for name, nights in done.items()]
    after = [*(f"\nLeft out: {each}" for each in left), *_decisions(decisions), *_evaluation(coverage(args.repeats, 0))]
    put(args.out, "delay", "\n".join([*_head(command), *table, *after]))
    print(f"{args.out} is written")
    return 0


def _decisions(found: Sequence[tuple[str, Sequence[Decided]]]) -> list[str]:
    return [
        "",
        "### Decisions",
        "",
        (
            "Whether the gate's comparison (`compare.log_loss` of `thresholds.toml`, without earlier verdicts) lands a candidate"
            " in place of the model of a fortnight before: with the outcomes known on the night, with all outcomes of the same"
            " rows (the second look at a verdict), and with outcomes that are known at once, in training and on the newest rows."
            " The last differ in the days they judge as well. Shares ± standard error (Agresti and Coull). Goal: 9 of 10."
        ),
        "",
        *agreement(found),
    ]


def _head(command: str) -> list[str]:
    return [
        "## Outcomes that come late",
        "",
        (
            "A model each night, trained on the outcomes known by then, and scored on the fortnight that follows with the"
            " outcomes as they turned out. *Expected outcomes* is what training does (`model/label_delay`). Hotel bookings"
            " have their real delays; a sixth of the flights is used, and the delays of the other streams are generated, exponential, three times as long for the first class"
            " and twice as long where a feature is large; the figure is the mean of the faster class and half of the rows."
            f" Written by {command}; {machine()}."
        ),
        "",
        "| stream | trained on | log loss | ROC AUC | log loss more than at once, mean by night ± standard error |",
        "|---|---|---:|---:|---:|",
    ]


def _evaluation(found: Sequence[Covered]) -> list[str]:
    return [
        "",
        "### The holdout",
        "",
        (
            "Coverage of the 95 % interval of the gain where outcomes come late, in a simulation with known truth"
            " (`bench/delay/evaluation_coverage.py`): a holdout of the newest 14 days with the outcomes known so far, with the"
            f" others imputed, and one that ends {DAYS_BEHIND} days earlier, where 95 % of outcomes are known. The gate takes the"
            " last. Wanted: 95 % ± 1.5 points."
        ),
        "",
        "| candidate | holdout | coverage | bias of the gain, log loss |",
        "|---|---|---:|---:|",
        *(f"| {each.candidate} | {each.way} | {each.share:.1%} | {each.bias:+.4f} |" for each in found),
        "",
        f"{found[0].repeats:,} holdouts each.",
    ]


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
