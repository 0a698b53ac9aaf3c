"""A stream of scored rows, hour by hour through the corrector: what would have been answered, and its loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from bench.online.scored_rows import Array, Scored
from online.corrector import Setting
from online.hourly_steps import HourlySteps
from online.outcome_delays import DelayCurves
from online.waiting_rows import hash_of


@dataclass(frozen=True)
class Answered:
    """The scores of the model alone, of the correction always, and as it was applied: (n,) each; hours by state."""

    rows: Scored
    always: Array
    served: Array
    applied: float
    fallback: float
    refused: dict[str, int]
    largest: float

    def loss(self, scores: Array) -> Array:
        """The loss of each row: log loss, or the absolute error."""
        outcomes = self.rows.outcomes
        if self.rows.contract.task == "regression":
            return np.asarray(np.abs(outcomes - scores))
        inside = np.clip(scores, 1e-6, 1 - 1e-6)
        return np.asarray(-np.log(np.where(outcomes == 1, inside, 1 - inside)))


def run(rows: Scored, *, half_life: float = 3.0) -> Answered:
    """Answer *rows*, each hour with what the outcomes known before it say."""
    contract = rows.contract
    setting = Setting(contract.task, len(contract.target.classes), contract.slices, half_life=half_life)
    manifest: dict[str, Any] = {"task": contract.task, "contract": contract.to_json()}
    if rows.label_delay:
        manifest["label_delay"] = rows.label_delay
    steps = HourlySteps(contract, setting, DelayCurves.of(manifest))
    always, served = rows.scores.copy(), rows.scores.copy()
    place = {hash_of(str(n)): n for n in range(len(rows.at))}
    answered, known = _by_hour(rows.at), _by_hour(rows.known)
    applied = fallback = hours = 0
    first, last = min(answered), max(answered)
    for hour in range(first, last + 1):
        begun = datetime.fromtimestamp(hour * 3600, UTC)
        state = steps.standing.state
        steps.hours.add_answers(_answers(rows, answered.get(hour, [])), begun)
        steps.hours.add_outcomes(_outcomes(rows, known.get(hour, [])), begun)
        steps.close(begun + timedelta(hours=1))
        hours, applied, fallback = hours + 1, applied + (state == "applied"), fallback + (state == "fallback")
        if hour in answered and hour in steps.waiting.cohorts:
            cohort = steps.waiting.cohorts[hour]
            numbers = [place[each] for each in cohort.ids.tolist()]
            always[numbers] = cohort.corrected[:, 0]
            if state == "applied":
                served[numbers] = cohort.corrected[:, 0]
    moved = np.abs(served - rows.scores) / steps.corrector.scale
    if contract.task == "binary":
        moved = np.abs(_logit(served) - _logit(rows.scores))
    return Answered(
        rows, always, served, applied / hours, fallback / hours, steps.refusals.to_json(), float(moved.max())
    )


def _logit(p: Array) -> Array:
    inside = np.clip(p, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside / (1 - inside)))


def _by_hour(times: Array) -> dict[int, list[int]]:
    hours = times.astype("datetime64[h]").astype(np.int64)
    order = np.argsort(hours, kind="stable")
    found, first = np.unique(hours[order], return_index=True)
    parts = np.split(order, first[1:])
    return {int(hour): part.tolist() for hour, part in zip(found, parts, strict=True)}


def _answers(rows: Scored, numbers: list[int]) -> Iterator[dict[str, Any]]:
    for n in numbers:
        row = {name: values[n] for name, values in rows.slices.items()}
        at, score = f"{rows.at[n]}Z", float(rows.scores[n])
        yield {"id": str(n), "at": at, "version": str(rows.versions[n]), "row": row, "score": score}


def _outcomes(rows: Scored, numbers: list[int]) -> Iterator[dict[str, Any]]:
    classes = rows.contract.target.classes
    for n in numbers:
        value = float(rows.outcomes[n])
        yield {"id": str(n), "at": f"{rows.known[n]}Z", "outcome": classes[int(value)] if classes else value}
