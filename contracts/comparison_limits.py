"""How much worse each metric may be, and which combinations of metrics are enough.

Each metric must hold by itself, unless a combination takes it in: "any of a, b", "2 of a, b, c", or,
for the reader, "all of a, b". The standard library alone: `contracts.thresholds` reads it everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_COMBINATION = re.compile(r"(all|any|[1-9]\d*) of ([a-z_]+(?:, [a-z_]+)*)")


@dataclass(frozen=True)
class Combination:
    """At least *least* of the *metrics* must hold."""

    least: int
    metrics: tuple[str, ...]

    @property
    def name(self) -> str:
        """What its rule is called: `any_of.a.b`, `2_of.a.b.c`."""
        word = {1: "any", len(self.metrics): "all"}.get(self.least, str(self.least))
        return ".".join([f"{word}_of", *self.metrics])

    @property
    def is_loose(self) -> bool:
        """Whether not every one of its metrics must hold."""
        return self.least < len(self.metrics)

    def outcome(self, outcomes: Iterable[str]) -> str:
        """What its metrics' *outcomes* come to: enough passed, enough failed, or not settled."""
        found = list(outcomes)
        passed, failed = found.count("PASS"), found.count("FAIL") + found.count("NOT_RUN")
        if passed >= self.least:
            return "PASS"
        return "FAIL" if len(found) - failed < self.least else "INCONCLUSIVE"


@dataclass(frozen=True)
class Margins:
    """How much worse than the champion, and than the anchor, each metric may be.

    *primary* is named first, and by it slices are looked at. Of those in *superior* the candidate
    must be better than the champion, not only no worse. *require* holds the combinations.
    """

    primary: str
    margins: Mapping[str, float]
    anchor: Mapping[str, float]
    superior: tuple[str, ...] = ()
    require: tuple[Combination, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics with a margin, the primary first."""
        return tuple(dict.fromkeys([self.primary, *self.margins]))

    def combinations(self) -> list[Combination]:
        """Those of which not every metric must hold."""
        return [each for each in self.require if each.is_loose]

    def is_free(self, metric: str) -> bool:
        """Whether *metric* need not hold by itself, since a combination takes it in."""
        taken = [each for each in self.require if metric in each.metrics]
        return bool(taken) and all(each.is_loose for each in taken)


def parse_combination(words: object, known: Sequence[str]) -> Combination | str:
    """The combination that *words* state of the metrics *known*, or what is wrong with it."""
    found = _COMBINATION.fullmatch(words) if isinstance(words, str) else None
    if found is None:
        return (
            f'is {words!r}; expected such as "any of {", ".join(known[:2])}",'
            f' "all of {", ".join(known[:2])}" or a number in place of any'
        )
    metrics = tuple(found[2].split(", "))
    unknown = [name for name in metrics if name not in known]
    if unknown or len(set(metrics)) < len(metrics):
        what = f"{', '.join(unknown)} has no margin there" if unknown else "a metric is named twice"
        return f"is {words!r}: {what}; metrics with a margin are {', '.join(known)}"
    least = {"any": 1, "all": len(metrics)}.get(found[1]) or int(found[1])
    if least > len(metrics):
        return f"is {words!r}: of {len(metrics)} metrics never {least} hold"
    return Combination(least, metrics)
