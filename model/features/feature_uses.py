"""Users of a feature: the contract's slices, waivers of gate and monitoring, and clients of the scorer."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from contracts.journal_format import Folder, lines, parts
from contracts.row_contract import Contract


def uses(contract: Contract, name: str, waivers: Iterable[Path], journal: Path | None) -> list[str]:
    """A sentence for each use. *waivers* are TOML files of gate and monitoring.

    Raises OSError if the journal cannot be read.
    """
    return [*_stated(contract, name), *_waived(waivers, name), *(_sent(journal, name) if journal else ())]


def _stated(contract: Contract, name: str) -> Iterator[str]:
    if name in contract.slices:
        yield f"slice: the gate compares models by {name}"
    if name in contract.private:
        yield f"private: {name} is not written to the journal"
    for feature in contract.columns:
        if feature.name == name and feature.owner:
            yield f"owner: {feature.owner}"


def _waived(files: Iterable[Path], name: str) -> Iterator[str]:
    """The rules waived (`slice.country=fr`) and the causes expected (`page/drift/country`) that name it."""
    for path in files:
        read = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        entries = [*read.get("waiver", ()), *read.get("expected", ())]
        for each in entries:
            for words in (each.get("rule", ""), *each.get("causes", ())):
                if name in re.split(r"[^\w]+", words.partition("=")[0])[1:]:
                    yield f"{path}: {words}"


def _sent(journal: Path, name: str) -> Iterator[str]:
    """How many of the journal's requests have it, by how many keys, and when last."""
    place = Folder(journal)
    answers, sent, last, keys = 0, 0, "", set()
    for part in parts(place, "answers"):
        for line in lines(place, part, {"at", "key", f"row.{name}"}):
            row = line.get("row") if line else None
            if line is None or not isinstance(row, dict):
                continue
            answers += 1
            if row.get(name) is not None:
                sent += 1
                keys.add(line.get("key"))
                last = max(last, str(line.get("at", "")))
    if sent:
        yield (
            f"clients: {sent:,} of {answers:,} requests in the journal have it, for {len(keys):,} keys, last at {last}"
        )
    elif answers:
        yield f"clients: none of the {answers:,} requests in the journal has it"
