"""Training-serving skew: the loaded rows have the values that were sent to the scorer.

Training compares them with the journal (`model.serving_skew`), since only there both are at hand; the manifest has the
result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bundles.bundle import Bundle
from checks.verdict import Finding, ruled
from contracts.gate_limits import Rows

#: Fewer rows in both places show no share.
MIN_ROWS = 200
#: The likely cause of a difference, by the code in the manifest.
CAUSES: Mapping[str, str] = {
    "missing_sent": "sent as null, loaded with a value: filled upstream, or not known yet when it was scored",
    "missing_loaded": "sent with a value, loaded as null: lost by a join or an export",
    "offset": "loaded is sent {by:+g}: hours of another time zone, or another zero",
    "factor": "loaded is sent times {by:g}: another unit, or net for gross",
    "stale": "sent is mostly the loaded value of the row or the day before: a stale feature",
    "other": "another source, or a value that changed after the row was scored",
}
WHY = "A model that is trained on other values than it gets is worse in service than its evaluation says."


def skew(candidate: Bundle, limits: Rows) -> Finding:
    """No feature has another value in more than *max_skew* of the rows that were both sent and loaded.

    Without a journal there is nothing to compare; a journal that cannot be read fails.
    """
    found = candidate.manifest.get("sent")
    if found is None:
        return _finding(True, "no journal: sent and loaded rows were not compared (model train --journal)", limits)
    if reason := found.get("failed"):
        return _finding(False, f"sent and loaded rows could not be compared: {reason}", limits)
    if reason := found.get("unjoined"):
        return _finding(True, f"sent and loaded rows were not compared: {reason}", limits)
    rows, span = found["rows"], f"from {found['from']} to {found['to']}"
    if hours := found.get("hours"):
        return _finding(False, f"the times of the sent rows are {hours:+g} hours from the loaded ones, {span}", limits)
    if rows < MIN_ROWS:
        few = f"{rows:,} of {found['sent']:,} sent rows {span} are also loaded: too few to compare (same key and time)"
        return _finding(True, few, limits)
    revised = {feature.name for feature in candidate.contract.features if feature.revised}
    shares = {name: each["rows"] / each["of"] for name, each in found["features"].items()}
    names = sorted(shares, key=lambda name: -shares[name])
    high = [name for name in names if shares[name] > limits.max_skew and name not in revised]
    lines = [_described(name, shares[name], found["features"][name]) for name in high[:3]]
    lines += [f"{len(high) - 3} more features differ"] if len(high) > 3 else []
    said = f"of {rows:,} rows that were sent {span}: "
    said += "; ".join(lines) or "every feature is as loaded" + _small(names, shares)
    said += f"; not sent: {', '.join(found['not_sent'][:5])}" if found["not_sent"] else ""
    judged = sorted(revised & shares.keys())
    said += f"; revised by design, not judged: {', '.join(judged)}" if judged else ""
    return _finding(not high, said, limits)


def _finding(holds: bool, observed: str, limits: Rows) -> Finding:
    return ruled(
        "data.skew",
        holds,
        observed,
        f"at most {limits.max_skew:.0%} of the rows that were sent and loaded, and a journal that can be read",
        WHY,
        limits.severity,
    )


def _described(name: str, share: float, found: Mapping[str, Any]) -> str:
    cause = CAUSES.get(str(found["cause"]), CAUSES["other"]).format(by=float(found.get("by", 0.0)))
    examples = ", ".join(_example(each) for each in found["examples"][:2])
    return f"{name} differs in {share:.1%}, {cause}" + (f" ({examples})" if examples else "")


def _example(row: Mapping[str, Any]) -> str:
    values = (f"{row[each]:.6g}" if isinstance(row[each], float) else str(row[each]) for each in ("sent", "loaded"))
    return "sent {}, loaded {}".format(*values)


def _small(names: Iterable[str], shares: Mapping[str, float]) -> str:
    few = [f"{name} in {shares[name]:.1%}" for name in names if shares[name] > 0]
    return f", apart from {', '.join(few[:3])}" if few else ""
