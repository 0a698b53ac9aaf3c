"""The decisions of the gate with late outcomes, beside those of the same rule with all outcomes.

On each night a candidate is compared with the model of a period before, both trained as an evaluation model is: with the
outcomes known on their night. The rule is `compare.<metric>` of the primary metric, with the limits of thresholds.toml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.delay.late_streams import Stream
from checks.comparison.compare import Compared, compare
from checks.evidence import Evidence
from contracts.thresholds import Compare, read_rules
from model.data import NOWHERE, check, known_target, model_inputs
from model.estimator_scores import scores_of
from model.label_delay.training_rows import TrainingRows, training_rows

ROOT = Path(__file__).parents[2]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Decided:
    """Whether a candidate lands: with the outcomes known on its *night*, with *all* of the same rows, and *at_once*.

    The last is decided by models that were trained with all outcomes, on the newest rows.
    """

    night: str
    known: bool
    all: bool
    at_once: bool


def decided(stream: Stream, night: datetime) -> Decided:
    """The three decisions of the *night*."""
    rules = read_rules(ROOT / "checks/thresholds.toml").gate.compare
    late = _compared(stream, night, rules)
    at_once = _compared(stream.at_once(), night, rules)
    return Decided(f"{night:%Y-%m-%d}", *(each.outcome == "PASS" for each in (*late, at_once[0])))


def _compared(stream: Stream, night: datetime, rules: Compare) -> tuple[Compared, Compared]:
    """The primary metric's comparison on the rows with an outcome, and on all rows of the holdout."""
    (candidate, rows), (champion, _) = (_model(stream, each) for each in (night, night - stream.period))
    contract = stream.contract
    missing = rows.split.holdout.iloc[:0] if rows.unknown is None else rows.unknown
    whole = pd.concat([rows.split.holdout, missing], ignore_index=True)
    truth = stream.outcomes()
    keys = pd.MultiIndex.from_frame(whole[[contract.key, contract.time]])
    whole[contract.target.name] = truth.reindex(keys).to_numpy()
    scores = [scores_of(each, model_inputs(whole, contract), contract) for each in (candidate, champion)]
    train = rows.split.train[rows.split.train[contract.target.name].notna()].reset_index(drop=True)
    evidence = Evidence(
        contract=contract,
        train=train.assign(**{contract.target.name: known_target(train, contract).astype(float)}),
        holdout=whole.assign(**{contract.target.name: known_target(whole, contract).astype(float)}),
        train_scores=np.zeros(len(train)),
        holdout_scores=scores[0],
        fresh=np.ones(len(whole), bool),
        champion=scores[1],
        unreadable="",
        stored_scores_agree=True,
    )
    part = slice(len(rows.split.holdout))
    known = replace(
        evidence,
        holdout=evidence.holdout[part],
        holdout_scores=scores[0][part],
        fresh=evidence.fresh[part],
        champion=scores[1][part],
    )
    found = compare(known, rules)[0][0]
    return found, compare(evidence, rules)[0][0] if len(missing) else found


def _model(stream: Stream, night: datetime) -> tuple[Any, TrainingRows]:
    """The evaluation model of the *night*, and its rows."""
    start = night - stream.window
    rows = check(stream.load(start, night), stream.contract, start, night)
    chosen = training_rows(stream.load, rows, stream.contract, (start, night), stream.holdout, NOWHERE)
    return chosen.evaluation_set(stream.make).fit(stream.make()), chosen


def agreement(found: Sequence[tuple[str, Sequence[Decided]]]) -> list[str]:
    """The lines of the table, one for each stream."""
    lines = [
        (
            "| stream | decisions | landed, outcomes known on the night | same decision with all outcomes of the same rows"
            " | same decision as with all outcomes at once |"
        ),
        "|---|---:|---:|---:|---:|",
    ]
    every = [each for _, nights in found for each in nights]
    for name, nights in [*found, ("all", every)]:
        landed = _share([each.known for each in nights])
        same = _share([each.known == each.all for each in nights])
        at_once = _share([each.known == each.at_once for each in nights])
        lines.append(f"| {name} | {len(nights)} | {landed} | {same} | {at_once} |")
    return lines


def _share(of: Sequence[bool]) -> str:
    """The share with its standard error: Agresti and Coull's, which is not 0 where all agree."""
    if not of:
        return ""
    p = (sum(of) + 2) / (len(of) + 4)
    return f"{sum(of)} ({np.mean(of):.0%} ± {np.sqrt(p * (1 - p) / (len(of) + 4)):.0%})"
