"""Forge, journal and the history that monitoring keeps -> DashboardData: what the page shows, as plain values.

What cannot be read is left out and noted, so that the page appears even where something is broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from contracts.journal_format import Place
from contracts.monitoring_limits import Monitoring
from contracts.row_contract import Contract, ContractError
from monitoring.charts.signals import Signal
from monitoring.dashboard.live_spans import Span, corrections, roles_in, served
from monitoring.journal.day_cache import Reading
from monitoring.journal.sample_correction import days_of_all
from monitoring.journal.window import JournalError, read_window
from monitoring.metric_history import Series
from monitoring.metrics.daily_metrics import METRICS, Day, daily_metrics

#: Days that are shown, back from the newest: a quarter, for which the rate of false alarms is set.
DAYS_SHOWN = 92
_DECISION = re.compile(r"^## \S+ (PROMOTE|HOLD|REJECT)\s*$", re.MULTILINE)
_SENTENCE = re.compile(r"^\*\*(.+?)\*\*\s*$", re.MULTILINE)
_VERSION = re.compile(r"^\| version \| `?([^|`\s]+)", re.MULTILINE)
_DRILL = re.compile(r"The drill of (\S+) on this gate: (.+?)\.?\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Move:
    """A change of live.toml: when, to which champion ("" for none), and its commit message."""

    at: str
    champion: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """The gate's decision on *version* ("" where the report does not name it), with the report as *body*."""

    version: str
    decision: str
    sentence: str
    body: str


@dataclass(frozen=True)
class Context:
    """When and where the page is written.

    *back* is the version that a rollback restores, or why there is none; *address* the repository's web page ("" for a
    folder); *drill* the day and the score of the last drill; *score* the day, the ML Test Score and its sections;
    *way_back* the newest drill of a rollback; *unfollowed* why scorers cannot follow live.toml.
    """

    at: str = ""
    forge: str = ""
    address: str = ""
    back: tuple[str, str] = ("", "")
    drill: tuple[str, str] = ("", "")
    score: tuple[str, str, str] = ("", "", "")
    way_back: Mapping[str, Any] = field(default_factory=dict)
    unfollowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class DashboardData:
    """What happened, oldest first.

    *versions* are those that answered or were live, in order of their first time; *usual* has a version's metrics on
    its holdout; *signals* are the newest run's for each day, *run* is about that run. *releases*, *proposals* and
    *alerts* are as the forge gives them, newest first.
    """

    name: str = ""
    metrics: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    days: tuple[Day, ...] = ()
    usual: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    signals: tuple[tuple[str, Signal], ...] = ()
    run: Mapping[str, Any] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    spans: tuple[Span, ...] = ()
    corrections: tuple[Span, ...] = ()
    releases: Sequence[Any] = ()
    proposals: Sequence[Any] = ()
    alerts: Sequence[Any] = ()
    notes: tuple[str, ...] = ()
    context: Context = Context()

    @property
    def roles(self) -> dict[str, Span]:
        """The version that each role has now."""
        return {span.role: span for span in self.spans if not span.until}

    @property
    def first_days(self) -> dict[str, str]:
        """The first day on which each version answered, by its rows' own time; otherwise when it went live."""
        found: dict[str, str] = {}
        for day, version in (
            *((d.day, d.version) for d in self.days),
            *((s.day, version) for version, s in self.signals),
        ):
            found[version] = min(found.get(version, day), day)
        if not found:
            for span in self.spans:
                found.setdefault(span.version, span.since[:10])
        return found


