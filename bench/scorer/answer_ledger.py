"""Compare the answers that clients received with the journal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Scores of one model and row are the same but for JSON's rounding.
TOLERANCE = 1e-6


@dataclass
class Books:
    """How many were acknowledged, and which of them are missing or different in the journal."""

    answers: int = 0
    outcomes: int = 0
    cut: int = 0
    failed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    def problems(self) -> list[str]:
        """A line for each kind of discrepancy, with the number and the first one."""
        kinds = {
            "acknowledged and not in the journal": self.lost,
            "answers whose score, version and journal disagree": self.other,
            "requests refused": self.failed,
        }
        found = [f"{len(all_):,} {kind}: {all_[0]}" for kind, all_ in kinds.items() if all_]
        return found if self.answers else [*found, "nothing was answered"]


def compare(visitors: Iterable[Path], journal: Path, expected: Mapping[str, Sequence[float]]) -> Books:
    """The comparison of the clients' logs, the journal's lines and each version's scores."""
    books = Books()
    answered = {line["id"]: (line["version"], line["score"]) for line in lines(journal, "answers")}
    journalled = {line["id"] for line in lines(journal, "outcomes")}
    for path in visitors:
        with path.open() as log:
            for line in log:
                kind, _, rest = line.rstrip("\n").partition(" ")
                if kind == "answer":
                    books.answers += 1
                    _answer(books, rest, answered, expected)
                elif kind == "outcome":
                    books.outcomes += 1
                    if rest not in journalled:
                        books.lost.append(f"outcome of {rest}")
                elif kind == "cut":
                    books.cut += 1
                elif kind == "failed":
                    books.failed.append(rest)
    return books


def lines(journal: Path, kind: str) -> Iterable[dict[str, Any]]:
    """Every line of one *kind* in the journal; the last one of a file may be incomplete after a kill."""
    for path in sorted(journal.rglob(f"{kind}-*.jsonl")):
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    yield json.loads(line)


def _answer(
    books: Books, rest: str, answered: Mapping[str, tuple[str, float]], expected: Mapping[str, Sequence[float]]
) -> None:
    id_, version, number, text = rest.split()
    score = float(text)
    if id_ not in answered:
        books.lost.append(id_)
    elif answered[id_] != (version, score):
        books.other.append(f"{id_}: answered {version} {score}, journal {answered[id_]}")
    if abs(expected[version][int(number)] - score) > TOLERANCE:
        books.other.append(f"{id_}: {version} scores {expected[version][int(number)]}, answered {score}")
