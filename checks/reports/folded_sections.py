"""Folded sections of the report: prediction churn, permutation importance, data drift, serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from checks.insights.permutation_importance import Importance
from checks.insights.prediction_churn import Churn, SliceChurn
from checks.insights.review import Review
from checks.rules.serving.serving_load import Served
from reporting.markdown import Section, table_row, text
from reporting.mermaid import xychart

#: More of a kind than these are counted, and not listed.
MAX_SLICES, MAX_FEATURES, MAX_SHIFTS, MAX_BARS = 15, 40, 12, 12


def sections(review: Review, candidate: Mapping[str, Any], champion: Mapping[str, Any] | None) -> list[Section]:
    """The sections, in the order of a reviewer's questions."""
    parts = [
        Section(_decisions_title(review.churn), _decisions(review.churn), folded=True),
        Section(_features_title(review.importances), _features(review.importances), folded=True),
        Section(_news_title(review), _news(review, candidate, champion), folded=True),
        Section(_served_title(review.served), _served(review.served), folded=True),
    ]
    return [section for section in parts if section.words]


def most_churn(churn: Churn | None) -> str:
    """A sentence on the slice with the most churn, if that is clearly above the average."""
    if churn is None or not churn.slices:
        return ""
    worst = churn.slices[0]
    if worst.share <= 1.2 * churn.whole.share:
        return ""
    return f"Most churn in the slice {text(worst.name, 80)}: {_directions(worst)}."


def source_changes(review: Review) -> list[str]:
    """The changes of the source, as lines."""
    return [text(str(change).replace("`", "")) for change in review.changes]


def _decisions_title(churn: Churn | None) -> str:
    return f"Prediction churn: {churn.whole.share:.1%} of decisions change" if churn else ""


def _decisions(churn: Churn | None) -> str:
    if churn is None:
        return ""
    lines = ["| slice | rows | changed decisions | direction |", "|---|---:|---:|---|"]
    lines += [
        table_row([text(each.name, 80), f"{each.rows:,}", f"{each.share:.1%}", _directions(each)])
        for each in (churn.whole, *churn.slices[:MAX_SLICES])
    ]
    lines += ["", "Largest score changes:", ""]
    lines += ["| time | champion | candidate | outcome | unusual values |", "|---|---:|---:|---|---|"]
    for each in churn.movers:
        unusual = "; ".join(f"{name} {value}" for name, value in each.odd.items())
        lines.append(table_row([each.when, f"{each.old:.4g}", f"{each.new:.4g}", text(each.truth, 60), text(unusual)]))
    return "\n".join(lines)


def _directions(flipped: SliceChurn) -> str:
    few = list(flipped.ways.items())[:4]
    return ", ".join(f"{share:.1%} {text(way, 60)}" for way, share in few) or "no change"


def _features_title(importances: Sequence[Importance]) -> str:
    if not importances:
        return ""
    counts = {status: sum(each.status == status for each in importances) for status in ("added", "changed", "removed")}
    parts = [f"{len(importances) - counts['removed']}"]
    parts += [f"{count} {status}" for status, count in counts.items() if count]
    idle = sum(not each.shown for each in importances if each.status != "removed")
    parts += [f"{idle} without significant importance"] if idle else []
    return f"Features and permutation importance: {', '.join(parts)}"


def _features(importances: Sequence[Importance]) -> str:
    if not importances:
        return ""
    first = importances[0]
    lines = [
        (
            f"Permutation importance: the rise of the {first.loss} on {first.rows:,} fresh rows when a feature's values"
            " are shuffled, with the 95% confidence interval over days. For a removed feature it is that in the champion."
            " Correlated features share it."
        ),
        "",
        "| feature | change | importance | 95% confidence interval | missing | unknown category |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for each in importances[:MAX_FEATURES]:
        status = "" if each.status == "kept" else f"**{each.status}** {text(each.what)}".strip()
        name = text(each.name) if each.shown else f"{text(each.name)} (not significant)"
        lines.append(
            table_row(
                [
                    name,
                    status,
                    f"{each.benefit:+.4f}",
                    f"{each.low:+.4f} to {each.high:+.4f}",
                    f"{each.missing:.1%}",
                    f"{each.unseen:.1%}",
                ]
            )
        )
    if len(importances) > MAX_FEATURES:
        lines += ["", f"… and {len(importances) - MAX_FEATURES} more; see verdict.json."]
    few = [each for each in importances if each.status != "removed"][:MAX_BARS]
    if any(each.benefit > 0 for each in few):
        bars = [max(each.benefit, 0.0) for each in few]
        lines += ["", xychart("Permutation importance", first.loss, [each.name for each in few], bars, from_zero=True)]
    return "\n".join(lines)


def _news_title(review: Review) -> str:
    changes = len(review.changes)
    more = f", {changes} likely change{'s' if changes > 1 else ''} of the source" if changes else ""
    return f"Data drift since the last training{more}"


def _news(review: Review, candidate: Mapping[str, Any], champion: Mapping[str, Any] | None) -> str:
    lines = ["| | candidate | champion |", "|---|---|---|"]
    ours, theirs = _extent(candidate), _extent(champion or {})
    lines += [table_row([name, text(ours[name]), text(theirs[name])]) for name in ours]
    lines += ["", *(f"- {each}" for each in source_changes(review))]
    if review.shifts:
        lines += [
            "",
            "| feature | distance, training to fresh rows | missing in training | missing in fresh rows | unknown category |",
            "|---|---:|---:|---:|---:|",
        ]
        lines += [
            table_row(
                [text(s.name), f"{s.distance:.3f}", f"{s.missing_then:.1%}", f"{s.missing_now:.1%}", f"{s.new:.1%}"]
            )
            for s in review.shifts[:MAX_SHIFTS]
        ]
    return "\n".join(lines)


def _extent(manifest: Mapping[str, Any]) -> dict[str, str]:
    data = manifest.get("data", {})
    extent = {}
    for name, key in (("training", "train"), ("holdout", "holdout")):
        part = data.get(key, {})
        days = " to ".join(str(part.get(each, ""))[:10] for each in ("start", "end"))
        rows = part.get("rows")
        extent[name] = f"{rows:,} rows, {days}" if isinstance(rows, int) else ""
    window = data.get("window") or ["", ""]
    extent["window"] = " to ".join(str(each)[:10] for each in window) if window[0] else ""
    return extent


def _served_title(served: Sequence[Served]) -> str:
    if not served:
        return ""
    latency = f"Serving: 95% of rows within {served[0].p95 * 1e3:.2g} ms"
    return latency + (f", champion {served[1].p95 * 1e3:.2g} ms" if len(served) > 1 else "")


def _served(served: Sequence[Served]) -> str:
    if not served:
        return ""
    lines = [
        "| | version | rows compared | largest score difference | p95 latency of a row | ONNX files | memory |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for role, each in zip(("candidate", "champion"), served, strict=False):
        memory = f"{each.memory / 1e6:.0f} MB" if each.memory else "unknown"
        lines.append(
            table_row(
                [
                    role,
                    text(each.version),
                    f"{each.rows:,}",
                    f"{each.worst:.1g}",
                    f"{each.p95 * 1e3:.2f} ms",
                    f"{each.size / 1e6:.2f} MB",
                    memory,
                ]
            )
        )
    return "\n".join(lines)
