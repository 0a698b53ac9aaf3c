"""Monitor the live model: incidents, the experiment, commands in comments, the dashboard.

python -m monitoring watch --journal DIR --out DIR    open, update or resolve incidents
python -m monitoring experiment --journal DIR         update the experiment's issue; propose its result when due
python -m monitoring answer                           carry out the commands in comments on issues, and reply
python -m monitoring site [--out FOLDER]              write the dashboard, one page
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from contracts.live_config import LiveError
from contracts.row_contract import ContractError
from contracts.thresholds import ConfigurationError, read_rules
from forge.closed_pipes import ignore_closed_pipes
from forge.interface import Forge, ForgeError
from forge.opening import open_forge
from monitoring.dashboard.build import run as write_site
from monitoring.earlier_days import Measuring
from monitoring.experiment.experiment_run import run as run_experiment
from monitoring.incidents.expected_causes import ExpectedError
from monitoring.incidents.forge_actions import answer_comments
from monitoring.journal.window import JournalError
from monitoring.measure import measure_days
from monitoring.metric_history import SeriesError
from monitoring.metrics.service_metrics import ServiceError
from monitoring.reference_period import EvidenceError
from monitoring.run import run as run_monitoring

OK, USAGE, NO_WATCH = 0, 2, 5


def main(
    arguments: list[str] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    measuring: Measuring = measure_days,
) -> int:
    """Run a command; returns its exit code. *measuring* replaces `measure_days` in tests."""
    args = _parser().parse_args(arguments)
    args.now, args.measuring = clock(), measuring
    try:
        args.run(args, open_forge(args.forge))
    except (ConfigurationError, ExpectedError) as error:
        return _stop(USAGE, error)
    except (
        ForgeError,
        LiveError,
        ContractError,
        EvidenceError,
        JournalError,
        SeriesError,
        ServiceError,
        OSError,
    ) as error:
        return _stop(NO_WATCH, f"{args.command} failed: {error}")
    except KeyboardInterrupt:
        return _stop(130, "stopped; nothing was changed")
    return OK


def _answer(args: argparse.Namespace, forge: Forge) -> None:
    """Carry out the commands in comments on issues, and reply to each."""
    answer_comments(forge, args.now, read_rules(args.rules).monitoring.quiet)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m monitoring", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    watch = commands.add_parser("watch", help="measure the journal's days; open, update or resolve incidents")
    watch.add_argument(
        "--today", type=_day, metavar="YYYY-MM-DD", help="measure the days before this one (default: today)"
    )
    watch.add_argument("--out", type=Path, required=True, help="folder for the signals of each run")
    watch.add_argument(
        "--metrics",
        action="append",
        default=[],
        metavar="URL",
        help="a scorer's /metrics, for errors and latency; can be repeated",
    )
    watch.add_argument(
        "--metrics-seconds", type=float, default=30, metavar="SECONDS", help="seconds between two readings of --metrics"
    )
    watch.set_defaults(run=run_monitoring)
    experiment = commands.add_parser(
        "experiment", help="compare champion and challenger, and propose the result when it is due"
    )
    experiment.add_argument(
        "--today", type=_day, metavar="YYYY-MM-DD", help="count the days before this one (default: today)"
    )
    experiment.set_defaults(run=run_experiment)
    answer = commands.add_parser("answer", help="carry out the commands in comments on issues, and reply")
    answer.set_defaults(run=_answer)
    site = commands.add_parser("site", help="write the dashboard, one page in a folder")
    site.add_argument(
        "--journal", help="the scorer's journal, for days that no run has measured (default: beside the forge)"
    )
    site.add_argument("--watch", type=Path, help="the folder given to watch --out (default: beside the forge)")
    site.add_argument("--drill", type=Path, default=Path("build/drill/drill.json"), help="result of the last drill")
    site.add_argument(
        "--score",
        type=Path,
        default=Path("build/score/score.json"),
        help="the ML Test Score, by python -m checks score",
    )
    site.add_argument("--out", type=Path, default=Path("build/site"), help="folder for index.html")
    site.set_defaults(run=write_site)
    for command in (watch, experiment):
        command.add_argument("--journal", required=True, help="the scorer's journal: a folder, or a URL for fsspec")
    for command in (watch, experiment, site):
        command.add_argument(
            "--kept",
            type=Path,
            default=Path("build/kept"),
            metavar="FOLDER",
            help="folder for the counts of closed days (default: build/kept)",
        )
    for command in commands.choices.values():
        command.add_argument("--forge", default=os.environ.get("FORGE") or ".forge", help="the forge's folder")
        command.add_argument("--rules", type=Path, default=Path("checks/thresholds.toml"), help="the thresholds file")
    return parser


def _day(text: str) -> date | None:
    # A workflow's input that was left empty arrives as "".
    return date.fromisoformat(text) if text else None


def _stop(code: int, message: object) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
