"""A changed bundle with recomputed digests, so that the gate judges the change and not the digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serve.release.manifest import digest_of


def resigned(folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Path:
    """Change the manifest of the bundle in *folder* and recompute all digests; returns the new folder."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    manifest["files"] = {
        name: "sha256:" + hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]
    }
    manifest["digest"] = digest_of(manifest)
    manifest["version"] = manifest["version"][:14] + manifest["digest"][7:19]
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder.rename(folder.with_name(manifest["version"]))
