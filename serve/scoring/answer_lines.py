"""The answer to a row: its line in the journal, and its JSON in the response."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from contracts.row_contract import Contract


class Answer(msgspec.Struct, gc=False):
    """The answer to one row, as the journal keeps it; (n classes,) scores for multiclass.

    `row` has the features by name, as a mapping or as a struct. The last six fields are in the
    journal where they are set: those of a traffic split, the request's trace, and where a
    correction was applied, the model's score and the correction's digest.
    """

    id: str
    at: str
    version: str
    arm: str
    key: str
    time: str
    row: Mapping[str, Any] | msgspec.Struct
    score: float | list[float]
    salt: str | UnsetType = UNSET
    share: float | UnsetType = UNSET
    split: float | UnsetType = UNSET
    trace: str | UnsetType = UNSET
    plain: float | list[float] | UnsetType = UNSET
    correction: str | UnsetType = UNSET

    @property
    def model_score(self) -> float | list[float]:
        """The score of the model, without a correction."""
        return self.score if isinstance(self.plain, UnsetType) else self.plain


class Label(msgspec.Struct, gc=False):
    """The response to a row of a binary task."""

    id: str
    score: float
    label: Any
    version: str
    arm: str
    correction: str | UnsetType = UNSET


class Value(msgspec.Struct, gc=False):
    """The response to a row of a regression."""

    id: str
    score: float
    value: float
    version: str
    arm: str
    correction: str | UnsetType = UNSET


class Labels(msgspec.Struct, gc=False):
    """The response to a row of a multiclass task; `score` is the most probable label's."""

    id: str
    score: float
    label: Any
    probabilities: dict[str, float]
    version: str
    arm: str
    correction: str | UnsetType = UNSET


RESPONSES: Mapping[str, type[msgspec.Struct]] = {"binary": Label, "regression": Value, "multiclass": Labels}


def responses(contract: Contract, answers: Sequence[Answer]) -> list[Any]:
    """The response to each row, a struct; every task has a `score`."""
    classes = contract.target.classes
    if contract.task == "binary":
        return [
            Label(a.id, a.score, classes[a.score >= 0.5], a.version, a.arm, a.correction)  # type: ignore[arg-type,operator]
            for a in answers
        ]
    if contract.task == "regression":
        return [Value(a.id, a.score, a.score, a.version, a.arm, a.correction) for a in answers]  # type: ignore[arg-type]
    names = [label if isinstance(label, str) else json.dumps(label) for label in classes]
    return [_multiclass(classes, names, a, a.score) for a in answers]  # type: ignore[arg-type]


def tops(answers: Sequence[Answer]) -> list[float]:
    """The score of each answer; for multiclass, that of the most probable class."""
    scores: list[Any] = [answer.score for answer in answers]
    return [*map(max, scores)] if isinstance(scores[0], list) else scores


def bodies(contract: Contract, answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """As `responses`, as dictionaries."""
    found: list[dict[str, Any]] = msgspec.to_builtins(responses(contract, answers))
    return found


def _multiclass(classes: Sequence[Any], names: Sequence[str], answer: Answer, scores: list[float]) -> Labels:
    best = max(range(len(classes)), key=scores.__getitem__)
    probabilities = dict(zip(names, scores, strict=True))
    return Labels(answer.id, scores[best], classes[best], probabilities, answer.version, answer.arm, answer.correction)
