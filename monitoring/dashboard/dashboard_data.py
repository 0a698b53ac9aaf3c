"""Forge, journal and the watch's series -> Story: all that the control room tells, as plain values.

What cannot be read is left out and said, so that the page appears even where something is broken.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from contracts.journal_format import Place
from contracts.monitoring_limits import Monitoring
from contracts.row_contract import Contract, ContractError
from monitoring.charts.signals import Signal
from monitoring.journal.day_cache import Reading
from monitoring.journal.sample_correction import days_of_all
from monitoring.journal.window import JournalError, read_window
from monitoring.metric_history import Series
from monitoring.metrics.daily_metrics import METRICS, Day, measured

ARMS = ("champion", "challenger", "anchor")
#: The champion in live.toml where nothing is to be served.
NOTHING = "none"
#: Days that are shown, back from the newest: a quarter, for which the budget of false alarms is set.
SHOWN = 92
_DECISION = re.compile(r"^## \S+ (PROMOTE|HOLD|REJECT)\s*$", re.MULTILINE)
_SENTENCE = re.compile(r"^\*\*(.+?)\*\*\s*$", re.MULTILINE)
_VERSION = re.compile(r"^\| version \| `?([^|`\s]+)", re.MULTILINE)
_DRILL = re.compile(r"The drill of (\S+) on this gate: (.+?)\.?\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Move:
    """A change of live.toml: when, to which champion ("" for none), in whose words."""

    at: str
    champion: str
    message: str


@dataclass(frozen=True)
class Span:
    """An arm that had *version* from *since* on, until *until* ("": it still has); *how* in words."""

    arm: str
    version: str
    since: str
    until: str
    how: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the gate said of *version* ("" where its words do not tell), in the report *body*."""

    version: str
    decision: str
    sentence: str
    body: str


@dataclass(frozen=True)
class Told:
    """What the shell knows that no forge's noun tells.

    *back* is where a rollback goes, or why it goes nowhere; *address* the repository's web page ("" for
    a folder); *drill* the day and the score of the last drill; *unfollowed* why scorers cannot follow
    all that live.toml names.
    """

    at: str = ""
    forge: str = ""
    address: str = ""
    back: tuple[str, str] = ("", "")
    drill: tuple[str, str] = ("", "")
    unfollowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Story:
    """What happened, oldest first.

    *versions* are those that answered or were live, in order of their first time; *usual* has a
    version's metrics on its holdout; *signals* are the newest run's for each day, *run* what that run
    said of itself. *releases*, *proposals* and *alerts* are the forge's own nouns, newest first.
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
    releases: Sequence[Any] = ()
    proposals: Sequence[Any] = ()
    alerts: Sequence[Any] = ()
    notes: tuple[str, ...] = ()
    told: Told = Told()

    @property
    def arms(self) -> dict[str, Span]:
        """What every arm has now."""
        return {span.arm: span for span in self.spans if not span.until}

    @property
    def first_days(self) -> dict[str, str]:
        """The first day that each version answered on, by its rows' own time; else when it came live."""
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
    told: Told,
    lost: Sequence[str] = (),
) -> Story:
    """The story so far.

    *forge* has `history` (of live.toml), `releases`, `proposals` and `alerts`, each newest first;
    *manifests* those of the versions that were live; *lost* says what could not be read so far.
    """
    notes, task, name = [*lost], "", ""
    for version, manifest in sorted(manifests.items()):
        try:
            contract = Contract.from_json(manifest["contract"])
            task, name = contract.task, contract.name
        except (ContractError, KeyError) as error:
            notes.append(f"{version}: {error}")
    newest = max([*(d.day for d in series.days), *(s.day for _, s in series.signals)], default="")
    first = f"{date.fromisoformat(newest) - timedelta(days=SHOWN - 1)}" if newest else ""
    spans = sorted(_spans(forge["history"]), key=lambda span: (ARMS.index(span.arm), span.since))
    found = Story(
        name=name,
        metrics=METRICS.get(task, ()),
        days=tuple(day for day in series.days if day.day >= first),
        usual={version: _holdout(manifest) for version, manifest in manifests.items()},
        signals=tuple(each for each in series.signals if each[1].day >= first),
        run=series.run,
        moves=tuple(_moves(forge["history"])),
        spans=tuple(spans),
        releases=forge["releases"],
        proposals=forge["proposals"],
        alerts=forge["alerts"],
        notes=tuple(notes),
        told=told,
    )
    days = found.first_days
    answered = sorted(days, key=lambda version: (days[version], version))
    live = [span.version for span in spans]
    versions = dict.fromkeys([*answered, *live])
    drill = told.drill if told.drill[1] else _drilled(found)
    return replace(found, versions=tuple(versions), told=replace(told, drill=drill))


