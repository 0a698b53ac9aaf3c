"""What reports, manifests, live.toml and monitoring record -> runs of checks. Pure.

A report records which rules ran in a hidden line, which landing keeps as the release notes. Reports of earlier versions have
none: their rules are read from the tables and lists of the report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from checks.decision.age_ledger import recorded as recorded_ages
from checks.decision.realised_ledger import recorded_days, track_record
from checks.ml_test_score.test_states import Run
from checks.verdict import Finding
from checks.waivers import waived
from reporting.hidden_lines import hidden_line, recorded_values

#: Outcomes that do not count as a run.
_NOT_RUN = "NOT_RUN"
#: A rule in a report without the hidden line: a row of the table of those that pass, an item of the list of others.
_PASSED = re.compile(r"^\| ([a-z]\w*\.[\w.]+) \| [^|\n]*\| [^|\n]*\|", re.MULTILINE)
_LISTED = re.compile(r"^- \*\*([a-z]\w*\.[^*\n]+)\*\* (?!❔)", re.MULTILINE)
_SLICE = re.compile(r"^(slice\.[^=]+)=.*$", re.DOTALL)


@dataclass(frozen=True)
class RuleRuns:
    """The rules that ran for a candidate on a *day*: those that *passed*, *failed* (or were inconclusive), were *waived*.

    *measured* are insights that were computed, such as the permutation importance.
    """

    day: str
    passed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()


def rules_line(findings: Sequence[Finding], measured: Iterable[str], today: date) -> str:
    """The hidden line of a report: which rules ran, and how they ended. A rule that could not be checked did not run."""
    ran = [each for each in findings if each.outcome != _NOT_RUN and not each.rule.startswith("waivers.")]

    names: dict[str, list[str]] = {
        "passed": sorted({_name(each.rule) for each in ran if each.outcome == "PASS"}),
        "failed": sorted({_name(each.rule) for each in ran if each.outcome != "PASS"}),
        "waived": sorted({_name(rule) for rule in waived(findings)}),
        "measured": sorted(measured),
    }
    return hidden_line("rules", {"day": f"{today}", **names})


def rule_runs(notes: str, day: str = "") -> list[RuleRuns]:
    """What a text records; *day* is that of a report without the hidden line."""
    found = recorded_values("rules", [notes], _read)
    if found or not day:
        return found
    passed, failed = _PASSED.findall(notes), [_name(each) for each in _LISTED.findall(notes)]
    return [RuleRuns(day, tuple(passed), tuple(failed))] if passed or failed else []


def of_reports(reports: Mapping[str, tuple[str, str]]) -> Iterator[Run]:
    """The rules that ran, the ages that were compared, and the gains that followed; *reports* has version -> (notes, day).

    Expected and realised gains count once their correlation over releases is known.
    """
    related = track_record(notes for notes, _ in reports.values()).correlation is not None
    for version, (notes, day) in reports.items():
        for each in rule_runs(notes, day):
            when = date.fromisoformat(each.day)
            for rule in {*each.passed, *each.failed}:
                yield Run(f"rule:{rule}", when, f"verdict on {version}")
            for name in each.measured:
                yield Run(f"measured:{name}", when, f"verdict on {version}")
            if recorded_ages([notes]):
                yield Run("measured:age", when, f"verdict on {version}")
            if related and recorded_days([notes]):
                yield Run("realised:gain", when, f"verdict on {version}")


def of_manifests(manifests: Mapping[str, Mapping[str, Any]]) -> Iterator[Run]:
    """What was measured when bundles were built, and features that a version has and the one before had not.

    *manifests* are those of the champions, in the order in which they were made.
    """
    before: set[str] | None = None
    for version, manifest in manifests.items():
        built = day_of(str((manifest.get("build") or {}).get("made_at", "")))
        if built is None:
            continue
        for name in ("parity", "sent", "stability"):
            if manifest.get(name):
                yield Run(f"manifest:{name}", built, f"manifest of {version}")
        if (manifest.get("build") or {}).get("commit"):
            yield Run("manifest:commit", built, f"manifest of {version}")
        names = {str(each.get("name")) for each in (manifest.get("contract") or {}).get("features", ())}
        if before is not None and (added := sorted(names - before)):
            yield Run("feature:added", built, f"{version} has {', '.join(added[:3])}")
        before = names


def of_series(content: Mapping[str, Any], versions: Iterable[str]) -> Iterator[Run]:
    """The days on which monitoring judged each kind of signal; *content* is that of series.json.

    *versions* are those that were live. The kinds of the newest day were judged when monitoring last ran, however long ago
    that day is. Raises ValueError, KeyError or TypeError for other content.
    """
    live, names = {*versions}, list(content.get("signal", ()))
    rows = [tuple(str(row[names.index(each)]) for each in ("version", "kind", "day")) for row in content["signals"]]
    newest, ran = max((day for _, _, day in rows), default=""), day_of(str(content["run"].get("at", "")))
    for version, kind, day in rows:
        for when in filter(None, {day_of(day), ran if day == newest else None}):
            yield Run(f"signal:{kind}", when, "series.json of monitoring")
            if version in live:
                yield Run("loop:answered", when, f"{version} was judged, released, served and monitored")


def of_drills(content: Mapping[str, Any]) -> Iterator[Run]:
    """The drills that succeeded; *content* is that of drills.json. Raises KeyError or TypeError for other content."""
    for each in content["runs"]:
        if each["ok"] and (when := day_of(each["at"])) is not None:
            yield Run(f"drill:{each['drill']}", when, str(each.get("says", "")))


def day_of(text: str) -> date | None:
    """The day of a time in ISO 8601; None for other text."""
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _name(rule: str) -> str:
    """Values of slices are left out: they are data, and there may be many."""
    return _SLICE.sub(r"\1", rule)


def _read(fields: Mapping[str, Any]) -> RuleRuns:
    date.fromisoformat(fields["day"])
    lists = (tuple(str(each) for each in fields.get(name, ())) for name in ("passed", "failed", "waived", "measured"))
    return RuleRuns(str(fields["day"]), *lists)
