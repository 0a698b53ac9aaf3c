"""Online corrections in the store, `online/VERSION.json`: read, verified, recorded, and refused in a sentence.

A correction is used only with the version that it was computed for. Whatever is wrong with a file, the plain model goes on.
Each correction is written to the journal before an answer is given with it, so that each answer can be computed again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bundles.bundle import Bundle
from contracts.bundle_content import read_regular
from contracts.live_config import CORRECTIONS
from contracts.live_tables import OFF, ON, SHADOW, Online
from contracts.row_contract import read_time
from online.correction import MAX_BYTES, Correction
from serve.log import log
from serve.release.bundle_copies import Stat, stat_of
from serve.traffic.split import TrafficSplit

APPLIED = "applied"
#: A correction that is not renewed for so long is not applied: python -m serve learn has stopped.
STALE = timedelta(days=1)


@dataclass(frozen=True)
class Look:
    """A file as it was at a look: its *content* if it is good, else why it was *refused*; both None without a file."""

    stat: Stat
    content: Correction | None = None
    refused: str = ""


class CorrectionFiles:
    """The corrections in *store*; *record* writes a line to the journal, and returns whether it is written."""

    def __init__(self, store: Path, clock: Callable[[], datetime], record: Callable[[Mapping[str, Any]], bool]) -> None:
        self._folder, self._clock, self._record = store / CORRECTIONS, clock, record
        self._looks: dict[str, Look] = {}

    def on(self, live: TrafficSplit, online: Online, became_live: Mapping[str, datetime]) -> TrafficSplit:
        """*live* with the corrections that apply now; a shadow has none. *became_live* is by version, as in `applied`."""
        try:
            found: dict[str, Any] = {
                variant.name: replace(
                    variant, correction=self.applied(variant.bundle, online, became_live.get(variant.bundle.version))
                )
                for variant in live.all()
                if variant.name != SHADOW
            }
        except Exception as error:  # the plain models go on
            log(f"corrections refused: {type(error).__name__}: {error}")
            found = {variant.name: replace(variant, correction=None) for variant in live.all()}
        return replace(live, **found)

    def applied(self, bundle: Bundle, online: Online, since: datetime | None) -> Correction | None:
        """The correction to apply to the scores of *bundle*; None for none.

        One made before *since*, when the version became live, is from an earlier time at which it was.
        """
        if online.mode == OFF:
            self._looks.pop(bundle.version, None)
            return None
        look = self._looked(bundle, online, since)
        found = look.content
        return found if found and online.mode == ON and found.state == APPLIED else None

    def state(self, version: str) -> dict[str, Any] | None:
        """What the file of *version* said at the last look, and why it is refused; None without a file."""
        look = self._looks.get(version)
        if not look or not (look.content or look.refused):
            return None
        found = look.content
        return {
            "correction": found.digest if found else None,
            "state": found.state if found else None,
            "made": found.made if found else None,
            "until": found.until if found else None,
            "why": found.why if found else None,
            "refused": look.refused or None,
        }

    def _looked(self, bundle: Bundle, online: Online, since: datetime | None) -> Look:
        path = self._folder / f"{bundle.version}.json"
        before, stat = self._looks.get(bundle.version), stat_of(path)
        look = Look(stat)
        try:
            if stat:
                found = before.content if before and before.stat == stat else None
                content = found or _read(path, bundle)
                self._refuse(content, online, since)
                if content is not found:
                    self._keep(content)
                look = Look(stat, content)
        except (OSError, ValueError, RecursionError) as error:
            look = Look(stat, refused=str(error))
            if not before or before.refused != look.refused:
                log(f"correction of {bundle.version} refused: {error}")
        self._looks[bundle.version] = look
        return look

    def _refuse(self, found: Correction, online: Online, since: datetime | None) -> None:
        """Raise ValueError if *found* is not to be used now."""
        made, now = read_time(found.made), self._clock()
        if made is None or now - made > STALE:
            raise ValueError(f"it was made at {found.made}, more than a day ago: does python -m serve learn run?")
        if since and made < since:
            raise ValueError(f"it was made at {found.made}, before the version became live again")
        if found.max_shift > online.max_shift:
            raise ValueError(f"its max_shift is {found.max_shift:g}, and live.toml allows {online.max_shift:g}")

    def _keep(self, found: Correction) -> None:
        at = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        text = found.to_bytes().decode().strip()
        line = {"at": at, "version": found.version, "correction": found.digest, "state": found.state, "content": text}
        if not self._record(line):
            raise OSError("the journal cannot be written, and a correction is recorded before it is used")


def digests(live: TrafficSplit) -> list[str]:
    """The digest of the correction of each variant; "" for none."""
    return [variant.correction.digest if variant.correction else "" for variant in live.all()]


def _read(path: Path, bundle: Bundle) -> Correction:
    """The correction in the file at *path*, which fits *bundle*. Raises OSError or ValueError with a sentence."""
    if path.is_symlink() or path.parent.is_symlink():
        raise ValueError(f"{path} is a link; expected a regular file")
    try:
        found = Correction.from_json(json.loads(read_regular(path, MAX_BYTES)))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    contract = bundle.contract
    if found.version != bundle.version:
        raise ValueError(f"{path} is about {found.version}")
    if found.task != contract.task:
        raise ValueError(f"its task is {found.task}, and the model's is {contract.task}")
    odd = [name for name in found.slices if name not in contract.feature_names or name in contract.private]
    if odd:
        raise ValueError(
            f"it has terms for {', '.join(odd)}, which the model does not read or the journal does not have"
        )
    if contract.task == "multiclass" and len(found.biases) != len(contract.target.classes):
        raise ValueError(f"it has {len(found.biases)} biases for {len(contract.target.classes)} classes")
    golden = bundle.manifest["golden"]
    columns = {name: [row.get(name) for row in golden["rows"]] for name in found.slices}
    scores = found.correct(np.asarray(golden["scores"], dtype=float), columns)
    if not np.isfinite(scores).all():
        raise ValueError("it makes scores of the golden rows that are not finite")
    return found
