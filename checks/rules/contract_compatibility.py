"""Would a website that sends today's rows still be answered? The champion's contract against the candidate's.

Rows are checked with the code that the scorer checks them with. The candidate's own rows fit its contract
by making; so today's rows are those that the champion was judged with, and the fresh rows as far as the
champion's contract names their fields.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from checks.verdict import Finding
from contracts.row_contract import Contract, Feature
from contracts.thresholds import Severity

RULE = "contract.compatible"
_LIMIT = "no row of today's is refused"
_WHY = "The website sends today's rows until somebody changes it; each refused row is an error there."
#: Rows of each kind that are tried: a share of refused rows is known well enough by then.
MOST_ROWS = 5_000


def compatible(
    champion: Contract | None, candidate: Contract, parts: Mapping[str, pd.DataFrame], severity: Severity
) -> Finding:
    """The finding; *parts* are today's rows under names that a reader knows them by."""
    if champion is None:
        return Finding(RULE, "PASS", "no champion yet, so no website that sends rows", _LIMIT, _WHY, severity)
    breaking = list(_breaking(champion, candidate))
    told = [*narrower(champion, candidate), *_unused(champion, candidate)]
    refused = False
    for name, rows in parts.items():
        tried, wrong = 0, Counter[str]()
        lost = 0
        for row in _rows(rows, champion):
            tried += 1
            problems = candidate.problems(row)
            lost += bool(problems)
            wrong.update(f"{each.field} (expected {each.expected})" for each in problems)
        refused |= lost > 0
        worst = ", ".join(field for field, _ in wrong.most_common(3))
        sample = f" (a sample of {len(rows):,})" if tried < len(rows) else ""
        told.append(f"{lost:,} of {tried:,} {name}{sample} would be refused" + (f": {worst}" if lost else ""))
    bad = bool(breaking) or refused
    return Finding(RULE, "FAIL" if bad else "PASS", "; ".join([*breaking, *told]), _LIMIT, _WHY, severity)


def narrower(champion: Contract, candidate: Contract) -> Iterator[str]:
    """Where the candidate takes less than the champion, whether a row of today's has it or not."""
    for feature in candidate.features:
        before = _named(champion, feature.name)
        if before is None or before.kind != feature.kind:
            continue
        if _above(feature.minimum, before.minimum) or _above(before.maximum, feature.maximum, top=True):
            yield f"{feature.name} takes {feature.expects()} only, and took {before.expects()}"
        gone = set(before.choices) - set(feature.choices) if feature.choices else set()
        if gone or (feature.choices and not before.choices):
            which = ", ".join(sorted(gone)) or f"any but {', '.join(feature.choices)}"
            yield f"{feature.name} no longer takes {which}"
        if before.nullable and not feature.nullable:
            yield f"{feature.name} may no longer be missing"


def _breaking(champion: Contract, candidate: Contract) -> Iterable[str]:
    """What refuses each row, or answers otherwise."""
    for feature in candidate.features:
        before = _named(champion, feature.name)
        if before is None and not feature.nullable:
            yield f"{feature.name} is new and required: nobody sends it yet (nullable=True takes rows without it)"
        elif before is not None and before.kind != feature.kind:
            yield f"{feature.name} must be a {feature.kind} now, and was a {before.kind}"
    if champion.task != candidate.task or champion.target.classes != candidate.target.classes:
        yield "the answers are others: task or classes differ"


def _unused(champion: Contract, candidate: Contract) -> Iterable[str]:
    """What a website may go on sending."""
    gone = [name for name in champion.feature_names if _named(candidate, name) is None]
    if gone:
        yield f"{', '.join(gone)} may go on being sent, and is not used"


def retired(candidate: Contract, live: Iterable[Contract]) -> list[Finding]:
    """A mild finding on columns that rows keep for older models though none of the *live* reads them."""
    read = {name for contract in live for name in contract.feature_names}
    idle = [feature.name for feature in candidate.retired if feature.name not in read]
    told = f"{', '.join(idle)}: nothing that is live reads it"
    why = "A column that nobody reads is loaded and stored for nothing; `model feature drop` takes it out."
    limit = "a retired feature is read by a model that is live"
    return [Finding("contract.retired", "FAIL", told, limit, why, "warn")] if idle else []


def _rows(rows: pd.DataFrame, champion: Contract) -> Iterator[dict[str, Any]]:
    """Rows as a website with the champion's contract sends them."""
    few = rows if len(rows) <= MOST_ROWS else rows.sample(MOST_ROWS, random_state=0)
    names = [name for name in champion.feature_names if name in few]
    columns = [few[n].astype(object).where(few[n].notna(), None).tolist() for n in names]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _named(contract: Contract, name: str) -> Feature | None:
    return next((f for f in contract.features if f.name == name), None)


def _above(one: float | None, other: float | None, *, top: bool = False) -> bool:
    """Whether the bound *one* leaves less room than *other*; with *top*, of two maxima the first's."""
    if top:
        return other is not None and (one is None or one > other)
    return one is not None and (other is None or one > other)
