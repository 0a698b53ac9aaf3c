"""One run of the experiment: read the journal, compare the variants, update the issue, propose what is due."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time

from contracts.live_config import LIVE, parse_live, with_champion
from contracts.row_contract import Contract
from contracts.thresholds import read_rules
from forge.bundles.bundle_files import as_named
from forge.interface import Alert, Forge
from forge.workflow_output import output
from monitoring.experiment.day_sums import delete_kept_days, read_sums
from monitoring.experiment.experiment_report import MARKER, marker, memory, report, title
from monitoring.experiment.experiment_units import Split, shared_features
from monitoring.experiment.reader import ReadRequest
from monitoring.experiment.slot_changes import SlotChange, change_due, decided_proposal
from monitoring.experiment.variant_comparison import Result, compare, measures, split_of
from monitoring.journal.frame_store import FrameStore, folder_of
from monitoring.journal.remote_files import journal_at
from reporting.markdown import text


def run(args: argparse.Namespace, forge: Forge) -> None:
    """Evaluate the experiment that live.toml describes; without one, close its issue and delete kept days."""
    rules = read_rules(args.rules).experiment
    split = split_of(forge.history(LIVE))
    alerts = forge.alerts()
    store = FrameStore(folder_of(args.kept, args.journal))
    if split is None:
        _close_others(forge, alerts)
        delete_kept_days(store)
        _say("no experiment runs: serve/live.toml has no challenger with a share or in shadow mode")
        return
    live = parse_live(forge.read(LIVE) or "")
    contract, other = (
        Contract.from_json(as_named(forge.manifest(slot.version), slot)["contract"])
        for slot in (live.champion, live.challenger)
        if slot
    )
    names = measures(rules, contract.task, split.shadow)
    today = datetime.combine(args.today or datetime.now(UTC).date(), time(), UTC)
    with journal_at(args.journal) as journal:
        features = tuple(shared_features(contract, other))
        request = ReadRequest(split, contract, features, tuple(names), rules.unit_days, today)
        sums = read_sums(journal, request, store)
    result = compare(sums, split, contract, rules)
    _say(f"{title(result)}: {result.decision.why}")
    change = change_due(result, rules.policy)
    _update_issue(forge, alerts, result, _propose(forge, change, split) if change else "")


def _propose(forge: Forge, change: SlotChange, split: Split) -> str:
    """Propose *change* once and return what came of it; nothing is proposed if another split is live."""
    before = decided_proposal(change, forge.proposals())
    if before:
        return f"Pull request {before.number} ({text(before.title)}) is {before.state}."
    live = parse_live(forge.read(LIVE) or "")
    if live.champion is None or live.challenger is None:
        return ""
    if (live.champion.version, live.challenger.version) != (split.champion, split.challenger):
        return "Nothing: what is live changed during this run. The next run evaluates the new split."
    version, digest = live.challenger.version, live.challenger.digest
    after = with_champion(live, version, digest) if change.promotes else replace(live, challenger=None)
    files = {LIVE: after.to_toml()}
    proposal = forge.propose(change.branch, change.title, f"{change.why}.\n", files, labels=("experiment",))
    _say(f"proposal {proposal.number}: {proposal.title}")
    opened = f"Pull request {proposal.number} ({text(proposal.title)}) is open."
    if change.promotes:
        if proposal.status is None:  # the gate evaluates every new champion
            output("promote", change.branch)
            output("policy", "" if change.automatic else "never")
        return f"{opened} The gate evaluates it; {'then it lands' if change.automatic else 'then merge it'}."
    forge.status(change.branch, True, change.why, proposal.head)
    if not change.automatic:
        return f"{opened} Merge it."
    forge.merge(change.branch, change.title)
    _say(f"merged: {change.title}")
    return f"Pull request {proposal.number} ({text(proposal.title)}) is merged."


def _update_issue(forge: Forge, alerts: Sequence[Alert], result: Result, action: str) -> None:
    """Update the experiment's one issue. One that a person closed stays closed."""
    mark, body = marker(result), report(result, action)
    _close_others(forge, alerts, mark)
    known = next((each for each in alerts if each.marker == mark), None)
    if known and known.state == "closed":
        _say(f"issue {known.number} was closed by a person and stays closed")
    elif known and (known.title, known.body.strip()) == (title(result), body.strip()):
        _say(f"issue {known.number} is up to date")
    else:
        alert = forge.alert(mark, title(result), body, memory(result))
        _say(f"issue {alert.number} is updated")


def _close_others(forge: Forge, alerts: Sequence[Alert], but: str = "") -> None:
    """Close the issues of experiments that have ended."""
    for alert in alerts:
        if alert.marker.startswith(MARKER) and alert.state == "open" and alert.marker != but:
            forge.resolve(alert.marker, f"The experiment has ended.\n\n{alert.body}")
            _say(f"issue {alert.number} is closed: the experiment has ended")


def _say(line: str) -> None:
    print(line, flush=True)
