"""Watch what is live; tell how it goes.

python -m monitoring watch --journal DIR --out DIR    open, update or close incidents
python -m monitoring experiment --journal DIR         who wins; one issue, and a proposal when it is due
python -m monitoring answer                           what people typed below them is done
python -m monitoring site [--out FOLDER]              the control room, one page
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
from monitoring.experiment.experiment_run import run as run_experiment
from monitoring.incidents.expected_causes import ExpectedError
from monitoring.incidents.forge_actions import answer_comments
from monitoring.journal.window import JournalError
from monitoring.measure import Measuring, measure_days
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
    """Run a command; returns its exit code. *measuring* is what measures rows."""
    asked = _parser().parse_args(arguments)
    asked.now, asked.measuring = clock(), measuring
    try:
        asked.run(asked, open_forge(asked.forge))
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
        return _stop(NO_WATCH, f"could not watch: {error}")
    except KeyboardInterrupt:
        return _stop(130, "stopped; nothing was changed")
    return OK


def _answer(asked: argparse.Namespace, forge: Forge) -> None:
    """Comments that are commands -> what they ask for, and a reply to each."""
    answer_comments(forge, asked.now, read_rules(asked.rules).monitoring.quiet)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m monitoring", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    watch = commands.add_parser("watch", help="look at the journal; open, update or close the alert")
    watch.add_argument(
        "--today", type=_day, metavar="YYYY-MM-DD", help="look at the days before this one (default: today)"
    )
    watch.add_argument("--out", type=Path, required=True, help="folder to keep the run's signals in")
    watch.add_argument(
        "--metrics",
        action="append",
        default=[],
        metavar="URL",
        help="a scorer's /metrics, for errors and latency; may be repeated",
    )
    watch.add_argument(
        "--metrics-seconds", type=float, default=30, metavar="SECONDS", help="seconds between two readings of --metrics"
    )
    watch.set_defaults(run=run_monitoring)
    experiment = commands.add_parser("experiment", help="say who wins, and propose what is due")
    experiment.add_argument("--today", type=_day, metavar="YYYY-MM-DD", help="count the days before (default: today)")
    experiment.set_defaults(run=run_experiment)
    answer = commands.add_parser("answer", help="do what people typed below alerts, and reply")
    answer.set_defaults(run=_answer)
    site = commands.add_parser("site", help="write the control room, one page in a folder")
    site.add_argument(
        "--journal", help="the scorer's journal, for what the watch has not seen (default: beside the forge)"
    )
    site.add_argument("--watch", type=Path, help="the watch's folder (default: beside the forge)")
    site.add_argument("--drill", type=Path, default=Path("build/drill/drill.json"), help="result of the last drill")
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
            help="where what was counted of closed days is kept (default: build/kept)",
        )
    for command in commands.choices.values():
        command.add_argument("--forge", default=os.environ.get("FORGE") or ".forge", help="the forge's folder")
        command.add_argument(
            "--rules", type=Path, default=Path("checks/thresholds.toml"), help="the limits: a thresholds.toml"
        )
    return parser


def _day(text: str) -> date | None:
    # A workflow's input that was left empty arrives as "".
    return date.fromisoformat(text) if text else None


def _stop(code: int, why: object) -> int:
    print(f"error: {why}", file=sys.stderr)
    return code


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
