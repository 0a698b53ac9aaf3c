"""Verdict -> Markdown, for a reviewer who has half a minute.

The verdict in a sentence, the numbers, what changed, what speaks against it; the rest is folded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from checks.comparison.compare import Compared, gain
from checks.verdict import LIMITS, LIVE, Finding, Verdict, rules_changed
from contracts.thresholds import LARGER_IS_BETTER
from model.notices import HEADING, recorded
from reporting.markdown import Section, bullets, code, page, table_row, text

#: What was said of the rows when the candidate was trained; it decides nothing.
REMARKS = f"{HEADING} (they do not change the verdict)"
_SIGN = {"PROMOTE": "✅", "HOLD": "⏸️", "REJECT": "❌"}
#: What a person does about a verdict.
TO_DO = {
    "PROMOTE": "What to do: merge it, if no robot has, unless what changed surprises you. Reverting the merge rolls it back.",
    "HOLD": "What to do: nothing, and the next candidate is judged on more rows. Who merges it all the same overrides"
    " the gate, and the release notes say so.",
    "REJECT": "What to do: do not merge; put right what is listed next, and judge again (`make retrain gate`). A rule that"
    " may fail for a while is for `checks/waivers.toml`.",
}
_OUTCOME = {
    "NOT_RUN": "❔ could not be checked",
    "FAIL": "❌ fails",
    "INCONCLUSIVE": "⏳ not settled",
    "PASS": "✅ holds",
}
#: More of a kind than these are counted, not told.
_MOST_FINDINGS, _MOST_SLICES, _MOST_WORSE, _MOST_FILES = 25, 30, 5, 10
_COMMIT = re.compile(r"([0-9a-f]{12})[0-9a-f]{28}(-dirty)?")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)\S*")

Slice = tuple[str, int, float, float | None]


def report(
    verdict: Verdict,
    candidate: Mapping[str, Any],
    champion: Mapping[str, Any] | None,
    *,
    table: Sequence[Compared],
    slices: Sequence[Slice],
    fresh: int,
    churn: float | None = None,
    files: Sequence[str] = (),
    charts: str = "",
    budget: float | None = None,
    hit: str = "",
    more: Sequence[Section] = (),
) -> str:
    """The report on *candidate* (a manifest) against *champion* (a manifest, or None).

    *files* are what the proposal changes, *churn* the share of decisions that do, *budget* how many may
    for it to land by itself, *hit* whose; *more* is folded.
    """
    loud = [f for f in verdict.findings if f.outcome != "PASS"]
    quiet = [f for f in verdict.findings if f.outcome == "PASS"]
    against, mild = ([f for f in loud if _is_mild(f) is said] for said in (False, True))
    metric = table[0].metric if table else ""
    sentence = (
        f"## {_SIGN[verdict.decision]} {verdict.decision}\n\n**{text(verdict.summary)}**\n\n{TO_DO[verdict.decision]}"
    )
    return page(
        [
            Section("the verdict", sentence, kept=True),
            Section("changed rules", _rules(files), kept=True),
            Section("findings", _told("What speaks against it, or was not settled", against)),
            Section("remarks", bullets(REMARKS, recorded(candidate), whole="verdict.json")),
            Section("metrics", _metrics(table, fresh, champion)),
            Section("what changed", _changes(candidate, champion, _churn(churn, budget, fresh), files)),
            Section("who is hit", " ".join(filter(None, (_worse(slices, metric), hit)))),
            Section("findings that do not block", _told("Worth knowing; does not block", mild)),
            *more,
            Section(f"Slices: {len(slices)}", _slices(slices, metric), folded=True),
            Section(f"Rules that hold: {len(quiet)}", _held(quiet), folded=True),
            Section("Charts", charts, folded=True),
        ]
    )


def _rules(files: Sequence[str]) -> str:
    changed = rules_changed(files)
    if not changed:
        return ""
    words = ["### ⚠️ Rules changed here\n"]
    if LIMITS in changed:
        words.append(f"This proposal changes {code(LIMITS)}: the limits it is judged by.")
    others = [path for path in changed if path != LIMITS]
    if others:
        also = "It also changes" if LIMITS in changed else "This proposal changes"
        words.append(f"{also} the code that judges: {_paths(others)}.")
    words.append("The verdict above applied the rules of `main`; the changed ones count once this is merged.")
    return "\n".join(words)


def _metrics(table: Sequence[Compared], fresh: int, champion: Mapping[str, Any] | None) -> str:
    if not table and not fresh:
        return "Nothing was measured."
    if not table:
        return f"Only {fresh:,} fresh rows that no model here learnt from: nothing was measured."
    measured = f"On {fresh:,} fresh rows that no model here learnt from."
    if not champion:
        measured += " There is no champion yet, so nothing to compare with."
    compared = any(row.champion is not None for row in table)
    anchored = any(row.anchor is not None for row in table)
    columns = ["", "candidate", *(["champion"] if compared else [])]
    columns += [*(["anchor"] if anchored else []), "baseline"]
    columns += ["gain over the champion (its interval)", "limit"] if compared else []
    lines = [measured, "", table_row(columns), "|---|" + "---:|" * (len(columns) - 1)]
    for row in table:
        arrow = "↑" if row.metric in LARGER_IS_BETTER else "↓"
        cells = [f"{text(row.metric)} {arrow}", f"{row.candidate:.4f}"]
        if compared:
            cells.append("" if row.champion is None else f"{row.champion:.4f}")
        if anchored:
            cells.append("" if row.anchor is None else f"{row.anchor:.4f}")
        cells.append(f"{row.baseline:.4f}")
        lines.append(table_row([*cells, *(_difference(row) if compared else [])]))
    return "\n".join(lines)


def _difference(row: Compared) -> list[str]:
    if row.difference is None or row.low is None or row.high is None or row.margin is None:
        return ["", ""]
    gap, low, high, least = (gain(row.metric, each) for each in (row.difference, row.low, row.high, -row.margin))
    return [f"{gap} ({low} to {high})", f"at least {least}"]


def _changes(candidate: Mapping[str, Any], champion: Mapping[str, Any] | None, churn: str, files: Sequence[str]) -> str:
    """What differs, a row each; what does not, in one line."""
    ours, theirs = _facts(candidate), _facts(champion or {})
    same = []
    lines = ["| What changed | candidate | champion |", "|---|---|---|"]
    if champion is None:
        lines = ["| What it is | |", "|---|---|"]
    for name, (here, there) in ((name, (ours[name], theirs[name])) for name in ours):
        if champion is None:
            told = ", ".join(sorted(here)) if isinstance(here, set) else here
            lines.append(table_row([name, text(told)]))
        elif here == there and not str(here).endswith("-dirty"):  # dirty may mean anything
            same.append(name)
        elif isinstance(here, set) and isinstance(there, set):
            lines.append(table_row([name, _only(here - there), _only(there - here)]))
        else:
            lines.append(table_row([name, text(here), text(there)]))
    if champion is not None and len(same) == len(ours):
        lines = ["Nothing changed."]
    if same:
        lines += ["", f"The same in both: {', '.join(same)}."]
    if churn:
        lines += ["", churn]
    more = [path for path in files if path != LIVE]
    if more:
        lines += ["", f"This proposal changes more than {code(LIVE)}: {_paths(more)}."]
    return "\n".join(lines)


def _churn(churn: float | None, budget: float | None, fresh: int) -> str:
    """The share of decisions that change, against what may for it to land by itself."""
    if churn is None:
        return ""
    told = f"Decisions that change: {churn:.1%} of {fresh:,} fresh rows"
    if budget is None:
        return f"{told}."
    return f"{told}, {'within' if churn <= budget else 'over'} the budget of {budget:.0%}."


def _facts(manifest: Mapping[str, Any]) -> dict[str, str | set[str]]:
    """What makes a model, by the name a reader knows it by."""
    start, end = (_short(_at(manifest, "data", "train", each)) for each in ("start", "end"))
    features = _at(manifest, "contract", "features") or []
    libraries = dict(_at(manifest, "build", "libraries") or {})
    python = _at(manifest, "build", "python")
    return {
        "version": str(_at(manifest, "version")),
        "learnt from": f"{start} to {end}",
        "rows learnt from": _short(_at(manifest, "data", "train", "rows")),
        "features": {f"{each.get('name')} ({each.get('kind')})" for each in features},
        "recipe": _short(_at(manifest, "recipe", "sha256")),
        "commit": _short(_at(manifest, "build", "commit")),
        "libraries": {
            f"{name} {version}" for name, version in (libraries | ({"Python": python} if python else {})).items()
        },
    }


def _only(values: set[str]) -> str:
    return f"only here: {text(', '.join(sorted(values)))}" if values else "nothing else"


def _worse(slices: Sequence[Slice], metric: str) -> str:
    """Who is hit: the slices where the champion was better."""
    sign = 1 if metric in LARGER_IS_BETTER else -1
    rated = [
        (sign * (ours - theirs), name, rows, ours, theirs) for name, rows, ours, theirs in slices if theirs is not None
    ]
    if not rated:
        return ""
    worse = sorted((each for each in rated if each[0] < 0), key=lambda each: each[0])
    if not worse:
        return f"No worse than the champion in any of {len(rated)} slices."
    told = [
        f"{text(name, 80)} ({metric} {ours:.4f} against {theirs:.4f}, {rows:,} rows)"
        for _, name, rows, ours, theirs in worse[:_MOST_WORSE]
    ]
    more = _and_more(len(worse), _MOST_WORSE)
    return f"Worse than the champion in {len(worse)} of {len(rated)} slices: {'; '.join(told)}{more}."


def _told(heading: str, findings: Sequence[Finding]) -> str:
    """Findings in words, what could not be checked first."""
    if not findings:
        return ""
    lines = [f"**{heading}**\n"]
    for each in sorted(findings, key=_urgency)[:_MOST_FINDINGS]:
        sign = "⚠️ out of limits" if _is_mild(each) else _OUTCOME[each.outcome]
        lines.append(
            f"- **{text(each.rule)}** {sign}: {text(each.observed)}; limit {text(each.limit)}. {text(each.why)}"
        )
    if len(findings) > _MOST_FINDINGS:
        lines.append(f"- …{_and_more(len(findings), _MOST_FINDINGS)}; verdict.json has all of it")
    return "\n".join(lines)


def _held(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    lines = ["| rule | observed | limit | why it matters |", "|---|---|---|---|"]
    lines += [table_row(map(text, (f.rule, f.observed, f.limit, f.why))) for f in findings]
    return "\n".join(lines)


def _slices(slices: Sequence[Slice], metric: str) -> str:
    if not slices:
        return ""
    lines = [f"| {metric} by slice | rows | candidate | champion |", "|---|---:|---:|---:|"]
    for name, rows, ours, theirs in slices[:_MOST_SLICES]:
        rival = "" if theirs is None else f"{theirs:.4f}"
        lines.append(table_row([text(name), f"{rows:,}", f"{ours:.4f}", rival]))
    if len(slices) > _MOST_SLICES:
        lines += ["", f"…{_and_more(len(slices), _MOST_SLICES)}; verdict.json has all of it."]
    return "\n".join(lines)


def _paths(paths: Sequence[str]) -> str:
    return ", ".join(map(code, paths[:_MOST_FILES])) + _and_more(len(paths), _MOST_FILES)


def _and_more(count: int, most: int) -> str:
    return f" and {count - most} more" if count > most else ""


def _urgency(finding: Finding) -> int:
    return [*_OUTCOME].index(finding.outcome)


def _is_mild(finding: Finding) -> bool:
    return finding.outcome == "FAIL" and finding.severity == "warn"


def _at(manifest: Mapping[str, Any], *path: str) -> Any:
    found: Any = manifest
    for key in path:
        found = found.get(key, "") if isinstance(found, Mapping) else ""
    return found


def _short(value: Any) -> str:
    """A number with commas, a digest and a commit by their beginning, a time to the minute."""
    if isinstance(value, int):
        return f"{value:,}"
    words = str(value)
    if words.startswith("sha256:"):
        return words[7:19]
    words = _COMMIT.sub(lambda found: found[1] + (found[2] or ""), words)
    return _TIME.sub(r"\1 \2", words)
