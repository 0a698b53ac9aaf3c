"""One monitoring run: read the evidence and the journal, measure each day, decide about incidents, act on the forge."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from contracts.live_config import LiveError, Slot, readable
from contracts.row_contract import Contract, ContractError
from contracts.thresholds import ConfigurationError, Rules, read_rules
from forge.bundles.bundle_files import as_named
from forge.interface import Alert, Change, Forge, ForgeError
from monitoring.charts.signals import Signal, Unknown
from monitoring.corrections.correction_issues import issues_now
from monitoring.earlier_days import Measuring
from monitoring.incidents.actions import Action, ResolveAlert
from monitoring.incidents.alert_rules import Assessment, assess
from monitoring.incidents.auto_rollback import Alarm
from monitoring.incidents.digest import digest
from monitoring.incidents.expected_causes import PATH, ExpectedCause, ExpectedError, read_expected
from monitoring.incidents.forge_actions import (
    apply,
    current_champion,
    handle_service_alarms,
    newest_comparison,
    roll_back_if_due,
    update_digest,
)
from monitoring.incidents.incident import decide as decide_incidents
from monitoring.incidents.incident import waived_causes
from monitoring.incidents.self_check import MonitoringFault, crashed_checks, fault_issues, fault_of, no_recent_rows
from monitoring.journal.day_cache import Reading
from monitoring.journal.frame_store import folder_of
from monitoring.journal.last_year import days_a_year_before
from monitoring.journal.remote_files import journal_at
from monitoring.journal.sample_correction import days_of_all
from monitoring.journal.service_history import Served, read_days, served
from monitoring.journal.window import JournalError, Window, read_window
from monitoring.measure import measure_window
from monitoring.metric_history import ARTIFACT, NAME, keep_series, read_series
from monitoring.metrics.arriving_changes import upstream_changes
from monitoring.metrics.daily_metrics import METRICS, daily_metrics
from monitoring.metrics.feature_influence import influence
from monitoring.metrics.label_delay import by_age
from monitoring.metrics.sent_values import serving_skew
from monitoring.metrics.service_metrics import observe
from monitoring.metrics.slice_metrics import since, slices, table
from monitoring.metrics.unjudged_rows import days_fault
from monitoring.metrics.volume import delay_text, waiting
from monitoring.observations import Observations, deployments_of, first_day
from monitoring.reference_period import EvidenceError, read_manifest, read_reference, read_training
from monitoring.run_files import run_content, write_run

#: An error -> the kind of fault that an issue about monitoring itself names.
_FAULTS: dict[type[BaseException], str] = {
    JournalError: "journal",
    EvidenceError: "evidence",
    ContractError: "evidence",
    OSError: "journal",
    ConfigurationError: "settings",
    ExpectedError: "settings",
}


@dataclass(frozen=True)
class Inputs:
    """What a run reads: the live version with its evidence, the journal's window and counts, and the waivers.

    *at* is the time of the run in texts; *past* says that the run is about the days before a given day, not about
    now; *history* is live.toml's, newest first; *until* is the midnight after the window's last day.
    """

    at: str
    past: bool
    version: str
    contract: Contract
    manifest: dict[str, Any]
    reference: pd.DataFrame
    train: pd.DataFrame
    last_year: Window | None
    history: Sequence[Change]
    window: Window
    until: pd.Timestamp
    service: Served
    waivers: Sequence[ExpectedCause]
    sent: dict[str, Any] | None = None

    @property
    def rows(self) -> int:
        """How many rows the window has; its frame may be a sample of them."""
        return int(self.window.counts["rows"].sum())

    @property
    def labelled(self) -> int:
        """How many rows of the window have an outcome, estimated from the sample."""
        return self.window.weight * int(self.window.rows[self.contract.target.name].notna().sum())


@dataclass(frozen=True)
class Results:
    """What was measured: signals, what could not be measured, days with too few rows, changes upstream."""

    signals: list[Signal]
    unknown: list[Unknown]
    unjudged: list[str]
    upstream: list[str]
    assessment: Assessment


@dataclass(frozen=True)
class Decision:
    """What is to be done: actions on incidents, alarms that may call a rollback, faults of monitoring itself."""

    observations: Observations
    actions: list[Action]
    alarms: list[Alarm]
    faults: list[MonitoringFault]


def run(args: argparse.Namespace, forge: Forge) -> None:
    """Read, measure, decide, act. A run that fails opens an issue about monitoring itself, and raises its error."""
    try:
        rules = read_rules(args.rules)
        live, history = current_champion(forge)
        if rolled_back_by_service(args, forge, live, rules):
            return
        inputs = read(args, forge, live, history, rules)
        results = measure(inputs, rules, args.measuring)
        decision = decide(inputs, results, forge.alerts(), args.now, rules)
        act(args, forge, inputs, results, decision, rules)
    except Exception as error:
        # Without a live model there is nothing to monitor, and without a forge no place for an issue.
        if not isinstance(error, LiveError | ForgeError):
            apply(forge, fault_issues([fault_of(error, _FAULTS)], forge.alerts(), args.now, 0, whole=False))
        raise
    apply(forge, fault_issues(decision.faults, forge.alerts(), args.now, rules.incident.respect_days))
    apply(forge, issues_now(args, inputs.contract, rules.monitoring.window_days, forge.alerts()))


def rolled_back_by_service(args: argparse.Namespace, forge: Forge, live: Slot, rules: Rules) -> bool:
    """Whether errors or latency at the scorers' /metrics roll the live version back, before the journal is read."""
    if not (addresses := [*filter(None, args.metrics)]):
        return False
    alarms = observe(addresses, args.metrics_seconds, live.version, rules.rollback)
    return handle_service_alarms(forge, alarms, rules.rollback)


