"""Whether a bundle was made by a signer that trust.toml names: its files, and one valid signature beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from bundles.manifest import MANIFEST, BundleError, content_of, read_manifest, verify
from provenance.key_signature import opened as opened_with_key
from provenance.statement import Origin, ProvenanceError, check_origin, check_subject
from provenance.trust_settings import Trust

#: Written by an erasure of rows: which files of the evidence have another digest since then.
ERASED = "evidence/erased.json"
#: Bytes and lines of an attestation at most: Sigstore's bundles have about twelve thousand.
MAX_BYTES, MAX_LINES = 2**20, 16


@dataclass(frozen=True)
class Verdict:
    """Whether a bundle is *accepted*, and a sentence that says why."""

    accepted: bool
    why: str


def verify_bundle(folder: Path, attestation: bytes | None, trust: Trust, expected: Origin, root: Path) -> Verdict:
    """The verdict on the bundle in *folder*, with the content of its *attestation* (None without one).

    One valid line of the attestation is enough. *expected* signed it, or one of the keys of *trust*; *root* is the file
    with Sigstore's certificates. Does not raise for anything that a bundle or an attestation may hold.
    """
    try:
        manifest = read_manifest(folder)
        verify(folder, manifest, evidence=True)
        content = content_of(folder)
        _refuse_extra(folder, manifest)
    except BundleError as error:
        return Verdict(False, f"its files are not what its manifest says: {error}")
    if manifest["digest"] in trust.earlier:
        return _listed(str(manifest["version"]), trust)
    if attestation is None or not attestation.strip():
        return Verdict(False, f"it has no signature, and provenance/trust.toml does not list {manifest['digest']}")
    if len(attestation) > MAX_BYTES:
        return Verdict(False, f"its attestation has {len(attestation):,} bytes; expected at most {MAX_BYTES:,}")
    lines = attestation.strip().splitlines()
    reasons = []
    for number, line in enumerate(lines[:MAX_LINES], 1):
        try:
            return Verdict(True, _signer(line, content, trust, expected, root))
        except ProvenanceError as error:
            reasons.append(f"line {number}: {error}" if len(lines) > 1 else str(error))
    return Verdict(False, f"it has no valid signature: {'; '.join(dict.fromkeys(reasons))}")


def _signer(line: bytes, manifest: bytes, trust: Trust, expected: Origin, root: Path) -> str:
    """Who signed *line* for the bundle with this *manifest*. Raises `ProvenanceError`."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProvenanceError("the attestation is damaged: it is not JSON") from error
    if isinstance(found, dict) and "mediaType" in found:
        # Half a second, and 25 MB: imported where there is such a bundle.
        from provenance.sigstore_bundle import opened as opened_by_sigstore  # noqa: PLC0415

        check_subject(opened_by_sigstore(line, root, expected), manifest)
        return f"signed by {expected}, by Sigstore"
    if isinstance(found, dict) and "payloadType" in found:
        payload = opened_with_key(found, trust.keys)
        check_origin(payload, expected)
        check_subject(payload, manifest)
        return f"signed with a key of provenance/trust.toml, by {expected}"
    raise ProvenanceError("the attestation is neither a Sigstore bundle nor a signed envelope")


def _listed(version: str, trust: Trust) -> Verdict:
    try:
        made = date.fromisoformat(version[:8])
    except ValueError:
        return Verdict(False, f"its name, {version}, does not begin with a day")
    if trust.before is None or made >= trust.before:
        return Verdict(False, f"provenance/trust.toml lists it as made before {trust.before}; its name says {made}")
    return Verdict(True, f"not signed: provenance/trust.toml lists it as made before {trust.before}")


def _refuse_extra(folder: Path, manifest: dict[str, Any]) -> None:
    """Raise `BundleError` for files that the manifest does not name."""
    if extra := sorted({*_files(folder)} - {MANIFEST, ERASED, *manifest["files"]}):
        raise BundleError(f"{folder.name} has files that its manifest does not name: {', '.join(extra[:5])}")


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix()
