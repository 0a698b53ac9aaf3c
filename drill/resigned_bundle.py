"""A changed bundle with recomputed digests, so that the gate judges the change and not the digest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.bundle_content import content_digest, sha256


def resigned(folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Path:
    """Change the manifest of the bundle in *folder* and recompute all digests; returns the new folder."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    manifest["files"] = {name: sha256((folder / name).read_bytes()) for name in manifest["files"]}
    manifest["digest"] = content_digest(manifest)
    manifest["version"] = manifest["version"][:14] + manifest["digest"][7:19]
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder.rename(folder.with_name(manifest["version"]))
