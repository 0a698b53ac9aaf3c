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
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from contracts.live_config import LiveError, readable
from contracts.row_contract import Contract, ContractError
from contracts.thresholds import ConfigurationError, Rules, read_rules
from forge.bundles.bundle_files import as_named
from forge.closed_pipes import ignore_closed_pipes
from forge.interface import Change, Forge, ForgeError
from forge.opening import open_forge
from monitoring.charts.signals import Signal, Unknown
from monitoring.dashboard.build import run as write_site
from monitoring.experiment.run import run as run_experiment
from monitoring.incidents.actions import ResolveAlert
from monitoring.incidents.alert_rules import assess
from monitoring.incidents.auto_rollback import Alarm
from monitoring.incidents.digest import digest
from monitoring.incidents.expected_causes import PATH, ExpectedError, read_expected
from monitoring.incidents.forge_actions import (
    answer_comments,
    apply,
    current_champion,
    handle_service_alarms,
    roll_back_if_due,
)
from monitoring.incidents.incident import decide, waived_causes
from monitoring.incidents.self_check import MonitoringFault, crashed_checks, fault_issues, fault_of, no_recent_rows
from monitoring.journal.day_cache import Reading
from monitoring.journal.frame_store import folder_of
from monitoring.journal.remote_files import journal_at
from monitoring.journal.sample_correction import days_of_all
from monitoring.journal.service_history import read_days, served
from monitoring.journal.window import JournalError, Window, read_window
from monitoring.measure import Measuring, look, measure
from monitoring.metric_history import ARTIFACT, NAME, SeriesError, keep_series, read_series
from monitoring.metrics.arriving_changes import likely_changes
from monitoring.metrics.daily_metrics import METRICS, measured
from monitoring.metrics.feature_influence import influence
from monitoring.metrics.service_metrics import ServiceError, observe
from monitoring.metrics.slice_metrics import since, slices, table
from monitoring.metrics.unjudged_rows import sightless
from monitoring.metrics.volume import delay_words
from monitoring.observations import Seen, first_day, moves_of
from monitoring.reference_period import EvidenceError, read_manifest, read_reference
from monitoring.run_files import write_run

OK, USAGE, NO_WATCH = 0, 2, 5
_KINDS: dict[type[BaseException], str] = {
    JournalError: "journal",
    EvidenceError: "evidence",
    ContractError: "evidence",
    OSError: "journal",
    ConfigurationError: "settings",
    ExpectedError: "settings",
}