def read(args: argparse.Namespace, forge: Forge, live: Slot, history: Sequence[Change], rules: Rules) -> Inputs:
    """The evidence of the *live* version, the journal's window, and the waivers on the default branch.

    Raises `EvidenceError`, `ContractError`, `JournalError` or `ExpectedError` for what cannot be read.
    """
    limits, version = rules.monitoring, live.version
    with tempfile.TemporaryDirectory() as work:
        bundle = Path(work) / version
        forge.download(version, bundle)
        manifest = as_named(read_manifest(bundle), live)
        contract = Contract.from_json(manifest["contract"])
        reference, train = read_reference(bundle, contract), read_training(bundle, contract)
    zone, kept = contract.zone or "UTC", folder_of(args.kept, args.journal)
    until = pd.Timestamp(args.today or args.now.astimezone(ZoneInfo(zone)).date(), tz=zone)
    reading = Reading(contract, version, manifest["data"]["categories"], limits.sample_rows, limits.engine, kept)
    with journal_at(args.journal) as journal:
        now = None if args.today else args.now
        window = read_window(journal, reading, limits.window_days, until, limits.min_rows, now)
        until = pd.Timestamp(window.until, tz=zone)
        past = days_a_year_before(journal, reading, train, reference, until, limits.window_days)
        counts = read_days(journal, limits.window_days, until, kept, contract.zone, forget=not args.today)
    inputs = Inputs(
        at=f"{args.today or args.now:%Y-%m-%dT%H:%MZ}",
        past=args.today is not None,
        version=version,
        contract=contract,
        manifest=manifest,
        reference=reference,
        train=train,
        last_year=past,
        history=history,
        window=window,
        until=until,
        service=served(counts, version, limits),
        waivers=read_expected(forge.read(PATH)),
        sent=newest_comparison(forge, manifest),
    )
    _say(f"{version}: {inputs.rows:,} rows answered, {inputs.labelled:,} outcomes known")
    return inputs


def measure(inputs: Inputs, rules: Rules, measuring: Measuring) -> Results:
    """Each day of the window against the reference and earlier days, on control charts. *measuring* measures rows."""
    window, contract, manifest = inputs.window, inputs.contract, inputs.manifest
    signals, unknown, unjudged = measure_window(
        window,
        inputs.reference,
        contract,
        manifest["data"]["categories"],
        rules.monitoring,
        _say,
        (inputs.service.before, inputs.service.now),
        measuring,
        inputs.train,
        inputs.last_year,
    )
    skew = serving_skew(inputs.sent, rules.monitoring, f"{inputs.until:%Y-%m-%d}")
    signals, unknown = [*signals, *skew.signals], [*unknown, *inputs.service.unknown, *skew.unknown]
    changes = upstream_changes(window.rows, contract, manifest, rules, inputs.until)
    upstream = [*map(str, changes), *skew.lines]
    return Results(signals, unknown, unjudged, upstream, assess(signals, unknown, rules.monitoring))


