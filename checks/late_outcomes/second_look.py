"""A second look at a verdict: its comparison again, when the outcomes that its holdout lacked have come.

A verdict with missing outcomes is recorded in a hidden line of its report, which landing keeps as release notes. When the
outcomes are in the rows of a later night, the comparison of the same two models is repeated on the same rows: with the
outcomes known then, and with all of them, both by the rules of today. The result is recorded as well, so that the notes
show how often late outcomes would have changed a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from bundles.bundle import Bundle
from bundles.manifest import BundleError
from checks.comparison.compare import Compared
from checks.decision.gain_text import gain
from checks.evidence import Array, Evidence
from checks.late_outcomes.unknown_outcomes import Dependence
from checks.verdict import Finding, judge
from contracts.bundle_content import LATE
from contracts.row_contract import Contract
from reporting.hidden_lines import hidden_line, recorded_values

#: A holdout is whole when this share of the outcomes that it lacked is known.
WHOLE = 0.99
#: How many verdicts are looked at again in a night.
MAX_VERDICTS = 2
Rule = Callable[[Evidence], tuple[list[Compared], list[Finding]]]


@dataclass(frozen=True, order=True)
class LateVerdict:
    """A verdict of the *night* (a time) on a candidate and its champion (versions), of whose *rows* some are *unknown*.

    The rows are those from *first* to *last*. *decision* is that of the comparison with the champion and of calibration,
    the only rules that depend on the missing outcomes much; *value* is the gain in *metric*.
    """

    night: str
    contract: str
    candidate: str
    champion: str
    first: str
    last: str
    rows: int
    unknown: int
    decision: str
    metric: str
    value: float


@dataclass(frozen=True)
class SecondLook:
    """A verdict again: the *decision* recorded then, that of the rows *known* then by the rules of today, and of the *whole*.

    *before* and *value* are the gains with both. Of *rows*, *missing* have no outcome yet, and *corrected* have another one
    than then.
    """

    night: str
    candidate: str
    rows: int
    unknown: int
    missing: int
    corrected: int
    metric: str
    before: float
    value: float
    decision: str
    known: str
    whole: str

    @property
    def same(self) -> bool:
        """Whether the missing outcomes changed nothing."""
        return self.known == self.whole

    def to_json(self) -> dict[str, Any]:
        """The fields, for verdict.json."""
        return {**asdict(self), "same": self.same}

    def __str__(self) -> str:
        count = f"all {self.rows:,}" if not self.missing else f"{self.rows - self.missing:,} of {self.rows:,}"
        result = "the same" if self.same else f"{self.whole} instead of {self.known}"
        changed = (
            f" By the rules of today it is {self.known} with the outcomes known then; it was {self.decision}."
            if self.known != self.decision
            else ""
        )
        corrected = (
            f" {self.corrected:,} outcomes were corrected since; the last report counts." if self.corrected else ""
        )
        return (
            f"The verdict of {self.night[:10]} on {self.candidate} would have been {result} with {count} outcomes: the gain"
            f" in {self.metric} was {gain(self.metric, self.before)} with the {self.rows - self.unknown:,} known then, and is"
            f" {gain(self.metric, self.value)} with them.{corrected}{changed}"
        )


def decision_of(findings: Iterable[Finding]) -> str:
    """What the comparison with the champion and calibration decide alone."""
    mine = [f for f in findings if f.rule.startswith(("compare.", "calibration."))]
    return judge([f for f in mine if not f.rule.startswith("compare.anchor.")], (), True, "").decision


def late_verdict(
    candidate: Bundle, champion: Bundle, evidence: Evidence, depends: Dependence, findings: Iterable[Finding]
) -> LateVerdict:
    """The record of a verdict with unknown outcomes."""
    unknown = evidence.unknown
    times = pd.concat([evidence.holdout, *([unknown.rows] if unknown else [])])[evidence.contract.time]
    return LateVerdict(
        str(candidate.manifest["data"]["window"][1]),
        evidence.contract.name,
        candidate.version,
        champion.version,
        str(times.min()),
        str(times.max()),
        depends.known + depends.unknown,
        depends.unknown,
        decision_of(findings),
        depends.metric,
        depends.value,
    )


def late_lines(verdict: LateVerdict | None, looks: Iterable[SecondLook]) -> list[str]:
    """The hidden lines of a report."""
    found = [hidden_line("again", asdict(each)) for each in looks]
    return [*([hidden_line("late", asdict(verdict))] if verdict else []), *found]


def recorded_looks(notes: Iterable[str]) -> list[SecondLook]:
    """The second looks that release notes record, the earliest verdict first."""
    found = {(each.night, each.candidate): each for each in recorded_values("again", notes, _look)}
    return [found[key] for key in sorted(found)]


def due(notes: Sequence[str], contract: Contract, late: pd.DataFrame | None) -> list[LateVerdict]:
    """The recorded verdicts that are to be looked at again, the earliest first.

    *late* are outcomes that came late, as tonight's bundle has them (`late_outcomes`). A verdict is due when its holdout is
    whole, or begins before them, so that no more can be known of it.
    """
    if late is None or late.empty:
        return []
    done = {(each.night, each.candidate) for each in recorded_looks(notes)}
    at, known_at = late[contract.time], late[contract.target.known_at]
    found = []
    for each in sorted({*recorded_values("late", notes, _verdict)}):
        first, last, night = (pd.Timestamp(moment) for moment in (each.first, each.last, each.night))
        came = int(((at >= first) & (at <= last) & (known_at > night)).sum())
        whole = came >= WHOLE * each.unknown or first < at.min()
        if whole and each.contract == contract.name and (each.night, each.candidate) not in done:
            found.append(each)
    return found


def late_outcomes(bundle: Bundle) -> pd.DataFrame | None:
    """Key, time, encoded outcome, and when it was known, of outcomes that came late; None in a bundle without them.

    Raises `BundleError`.
    """
    if f"evidence/{LATE}.parquet" not in bundle.manifest["files"]:
        return None
    path, contract = bundle.folder / f"evidence/{LATE}.parquet", bundle.contract
    try:
        rows = pd.read_parquet(path)
        return rows[[contract.key, contract.time, contract.target.name, contract.target.known_at]]
    except Exception as error:  # pyarrow raises many types
        raise BundleError(f"{path} cannot be read: {error}") from error


def second_look(verdict: LateVerdict, then: Evidence, late: pd.DataFrame, rule: Rule) -> SecondLook:
    """The *verdict* again, by *rule*, on the evidence of *then* with the outcomes that came *late*."""
    contract, name = then.contract, then.contract.target.name
    at = [contract.key, contract.time]
    came = late.drop_duplicates(at, keep="last").set_index(at)[name]

    def now(rows: pd.DataFrame) -> Array:
        return np.asarray(came.reindex(pd.MultiIndex.from_frame(rows[at])).to_numpy(dtype=float))

    held, newer = then.truth, now(then.holdout)
    corrected = ~np.isnan(newer) & (newer != held)
    whole = replace(then, holdout=then.holdout.assign(**{name: np.where(corrected, newer, held)}))
    missing, unknown = 0, then.unknown
    if unknown is not None and unknown.champion is not None and then.champion is not None:
        outcome = now(unknown.rows)
        there = ~np.isnan(outcome)
        missing = int((~there & unknown.fresh).sum())
        rows = unknown.rows.assign(**{name: outcome})[there]
        whole = replace(
            whole,
            holdout=pd.concat([whole.holdout, rows], ignore_index=True),
            holdout_scores=np.concatenate([then.holdout_scores, unknown.scores[there]]),
            champion=np.concatenate([then.champion, unknown.champion[there]]),
            fresh=np.concatenate([then.fresh, unknown.fresh[there]]),
        )
    (before, findings), (after, all_findings) = (
        rule(replace(each, anchor=None, unknown=None, later=None, release_scores=None)) for each in (then, whole)
    )
    return SecondLook(
        verdict.night,
        verdict.candidate,
        verdict.rows,
        verdict.unknown,
        missing,
        int(corrected[then.fresh].sum()),
        before[0].metric,
        before[0].difference or 0.0,
        after[0].difference or 0.0,
        verdict.decision,
        decision_of(findings),
        decision_of(all_findings),
    )


def _verdict(found: Mapping[str, Any]) -> LateVerdict:
    verdict = LateVerdict(**_values(found, fields(LateVerdict)))
    if any(pd.Timestamp(moment).tzinfo is None for moment in (verdict.night, verdict.first, verdict.last)):
        raise ValueError("a time without a zone")
    return verdict


def _look(found: Mapping[str, Any]) -> SecondLook:
    return SecondLook(**_values(found, fields(SecondLook)))


def _values(found: Mapping[str, Any], wanted: Sequence[Field[Any]]) -> dict[str, Any]:
    """The values of a hidden line, in the types of the *wanted* fields."""
    kinds: dict[Any, Callable[[Any], Any]] = {"int": int, "float": float}
    return {each.name: kinds.get(each.type, str)(found[each.name]) for each in wanted}
