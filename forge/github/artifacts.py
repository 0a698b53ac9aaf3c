"""Artifacts of workflow runs on GitHub: one file of the newest artifact with a name."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from forge.github.rest import JSON, Rest
from forge.interface import ForgeError

#: Our artifacts are smaller.
MAX_BYTES = 64 * 2**20


def file_of(rest: Rest, name: str, path: str) -> bytes | None:
    """The file *path* of the newest artifact *name* of the default branch's runs; None if there is none.

    A fork's pull request may upload an artifact with any name: artifacts of other repositories' branches are ignored.
    Raises `ForgeError`.
    """
    listing = rest.get("actions/artifacts", name=name, per_page=100) or {"artifacts": []}
    default = rest.default_branch()
    ours = [each for each in listing["artifacts"] if not each["expired"] and _is_ours(each, default)]
    if not ours:
        return None
    newest = max(ours, key=lambda each: (each["created_at"], each["id"]))
    if newest["size_in_bytes"] > MAX_BYTES:
        raise ForgeError(f"artifact {name} has {newest['size_in_bytes']:,} bytes; none of ours has")
    content = rest.content(f"actions/artifacts/{newest['id']}/zip", JSON)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if path not in packed.namelist():
                return None
            if packed.getinfo(path).file_size > MAX_BYTES:
                raise ForgeError(f"{path} of artifact {name} is larger than any of ours")
            return packed.read(path)
    except zipfile.BadZipFile as error:
        raise ForgeError(f"artifact {name} of GitHub's is no archive: {error}; ask again later") from error


def _is_ours(artifact: Any, default: str) -> bool:
    run = artifact.get("workflow_run") or {}
    return run.get("head_branch") == default and run.get("repository_id") == run.get("head_repository_id")
