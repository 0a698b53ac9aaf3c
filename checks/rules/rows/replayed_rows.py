"""Point-in-time replay: rows that were loaded again with an earlier end of the window have the same features.

Training compares the loads (`model.point_in_time`), since only it can call the recipe; the manifest has the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bundles.bundle import Bundle
from checks.verdict import Finding, ruled
from contracts.gate_limits import Leakage
from contracts.row_contract import Contract

#: The likely cause of a difference, by the code in the manifest.
CAUSES: Mapping[str, str] = {
    "end": "only in the last {oldest:.3g} days before that end: a window that looks ahead, or values of later rows",
    "filled": "missing with the earlier end: filled from later rows (backfill, interpolation, the next event)",
    "spread": "on all days: an encoding or a statistic over all rows, a count that later rows change, or a load that is"
    " not deterministic",
    "scaled": "on all days, by one factor and offset: scaled by the mean, the deviation or the range of all rows",
    "ranked": "on all days, in the same order: ranks or quantiles of all rows",
    "counted": "on all days, never smaller: a total that later rows change, or a time up to the newest row",
    "random": "on all days, and unrelated: random numbers, or a load that is not deterministic",
}
WHY = "A value that depends on later rows is not known when a row is scored: the evaluation is too good."


@dataclass(frozen=True)
class _Difference:
    """A feature's difference in one load: its largest share in a period, its rows, and what the manifest says."""

    name: str
    worst: float
    share: float
    rows: int
    found: Mapping[str, Any]

    def __str__(self) -> str:
        oldest = float(self.found["oldest"])
        cause = CAUSES.get(str(self.found["cause"]), CAUSES["spread"]).format(oldest=oldest)
        example = next((_example(each) for each in self.found["examples"]), "")
        return f"{self.name} differs in {self.share:.1%} of {self.rows:,} rows, {cause}{example}"


def replayed(candidate: Bundle, limits: Leakage) -> Finding:
    """No feature differs between two loads, and no row of the earlier load is gone in the later one.

    Fails if a share of the rows of any period (the last day before the earlier end, the last week, four weeks, and the
    rows before) is above the limit. Rows that the later load alone has are not judged: their outcomes may have arrived.
    """
    limit = limits.max_replayed
    stored = candidate.manifest.get("point_in_time")
    if stored is None:
        return _finding(True, "not compared: the bundle was made before training loaded its rows a second time", limits)
    loads = stored["loads"]
    if reason := loads[0].get("failed"):
        return _finding(
            False, f"load() gave no rows to compare with an earlier end ({loads[0]['end']}): {reason}", limits
        )
    compared = [each for each in loads if "failed" not in each]
    revised = [feature.name for feature in candidate.contract.features if feature.revised]
    differences = [each for load in compared for each in _differences(load, candidate.contract)]
    found = {each.name: each for each in sorted(differences, key=lambda each: each.worst)}
    high = [each for each in found.values() if each.worst > limit and each.name not in revised]
    high.sort(key=lambda each: -each.worst)
    gone = _gone(compared[0])
    lines = [str(each) for each in high[:3]] + ([f"{len(high) - 3} more features differ"] if len(high) > 3 else [])
    if gone > limit:
        lines.append(
            f"{gone:.1%} of the rows with the earlier end are missing with the later one: a key that is no identifier, a"
            " sample that is drawn again in each load, or rows selected by what happens later"
        )
    rows = sum(compared[0]["rows"])
    said = f"loaded again with an earlier end ({compared[0]['end']}): "
    said += "; ".join(lines) or f"{rows:,} rows have the same features" + _small(found.values(), revised)
    said += _later(compared[0]) + (f"; revised by design, not judged: {', '.join(revised)}" if revised else "")
    return _finding(not lines, said, limits)


def _finding(holds: bool, observed: str, limits: Leakage) -> Finding:
    limit = f"at most {limits.max_replayed:.1%} of the rows of a period, and a load that works for an earlier end"
    return ruled("leak.replay", holds, observed, limit, WHY, limits.severity)


def _differences(load: Mapping[str, Any], contract: Contract) -> Iterable[_Difference]:
    for name in contract.feature_names:
        if found := load["features"].get(name):
            shares = [_share(n, of) for n, of in zip(found["rows"], load["rows"], strict=True)]
            total = sum(load["rows"])
            yield _Difference(name, max(shares), _share(sum(found["rows"]), total), total, found)


def _gone(load: Mapping[str, Any]) -> float:
    """The largest share, of any period, of the earlier load's rows that the later one lacks."""
    both = zip(load["only_earlier"], load["rows"], strict=True)
    return max(_share(gone, gone + kept) for gone, kept in both)


def _later(load: Mapping[str, Any]) -> str:
    """A remark on the rows that the later load alone has, and on outcomes that changed."""
    more, other, rows = sum(load["only_later"]), sum(load["labels"]), sum(load["rows"])
    said = f"; {more:,} older rows exist with the later end only (late outcomes, or selected by later events)"
    return (said if more else "") + (f"; {other:,} of {rows:,} rows have another outcome" if other else "")


def _small(found: Iterable[_Difference], revised: list[str]) -> str:
    few = [f"{each.name} in {sum(each.found['rows']):,}" for each in found if each.name not in revised]
    return f", apart from {', '.join(few[:3])}" if few else ""


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _example(row: Mapping[str, Any]) -> str:
    named = f"{row['key']} at {row['time']}" if "key" in row else str(row["time"])
    values = (f"{row[each]:.6g}" if isinstance(row[each], float) else str(row[each]) for each in ("earlier", "later"))
    return " (such as {}: {} with the earlier end, {} with the later)".format(named, *values)
