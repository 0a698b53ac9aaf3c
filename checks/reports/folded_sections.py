"""The review in Markdown: sections that are folded, and the line on who is hit that is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from checks.insights.permutation_importance import Benefit
from checks.insights.prediction_churn import Diff, Flipped
from checks.insights.review import Review
from checks.reports.mermaid import xychart
from checks.rules.serving_load import Served
from reporting.markdown import Section, table_row, text

#: More of a kind than these are counted, not told.
MOST_SLICES, MOST_FEATURES, MOST_SHIFTS, MOST_BARS = 15, 40, 12, 12


def sections(review: Review, candidate: Mapping[str, Any], champion: Mapping[str, Any] | None) -> list[Section]:
    """What is folded, in the order of the questions that a reviewer has."""
    found = [
        Section(_decisions_title(review.diff), _decisions(review.diff), folded=True),
        Section(_features_title(review.benefits), _features(review.benefits), folded=True),
        Section(_news_title(review), _news(review, candidate, champion), folded=True),
        Section(_served_title(review.served), _served(review.served), folded=True),
    ]
    return [section for section in found if section.words]


def hit(diff: Diff | None) -> str:
    """The slice whose decisions change most, if it is hit more than all rows together."""
    if diff is None or not diff.slices:
        return ""
    worst = diff.slices[0]
    if worst.share <= 1.2 * diff.whole.share:
        return ""
    return f"Decisions change most for {text(worst.name, 80)}: {_ways(worst)}."


def upstream_words(review: Review) -> list[str]:
    """The changes upstream, as lines."""
    return [text(str(change).replace("`", "")) for change in review.changes]


def _decisions_title(diff: Diff | None) -> str:
    return f"Decisions that change: {diff.whole.share:.1%}" if diff else ""


def _decisions(diff: Diff | None) -> str:
    if diff is None:
        return ""
    lines = ["| slice | rows | change | which way |", "|---|---:|---:|---|"]
    lines += [
        table_row([text(each.name, 80), f"{each.rows:,}", f"{each.share:.1%}", _ways(each)])
        for each in (diff.whole, *diff.slices[:MOST_SLICES])
    ]
    lines += ["", "The rows whose score moves most:", ""]
    lines += ["| when | champion | candidate | came true | not typical |", "|---|---:|---:|---|---|"]
    for each in diff.movers:
        odd = "; ".join(f"{name} {value}" for name, value in each.odd.items())
        lines.append(table_row([each.when, f"{each.old:.4g}", f"{each.new:.4g}", text(each.truth, 60), text(odd)]))
    return "\n".join(lines)


def _ways(flipped: Flipped) -> str:
    few = list(flipped.ways.items())[:4]
    return ", ".join(f"{share:.1%} {text(way, 60)}" for way, share in few) or "none"


def _features_title(benefits: Sequence[Benefit]) -> str:
    if not benefits:
        return ""
    counts = {status: sum(each.status == status for each in benefits) for status in ("added", "changed", "removed")}
    parts = [f"{len(benefits) - counts['removed']}"]
    parts += [f"{count} {status}" for status, count in counts.items() if count]
    idle = sum(not each.shown for each in benefits if each.status != "removed")
    parts += [f"{idle} without a shown benefit"] if idle else []
    return f"Features: {', '.join(parts)}"


def _features(benefits: Sequence[Benefit]) -> str:
    if not benefits:
        return ""
    first = benefits[0]
    lines = [
        (
            f"What the {first.loss} of {first.rows:,} fresh rows would grow by if a feature's values were"
            " dealt anew among them, with its 95% interval over days; of a removed one the champion's."
            " Features that tell the same share the benefit."
        ),
        "",
        "| feature | | benefit | 95% | missing | never seen |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for each in benefits[:MOST_FEATURES]:
        status = "" if each.status == "kept" else f"**{each.status}** {text(each.what)}".strip()
        name = text(each.name) if each.shown else f"{text(each.name)} (none shown)"
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
    if len(benefits) > MOST_FEATURES:
        lines += ["", f"… and {len(benefits) - MOST_FEATURES} more; verdict.json has all of it."]
    few = [each for each in benefits if each.status != "removed"][:MOST_BARS]
    if any(each.benefit > 0 for each in few):
        bars = [max(each.benefit, 0.0) for each in few]
        lines += ["", xychart("Benefit of a feature", first.loss, [each.name for each in few], bars)]
    return "\n".join(lines)


def _news_title(review: Review) -> str:
    changes = len(review.changes)
    more = f": {changes} likely change{'s' if changes > 1 else ''} upstream" if changes else ""
    return f"Data since the last training{more}"


def _news(review: Review, candidate: Mapping[str, Any], champion: Mapping[str, Any] | None) -> str:
    lines = ["| | candidate | champion |", "|---|---|---|"]
    ours, theirs = _extent(candidate), _extent(champion or {})
    lines += [table_row([name, text(ours[name]), text(theirs[name])]) for name in ours]
    lines += ["", *(f"- {each}" for each in upstream_words(review))]
    if review.shifts:
        lines += [
            "",
            "| feature | distance of fresh rows from learnt ones | missing then | now | never seen |",
            "|---|---:|---:|---:|---:|",
        ]
        lines += [
            table_row(
                [text(s.name), f"{s.distance:.3f}", f"{s.missing_then:.1%}", f"{s.missing_now:.1%}", f"{s.new:.1%}"]
            )
            for s in review.shifts[:MOST_SHIFTS]
        ]
    return "\n".join(lines)


def _extent(manifest: Mapping[str, Any]) -> dict[str, str]:
    data = manifest.get("data", {})
    found = {}
    for name, key in (("learnt from", "train"), ("judged on", "holdout")):
        part = data.get(key, {})
        days = " to ".join(str(part.get(each, ""))[:10] for each in ("start", "end"))
        rows = part.get("rows")
        found[name] = f"{rows:,} rows, {days}" if isinstance(rows, int) else ""
    window = data.get("window") or ["", ""]
    found["window"] = " to ".join(str(each)[:10] for each in window) if window[0] else ""
    return found


def _served_title(served: Sequence[Served]) -> str:
    if not served:
        return ""
    told = f"The real server: 95% of rows within {served[0].p95 * 1e3:.2g} ms"
    return told + (f", the champion's {served[1].p95 * 1e3:.2g}" if len(served) > 1 else "")


def _served(served: Sequence[Served]) -> str:
    if not served:
        return ""
    lines = [
        "| | version | rows compared | worst score off by | p95 of one row | ONNX files | memory |",
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
