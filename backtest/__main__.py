"""Replay a recipe's past nights under several policies of landing: what would each have earned?

python -m backtest fit       in the training environment: fit the models of each night, measure the periods after it
python -m backtest judge     replay the policies; writes report.md, report.html, backtest.json and staleness.json
                             (with --full in the gate's environment)
python -m backtest bench     the table of several backtests, into BENCHMARKS.md

An interrupted run continues: fits and verdicts are stored by a digest of recipe, day, code and rules.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from backtest.replayed_nights import NIGHTS, BacktestError, days_of
from drill.console import say, stop
from drill.stored_json import read_json, write_json
from forge.closed_pipes import ignore_closed_pipes

if TYPE_CHECKING:
    from backtest.policies import Policy

FOLDER, RULES = Path("build/backtest"), Path("checks/thresholds.toml")
RESULT, STALENESS = "backtest.json", "staleness.json"
OK, USAGE, NO_NIGHTS = 0, 2, 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    from contracts.thresholds import ConfigurationError  # noqa: PLC0415 -- each environment has its own half

    args, began = _parser().parse_args(arguments), time.monotonic()
    try:
        {"fit": _fit, "judge": _judge, "bench": _bench}[args.command](args)
    except ConfigurationError as error:
        return stop(USAGE, error)
    except ModuleNotFoundError as error:
        return stop(NO_NIGHTS, f"{error}: see --help for which environment {args.command} is for")
    except (BacktestError, OSError) as error:
        return stop(NO_NIGHTS, error)
    except KeyboardInterrupt:
        return stop(130, "interrupted; run the same command again to continue")
    say(f"{args.command}: {time.monotonic() - began:.0f} s")
    return OK


def _fit(args: argparse.Namespace) -> None:
    from backtest.fits.fitting import Asked, fit  # noqa: PLC0415
    from contracts.thresholds import read_rules  # noqa: PLC0415

    first = args.last - timedelta(days=args.days) if args.days else args.first
    fit(Asked(args.recipe, first, args.last, args.every, args.lengths, args.out), read_rules(args.rules))


def _judge(args: argparse.Namespace) -> None:
    from backtest.judging import backtest  # noqa: PLC0415
    from backtest.reports.policy_json import policy_json  # noqa: PLC0415
    from backtest.reports.replay_report import html, markdown  # noqa: PLC0415
    from backtest.results.staleness_curve import to_json  # noqa: PLC0415

    if not (args.out / NIGHTS).is_file():
        raise BacktestError(f"no nights are fitted in {args.out}; run: python -m backtest fit --out {args.out}")
    policies, nights = _policies(args), read_json(args.out / NIGHTS)
    found = backtest(nights, policies, args.out, full=args.full)
    title = f"Backtest of {nights['recipe']}"
    report = markdown(title, found.lead, found.parts)
    (args.out / "report.md").write_text(report, encoding="utf-8", errors="backslashreplace")
    page = html(title, found.lead, found.parts)
    (args.out / "report.html").write_text(page, encoding="utf-8", errors="backslashreplace")
    if args.proposed:
        short = markdown("Backtest of the proposed limits", found.lead, found.parts[:2])
        (args.out / "comment.md").write_text(short, encoding="utf-8", errors="backslashreplace")
    write_json(args.out / RESULT, policy_json(found, nights))
    curve = to_json(found.curve, found.realised.metric, nights["made"])
    for folder in filter(None, (args.out, args.ledger)):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / STALENESS, curve)
    for line in (*found.lead, *found.lines(), f"report: {args.out / 'report.md'}, {args.out / 'report.html'}"):
        say(line)


def _bench(args: argparse.Namespace) -> None:
    from backtest.reports.policy_section import policy_section  # noqa: PLC0415
    from bench.document import machine  # noqa: PLC0415
    from bench.sections import put  # noqa: PLC0415

    found = {folder: folder / RESULT for folder in args.folders}
    there = {folder.name: read_json(path) for folder, path in found.items() if path.is_file()}
    if not there:
        raise BacktestError(f"no backtest is in {', '.join(map(str, found))}; run: make backtest")
    streams = {("flights" if name == FOLDER.name else name): content for name, content in there.items()}
    absent = [
        f"{folder.name}, of which there is no {path.name}" for folder, path in found.items() if not path.is_file()
    ]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("scikit-learn", "onnxruntime", "numpy"))
    facts = (f"on {max(each['made'] for each in streams.values())}", machine(), versions)
    put(args.document, "policy", policy_section(streams, facts, absent))
    say(f"{args.document} has the policies")


def _policies(args: argparse.Namespace) -> list[Policy]:
    from backtest.policies import DEFAULT, of_rules, policies  # noqa: PLC0415
    from backtest.reports.rule_change import PRESENT, PROPOSED  # noqa: PLC0415
    from contracts.thresholds import read_rules, read_tables  # noqa: PLC0415

    names = [each for each in (args.policies or "").split(",") if each.strip()]
    if args.proposed:
        changed = [
            of_rules(name, read_rules(path), f"the gate under {words}")
            for name, path, words in (
                (PRESENT, args.rules, "the present rules"),
                (PROPOSED, args.proposed, "the proposed rules"),
            )
        ]
        return [*changed, *policies(names or ["never", "always"], read_tables(args.rules), str(args.rules))]
    return policies(names or DEFAULT, read_tables(args.rules), str(args.rules))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m backtest", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    fit = commands.add_parser("fit", help="fit the models of each night, and measure the periods after it")
    recipe = Path(os.environ.get("RECIPE") or "model/recipe.py")
    fit.add_argument("--recipe", type=Path, default=recipe, help="the recipe's file")
    fit.add_argument("--from", dest="first", type=_day, help="the first night (YYYY-MM-DD; default: 30 nights before)")
    fit.add_argument("--to", dest="last", type=_day, default="", help="the day on which the last period ends")
    fit.add_argument("--every", type=_every, default="7d", help="days between two nights")
    fit.add_argument(
        "--lengths", type=int, default=6, help="nights on which other windows and holdouts are fitted, too; 0 for none"
    )
    fit.add_argument("--days", type=int, help="instead of --from: so many days before --to")
    judge = commands.add_parser("judge", help="replay the policies, and write the report")
    judge.add_argument(
        "--policies",
        default="",
        metavar="LIST",
        help="policies, separated by commas: never, always, monthly, proven, expected, NAME:key=value;key=value",
    )
    judge.add_argument("--proposed", type=Path, help="another thresholds.toml, to compare its decisions with --rules")
    judge.add_argument("--full", action="store_true", help="run Deepchecks and the load test of the server, too")
    judge.add_argument("--ledger", type=Path, help="a folder where staleness.json is stored as well, for the gate")
    bench = commands.add_parser("bench", help="the table of several backtests, into BENCHMARKS.md")
    bench.add_argument("folders", type=Path, nargs="+", help="the folders of the backtests")
    bench.add_argument("--document", type=Path, default=Path("BENCHMARKS.md"), help="whose section is written")
    for command in (fit, judge):
        command.add_argument("--out", type=Path, default=FOLDER, help="the folder of the backtest")
        command.add_argument("--rules", type=Path, default=RULES, help="the limits: a thresholds.toml")
    return parser


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else datetime.now(UTC).date()


def _every(text: str) -> int:
    try:
        return days_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