def main(
    arguments: list[str] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    measuring: Measuring = measure,
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


def _watch(asked: argparse.Namespace, forge: Forge) -> None:
    """A look at the journal -> incidents; where it breaks, an issue on the watch itself."""
    now = asked.now
    try:
        rules = read_rules(asked.rules)
        broken = _look(asked, forge, rules)
    except Exception as error:
        # Otherwise nothing is live, or there is nowhere to say it.
        if not isinstance(error, LiveError | ForgeError):
            told = fault_issues([fault_of(error, _KINDS)], forge.alerts(), now, 0, whole=False)
            apply(asked.forge, forge, told)
        raise
    if broken is not None:
        apply(asked.forge, forge, fault_issues(broken, forge.alerts(), now, rules.incident.respect_days))


def _look(asked: argparse.Namespace, forge: Forge, rules: Rules) -> list[MonitoringFault] | None:
    """live.toml -> bundle's evidence; journal -> window; both -> signals -> incidents.

    Returns what is broken in the watch; None if it did not come to look.
    """
    limits, (live, history) = rules.monitoring, current_champion(forge)
    pages = [*filter(None, asked.metrics)]
    alarms = observe(pages, asked.metrics_seconds, live.version, rules.rollback) if pages else []
    if pages and handle_service_alarms(asked.forge, forge, alarms, rules.rollback):
        return None
    with tempfile.TemporaryDirectory() as work:
        forge.download(live.version, Path(work) / live.version)
        manifest = as_named(read_manifest(Path(work) / live.version), live)
        contract = Contract.from_json(manifest["contract"])
        reference = read_reference(Path(work) / live.version, contract)
    zone = contract.zone or "UTC"
    until = pd.Timestamp(asked.today or asked.now.astimezone(ZoneInfo(zone)).date(), tz=zone)
    with journal_at(asked.journal) as journal:
        reading = Reading(
            contract,
            live.version,
            manifest["data"]["categories"],
            limits.sample_rows,
            limits.engine,
            folder_of(asked.kept, asked.journal),
        )
        now = None if asked.today else asked.now
        window = read_window(journal, reading, limits.window_days, until, limits.min_rows, now)
        until = pd.Timestamp(window.until, tz=zone)
        counted = read_days(journal, limits.window_days, until, reading.folder, contract.zone, forget=not asked.today)
    answers = served(counted, live.version, limits)
    rows = int(window.counts["rows"].sum())
    labelled = window.weight * int(window.rows[contract.target.name].notna().sum())
    _say(f"{live.version}: {rows:,} rows answered, {labelled:,} outcomes known")
    oddities = [*filter(None, [delay_words(window, limits)]), *window.oddities]
    signals, unknown, unjudged = look(
        window,
        reference,
        contract,
        manifest["data"]["categories"],
        limits,
        _say,
        (answers.before, answers.now),
        asked.measuring,
    )
    unknown = [*unknown, *answers.unknown]
    situation = assess(signals, unknown, limits)
    upstream = [*map(str, likely_changes(window.rows, contract, manifest, rules, until))]
    begun = first_day(signals, situation.breaching)
    write_run(
        asked.out,
        {
            "version": live.version,
            "state": situation.state,
            "why": situation.why,
            "signals": [signal.to_json() for signal in signals],
            "tier": situation.tier,
            "unknown": [[each.kind, each.why] for each in unknown],
            "upstream": upstream,
        },
    )
    seen = Seen(
        contract,
        live.version,
        f"{asked.today or asked.now:%Y-%m-%dT%H:%MZ}",
        signals,
        unknown,
        situation,
        rows,
        labelled,
        limits.false_alarms_per_quarter,
        moves=moves_of((c.at, was.champion.version if was.champion else "", c.message) for c, was in readable(history)),
        known=(str(reference[contract.time].min())[:10], str(reference[contract.time].max())[:10]),
        slices=table(
            slices(reference, since(window.rows, contract.time, begun), contract, limits.min_rows, window.weight),
            METRICS[contract.task][0],
        ),
        oddities=oddities,
        unjudged=unjudged,
        upstream=upstream,
    )
    waivers = read_expected(forge.read(PATH))
    looked = seen.look()
    todo = decide(looked, forge.alerts(), waivers, limits.quiet, rules.incident, seen.words)
    apply(asked.forge, forge, todo)
    run = {
        "at": f"{asked.now:%Y-%m-%dT%H:%MZ}",
        "version": live.version,
        "state": situation.state,
        "why": situation.why,
    }
    told = days_of_all(measured(window.rows, contract, live.version, limits.min_rows), window.counts, window.weight)
    before = read_series(asked.out, lambda: forge.artifact(ARTIFACT, NAME))
    keep_series(asked.out, before.told(live.version, signals, told, run))
    closes = any(isinstance(act, ResolveAlert) for act in todo)
    for line in oddities[: len(oddities) - len(window.oddities)]:
        _say(line)
    for line in seen.said(quietly=not closes):
        _say(line)
    if situation.state != "raised":  # else the incident tells it all
        powers = influence(reference, contract)
        _digest(forge, contract.name, digest(signals, powers, contract.name, live.version))
    roll_back_if_due(
        asked.forge,
        forge,
        rules.rollback,
        [
            Alarm(s.kind, live.version, f"{s.metric} {s.told(s.value)} on {s.day}, usual {s.told(s.expected)}")
            for s in seen.pages(waived_causes(looked, waivers))
            if not answers.was_so(s)
        ],
    )
    return crashed_checks(unknown) + _blind(asked, window, signals, unknown, history, rules)


def _blind(
    asked: argparse.Namespace,
    window: Window,
    signals: list[Signal],
    unknown: list[Unknown],
    history: Sequence[Change],
    rules: Rules,
) -> list[MonitoringFault]:
    """Whether no rows come, or none that can be judged. Of a past day the scorers' clock says nothing."""
    days, live_since = rules.incident.silent_days, history[0].at if history else ""
    if not asked.today and (found := no_recent_rows(window.answered, live_since, asked.now, days)):
        return found
    known = "".join(change.text for change in history)
    return sightless(window, signals, unknown, known, rules.monitoring.min_rows, days)


def _answer(asked: argparse.Namespace, forge: Forge) -> None:
    """Comments that are commands -> what they ask for, and a reply to each."""
    answer_comments(asked.forge, forge, asked.now, read_rules(asked.rules).monitoring.quiet)


def _digest(forge: Forge, model: str, week: tuple[str, str] | None) -> None:
    """One issue a week of what moved and harms nobody yet; it closes with a week where nothing did.

    One that a person closed stays closed for its week.
    """
    if week is None:
        return
    marker, (heading, words) = f"digest:{model}", week
    known = next((alert for alert in forge.alerts() if alert.marker == marker), None)
    if heading and known and known.state == "closed" and known.title == heading:
        return
    if heading:
        _say(f"digest {forge.alert(marker, heading, words).number}: {heading}")
    elif closed := forge.resolve(marker, words):
        _say(f"digest {closed.number} is closed: {words}")


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
    watch.set_defaults(run=_watch)
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


def _say(words: str) -> None:
    print(words, flush=True)


def _stop(code: int, why: object) -> int:
    print(f"error: {why}", file=sys.stderr)
    return code


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