def with_journal(
    series: Series,
    journal: Path | Place,
    manifests: Mapping[str, Mapping[str, Any]],
    limits: Monitoring,
    kept: Path | None = None,
) -> tuple[Series, list[str]]:
    """*series* with each version's window as the *journal* has it now; what it lacks.

    *kept* is where its closed days are kept.
    """
    notes = []
    for version, manifest in sorted(manifests.items()):
        try:
            contract = Contract.from_json(manifest["contract"])
            seen = manifest["data"]["categories"]
            reading = Reading(contract, version, seen, limits.sample_rows, limits.engine, kept)
            window = read_window(journal, reading, limits.window_days)
            days = measured(window.rows, contract, version, limits.min_rows)
            series = series.updated(version, (), days_of_all(days, window.counts, window.weight), series.run)
        except JournalError as error:
            notes.append(f"{version}: {error}")
        except (ContractError, KeyError):
            continue  # the manifest, which `gather` tells of
    return series, notes


def champions(history: Iterable[Any]) -> set[str]:
    """Every version that ever was champion."""
    return {move.champion for move in _moves(history) if move.champion}


def verdict_in(text: str) -> Verdict | None:
    """The verdict that a report (a comment, a release's notes) begins with; None if it is none."""
    decision = _DECISION.search(text)
    if decision is None:
        return None
    body = text[decision.start() :]
    sentence, version = _SENTENCE.search(body), _VERSION.search(body)
    return Verdict(version[1] if version else "", decision[1], sentence[1] if sentence else "", body)


def read_drill(path: Path) -> tuple[str, str]:
    """The day and the score in `drill.json`; nothing where no drill was held."""
    if not path.is_file():
        return "", ""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return str(told["when"]), str(told["sentence"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return "", f"{path} cannot be read ({error!r}); hold the drill again: make drill"


def _drilled(story: Story) -> tuple[str, str]:
    """What the newest report says of the drill."""
    texts = [
        *(text for each in story.proposals for text in each.comments.values()),
        *(each.notes for each in story.releases),
    ]
    told = [found.groups() for text in texts if (found := _DRILL.search(text))]
    when, sentence = max(told, default=("", ""))
    return str(when), str(sentence)


def _spans(history: Iterable[Any]) -> Iterable[Span]:
    """What each arm had when. A text that does not say what is live changed nothing."""
    open_: dict[str, Span] = {}
    for change in reversed(list(history)):
        roles = _roles(change.text)
        if roles is None:
            continue
        try:
            now = {arm: (str(role["version"]), _how(role)) for arm, role in roles.items()}
        except (KeyError, TypeError, ValueError):
            continue
        for arm in ARMS:
            before, after = open_.get(arm), now.get(arm)
            if before and (before.version, before.how) != after:
                yield replace(open_.pop(arm), until=change.at)
                before = None
            if after and before is None:
                open_[arm] = Span(arm, after[0], change.at, "", after[1])
    yield from open_.values()


def _how(role: Mapping[str, Any]) -> str:
    if role.get("mode"):
        return "in the shadow"
    return f"{float(role['share']):.0%} of keys" if role.get("share") else ""


def _moves(history: Iterable[Any]) -> list[Move]:
    found: list[Move] = []
    for change in reversed(list(history)):
        roles = _roles(change.text)
        champion = found[-1].champion if found else ""
        if roles is not None:
            champion = str(roles.get("champion", {}).get("version", ""))
        found.append(Move(change.at, champion, change.message))
    return found


def _roles(text: str) -> dict[str, dict[str, Any]] | None:
    """The tables of the arms; {} if nothing is to be served, None if *text* does not say what is."""
    try:
        told = tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
    if told.get("champion") == NOTHING:
        return {}
    found = {arm: told[arm] for arm in ARMS if isinstance(told.get(arm), dict)}
    return found if "champion" in found else None


def _holdout(manifest: Mapping[str, Any]) -> Mapping[str, float]:
    found: Mapping[str, float] = manifest.get("metrics", {}).get("holdout", {})
    return found
