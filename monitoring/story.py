"""Forge, journal and runs of the watch -> Story: all that the page tells, as plain values.

What cannot be read is left out and said, so that the page appears even where something is broken.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from model.contract import Contract, ContractError
from monitoring.metrics import METRICS, Day, measured
from monitoring.partitions import Place
from monitoring.signals import Signal
from monitoring.window import JournalError, read_window

#: Longer than any journal is kept.
EVER = 36_500


@dataclass(frozen=True)
class Move:
    """A change of live.toml: when, to which champion ("" for none), in whose words."""

    at: str
    champion: str
    message: str


@dataclass(frozen=True)
class Story:
    """What happened, oldest first.

    *versions* are those that answered, in order of their first answer; *usual* has a version's
    metrics on its holdout; *signals* are the newest run's for each day. *releases*, *proposals* and
    *alerts* are the forge's own nouns.
    """

    name: str
    metrics: tuple[str, ...]
    versions: tuple[str, ...]
    days: tuple[Day, ...]
    usual: Mapping[str, Mapping[str, float]]
    signals: tuple[tuple[str, Signal], ...]
    moves: tuple[Move, ...]
    releases: Sequence[Any]
    proposals: Sequence[Any]
    alerts: Sequence[Any]
    notes: tuple[str, ...]


def gather(
    forge: Mapping[str, Sequence[Any]],
    manifests: Mapping[str, Mapping[str, Any]],
    journal: Path | Place,
    watch: Path,
    least: int,
) -> Story:
    """The story so far.

    *forge* has `history` (of live.toml), `releases`, `proposals` and `alerts`, each newest first;
    *manifests* those of the versions that were live; a day needs *least* outcomes for a metric.
    """
    notes: list[str] = []
    days: list[Day] = []
    task, name = "", ""
    for version, manifest in sorted(manifests.items()):
        try:
            contract = Contract.from_json(manifest["contract"])
            rows = read_window(journal, contract, version, EVER).rows
        except (ContractError, JournalError, KeyError) as error:
            notes.append(f"{version}: {error}")
            continue
        task, name = contract.task, contract.name
        days += measured(rows, contract, version, least)
    first: dict[str, str] = {}
    for day in days:
        first.setdefault(day.version, day.day)
    return Story(
        name=name,
        metrics=METRICS.get(task, ()),
        versions=tuple(sorted(first, key=lambda version: (first[version], version))),
        days=tuple(sorted(days, key=lambda day: (day.day, day.version))),
        usual={version: _holdout(manifest) for version, manifest in manifests.items()},
        signals=tuple(_signals(watch, notes)),
        moves=tuple(_moves(forge["history"])),
        releases=forge["releases"],
        proposals=forge["proposals"],
        alerts=forge["alerts"],
        notes=tuple(notes),
    )


def champions(history: Iterable[Any]) -> set[str]:
    """Every version that ever was champion."""
    return {move.champion for move in _moves(history) if move.champion}


def _moves(history: Iterable[Any]) -> list[Move]:
    found: list[Move] = []
    for change in reversed(list(history)):
        try:
            champion = str(tomllib.loads(change.text)["champion"]["version"])
        except (tomllib.TOMLDecodeError, KeyError, TypeError):
            champion = ""
        found.append(Move(change.at, champion, change.message))
    return found


def _holdout(manifest: Mapping[str, Any]) -> Mapping[str, float]:
    found: Mapping[str, float] = manifest.get("metrics", {}).get("holdout", {})
    return found


def _signals(folder: Path, notes: list[str]) -> Iterable[tuple[str, Signal]]:
    """The version with the signal, from every run; a later run's word on a day is the last."""
    names = [field.name for field in fields(Signal)]
    found: dict[tuple[str, str, str], Signal] = {}
    for path in sorted(folder.glob("watch-*.json")):
        try:
            run = json.loads(path.read_bytes())
            for item in run["signals"]:
                signal = Signal(**{name: item[name] for name in names if name in item})
                found[run["version"], signal.name, signal.day] = signal
        except (OSError, ValueError, KeyError, TypeError) as error:
            notes.append(f"{path.name} cannot be read: {error!r}")
    for key in sorted(found, key=lambda key: (key[2], key[0], key[1])):
        yield key[0], found[key]
