"""The newest rows, which the rules on features judge as well where the holdout is older because outcomes come late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from checks.earlier_rows import Past
from checks.evidence import Evidence, days_of
from checks.verdict import Finding

#: The worst first.
_ORDER = ("NOT_RUN", "FAIL", "INCONCLUSIVE", "PASS")


def newest_evidence(evidence: Evidence) -> Evidence | None:
    """The evidence with a holdout at the end of the window, as long as the real one; most of its rows have no outcome.

    The rows before it are in place of the training rows, and those up to the real holdout's end in place of the champion's:
    a change since then is recent. All are as thinly sampled as the part with the smallest sample. Scores are those of the real holdout, which no rule on features reads.
    None where all outcomes are known.
    """
    if evidence.later is None:
        return None
    contract, extents = evidence.contract, evidence.past.extents
    held = [evidence.holdout, *([evidence.unknown.rows] if evidence.unknown else [])]
    parts = {"train": evidence.train, "holdout": pd.concat(held, ignore_index=True), "later": evidence.later}
    kept = {name: min(1.0, len(part) / max(extents[name]["rows"], 1)) for name, part in parts.items()}
    least = min(kept.values())
    even = [
        part if kept[name] <= least else part.sample(frac=least / kept[name], random_state=0)
        for name, part in parts.items()
    ]
    rows = pd.concat(even, ignore_index=True).sort_values(contract.time, kind="stable", ignore_index=True)
    length = pd.Timestamp(extents["holdout"]["end"]) - pd.Timestamp(extents["holdout"]["start"])
    late = (rows[contract.time] >= rows[contract.time].iloc[-1] - length).to_numpy()
    train, holdout = rows[~late].reset_index(drop=True), rows[late].reset_index(drop=True)
    return replace(
        evidence,
        train=train,
        holdout=holdout,
        fresh=np.ones(len(holdout), bool),
        past=Past(
            {name: _extent(part, contract.time) for name, part in (("train", train), ("holdout", holdout))},
            evidence.past.window,
            rows[rows[contract.time] < evidence.later[contract.time].min()],
        ),
        unknown=None,
        later=None,
    )


def worse(found: Finding, newest: Finding | Sequence[Finding], evidence: Evidence) -> Finding:
    """The worse of a rule's findings, *found* on rows with outcomes and *newest* on the newest rows of *evidence*."""
    other = newest if isinstance(newest, Finding) else min(newest, key=_urgency)
    if _urgency(other) >= _urgency(found):
        return found
    since = days_of(evidence.holdout.head(1), evidence.contract)[0]
    return replace(other, observed=f"in the newest rows, since {since}: {other.observed}")


def _urgency(finding: Finding) -> int:
    return _ORDER.index(finding.outcome)


def _extent(rows: pd.DataFrame, time: str) -> dict[str, object]:
    return {"rows": len(rows), "start": str(rows[time].iloc[0]), "end": str(rows[time].iloc[-1])}
