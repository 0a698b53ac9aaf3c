"""What the scorer counts: the families of series, each with its kind, its words and its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from serve.exposition import Family

#: Upper bounds of the buckets, in seconds: a row takes tens of microseconds, a batch milliseconds.
SECONDS = (
    25e-6, 50e-6, 75e-6, 1e-4, 15e-5, 25e-5, 5e-4, 1e-3, 25e-4, 5e-3, 1e-2, 25e-3, 5e-2, 0.1, 0.25,
    0.5, 1.0, 2.5, 10.0,
)  # fmt: skip
PROBABILITIES = tuple(round(n / 20, 2) for n in range(1, 21))
REQUESTS, ANSWERS, SCORES = "requests", "answer_seconds", "score"
MISSING, UNSEEN = "missing_values", "unseen_values"
OUTCOMES, SHADOWED = "outcomes", "shadow_rows"
DISAGREED, DIFFERENCE = "shadow_disagreements", "shadow_difference"
IN_PROGRESS, LOST, UNCOUNTED = "requests_in_progress", "journal_lost_lines", "uncounted"
WORKERS = "workers"
FAMILIES: dict[str, tuple[Any, ...]] = {
    REQUESTS: ("counter", "Requests, by route and status.", ("route", "status")),
    ANSWERS: ("histogram", "Seconds from rows to answers, journal included, on every route."),
    IN_PROGRESS: ("gauge", "Requests being answered."),
    SCORES: ("histogram", "Scores given, by version and arm.", ("version", "arm")),
    MISSING: ("counter", "Values that were missing in rows answered.", ("feature",)),
    UNSEEN: ("counter", "Categories never seen in training in rows answered.", ("feature",)),
    OUTCOMES: ("counter", "Outcomes that were accepted."),
    SHADOWED: ("counter", "Rows for a shadow: scored, dropped, failed.", ("version", "result")),
    DISAGREED: ("counter", "Rows that a shadow labels otherwise than they were.", ("version",)),
    DIFFERENCE: ("counter", "Sum of how far a shadow's scores are from those told.", ("version",)),
    WORKERS: ("gauge", "Processes that answer."),
    LOST: ("counter", "Lines that the journal could not keep."),
    UNCOUNTED: ("counter", "What was not counted by name, for there was no slot left."),
}
#: What is looked up when somebody asks.
STANDING: dict[str, tuple[Any, ...]] = {
    "model_info": (
        "gauge",
        "What is live; always 1.",
        ("version", "arm", "name", "task", "digest"),
    ),
    "arm_share": ("gauge", "Share of the keys of an arm.", ("arm",)),
    "model_age_seconds": ("gauge", "Seconds since a model was made.", ("version", "arm")),
    "ready": ("gauge", "Whether rows can be answered."),
    "release_refused": (
        "gauge",
        "Whether something keeps the scorer from following its store or the forge.",
    ),
    "forge_agrees": (
        "gauge",
        "Whether what the forge names is served; absent without `forge sync`.",
    ),
    "forge_agreement_age_seconds": ("gauge", "Seconds since it last was; infinite if never."),
}
#: Those of `STANDING` that only a store which `forge sync` fills has.
FORGE = ("forge_agrees", "forge_agreement_age_seconds")
#: What the journal says of its folder, which the workers share.
BACKLOG: dict[str, tuple[Any, ...]] = {
    "journal_segments": ("gauge", "Files of the journal that wait to be put away, open ones too."),
    "journal_bytes": ("gauge", "Bytes in them."),
    "journal_unshipped": ("gauge", "Files that could not be sent when that was last tried."),
}
PREFIX = "tidegate_"


def family(name: str) -> Family:
    """The family called *name* here, without samples."""
    kind, *more = (FAMILIES | STANDING | BACKLOG)[name]
    return Family(PREFIX + name + ("_total" if kind == "counter" else ""), kind, *more)


def table() -> str:
    """The families as the README lists them."""
    rows = ["| metric | labels | |", "|---|---|---|"]
    for each in map(family, FAMILIES | STANDING | BACKLOG):
        labels = ", ".join(f"`{label}`" for label in each.labels)
        rows.append(f"| `{each.name}` | {labels} | {each.says} |")
    return "\n".join(rows) + "\n"


class Counting(Protocol):
    """Whoever counts what is answered and refused."""

    def answered(
        self,
        version: str,
        arm: str,
        scores: Sequence[float],
        missing: Mapping[str, int],
        unseen: Mapping[str, int],
        seconds: float,
        requests: int,
    ) -> None: ...

    def refused(self, status: int) -> None: ...

    def in_progress(self, change: int, answered: int = 0) -> None: ...

    def outcomes(self, count: int) -> None: ...
