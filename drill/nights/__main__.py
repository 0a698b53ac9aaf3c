"""Measure the error rates of the gate's rules on clean nights over a year.

python -m drill.nights make      in the training environment: the recipe's bundle as of each night
python -m drill.nights judge     in the gate's environment: the gate on each, against the night before; nights.json
python -m drill.nights rows      in the training environment: only the rules that need no model, which is much faster
python -m drill.nights report    the tables of one or several such files, into BENCHMARKS.md

An interrupted run continues if recipe, days and code are the same.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drill.console import say, stop
from drill.drill_digest import beside, identity
from drill.stored_json import read_json, write_json
from drill.workers import spread
from forge.closed_pipes import ignore_closed_pipes

if TYPE_CHECKING:  # each environment has its own half
    from contracts.thresholds import Rules
    from drill.thinned_recipe import Subject

FOLDER = Path("build/nights")
SUBJECT, NIGHTS = "subject.json", "nights.json"
OK, USAGE, NO_NIGHTS = 0, 2, 5


class NightsError(Exception):
    """There are no nights to judge or to report. The message says why and what to type."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    from contracts.thresholds import ConfigurationError  # noqa: PLC0415 -- each environment has its own half

    args = _parser().parse_args(arguments)
    try:
        {"make": _make, "judge": _judge, "rows": _rows, "report": _report}[args.command](args)
    except ConfigurationError as error:
        return stop(USAGE, error)
    except ModuleNotFoundError as error:
        return stop(NO_NIGHTS, f"{error}: see --help for which environment {args.command} is for")
    except (NightsError, OSError) as error:
        return stop(NO_NIGHTS, error)
    except KeyboardInterrupt:
        return stop(130, "interrupted; run the same command again to continue")
    return OK


def _make(args: argparse.Namespace) -> None:
    from drill.nights.night_bundles import lost, make  # noqa: PLC0415

    subjects, run, rules = _asked(args)
    first, last = subjects[0].today, subjects[-1].today
    of = identity(first, last, args.every, rules.export.parity, files=beside(args.recipe))
    if (args.out / SUBJECT).is_file() and read_json(args.out / SUBJECT).get("of") != of:
        shutil.rmtree(args.out)
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(args.out / SUBJECT, {"of": of, **run})
    say(f"training {len(subjects)} bundles of {args.recipe}, as of {first} to {last} ...")
    tasks = [(subject, args.out) for subject in subjects]
    for number, made in enumerate(spread(make, tasks, lost), 1):
        why = f": left out: {made.left_out}" if made.left_out else ""
        say(f"[{number:>3} of {len(tasks)}] {made.today}{why}")


def _judge(args: argparse.Namespace) -> None:
    from contracts.thresholds import read_rules  # noqa: PLC0415
    from drill.nights.night_bundles import MADE, Made, pairs  # noqa: PLC0415

    if not (args.out / SUBJECT).is_file():
        raise NightsError(f"there are no nights in {args.out}; run: python -m drill.nights make")
    run = read_json(args.out / SUBJECT)
    paths = [args.out / MADE.format(today=day) for day in run["days"]]
    if missing := [path for path in paths if not path.is_file()]:
        raise NightsError(f"{len(missing)} of {len(paths)} bundles do not exist yet; run the same make again")
    read_rules(args.rules)
    say("loading Deepchecks ...")
    from drill.nights.night_verdict import judge, lost  # noqa: PLC0415 -- once, before the workers are forked

    made = [Made(**read_json(path)) for path in paths]
    nights = pairs(made)
    if not nights:
        why = next((each.left_out for each in made if each.left_out), "")
        raise NightsError(f"no two nights in a row could be trained: {why}")
    of = identity(run.pop("of"), files=[args.rules])
    left_out = [{"today": each.today, "why": each.left_out} for each in made if each.left_out]
    _store(args.out, run, spread(judge, [(*night, args.rules, of) for night in nights], lost), len(nights), left_out)


