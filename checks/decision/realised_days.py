"""What the champion's served model lost on each day since its training, beside the release before it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from bundles.bundle import Bundle
from checks.comparison.compare import Compared
from checks.comparison.weighted_metrics import METRICS
from checks.decision.realised_ledger import NAME, track_record
from checks.evidence import Evidence, cannot_read, days_of, served_score, target
from checks.gate_inputs import GateInputs
from contracts.bundle_content import trained_until
from contracts.comparison_limits import LARGER_IS_BETTER
from reporting.hidden_lines import hidden_line


def realised_lines(inputs: GateInputs, evidence: Evidence, row: Compared | None) -> str:
    """A sentence on the releases so far, and the hidden line for later verdicts; *row* is the primary metric's.

    "" without a champion, or where the candidate is the champion.
    """
    candidate, champion = inputs.candidate, inputs.champion
    if row is None or champion is None or champion.digest == candidate.digest:
        return ""
    expected = row.expected.mean if row.expected else row.difference
    fields: dict[str, Any] = {"contract": candidate.contract.name, "metric": row.metric, "release": champion.digest}
    if expected is not None and math.isfinite(expected):
        fields["expected"] = {"version": candidate.version, "release": candidate.digest, "value": expected}
    if inputs.previous:
        fields |= {"before": inputs.previous.digest, "older": _older(champion, inputs.previous)}
        fields["days"] = day_losses(evidence, champion, inputs.previous, row.metric)
    line = hidden_line(NAME, fields)
    sentence = track_record([*inputs.notes, line], candidate.contract.name).sentence()
    return "".join(f"\n{each}\n" for each in (sentence, line) if each)


def day_losses(
    evidence: Evidence, champion: Bundle, previous: Bundle, metric: str
) -> list[tuple[str, int, float, float]]:
    """Day, rows, and the losses of *champion* and *previous* on the rows that neither served model was trained on.

    [] where one of them has another contract, so that it cannot score these rows.
    """
    ends = [pd.Timestamp(trained_until(each.manifest)) for each in (champion, previous)]
    rows = evidence.holdout[evidence.holdout[evidence.contract.time] > max(ends)].reset_index(drop=True)
    if rows.empty or any(cannot_read(each.contract, evidence.contract, "it") for each in (champion, previous)):
        return []
    scores = [served_score(each, rows) for each in (champion, previous)]
    truth, days = target(rows, evidence.contract), days_of(rows, evidence.contract)
    sign = -1 if metric in LARGER_IS_BETTER else 1
    found = []
    for day in sorted(set(days)):
        of = days == day
        loss, earlier = (sign * float(METRICS[metric](truth[of], each[of])()) for each in scores)
        if math.isfinite(loss) and math.isfinite(earlier):
            found.append((str(day), int(of.sum()), loss, earlier))
    return found


def _older(champion: Bundle, previous: Bundle) -> float:
    ends = [pd.Timestamp(trained_until(each.manifest)) for each in (champion, previous)]
    return float((ends[0] - ends[1]).total_seconds()) / 86_400
