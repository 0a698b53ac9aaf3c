"""Train while outcomes are still coming in, in several ways, and score the period that follows with all outcomes.

python -m bench.delay.delay_bench                     writes the section of BENCHMARKS.md, in about ten minutes
python -m bench.delay.delay_bench --every 4           every fourth night, a rough estimate

The hotel bookings need their two files: STREAMS=FOLDER (`drill.streams.folder`); without them they are left out.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

from bench.delay.evaluation_coverage import BEHIND, Covered, coverage
from bench.delay.late_streams import Stream, flights, hotel, orders
from bench.document import machine
from bench.sections import put
from forge.closed_pipes import ignore_closed_pipes
from model.data import check, encoded_target, model_inputs
from model.label_delay.delay_curves import whole_after
from model.label_delay.expected_outcomes import TrainingSet, training_set
from model.label_delay.known_outcomes import delays, known
from model.label_delay.training_rows import HISTORY

ROOT = Path(__file__).parents[2]
STREAMS: tuple[Callable[[], Stream], ...] = (
    hotel,
    *(lambda days=days: flights(days) for days in (1, 7, 30)),
    *(lambda days=days: orders(days) for days in (0, 10)),
)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
#: Scores are kept from 0 and 1 by this.
CLIP = 1e-4
WAYS = (
    "known so far",
    "rows that are old enough",
    "not known is taken for the first class",
    "expected outcomes",
    "at once",
)
Array = np.ndarray[Any, Any]
Scored = dict[str, list[tuple[Array, Array]]]


def sets(stream: Stream, night: datetime) -> dict[str, TrainingSet]:
    """The training set of each way, on the *night*."""
    start, contract = night - stream.window, stream.contract
    before = start - HISTORY * stream.window
    given, early = stream.load(start, night), stream.load(before, start)
    rows = check(given, contract, start, night)
    older = check(early, contract, before, start, known_by=night) if len(early) else rows.iloc[:0]
    whole = check(given, contract, start, night, known_by=FAR)
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
    return dict(zip(WAYS, (seen, plain(matured), plain(assumed), expected, plain(whole)), strict=True))


def scored(stream: Stream, every: int) -> Scored:
    """Outcome and score of each row of the periods that follow, by way."""
    found: Scored = {way: [] for way in WAYS}
    for night in stream.nights[::every]:
        end = night + stream.period
        rows = check(stream.load(night, end), stream.contract, night, end, known_by=FAR)
        truth, inputs = encoded_target(rows, stream.contract), model_inputs(rows, stream.contract)
        for way, trained in sets(stream, night).items():
            score = trained.fit(stream.make()).predict_proba(inputs)[:, 1]
            found[way].append((truth, np.clip(score, CLIP, 1 - CLIP)))
        losses = ", ".join(f"{way} {log_loss(*found[way][-1], labels=[0, 1]):.3f}" for way in WAYS)
        print(f"{stream.name}, {night:%Y-%m-%d}, {len(rows):,} rows: {losses}", flush=True)
    return found


def lines(name: str, found: Scored) -> list[str]:
    """Rows of the table: log loss and ROC AUC of all rows, and the mean difference to `at once` with its standard error."""
    by_period = {way: np.array([log_loss(*each, labels=[0, 1]) for each in parts]) for way, parts in found.items()}
    written = []
    for way, parts in found.items():
        truth, score = (np.concatenate(each) for each in zip(*parts, strict=True))
        more = by_period[way] - by_period[WAYS[-1]]
        error = more.std(ddof=1) / np.sqrt(len(more)) if len(more) > 1 else float("nan")
        words = "" if way == WAYS[-1] else f"{more.mean():+.3f} ± {error:.3f}"
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
    parser.add_argument("--out", type=Path, default=ROOT / "BENCHMARKS.md")
    args = parser.parse_args(arguments)
    began, table, left = time.monotonic(), [], []
    for make in STREAMS:
        try:
            stream = make()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = scored(stream, args.every)
        except FileNotFoundError as error:
            left.append(str(error))
            continue
        table += [*lines(f"{stream.name}, {len(found[WAYS[0]])} nights", found)]
    more = f" --every {args.every}" if args.every > 1 else ""
    minutes = (time.monotonic() - began) / 60
    command = f"`python -m bench.delay.delay_bench{more}` on {datetime.now(UTC):%Y-%m-%d}, in {minutes:.0f} minutes"
    after = [*(f"\nLeft out: {each}" for each in left), *_evaluation(coverage(args.repeats, 0))]
    put(args.out, "delay", "\n".join([*_head(command), *table, *after]))
    print(f"{args.out} is written")
    return 0


def _head(command: str) -> list[str]:
    return [
        "## Outcomes that come late",
        "",
        (
            "A model each night, trained on the outcomes known by then, and scored on the fortnight that follows with the"
            " outcomes as they turned out. *Expected outcomes* is what training does (`model/label_delay`). Hotel bookings"
            " have their real delays; those of the others are generated, exponential, three times as long for the first class"
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
            f" others imputed, and one that ends {BEHIND} days earlier, where 95 % of outcomes are known. The gate takes the"
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
