"""The champion in a store, what its corrector is, and where its correction is written."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from contracts.atomic_file import write_atomically
from contracts.bundle_content import MAX_MANIFEST_BYTES, read_regular
from contracts.live_config import BUNDLES, CORRECTIONS, LIVE, LiveError, parse_live
from contracts.live_config import MAX_BYTES as LARGEST_LIVE
from contracts.live_tables import Online
from contracts.row_contract import Contract
from online.correction import MAX_BYTES, Correction
from online.corrector import Setting
from online.outcome_delays import DelayCurves

#: Seconds after which the file of another version is deleted.
OLD = 86_400


class StoreError(Exception):
    """The store does not say what is live. The message says why."""


class Champion(NamedTuple):
    """The champion of a store, and what its corrector is made of."""

    version: str
    online: Online
    contract: Contract
    setting: Setting
    delay: DelayCurves


def champion_of(store: Path) -> Champion:
    """The champion that *store* names. Raises `StoreError`."""
    path = store / Path(LIVE).name
    try:
        live = parse_live(read_regular(path, LARGEST_LIVE).decode())
    except (OSError, UnicodeDecodeError, LiveError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    if live.champion is None:
        raise StoreError(f"{path} names no champion")
    version = live.champion.version
    try:
        manifest: dict[str, Any] = json.loads(
            read_regular(store / BUNDLES / version / "manifest.json", MAX_MANIFEST_BYTES)
        )
        contract = Contract.from_json(manifest["contract"])
        delay = DelayCurves.of(manifest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"the manifest of {version} in {store} cannot be read: {error}") from error
    fields = tuple(name for name in contract.slices if name not in contract.private)
    online = live.online
    limits = {"half_life": online.half_life, "max_shift": online.max_shift, "max_flips": online.max_flips}
    setting = Setting(contract.task, len(contract.target.classes), fields, **limits)
    return Champion(version, online, contract, setting, delay)


def write(store: Path, version: str, content: bytes) -> Path:
    """Write the correction of *version* into *store*: whole, or not at all. Files of other versions go after a day."""
    folder = store / CORRECTIONS
    path = folder / f"{version}.json"
    write_atomically(path, content)
    for other in folder.glob("*.json"):
        if other != path and other.stat().st_mtime < time.time() - OLD:
            other.unlink(missing_ok=True)
    return path


def copied(source: Path, version: str) -> bytes:
    """The correction of *version* in the store or folder *source*, as it is. Raises OSError, or ValueError for another."""
    folder = source / CORRECTIONS if (source / CORRECTIONS).is_dir() else source
    content = read_regular(folder / f"{version}.json", MAX_BYTES)
    found = Correction.from_json(json.loads(content))
    if found.version != version:
        raise ValueError(f"it is of {found.version}")
    return content
