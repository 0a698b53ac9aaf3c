"""What a row is answered: a line of the journal, and what the website is told of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from model.contract import Contract


class Answer(msgspec.Struct, gc=False):
    """What one row was answered, as the journal keeps it; (n classes,) scores for multiclass."""

    id: str
    at: str
    version: str
    arm: str
    key: str
    time: str
    row: Mapping[str, Any]
    score: float | list[float]

    def line(self) -> dict[str, Any]:
        """The same, to be changed."""
        return msgspec.structs.asdict(self)


def bodies(contract: Contract, answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """What the website is told of *answers*; every task has a `score`."""
    classes = contract.target.classes
    if contract.task == "binary":
        return [
            {"id": a.id, "score": a.score, "label": classes[a.score >= 0.5],  # type: ignore[operator]
             "version": a.version, "arm": a.arm}
            for a in answers
        ]  # fmt: skip
    if contract.task == "regression":
        return [
            {"id": a.id, "score": a.score, "value": a.score, "version": a.version, "arm": a.arm}
            for a in answers
        ]
    return [_multiclass(classes, a, a.score) for a in answers]  # type: ignore[arg-type]


def _multiclass(classes: Sequence[Any], answer: Answer, scores: list[float]) -> dict[str, Any]:
    names = [label if isinstance(label, str) else json.dumps(label) for label in classes]
    best = max(range(len(classes)), key=scores.__getitem__)
    return {
        "id": answer.id, "score": scores[best], "label": classes[best],
        "probabilities": dict(zip(names, scores, strict=True)), "version": answer.version,
        "arm": answer.arm,
    }  # fmt: skip
