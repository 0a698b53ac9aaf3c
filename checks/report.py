"""Verdict -> Markdown, for a reviewer who has half a minute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from checks.compare import Compared
from checks.rules import LARGER_IS_BETTER
from checks.verdict import Finding, Verdict

LONGEST = 60_000
_CUT = "\n\n… cut here; verdict.json has all of it.\n"
_SIGN = {"PROMOTE": "✅", "HOLD": "⏸️", "REJECT": "❌"}
_ESCAPED = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "|": "&#124;",
    "@": "&#64;",
    "`": "&#96;",
    "[": "&#91;",
    "*": "&#42;",
}

Slice = tuple[str, int, float, float | None]


def report(
    verdict: Verdict,
    candidate: Mapping[str, Any],
    champion: Mapping[str, Any] | None,
    *,
    table: Sequence[Compared],
    slices: Sequence[Slice],
    fresh: int,
) -> str:
    """The report on *candidate* (a manifest) against *champion* (a manifest, or None)."""
    loud = [f for f in verdict.findings if f.outcome != "PASS"]
    quiet = [f for f in verdict.findings if f.outcome == "PASS"]
    parts = [
        f"## {_SIGN[verdict.decision]} {verdict.decision}\n\n{text(verdict.summary)}",
        _metrics(table, fresh, champion),
        _changes(candidate, champion),
        _findings("What speaks against it, or was not settled", loud),
        _slices(slices, table[0].metric if table else ""),
        _folded(f"Rules that hold: {len(quiet)}", _findings("", quiet)),
    ]
    words = "\n\n".join(part for part in parts if part) + "\n"
    return words if len(words) <= LONGEST else words[: LONGEST - len(_CUT)] + _CUT


def text(value: object) -> str:
    """Text from data or from a recipe, kept from breaking its line, mentioning or forging a marker."""
    words = " ".join(str(value).split())[:400]
    return "".join(_ESCAPED.get(char, char) for char in words)


def _metrics(table: Sequence[Compared], fresh: int, champion: Mapping[str, Any] | None) -> str:
    against = "" if champion else " There is no champion yet, so nothing to compare with."
    lines = [
        f"On {fresh:,} fresh rows that neither model learnt from.{against}",
        "",
        "| | candidate | champion | baseline | difference (more is better) | limit |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in table:
        arrow = "↑" if row.metric in LARGER_IS_BETTER else "↓"
        gap = (
            ""
            if row.difference is None
            else f"{row.difference:+.4f} ({row.low:+.4f} to {row.high:+.4f})"
        )
        rival = "" if row.champion is None else f"{row.champion:.4f}"
        limit = "" if row.margin is None else f"{-row.margin:+.4f}"
        lines.append(
            f"| {row.metric} {arrow} | {row.candidate:.4f} | {rival} | {row.baseline:.4f} | {gap} | {limit} |"
        )
    return "\n".join(lines)


def _changes(candidate: Mapping[str, Any], champion: Mapping[str, Any] | None) -> str:
    before = champion or {}
    lines = ["| What changed | candidate | champion |", "|---|---|---|"]
    for words, path in (
        ("version", ("version",)),
        ("rows learnt from", ("data", "train", "rows")),
        ("learnt from", ("data", "train", "start")),
        ("learnt until", ("data", "train", "end")),
        ("recipe", ("recipe", "sha256")),
        ("commit", ("build", "commit")),
    ):
        lines.append(
            f"| {words} | {text(_short(_at(candidate, path)))} | {text(_short(_at(before, path)))} |"
        )
    ours, theirs = (_features(manifest) for manifest in (candidate, before))
    lines += _difference("features", ours, theirs, champion)
    lines += _difference("libraries", _libraries(candidate), _libraries(before), champion)
    return "\n".join(lines)


def _difference(words: str, ours: set[str], theirs: set[str], champion: object) -> Iterable[str]:
    if champion:
        added, gone = sorted(ours - theirs), sorted(theirs - ours)
        here, there = (
            f"only here: {', '.join(each)}" if each else "the same" for each in (added, gone)
        )
        yield f"| {words} | {text(here)} | {text(there)} |"


def _features(manifest: Mapping[str, Any]) -> set[str]:
    return {f"{f['name']} ({f['kind']})" for f in manifest.get("contract", {}).get("features", [])}


def _libraries(manifest: Mapping[str, Any]) -> set[str]:
    found = manifest.get("build", {}).get("libraries", {})
    return {f"{name} {version}" for name, version in found.items()}


def _findings(heading: str, findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    lines = [f"**{heading}**", ""] if heading else []
    lines += ["| rule | | observed | limit | why it matters |", "|---|---|---|---|---|"]
    for each in sorted(findings, key=_urgency):
        outcome = f"{each.outcome} (said, does not block)" if _is_mild(each) else each.outcome
        lines.append(
            f"| {each.rule} | {outcome} | {text(each.observed)} | {text(each.limit)} | {text(each.why)} |"
        )
    return "\n".join(lines)


def _slices(slices: Sequence[Slice], metric: str) -> str:
    if not slices:
        return ""
    lines = [f"| {metric} by slice | rows | candidate | champion |", "|---|---:|---:|---:|"]
    for name, rows, ours, theirs in slices[:30]:
        lines.append(
            f"| {text(name)} | {rows:,} | {ours:.4f} | {'' if theirs is None else f'{theirs:.4f}'} |"
        )
    return "\n".join(lines)


def _folded(words: str, content: str) -> str:
    return f"<details><summary>{words}</summary>\n\n{content}\n\n</details>" if content else ""


def _urgency(finding: Finding) -> tuple[bool, int]:
    return _is_mild(finding), ["NOT_RUN", "FAIL", "INCONCLUSIVE", "PASS"].index(finding.outcome)


def _is_mild(finding: Finding) -> bool:
    return finding.outcome == "FAIL" and finding.severity == "warn"


def _at(manifest: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = manifest
    for key in path:
        found = found.get(key, "") if isinstance(found, Mapping) else ""
    return found


def _short(value: Any) -> Any:
    if isinstance(value, int):
        return f"{value:,}"
    return value[7:19] if isinstance(value, str) and value.startswith("sha256:") else value
