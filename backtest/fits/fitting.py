"""The first half of a backtest: fit every night, in two processes, and store what its models realised."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from backtest.fits.night_fit import Task, fit_night, lost, rows_between
from backtest.fits.other_lengths import lost_lengths, measure_lengths
from backtest.replayed_nights import NIGHTS, BacktestError, NightFit, nights, periods
from backtest.results.length_results import spread_nights
from backtest.time_left import progress
from contracts.row_contract import Contract, ContractError
from contracts.thresholds import Rules
from drill.console import say
from drill.stored_json import write_json
from drill.workers import spread
from model.data import DataError
from model.train import RecipeError, read_recipe

FITS = "fits"


@dataclass(frozen=True)
class Asked:
    """Which nights to fit: one *every* so many days from *first* up to *last*, and *lengths* of them in other lengths."""

    recipe: Path
    first: date | None
    last: date
    every: int
    lengths: int
    out: Path


def fit(asked: Asked, rules: Rules) -> None:
    """Write nights.json to the folder *asked.out*. Raises `BacktestError`."""
    try:
        contract: Contract = read_recipe(asked.recipe).CONTRACT
        days = nights(asked.first, asked.last, asked.every)
        spans = tuple(periods(days, asked.last))
        say(f"loading the rows from {days[0]} to {asked.last} ...")
        rows, _ = rows_between(asked.recipe, spans[0].start, spans[-1].end)  # once, before the workers are forked
    except (RecipeError, DataError, ContractError, ValueError) as error:
        raise BacktestError(str(error)) from error
    except Exception as error:  # whatever load() raises
        raise BacktestError(f"{asked.recipe}: load() failed: {type(error).__name__}: {error}") from error
    metric = rules.gate.compare.margins(contract.task).primary
    kept = asked.out / FITS
    tasks = [
        Task(asked.recipe, day, rules.export.parity, kept, metric, spans, number, rules.release.refit)
        for number, day in enumerate(days)
    ]
    say(f"{len(rows):,} rows; fitting {len(tasks)} nights of {asked.recipe} ...")
    found: dict[str, tuple[NightFit, list[tuple[int, float]]]] = {}
    began, times = time.monotonic(), list[float]()
    for night, measured in spread(fit_night, [(task,) for task in tasks], lost):
        times.append(time.monotonic() - began)
        found[night.today] = (night, measured)
        note = f": left out: {night.left_out}" if night.left_out else ""
        say(progress(times, len(tasks), f"{night.today}{note}"))
    chosen = [tasks[number] for number in spread_nights(len(tasks), asked.lengths)]
    lengths: dict[str, dict[str, float]] = {}
    began, times = time.monotonic(), []
    for day, values in spread(_lengths, [(task,) for task in chosen], _no_lengths):
        times.append(time.monotonic() - began)
        lengths[day] = values
        say(progress(times, len(chosen), f"other lengths, {day}"))
    ordered = [found[str(day)] for day in days]
    if not ordered[0][0].bundle:
        raise BacktestError(
            f"the first night, {days[0]}, has no model, with which all policies begin: {ordered[0][0].left_out};"
            " begin later: FROM=YYYY-MM-DD"
        )
    content = {
        "recipe": str(asked.recipe),
        "task": contract.task,
        "metric": metric,
        "last": str(asked.last),
        "every": asked.every,
        "made": f"{datetime.now(UTC):%Y-%m-%d}",
        "nights": [asdict(night) for night, _ in ordered],
        "measured": [measured for _, measured in ordered],
        "lengths": lengths,
    }
    asked.out.mkdir(parents=True, exist_ok=True)
    write_json(asked.out / NIGHTS, content)


def _lengths(task: Task) -> tuple[str, dict[str, float]]:
    return str(task.today), measure_lengths(task)


def _no_lengths(task: Task) -> tuple[str, dict[str, float]]:
    return str(task.today), lost_lengths(task)
