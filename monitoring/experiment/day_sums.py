"""The sums of an experiment so far. Each day is read once: its sums and the hashes of its keys are kept on disk.

The name of a kept day has a digest of everything that it depends on: its files, and the day before. A file that arrives
late makes that day and the days after it be read again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from contracts.journal_format import Place
from monitoring.experiment.aggregates import ExperimentSums
from monitoring.experiment.confidence_sequences import Numbers
from monitoring.experiment.reader import ExperimentJournal, ReadRequest
from monitoring.journal.frame_store import FrameStore, digest_of
from monitoring.journal.window import JournalError, place_of

FORMAT = 2
#: Begins the names of kept days.
KIND = "experiment-"


def read_sums(journal: Path | Place, request: ReadRequest, store: FrameStore) -> ExperimentSums:
    """The sums of all units that count. Raises `JournalError`. Kept days of other experiments are deleted."""
    place = place_of(journal)
    try:
        source = ExperimentJournal(place, request)
        try:
            sums = _read(source, request, store)
        except LookupError:  # a kept day is incomplete or was changed: read all days again
            delete_kept_days(store)
            sums = _read(source, request, store)
    except OSError as error:
        raise JournalError(f"the journal cannot be read: {error}") from error
    sums.ignored.update(source.ignored)
    return sums


def delete_kept_days(store: FrameStore) -> None:
    """Delete all kept days."""
    store.only(KIND, ())


def _read(source: ExperimentJournal, request: ReadRequest, store: FrameStore) -> ExperimentSums:
    digests = [*_digests(source, request)]
    days = [f"{KIND}{request.midnight(day):%Y-%m-%d}" for day in range(request.days)]
    names = [f"{what}-{digest}" for what, digest in zip(days, digests, strict=True)]
    store.only(KIND, names)
    sums = _kept(names, request, store)
    keys: list[Numbers | str] = [*names[: sums.days]]

    def known() -> Iterator[Numbers]:
        for each in keys:
            yield _keys(store, each) if isinstance(each, str) else each

    for day in range(sums.days, request.days):
        units, new = source.units(day, known)
        sums.add(units)
        store.keep(days[day], digests[day], sums.to_json(), pd.DataFrame({"key": new}))
        keys.append(names[day] if store.has(names[day]) else new)
    return sums


def _digests(source: ExperimentJournal, request: ReadRequest) -> Iterator[str]:
    """For each day a digest of everything that it depends on."""
    split = asdict(request.split)
    digest = digest_of(
        [FORMAT, split, request.contract.to_json(), request.features, request.measures, request.unit_days]
    )
    for day in range(request.days):
        digest = digest_of([digest, source.depends(day)])
        yield digest


def _kept(names: list[str], request: ReadRequest, store: FrameStore) -> ExperimentSums:
    """The newest kept sums for which the keys of every day so far are kept, too; else empty ones."""
    complete = next((day for day, name in enumerate(names) if not store.has(name)), len(names))
    for day in reversed(range(complete)):
        try:
            return ExperimentSums.from_json(store.values(names[day]), request.split, request.contract, request.measures)
        except (KeyError, TypeError, ValueError):
            continue  # changed or incomplete
    return ExperimentSums(request.split, request.contract, request.measures)


def _keys(store: FrameStore, name: str) -> Numbers:
    frame = store.frame(name)
    if frame is None:
        raise LookupError(name)
    keys: Numbers = frame["key"].to_numpy(dtype=np.uint64)
    return keys