def _rows(args: argparse.Namespace) -> None:
    from drill.nights.row_rules import lost, row_night  # noqa: PLC0415

    subjects, run, rules = _asked(args)
    tasks = [(candidate, champion, rules) for champion, candidate in itertools.pairwise(subjects)]
    args.out.mkdir(parents=True, exist_ok=True)
    _store(args.out, {**run, "only": "rows"}, spread(row_night, tasks, lost), len(tasks))


def _asked(args: argparse.Namespace) -> tuple[list[Subject], dict[str, Any], Rules]:
    """The recipe on each day asked for, what is stored about the run, and the limits."""
    from contracts.thresholds import read_rules  # noqa: PLC0415
    from drill.nights.night_bundles import days_until  # noqa: PLC0415
    from drill.thinned_recipe import ROWS, Subject  # noqa: PLC0415
    from model.train import RecipeError, read_recipe  # noqa: PLC0415

    rules = read_rules(args.rules)
    try:
        read_recipe(args.recipe)
    except RecipeError as error:
        raise NightsError(str(error)) from error
    days = days_until(args.today, args.nights, args.every)
    run = {"recipe": str(args.recipe), "rows": ROWS, "every": args.every, "days": [*map(str, days)]}
    return [Subject(args.recipe, day, rules.export.parity, counted=days[-1]) for day in days], run, rules


def _store(
    out: Path, run: dict[str, Any], judged: Iterable[dict[str, Any]], count: int, left_out: Sequence[object] = ()
) -> None:
    """Print each of the *count* verdicts as it comes, and store all of them, with a summary."""
    verdicts = []
    for number, verdict in enumerate(judged, 1):
        verdicts.append(verdict)
        say(f"[{number:>3} of {count}] {verdict['today']} {verdict['decision']:<8}{verdict['summary'][:150]}")
    verdicts.sort(key=lambda verdict: str(verdict["today"]))
    found = {**run, "when": f"{datetime.now(UTC):%Y-%m-%d}", "verdicts": verdicts, "left_out": [*left_out]}
    write_json(out / NIGHTS, found)
    from drill.nights.rates_report import summary  # noqa: PLC0415

    say("")
    for line in summary(found):
        say(line)


def _report(args: argparse.Namespace) -> None:
    from bench.sections import put  # noqa: PLC0415
    from drill.nights.rates_report import markdown  # noqa: PLC0415

    paths = [path / NIGHTS for path in args.folders or [args.out]]
    if missing := [str(path) for path in paths if not path.is_file()]:
        raise NightsError(f"there is no {', '.join(missing)}; run: python -m drill.nights judge")
    put(args.document, "nights", markdown([read_json(path) for path in paths]))
    say(f"{args.document} has the error rates")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m drill.nights", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    make = commands.add_parser("make", help="the recipe's bundle as of each night")
    recipe = Path(os.environ.get("RECIPE") or "model/recipe.py")
    rows = commands.add_parser("rows", help="only the rules that need no model, without training")
    for command in (make, rows):
        command.add_argument("--recipe", type=Path, default=recipe, help="the recipe's file")
        command.add_argument("--today", type=_day, default="", help="the last day to train as of (YYYY-MM-DD)")
        command.add_argument("--nights", type=int, default=52, help="number of nights")
        command.add_argument("--every", type=int, default=8, help="days between two nights: 8 covers every weekday")
    judge = commands.add_parser("judge", help="run the gate on each of them")
    report = commands.add_parser("report", help="the error rates, into BENCHMARKS.md")
    report.add_argument("folders", type=Path, nargs="*", help="folders with a nights.json (default: --out)")
    report.add_argument("--document", type=Path, default=Path("BENCHMARKS.md"), help="whose section is written")
    for command in (make, judge, rows, report):
        command.add_argument("--out", type=Path, default=FOLDER, help="the folder of the nights")
    for command in (make, judge, rows):
        limits = Path("checks/thresholds.toml")
        command.add_argument("--rules", type=Path, default=limits, help="the limits: a thresholds.toml")
    return parser


def _day(text: str) -> date:
    return date.fromisoformat(text) if text else datetime.now(UTC).date()


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