def decide(inputs: Inputs, results: Results, alerts: Sequence[Alert], now: datetime, rules: Rules) -> Decision:
    """What becomes of the incidents among *alerts*, whether a rollback may be due, and what monitoring cannot see."""
    window, contract, limits = inputs.window, inputs.contract, rules.monitoring
    begun = first_day(results.signals, results.assessment.breaching)
    rows = since(window.rows, contract.time, begun)
    segments = slices(inputs.reference, rows, contract, limits.min_rows, window.weight)
    times = inputs.reference[contract.time]
    changes = ((c.at, was.champion.version if was.champion else "", c.message) for c, was in readable(inputs.history))
    observations = Observations(
        contract,
        inputs.version,
        inputs.at,
        results.signals,
        results.unknown,
        results.assessment,
        inputs.rows,
        inputs.labelled,
        limits.false_alarms_per_quarter,
        deployments=deployments_of(changes),
        reference=(str(times.min())[:10], str(times.max())[:10]),
        slices=table(segments, METRICS[contract.task][0]),
        oddities=[
            *filter(None, [delay_text(window, limits)]),
            *by_age(window.rows, contract, window.until, waiting(window, limits)),
            *window.oddities,
        ],
        unjudged=results.unjudged,
        upstream=results.upstream,
    )
    findings = observations.findings()
    alarms = [
        Alarm(s.kind, inputs.version, f"{s.metric} {s.formatted(s.value)} on {s.day}, usual {s.formatted(s.expected)}")
        for s in observations.pages(waived_causes(findings, inputs.waivers))
        if not inputs.service.was_so(s)
    ]
    actions = decide_incidents(findings, alerts, inputs.waivers, limits.quiet, rules.incident, observations.issue_text)
    faults = crashed_checks(results.unknown) + _blind(inputs, results, now, rules)
    return Decision(observations, actions, alarms, faults)


def _blind(inputs: Inputs, results: Results, now: datetime, rules: Rules) -> list[MonitoringFault]:
    """No recent rows, or none that can be evaluated. About a past day the scorers' clock says nothing."""
    days, history, window = rules.incident.silent_days, inputs.history, inputs.window
    live_since = history[0].at if history else ""
    if not inputs.past and (silent := no_recent_rows(window.answered, live_since, now, days)):
        return silent
    named = "".join(change.text for change in history)
    return days_fault(window, results.signals, results.unknown, named, rules.monitoring.min_rows, days)


def act(
    args: argparse.Namespace, forge: Forge, inputs: Inputs, results: Results, decision: Decision, rules: Rules
) -> None:
    """Keep the run's results in its folder, update incidents and the digest on the forge, roll back where it is due."""
    assessment, version, name = results.assessment, inputs.version, inputs.contract.name
    write_run(args.out, run_content(version, assessment, results.signals, results.unknown, results.upstream))
    apply(forge, decision.actions)
    _keep_history(args, forge, inputs, results, rules)
    if delay := delay_text(inputs.window, rules.monitoring):
        _say(delay)
    resolves = any(isinstance(action, ResolveAlert) for action in decision.actions)
    for line in decision.observations.summary(with_state=not resolves):
        _say(line)
    if assessment.state != "raised":  # otherwise the incident has all of it
        influences = influence(inputs.reference, inputs.contract)
        update_digest(forge, name, digest(results.signals, influences, name, version))
    roll_back_if_due(forge, rules.rollback, decision.alarms)


def _keep_history(args: argparse.Namespace, forge: Forge, inputs: Inputs, results: Results, rules: Rules) -> None:
    """Add the signals and the days' metrics to the history that the dashboard shows."""
    window, assessment = inputs.window, results.assessment
    days = daily_metrics(window.rows, inputs.contract, inputs.version, rules.monitoring.min_rows)
    at = f"{args.now:%Y-%m-%dT%H:%MZ}"
    state = {"at": at, "version": inputs.version, "state": assessment.state, "why": assessment.why}
    history = read_series(args.out, lambda: forge.artifact(ARTIFACT, NAME))
    of_all = days_of_all(days, window.counts, window.weight)
    keep_series(args.out, history.updated(inputs.version, results.signals, of_all, state))


def _say(message: str) -> None:
    print(message, flush=True)
