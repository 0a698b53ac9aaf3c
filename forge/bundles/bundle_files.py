"""A bundle's manifest, and the digest of its content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.bundle_content import content_digest
from contracts.live_config import Slot
from forge.interface import ForgeError

MANIFEST = "manifest.json"
#: What is stored beside a bundle: how it was built.
ATTESTATION = "attestation.jsonl"


def manifest_in(bundle: Path) -> dict[str, Any]:
    """The manifest of *bundle*, with at least a version and a digest. Raises `ForgeError`."""
    try:
        manifest = dict(json.loads((bundle / MANIFEST).read_bytes()))
        str(manifest["version"]), str(manifest["digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ForgeError(f"{bundle} is not a bundle: {error!r}") from error
    return manifest


def digest_in(bundle: Path) -> str:
    """The digest that *bundle* says it has. Raises `ForgeError`."""
    return str(manifest_in(bundle)["digest"])


def parse_manifest(version: str, content: bytes) -> dict[str, Any]:
    """The manifest of *version* in *content*. Raises `ForgeError`."""
    try:
        found = dict(json.loads(content))
        found["files"].items()
        return found
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ForgeError(f"the manifest of {version} is not valid: {error!r}; roll back to another release") from error


def as_named(manifest: Mapping[str, Any], slot: Slot) -> dict[str, Any]:
    """The *manifest*, if it is the one that live.toml names. Raises `ForgeError`.

    A release can be edited on the forge, so every reader has to check it.
    """
    found = content_digest(manifest)
    if found != slot.digest:
        raise ForgeError(
            f"the release {slot.version} is not what live.toml names: its digest is {found} instead of"
            f" {slot.digest}; see the incident on it, or type: python -m forge release"
        )
    return dict(manifest)
