"""Erases a key's rows from the evidence of a bundle. What is served, the manifest and its digest stay as they are.

The digests of the new files are in `evidence/erased.json`, beside the manifest's: see `contracts.bundle_content`.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from audit.erasure.erased_key import ErasedKey
from audit.erasure.journal_files import replace, table_of
from contracts.bundle_content import ERASED, MAX_MANIFEST_BYTES, erased_digests, read_regular, sha256


def manifest_of(bundle: Path) -> dict[str, Any]:
    """The manifest of a bundle. Raises OSError or ValueError."""
    found: dict[str, Any] = json.loads(read_regular(bundle / "manifest.json", MAX_MANIFEST_BYTES))
    if (
        not isinstance(found, dict)
        or not isinstance(found.get("files"), dict)
        or "key" not in found.get("contract", {})
    ):
        raise ValueError(f"{bundle / 'manifest.json'} is not a manifest")
    return found


def erase_rows(
    bundle: Path, manifest: dict[str, Any], key: ErasedKey, at: str, *, dry: bool
) -> tuple[dict[str, int], int]:
    """Erase the rows of *key* from each file of the evidence; how many, by file. Raises OSError.

    Also how many golden rows are equal to one of them: these have no key, and stay.
    """
    counts, golden = dict[str, int](), 0
    for name in sorted(manifest["files"]):
        path = bundle / name
        if not (name.startswith("evidence/") and name.endswith(".parquet") and path.is_file()):
            continue
        table = table_of(path)
        column = manifest["contract"]["key"]
        if column not in table.column_names:
            continue
        kept = [str(value) not in key.spelt for value in table[column].to_pylist()]
        if all(kept):
            continue
        counts[name] = len(kept) - sum(kept)
        golden += _golden(manifest, table.filter([not each for each in kept]).to_pylist())
        if not dry:
            content = io.BytesIO()
            pq.write_table(table.filter(kept), content, compression="zstd")
            _replace(bundle, name, content.getvalue(), counts[name], at)
    return counts, golden


def _golden(manifest: dict[str, Any], erased: list[dict[str, Any]]) -> int:
    rows = manifest.get("golden", {}).get("rows", [])
    return sum(any(all(row.get(name) == value for name, value in each.items()) for row in erased) for each in rows)


def named_in(manifest: dict[str, Any], key: ErasedKey) -> bool:
    """Whether the manifest, which cannot change, names the key: bundles of earlier versions have it in examples."""

    def has(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(has, value.values()))
        return any(map(has, value)) if isinstance(value, list) else value == key.key

    return any(has(manifest.get(part)) for part in ("point_in_time", "sent", "remarks"))


def _replace(bundle: Path, name: str, content: bytes, rows: int, at: str) -> None:
    """Replace a file; first its new digest is recorded, so that the bundle can be verified at every moment."""
    record = bundle / ERASED
    known = erased_digests(bundle)
    entry = known.get(name, {"now": [], "rows": 0})
    known[name] = {"now": [*entry["now"], sha256(content)], "rows": entry["rows"] + rows, "at": at}
    for path, new in ((record, json.dumps(known).encode() + b"\n"), (bundle / name, content)):
        draft = path.with_name(f".{path.name}-work")
        draft.write_bytes(new)
        if path.exists():
            replace(draft, path)
        else:
            draft.replace(path)