def gather(
    forge: Mapping[str, Sequence[Any]],
    manifests: Mapping[str, Mapping[str, Any]],
    series: Series,
    context: Context,
    lost: Sequence[str] = (),
) -> DashboardData:
    """Everything that the page shows.

    *forge* has `history` (of live.toml), `releases`, `proposals` and `alerts`, each newest first;
    *manifests* those of the versions that were live; *lost* is what could not be read so far.
    """
    notes, task, name = [*lost], "", ""
    for version, manifest in sorted(manifests.items()):
        try:
            contract = Contract.from_json(manifest["contract"])
            task, name = contract.task, contract.name
        except (ContractError, KeyError) as error:
            notes.append(f"{version}: {error}")
    newest = max([*(d.day for d in series.days), *(s.day for _, s in series.signals)], default="")
    first = f"{date.fromisoformat(newest) - timedelta(days=DAYS_SHOWN - 1)}" if newest else ""
    spans = served(forge["history"])
    data = DashboardData(
        name=name,
        metrics=METRICS.get(task, ()),
        days=tuple(day for day in series.days if day.day >= first),
        usual={version: _holdout(manifest) for version, manifest in manifests.items()},
        signals=tuple(each for each in series.signals if each[1].day >= first),
        run=series.run,
        moves=tuple(_moves(forge["history"])),
        spans=tuple(spans),
        corrections=tuple(corrections(forge["history"])),
        releases=forge["releases"],
        proposals=forge["proposals"],
        alerts=forge["alerts"],
        notes=tuple(notes),
        context=context,
    )
    days = data.first_days
    answered = sorted(days, key=lambda version: (days[version], version))
    live = [span.version for span in spans]
    versions = dict.fromkeys([*answered, *live])
    drill = context.drill if context.drill[1] else _drilled(data)
    return replace(data, versions=tuple(versions), context=replace(context, drill=drill))


def with_journal(
    series: Series,
    journal: Path | Place,
    manifests: Mapping[str, Mapping[str, Any]],
    limits: Monitoring,
    kept: Path | None = None,
) -> tuple[Series, list[str]]:
    """*series* with each version's window as the *journal* has it now, and what could not be read.

    *kept* is the folder of its closed days.
    """
    notes = []
    for version, manifest in sorted(manifests.items()):
        try:
            contract = Contract.from_json(manifest["contract"])
            seen = manifest["data"]["categories"]
            reading = Reading(contract, version, seen, limits.sample_rows, limits.engine, kept)
            window = read_window(journal, reading, limits.window_days)
            days = daily_metrics(window.rows, contract, version, limits.min_rows)
            series = series.updated(version, (), days_of_all(days, window.counts, window.weight), series.run)
        except JournalError as error:
            notes.append(f"{version}: {error}")
        except (ContractError, KeyError):
            continue  # `gather` notes a manifest that cannot be read
    return series, notes


def champions(history: Iterable[Any]) -> set[str]:
    """Every version that ever was champion."""
    return {move.champion for move in _moves(history) if move.champion}


def verdict_in(text: str) -> Verdict | None:
    """The verdict of a report (a comment, a release's notes); None if *text* is another text."""
    decision = _DECISION.search(text)
    if decision is None:
        return None
    body = text[decision.start() :]
    sentence, version = _SENTENCE.search(body), _VERSION.search(body)
    return Verdict(version[1] if version else "", decision[1], sentence[1] if sentence else "", body)


def _drilled(data: DashboardData) -> tuple[str, str]:
    """The day and the score of the drill in the newest report."""
    texts = [
        *(text for each in data.proposals for text in each.comments.values()),
        *(each.notes for each in data.releases),
    ]
    drills = [match.groups() for text in texts if (match := _DRILL.search(text))]
    when, sentence = max(drills, default=("", ""))
    return str(when), str(sentence)


def _moves(history: Iterable[Any]) -> list[Move]:
    found: list[Move] = []
    for change in reversed(list(history)):
        roles = roles_in(change.text)
        champion = found[-1].champion if found else ""
        if roles is not None:
            champion = str(roles.get("champion", {}).get("version", ""))
        found.append(Move(change.at, champion, change.message))
    return found


def _holdout(manifest: Mapping[str, Any]) -> Mapping[str, float]:
    found: Mapping[str, float] = manifest.get("metrics", {}).get("holdout", {})
    return found
