"""What a reviewer wants to see beside the comparison.

Which answers change, what features are good for, whether today's rows are still answered, what came in
since the last training, how the real server does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from checks.evidence import Evidence, rows_of
from checks.insights.distribution_shift import Shift, shifts
from checks.insights.permutation_importance import Benefit, benefits
from checks.insights.prediction_churn import Diff, diff
from checks.rules.contract_compatibility import compatible
from checks.rules.serving_load import CLOSE, VARIABLE, Asked, Served, ServingError, interpreter, ratio, serve
from checks.rules.source_changes import upstream
from checks.verdict import Finding, ruled
from contracts.gate_limits import Serving
from contracts.thresholds import Gate
from model.source_profile.source_change import Change
from serve.release.bundle import Bundle
from serve.release.manifest import BundleError

#: The rules of the server.
SERVING = ("serving.answers", "serving.latency", "serving.size", "serving.memory")
#: What must have run, whatever the candidate.
REQUIRED = ("contract.compatible", *SERVING)
#: Rows that the server is sent at most.
MOST_ROWS = 500
_MB = 1e6


@dataclass(frozen=True)
class Review:
    """All that the report tells beyond findings and comparison; *served* has the candidate first."""

    diff: Diff | None
    benefits: tuple[Benefit, ...]
    shifts: tuple[Shift, ...]
    changes: tuple[Change, ...]
    served: tuple[Served, ...]

    def to_json(self) -> dict[str, Any]:
        """What verdict.json holds of it."""
        return {
            "features": [asdict(each) | {"shown": each.shown} for each in self.benefits],
            "decisions": asdict(self.diff) if self.diff else None,
            "upstream": [asdict(change) for change in self.changes],
            "serving": [
                {k: v for k, v in asdict(each).items() if k != "seconds"} | {"p95": each.p95} for each in self.served
            ],
        }


def review(
    candidate: Bundle, champion: Bundle | None, evidence: Evidence, gate: Gate, say: Callable[[str], None]
) -> tuple[Review, list[Finding]]:
    """The review of *candidate*, and its findings; *say* is told before each step that takes long."""
    last = champion_rows(champion, evidence)
    parts = {"fresh rows": evidence.holdout[evidence.fresh]}
    if last is not None:
        parts["rows the champion was judged with"] = last
    found = [compatible(champion.contract if champion else None, candidate.contract, parts, gate.contract.severity)]
    seen, changes = upstream(
        candidate.manifest,
        champion.manifest if champion else None,
        gate,
        lambda: pd.concat([evidence.train, evidence.holdout], ignore_index=True),
    )
    found += seen
    say(f"shuffling {len(candidate.contract.features)} features ...")
    useful = benefits(candidate, champion, evidence, last)
    say("asking the real server ...")
    served, tried = serving(candidate, champion, evidence, gate.serving)
    return Review(diff(evidence), tuple(useful), tuple(shifts(evidence)), tuple(changes), tuple(served)), found + tried


def champion_rows(champion: Bundle | None, evidence: Evidence) -> pd.DataFrame | None:
    """The rows that the champion was judged with: those of a website of today; None without them."""
    if champion is None:
        return None
    if evidence.past.before is not None:  # they were read already
        before, end = evidence.past.before, champion.manifest["data"]["train"]["end"]
        return before[before[champion.contract.time] > pd.Timestamp(end)]
    try:
        return rows_of(champion, "holdout")
    except BundleError:  # its evidence may have been put away; its contract is here all the same
        return None


def serving(
    candidate: Bundle, champion: Bundle | None, evidence: Evidence, rules: Serving
) -> tuple[list[Served], list[Finding]]:
    """The real server with both: what it did, and the findings. Where it cannot be asked, NOT_RUN."""
    python = interpreter()
    if python is None:
        why = f"not run: the scorer's environment is not here; type: make setup, or name its Python: {VARIABLE}=…"
        return [], [_not_run(rule, why, rules) for rule in SERVING]
    asked = [_asked(candidate, evidence, evidence.holdout_scores)]
    if champion is not None:
        asked.append(_asked(champion, evidence, evidence.champion))
    try:
        served = serve(asked, python, rules.seconds)
    except ServingError as error:
        first, *others = SERVING
        why = "The candidate must be served as it was judged."
        found = [
            Finding(
                first,
                "FAIL",
                f"the server, with the candidate and the champion: {error}",
                "every row answered",
                why,
                rules.severity,
            )
        ]
        return [], found + [_not_run(rule, "not run: the server did not do", rules) for rule in others]
    return served, _judged(served, candidate, rules)


def _judged(served: list[Served], candidate: Bundle, rules: Serving) -> list[Finding]:
    ours, theirs = served[0], served[1] if len(served) > 1 else None
    most = max(CLOSE, float(candidate.manifest["golden"]["tolerance"]))
    found = [
        ruled(
            SERVING[0],
            ours.worst <= most,
            f"{ours.rows:,} fresh rows answered, the worst off by {ours.worst:.1g}",
            f"off by at most {most:g}",
            "What is served must be what was judged.",
            rules.severity,
        )
    ]
    told, slow = f"95% of single rows within {ours.p95 * 1e3:.2g} ms", ours.p95 > rules.fast
    if theirs:
        times, least = ratio(ours.seconds, theirs.seconds)
        told += f", the champion's {theirs.p95 * 1e3:.2g} ms: {times:.2g} times"
        slow = slow and least > rules.latency_ratio
    found.append(
        ruled(
            SERVING[1],
            not (theirs and slow),
            told,
            f"at most {rules.latency_ratio:g} times, or {rules.fast * 1e3:g} ms",
            "Somebody waits for the answer.",
            rules.severity,
        )
    )
    for rule, one, other, little, most_times in (
        (SERVING[2], ours.size, theirs.size if theirs else None, rules.small, rules.size_ratio),
        (SERVING[3], ours.memory, theirs.memory if theirs else None, rules.light, rules.memory_ratio),
    ):
        limit = f"at most {most_times:g} times, or {little / _MB:g} MB"
        if one is None:
            found.append(
                Finding(
                    rule, "NOT_RUN", "not run: `ps` does not tell", limit, "It must fit where it runs.", rules.severity
                )
            )
            continue
        told = f"{one / _MB:.3g} MB" + (f", the champion's {other / _MB:.3g} MB" if other else "")
        bad = other is not None and one > little and one > most_times * other
        found.append(ruled(rule, not bad, told, limit, "It must fit where it runs.", rules.severity))
    return found


def _asked(bundle: Bundle, evidence: Evidence, scores: Any) -> Asked:
    """Fresh rows as JSON values; its golden rows where it cannot score these."""
    names, fresh = bundle.contract.feature_names, evidence.fresh
    rows = evidence.holdout[fresh].head(MOST_ROWS)
    if scores is None or rows.empty:
        golden = bundle.manifest["golden"]
        return Asked(bundle, golden["rows"], np.asarray(golden["scores"], dtype=float))
    columns = [rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in names]
    values = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return Asked(bundle, values, scores[fresh][: len(values)])


def _not_run(rule: str, why: str, rules: Serving) -> Finding:
    return Finding(rule, "NOT_RUN", why, "the real server is asked", "Could not tell is not a pass.", rules.severity)
