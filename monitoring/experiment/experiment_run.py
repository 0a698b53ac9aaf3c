"""One run of the experiment: read the journal, compare the variants, keep the one issue, propose what is due."""

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
from monitoring.experiment.day_sums import forget, read_tally
from monitoring.experiment.experiment_report import MARKER, bulletin, marker, memory, title
from monitoring.experiment.experiment_units import Split, shared
from monitoring.experiment.reader import Asked
from monitoring.experiment.slot_changes import Deed, deed_of, settled
from monitoring.experiment.variant_comparison import Result, compared, measures, split_of
from monitoring.journal.frame_store import Shelf, folder_of
from monitoring.journal.remote_files import journal_at
from reporting.markdown import text


def run(asked: argparse.Namespace, forge: Forge) -> None:
    """live.toml -> what is compared; journal -> sums -> result -> the one issue, and what is due."""
    rules = read_rules(asked.rules).experiment
    split = split_of(forge.history(LIVE))
    alerts = forge.alerts()
    shelf = Shelf(folder_of(asked.kept, asked.journal))
    if split is None:
        _end(forge, alerts)
        forget(shelf)
        _say("no experiment runs: serve/live.toml gives no challenger a share, nor the shadow")
        return
    live = parse_live(forge.read(LIVE) or "")
    contract, other = (
        Contract.from_json(as_named(forge.manifest(slot.version), slot)["contract"])
        for slot in (live.champion, live.challenger)
        if slot
    )
    names = measures(rules, contract.task, split.shadow)
    today = datetime.combine(asked.today or datetime.now(UTC).date(), time(), UTC)
    with journal_at(asked.journal) as journal:
        features = tuple(shared(contract, other))
        wanted = Asked(split, contract, features, tuple(names), rules.unit_days, today)
        tally = read_tally(journal, wanted, shelf)
    result = compared(tally, split, contract, rules)
    _say(f"{title(result)}: {result.judgement.why}")
    deed = deed_of(result, rules.policy)
    _tell(forge, alerts, result, _do(forge, deed, split) if deed else "")


def _do(forge: Forge, deed: Deed, split: Split) -> str:
    """Propose *deed*, once; what came of it, in words. Nothing, if another split is live by now."""
    before = settled(deed, forge.proposals())
    if before:
        return f"Pull request {before.number} ({text(before.title)}) is {before.state}."
    live = parse_live(forge.read(LIVE) or "")
    if live.champion is None or live.challenger is None:
        return ""
    if (live.champion.version, live.challenger.version) != (split.champion, split.challenger):
        return "What is live has changed while this was measured: the next look begins with what is live then."
    version, digest = live.challenger.version, live.challenger.digest
    after = with_champion(live, version, digest) if deed.promotes else replace(live, challenger=None)
    proposal = forge.propose(deed.branch, deed.title, f"{deed.why}.\n", {LIVE: after.to_toml()}, labels=("experiment",))
    _say(f"proposal {proposal.number}: {proposal.title}")
    told = f"Pull request {proposal.number} ({text(proposal.title)}) is open."
    if deed.promotes:
        if proposal.status is None:  # what becomes champion is judged like any other
            output("promote", deed.branch)
            output("policy", "" if deed.alone else "never")
        return f"{told} The gate judges it; {'then it lands' if deed.alone else 'then merge it'}."
    forge.status(deed.branch, True, deed.why, proposal.head)
    if not deed.alone:
        return f"{told} Merge it."
    forge.merge(deed.branch, deed.title)
    _say(f"merged: {deed.title}")
    return f"Pull request {proposal.number} ({text(proposal.title)}) is merged."


def _tell(forge: Forge, alerts: Sequence[Alert], result: Result, deed: str) -> None:
    """Keep the experiment's one issue. One that a person closed stays closed."""
    mark, words = marker(result), bulletin(result, deed)
    _end(forge, alerts, mark)
    known = next((each for each in alerts if each.marker == mark), None)
    if known and known.state == "closed":
        _say(f"issue {known.number} was closed, and is left alone")
    elif known and (known.title, known.body.strip()) == (title(result), words.strip()):
        _say(f"issue {known.number} is up to date")
    else:
        alert = forge.alert(mark, title(result), words, memory(result))
        _say(f"issue {alert.number} is up to date now")


def _end(forge: Forge, alerts: Sequence[Alert], but: str = "") -> None:
    """Close the issues of experiments that are over, with what they last said."""
    for alert in alerts:
        if alert.marker.startswith(MARKER) and alert.state == "open" and alert.marker != but:
            forge.resolve(alert.marker, f"The experiment is over.\n\n{alert.body}")
            _say(f"issue {alert.number} is closed: its experiment is over")


def _say(words: str) -> None:
    print(words, flush=True)
