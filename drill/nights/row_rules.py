"""The rules that need rows only, on one clean night: no model is trained, so a year of nights takes a minute or two."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from checks.earlier_rows import past
from checks.evidence import Evidence
from checks.rules.registry import RULES, run_rules
from checks.rules.rows.source_changes import upstream
from checks.verdict import judge
from contracts.thresholds import Rules
from drill.thinned_recipe import Subject
from model.data import check, encoded_target
from model.source_profile.fingerprint import source_of
from model.train import training_window

if TYPE_CHECKING:
    from checks.measurements import Measurements

#: Rules on rows that need a model, a journal, the ledger or a second load.
RULES_WITH_OTHER_NEEDS = (
    "data.fresh_rows",
    "data.skew",
    "data.added",
    "data.looks",
    "leak.added",
    "leak.replay",
    "labels.maturing",
)
NAMES = [
    name
    for name in RULES
    if name.startswith(("data.", "labels.", "leak.", "upstream.")) and name not in RULES_WITH_OTHER_NEEDS
]


def row_night(candidate: Subject, champion: Subject, rules: Rules) -> dict[str, Any]:
    """The verdict of the rules `NAMES` on the *candidate*'s rows beside the *champion*'s, as `night_verdict.judge` gives it."""
    contract, gate = candidate.contract, rules.gate
    (rows, window), (before, ended) = _rows(candidate), _rows(champion)
    recent = (rows[contract.time] >= window[1] - candidate.held).to_numpy()
    parts = {name: rows[which].reset_index(drop=True) for name, which in (("train", ~recent), ("holdout", recent))}
    data: dict[str, Any] = {name: _extent(part[contract.time]) for name, part in parts.items()}
    data["window"] = [str(each) for each in window]
    evidence = Evidence(
        contract,
        parts["train"],
        parts["holdout"],
        train_scores=np.zeros(len(parts["train"])),
        holdout_scores=np.zeros(len(parts["holdout"])),
        fresh=np.ones(len(parts["holdout"]), dtype=bool),
        champion=None,
        unreadable="",
        stored_scores_agree=True,
        past=past(contract, data, parts, before),
    )
    sources = [
        {"contract": contract.to_json(), "data": {"source": source_of(each, contract, end)}}
        for each, end in ((rows, window[1]), (before, ended[1]))
    ]
    measured = SimpleNamespace(
        evidence=evidence,
        gate=gate,
        champion_rows=before[before[contract.time] >= ended[1] - champion.held].reset_index(drop=True),
        upstream=upstream(sources[0], sources[1], gate, lambda: rows)[0],
    )
    findings = run_rules(cast("Measurements", measured), {name: RULES[name] for name in NAMES})
    verdict = judge(findings, (), True, "No rule on the rows fails.")
    named = ("rule", "outcome", "severity", "observed")
    return {
        "today": f"{candidate.today}",
        "decision": verdict.decision,
        "summary": verdict.summary,
        "findings": [{name: getattr(each, name) for name in named} for each in findings],
    }


def lost(candidate: Subject, *_: object) -> dict[str, Any]:
    """The verdict of a process that was killed."""
    why = "the process that judged it was killed, possibly for lack of memory"
    finding = {"rule": "gate.crashed", "outcome": "NOT_RUN", "severity": "block", "observed": why}
    return {"today": f"{candidate.today}", "decision": "REJECT", "summary": why, "findings": [finding]}


def _rows(subject: Subject) -> tuple[pd.DataFrame, tuple[Any, Any]]:
    """The checked rows of the subject's day, the outcome encoded, in the order of time; and the window."""
    contract, window = subject.contract, training_window(subject.recipe, subject.today)
    rows = check(subject.rows, contract, *window)
    rows = rows.assign(**{contract.target.name: encoded_target(rows, contract).astype(float)})
    return rows.sort_values(contract.time, kind="stable", ignore_index=True), window


def _extent(at: pd.Series[Any]) -> dict[str, Any]:
    return {"rows": len(at), "start": str(at.min()), "end": str(at.max())}
