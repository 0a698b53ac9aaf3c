"""Contract compatibility: the candidate still answers the requests that clients send to the champion.

Rows are validated by the scorer's own code. The candidate's rows fit its contract by construction, so today's requests
are the champion's holdout, and the fresh rows with the fields of the champion's contract.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from checks.verdict import Finding, ruled
from contracts.limit_types import Severity
from contracts.row_contract import Contract, Feature

RULE = "contract.compatible"
_LIMIT = "no row of today's requests is refused"
_WHY = "Clients go on sending today's rows until they are changed; each refused row is an error there."
#: Most rows of each kind that are validated.
MAX_ROWS = 5_000


def compatible(
    champion: Contract | None, candidate: Contract, requests: Mapping[str, pd.DataFrame], severity: Severity
) -> Finding:
    """The finding; *requests* has rows of today by the name that the finding gives them."""
    if champion is None:
        return Finding(RULE, "PASS", "no champion yet, so no client depends on it", _LIMIT, _WHY, severity)
    breaking = list(_breaking(champion, candidate))
    notes = [*narrower(champion, candidate), *_unused(champion, candidate)]
    refused = False
    for name, rows in requests.items():
        count, refused_rows, fields = 0, 0, Counter[str]()
        for row in _rows(rows, champion):
            count += 1
            problems = candidate.problems(row)
            refused_rows += bool(problems)
            fields.update(f"{each.field} (expected {each.expected})" for each in problems)
        refused |= refused_rows > 0
        worst = ", ".join(field for field, _ in fields.most_common(3))
        sample = f" (a sample of {len(rows):,})" if count < len(rows) else ""
        notes.append(f"{refused_rows:,} of {count:,} {name}{sample} would be refused" + (f": {worst}" if worst else ""))
    return ruled(RULE, not (breaking or refused), "; ".join([*breaking, *notes]), _LIMIT, _WHY, severity)


def narrower(champion: Contract, candidate: Contract) -> Iterator[str]:
    """Where the candidate accepts fewer values than the champion, in today's requests or not."""
    for feature in candidate.features:
        before = _named(champion, feature.name)
        if before is None or before.kind != feature.kind:
            continue
        if _above(feature.minimum, before.minimum) or _above(before.maximum, feature.maximum, top=True):
            yield f"{feature.name} accepts only {feature.expects()}, and accepted {before.expects()}"
        gone = set(before.choices) - set(feature.choices) if feature.choices else set()
        if gone or (feature.choices and not before.choices):
            which = ", ".join(sorted(gone)) or f"any value but {', '.join(feature.choices)}"
            yield f"{feature.name} no longer accepts {which}"
        if before.nullable and not feature.nullable:
            yield f"{feature.name} may no longer be missing"


def _breaking(champion: Contract, candidate: Contract) -> Iterable[str]:
    """What refuses every row, or changes the meaning of the answer."""
    for feature in candidate.features:
        before = _named(champion, feature.name)
        if before is None and not feature.nullable:
            yield f"{feature.name} is new and required, and no client sends it yet (nullable=True accepts rows without it)"
        elif before is not None and before.kind != feature.kind:
            yield f"{feature.name} must be a {feature.kind} now, and was a {before.kind}"
    if champion.task != candidate.task or champion.target.classes != candidate.target.classes:
        yield "the answers differ: another task or other classes"


def _unused(champion: Contract, candidate: Contract) -> Iterable[str]:
    """Fields that clients may go on sending."""
    gone = [name for name in champion.feature_names if _named(candidate, name) is None]
    if gone:
        yield f"{', '.join(gone)} may still be sent, and is ignored"


def retired(candidate: Contract, live: Iterable[Contract]) -> list[Finding]:
    """A warning about retired columns that no *live* model reads; [] without any."""
    read = {name for contract in live for name in contract.feature_names}
    idle = [feature.name for feature in candidate.retired if feature.name not in read]
    observed = f"{', '.join(idle)}: no live model reads it"
    why = "An unread column is loaded and stored without use; `model feature drop` removes it."
    limit = "a retired feature is read by a live model"
    return [Finding("contract.retired", "FAIL", observed, limit, why, "warn")] if idle else []


def _rows(rows: pd.DataFrame, champion: Contract) -> Iterator[dict[str, Any]]:
    """Rows as a client with the champion's contract sends them."""
    few = rows if len(rows) <= MAX_ROWS else rows.sample(MAX_ROWS, random_state=0)
    names = [name for name in champion.feature_names if name in few]
    columns = [few[n].astype(object).where(few[n].notna(), None).tolist() for n in names]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _named(contract: Contract, name: str) -> Feature | None:
    return next((f for f in contract.features if f.name == name), None)


def _above(one: float | None, other: float | None, *, top: bool = False) -> bool:
    """Whether the minimum *one* excludes more than *other*; with *top*, whether the maximum *other* excludes more."""
    if top:
        return other is not None and (one is None or one > other)
    return one is not None and (other is None or one > other)
