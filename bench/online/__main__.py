"""Score streams with and without hourly corrections.

python -m bench.online                the section of BENCHMARKS.md, in about fifteen minutes
python -m bench.online --every 1      flights retrained each night, and not every third

Bike rentals and hotel bookings need their files: STREAMS=FOLDER (`drill.streams.folder`); without them they are left out.
Scores of models are kept in build/bench-online: the next run uses them.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.document import machine
from bench.online.hourly_run import Answered, run
from bench.online.scored_rows import Array, Scored, bikes, flights, generated, hotel, poisoned
from bench.sections import put
from contracts.row_contract import Contract
from forge.closed_pipes import ignore_closed_pipes

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build/bench-online"
SEEDS = range(100, 106)
#: The jump on the logit; days of a generated stream, and rows of its hours.
JUMP, DAYS, ROWS = 1.0, 20, 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.online", description=__doc__)
    parser.add_argument("--every", type=int, default=3, help="days between two trainings on flights")
    args = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = [*_heading(), *_streams(args.every), *_simulations()]
    put(ROOT / "BENCHMARKS.md", "online", "\n".join(lines))
    return 0


def _heading() -> Iterator[str]:
    yield "## Online corrections\n"
    yield (
        "Each row is scored by the model, and with the correction that the outcomes known in the hours before it gave"
        " (`online/`, half-life three days, slices of the contract). *always*: corrected; *as applied*: by the rule that a"
        f" correction must gain. Written by `make bench-online` on {datetime.now(UTC):%Y-%m-%d}; {machine()}.\n"
    )


def _streams(every: int) -> Iterator[str]:
    yield "| stream, loss | rows | model alone | always | as applied | applied, share of hours | largest shift | refused |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    decay: dict[str, Answered] = {}
    for words, name, make in (
        (f"flights, retrained every {every} days, log loss", f"flights-{every}", lambda: flights(every)),
        ("flights, never retrained, log loss", "flights-never", lambda: flights(None)),
        ("bike rentals, retrained every 14 days, absolute error", "bike-14", lambda: bikes(14)),
        ("bike rentals, never retrained, absolute error", "bike-never", lambda: bikes(None)),
        ("hotel, real delays, retrained every 28 days, log loss", "hotel-28", lambda: hotel(28)),
    ):
        try:
            rows = _kept(name, make)
        except FileNotFoundError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        found = run(rows)
        decay[name] = found
        yield _row(words, found)
    fresh, never = decay[f"flights-{every}"], decay["flights-never"]
    gain = _mean(fresh, fresh.rows.scores) - _mean(fresh, fresh.served)
    lost = _mean(never, never.rows.scores) - _mean(fresh, fresh.rows.scores)
    back = (_mean(never, never.rows.scores) - _mean(never, never.served)) / lost
    yield ""
    yield f"- goal: at least 0.003 of log loss below the retrained model on flights: **{gain:.4f}**"
    yield f"- goal: at least half of the decay of a model that is never retrained is recovered: **{back:.0%}** of {lost:.4f}"
    yield "- half-life in days, log loss as applied on flights: " + ", ".join(
        f"{days:g}: {_mean(each, each.served):.4f}" for days in (1.0, 7.0) for each in [run(fresh.rows, half_life=days)]
    )


def _simulations() -> Iterator[str]:
    calm = [run(generated(seed, DAYS, ROWS)) for seed in SEEDS]
    costs = np.array(
        [[_mean(each, s) - _mean(each, each.rows.scores) for s in (each.served, each.always)] for each in calm]
    )
    error = costs.std(axis=0, ddof=1) / np.sqrt(len(costs))
    yield (
        f"- goal: nothing lost where nothing changes, at most 0.0005 ({len(calm)} generated streams of {DAYS} days, {ROWS} rows an"
        f" hour): **{costs[:, 0].mean():+.5f}** ± {error[0]:.5f} as applied, {costs[:, 1].mean():+.5f} ± {error[1]:.5f}"
        f" always; {sum(bool(each.refused) for each in calm)} streams with a refused outcome,"
        f" {sum(each.fallback > 0 for each in calm)} that ever fell back"
    )
    jumped = [run(generated(seed, DAYS, ROWS, JUMP)) for seed in SEEDS]
    hours = [_recovered(each) for each in jumped]
    yield (
        f"- a jump of {JUMP:g} on the logit at one of three places: half of the loss is recovered after"
        f" **{np.median(hours):.0f} hours** in the median ({min(hours)} to {max(hours)}; outcomes come after two); the next"
        " night's training would begin to know it after up to 24"
    )
    for words, value in (("all of one class", np.ones_like), ("all exchanged", lambda y: 1 - y)):
        harmed = [run(poisoned(generated(seed, DAYS, ROWS), DAYS * 12, value)) for seed in SEEDS]
        clean = [
            _expected(each, each.served) - _expected(before, before.served)
            for each, before in zip(harmed, calm, strict=True)
        ]
        refused = sum(sum(each.refused.values()) for each in harmed)
        yield (
            f"- an hour of outcomes {words}: the expected log loss of the stream changes by {np.mean(clean):+.5f};"
            f" {refused:,} of {len(harmed) * ROWS:,} outcomes are refused"
        )


def _row(words: str, found: Answered) -> str:
    digits = 2 if found.rows.contract.task == "regression" else 4
    losses = [f"{_mean(found, each):.{digits}f}" for each in (found.rows.scores, found.always, found.served)]
    refused = sum(count for reason, count in found.refused.items())
    return f"| {words} | {len(found.rows.at):,} | {' | '.join(losses)} | {found.applied:.0%} | {found.largest:.2f} | {refused:,} |"


def _mean(found: Answered, scores: Array) -> float:
    return float(found.loss(scores).mean())


def _expected(found: Answered, scores: Array) -> float:
    """The expected log loss under the truth."""
    truth, p = found.rows.truth, np.clip(scores, 1e-9, 1 - 1e-9)
    assert truth is not None  # noqa: S101 - generated streams have it
    return float(-(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean())


def _recovered(found: Answered) -> int:
    """Hours after the jump from which the expected excess loss is below half of that of the model alone, as applied."""
    rows = found.rows
    hour = rows.at.astype("datetime64[h]").astype(np.int64)
    for since in range(DAYS * 12):
        mine = hour == hour.min() + DAYS * 12 + since
        some = replace(found, rows=replace(rows, truth=None if rows.truth is None else rows.truth[mine]))
        least = _expected(some, some.rows.truth)  # type: ignore[arg-type]
        if _expected(some, found.served[mine]) - least < (_expected(some, rows.scores[mine]) - least) / 2:
            return since
    return DAYS * 12


def _kept(name: str, make: Callable[[], Scored]) -> Scored:
    """The stream *name*, from the folder of kept ones, or made."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path, beside = CACHE / f"{name}.npz", CACHE / f"{name}.json"
    print(f"{name} ...", file=sys.stderr, flush=True)
    if not path.is_file():
        rows = make()
        arrays: dict[str, Any] = {
            each.name: getattr(rows, each.name)
            for each in fields(rows)
            if each.name in ("at", "known", "scores", "outcomes", "versions")
        }
        arrays |= {f"slice_{field}": values.astype(str) for field, values in rows.slices.items()}
        np.savez_compressed(path, **arrays)
        content = {"name": rows.name, "contract": rows.contract.to_json(), "label_delay": rows.label_delay}
        beside.write_text(json.dumps(content, default=float))
    return _read(path, json.loads(beside.read_text()))


def _read(path: Path, given: dict[str, Any]) -> Scored:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    slices = {name[6:]: arrays.pop(name).astype(object) for name in [*arrays] if name.startswith("slice_")}
    contract = Contract.from_json(given["contract"])
    return Scored(given["name"], contract, slices=slices, label_delay=given["label_delay"], **arrays)


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
