"""A run's signals -> its findings, from which incidents are decided, and the evidence in their text. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from contracts.row_contract import Contract
from monitoring.charts.expected_charts import holiday_remarks, movement_remarks
from monitoring.charts.signals import EARLY, Signal, Unknown, by_series
from monitoring.incidents.alert_rules import Assessment, breach_start, drifted_features, excess, limit_of
from monitoring.incidents.cause import Cause
from monitoring.incidents.incident import RunFindings, State
from monitoring.incidents.incident_state import IncidentState
from monitoring.incidents.issue_text import CauseFacts, Evidence, body, daily_cost, first_step, likely_causes, title
from monitoring.metrics.label_delay import estimate_errors
from monitoring.metrics.spread import mean_interval
from reporting.markdown import text
from reporting.mermaid import xychart

CHARTS = 3


@dataclass(frozen=True)
class Observations:
    """The signals of a run, their assessment, and what is reported beside them.

    *rows* and *labelled* are counts; *budget* is the number of false alarms a quarter that the limits were solved for;
    *deployments* are (time, version, message), oldest first; *reference* is the first and the last day of the
    reference period.
    """

    contract: Contract
    version: str
    at: str
    signals: list[Signal]
    unknown: Sequence[Unknown]
    assessment: Assessment
    rows: int
    labelled: int
    budget: float
    deployments: tuple[tuple[str, str, str], ...] = ()
    reference: tuple[str, str] = ("", "")
    slices: str = ""
    oddities: Sequence[str] = ()
    unjudged: Sequence[str] = ()
    upstream: Sequence[str] = ()

    def findings(self) -> RunFindings:
        """The findings from which incidents are decided."""
        series = {name: days for name, days in by_series(self.signals).items() if days[0].severity != "digest"}
        last_breach: dict[str, str] = {}
        evaluated: dict[str, set[str]] = {}
        for days in series.values():
            evaluated.setdefault(days[0].kind, set()).update(day.day for day in days)
            newest = max((day.day for day in days if day.breached), default="")
            mark = self._cause([days]).fingerprint
            last_breach[mark] = max(newest, last_breach.get(mark, ""))
        breaching: dict[str, list[list[Signal]]] = {}
        for name in self.assessment.breaching:
            breaching.setdefault(self._cause([series[name]]).fingerprint, []).append(series[name])
        return RunFindings(
            model=self.contract.name,
            version=self.version,
            at=self.at,
            evaluated={kind: tuple(sorted(days)) for kind, days in evaluated.items()},
            causes=tuple(self._cause(group) for group in breaching.values()),
            last_breach=last_breach,
            not_monitored=tuple(each.kind.split()[0] for each in self.unknown if not each.yet),
            deployments=tuple((at, f"{version} went live: {message}") for at, version, message in self.deployments),
        )

    def pages(self, expected: Collection[str]) -> list[Signal]:
        """The newest day of each breaching series that pages, unless the fingerprint of its cause is *expected*."""
        series = by_series(self.signals)
        breaching = [series[name] for name in self.assessment.breaching]
        return [
            days[-1]
            for days in breaching
            if days[0].severity == "page" and self._cause([days]).fingerprint not in expected
        ]

    def issue_text(self, findings: RunFindings, memory: IncidentState, state: State, why: str) -> tuple[str, str]:
        """Title and body of an incident."""
        since = memory.since or min((signal.day for signal in self.signals), default=self.at[:10])
        kinds = [cause.kind for cause in findings.causes if cause.fingerprint in memory.causes]
        moved = drifted_features(self.signals, since)
        facts = replace(self._facts(since, moved), kinds=tuple(kinds))
        evidence = replace(self.evidence(since), first=first_step(facts, memory.severity))
        shown = title(findings.model, kinds, since, moved)
        return shown, body(findings.model, findings.version, memory, state, why, evidence)

    def evidence(self, since: str) -> Evidence:
        """The evidence of the time *since* a day."""
        series = by_series(self.signals)
        breaching = [series[name] for name in self.assessment.breaching]
        moved = drifted_features(self.signals, since)
        drifted = [days for days in series.values() if _is_drift_of(days[0], moved)]
        return Evidence(
            effect=tuple(self.effect(since)),
            moved=table([*breaching, *drifted][:20]),
            slices=self.slices,
            charts=tuple(chart(days) for days in breaching[:CHARTS]),
            sure=tuple(self._sure(breaching)),
            likely=(
                *(f"Changed upstream: {text(change.replace('`', ''))}" for change in self.upstream),
                *likely_causes(self._facts(since, moved)),
            ),
            remarks={
                "Accuracy of the performance estimate": list(map(str, estimate_errors(self.signals))),
                "Movement that is expected": movement_remarks(self.signals)[-20:],
                "Holidays": holiday_remarks(self.signals)[-20:],
                "Not monitored": [f"{each.kind}: {each.why}" for each in self.unknown],
                "Journal": list(self.oddities),
                "Days with too few rows to evaluate": list(self.unjudged)[-20:],
            },
        )

    def summary(self, *, with_state: bool) -> Iterable[str]:
        """Lines for the terminal; *with_state* also the state where there is no alarm."""
        if self.assessment.state == "raised":
            yield from (f"  {line}" for line in self.effect())
        elif with_state:
            state = "quiet" if self.assessment.state == "quiet" else "no change"
            yield f"{state}: {self.assessment.why}"
        yield from holiday_remarks(self.signals)
        yield from (f"likely changed upstream: {change}" for change in self.upstream)
        for each in self.unknown:
            yield f"{'not yet' if each.yet else 'could not be'} monitored: {each.kind}: {each.why}"
        yield from (f"the estimate of {metric}" for metric in estimate_errors(self.signals))

    def _cause(self, group: Sequence[list[Signal]]) -> Cause:
        """The cause of a *group* of series of one kind and one family."""
        first = group[0][0]
        begun = min(breach_start(days) for days in group)
        beyond = [day for days in group for day in days if day.breached and day.day >= begun]
        last = max((day.day for day in beyond), default="")
        newest = [day for day in beyond if day.day == last] or [days[-1] for days in group]
        return Cause(
            kind=first.kind,
            severity="page" if first.severity == "page" else "issue",
            family=self._family(first),
            since=begun,
            last=last,
            now=max(excess(days[-1]) for days in group),
            peak=max(map(excess, beyond), default=0.0),
            summary=_summary(max(newest, key=excess)),
        )

    def _family(self, signal: Signal) -> str:
        """The owner of the feature, or the feature: what is repaired in one place is one cause."""
        names = self.contract.feature_names
        if signal.feature not in names:
            return ""
        return self.contract.feature(signal.feature).owner or signal.feature

    def _facts(self, since: str, moved: Sequence[str]) -> CauseFacts:
        kinds = [name.split()[0] for name in self.assessment.breaching]
        new = [s.feature for s in self.signals if s.kind == "unseen_categories" and s.breached]
        gone = [s.feature for s in self.signals if s.kind == "missing_values" and s.breached]
        owners: dict[str, list[str]] = {}
        for name in dict.fromkeys((*gone, *moved)):
            if name in self.contract.feature_names:
                owners.setdefault(self.contract.feature(name).owner, []).append(name)
        return CauseFacts(
            kinds=tuple(dict.fromkeys(kinds)),
            since=since,
            new=tuple(dict.fromkeys(new)),
            owners={owner: tuple(names) for owner, names in owners.items()},
            releases=tuple((at[:10], version) for at, version, _ in self.deployments if version),
            known=self.reference,
        )

    def effect(self, since: str = "") -> Iterable[str]:
        """Performance *since* a day, estimated and realised, compared with the reference period; and in money.

        Without a day: since the first breach.
        """
        target = self.contract.target
        since = since or first_day(self.signals, self.assessment.breaching)
        for kind in ("estimated_performance", "realised_performance"):
            how = kind.split("_")[0]
            some = [s for s in self.signals if s.kind == kind and s.day >= since]
            for days in by_series(some).values():
                rows = sum(day.rows for day in days)
                mean, usual = sum(day.value * day.rows for day in days) / rows, days[0].expected
                money = daily_cost(days[0].metric, usual, mean, rows / len(days), target.worth or 0.0, target.currency)
                interval = mean_interval([day.value for day in days], [day.rows for day in days])
                between = f" (95 % interval {interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
                yield (
                    f"{days[0].metric}, {how} over {len(days)} days: {mean:.3f}{between}; {usual:.3f} in the reference"
                    f" period ({mean - usual:+.3f})" + (f", {money}" if money else "")
                )
        share = f"{self.labelled / self.rows:.0%}" if self.rows else "none"
        yield f"label coverage: {self.labelled:,} of {self.rows:,} rows ({share})"

    def _sure(self, breaching: Sequence[list[Signal]]) -> Iterable[str]:
        for days in breaching[:5]:
            beyond, length = sum(day.breached for day in days), days[-1].run_length
            alone = "" if length is None else f"; expected false alarms: one in {_duration(length)}"
            yield f"{text(_name(days[0]))}: outside its limits on {beyond} of {len(days)} days{alone}"
        yield (
            f"all charts together: {self.budget:g} expected false alarms a quarter without drift. Limits and rates are"
            " solved on quarters resampled from the reference period"
        )


def first_day(signals: list[Signal], breaching: Sequence[str]) -> str:
    """The first day of the earliest of the *breaching* series; "" if there are none."""
    series = by_series(signals)
    return min((breach_start(series[name]) for name in breaching), default="")


def table(series: Sequence[list[Signal]]) -> str:
    """The newest day of each series as a Markdown table; "" if there are none."""
    if not series:
        return ""
    lines = [
        "| signal | last day | value | reference mean | control limit | EWMA | days outside limits | false alarm in |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for days in series:
        last = days[-1]
        limit, beyond = _limit(last), sum(day.breached for day in days)
        lines.append(
            f"| {text(_name(last))} | {last.when} | {last.formatted(last.value)} | {last.formatted(last.expected)}"
            f" | {'' if limit is None else last.formatted(limit)} | {_smoothed(last)}"
            f" | {beyond} of {len(days)} | {'' if last.run_length is None else _duration(last.run_length)} |"
        )
    return "\n".join(lines)


def chart(days: Sequence[Signal]) -> str:
    """A series and its limit as a Mermaid chart."""
    unit = " in ms" if days[0].kind == "latency" else ""
    title = f"{_name(days[0])[:60]}{unit} and its control limit"
    limits = [_limit(day) or 0.0 for day in days]
    return xychart(
        title,
        f"{days[0].kind.replace('_', ' ')}{unit}",
        [day.day[5:] for day in days],
        [day.value for day in days],
        [limits],
    )


def deployments_of(history: Iterable[tuple[str, str, str]]) -> tuple[tuple[str, str, str], ...]:
    """The changes (time, version, message), oldest first, at which another version became live."""
    found: list[tuple[str, str, str]] = []
    for at, version, message in history:
        if version and (not found or found[-1][1] != version):
            found.append((at[:16], version, message))
    return tuple(found)


def _is_drift_of(signal: Signal, moved: Sequence[str]) -> bool:
    return signal.kind == "univariate_drift" and signal.feature in moved


def _name(signal: Signal) -> str:
    return signal.name.replace("_", " ")


def _limit(day: Signal) -> float | None:
    return limit_of(day.value, day.expected, day.lower, day.upper)


def _summary(day: Signal) -> str:
    limit = _limit(day)
    beyond = "" if limit is None else f", limit {day.formatted(limit)}"
    smoothed = f"; EWMA {_smoothed(day)}" if _smoothed(day) else ""
    slower = "; fewer outcomes than usual at this age: their feed is slower, or stopped" if day.metric == EARLY else ""
    usual = day.formatted(day.expected)
    return f"{_name(day)}: {day.formatted(day.value)} {_on(day)}; usual {usual}{beyond}{smoothed}{slower}"


def _on(day: Signal) -> str:
    return f"on {day.when}" if day.days == 1 else f"in the {day.when}"


def _smoothed(day: Signal) -> str:
    """The smoothed level (EWMA) and its limit, where only the level is beyond its limit."""
    limit = limit_of(day.level, day.expected, day.level_lower, day.level_upper)
    if day.level is None or limit is None or not day.breached or replace(day, level=None).breached:
        return ""
    return f"{day.formatted(day.level)} (limit {day.formatted(limit)})"


def _duration(days: float) -> str:
    """A chart's in-control run length, as text."""
    return f"{days / 365:.1f} years" if days >= 365 else f"{days:.0f} days"
