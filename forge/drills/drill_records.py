"""drills.json: when each drill ran, and how it ended. In the forge's folder, or the artifact `drills` of GitHub's."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from forge.interface import GITHUB, Forge, ForgeError

ARTIFACT = NAME = "drills"
FILE = f"{NAME}.json"
FORMAT = 1
#: How many runs are kept: more than a year of weekly ones, of each drill.
KEPT = 200


@dataclass(frozen=True)
class DrillRun:
    """The *drill* ran *at* a time; *ok*: it succeeded; *says* is its result in a sentence, *seconds* what it measured."""

    drill: str
    at: str
    ok: bool
    says: str
    seconds: dict[str, float] = field(default_factory=dict)


def read_drills(forge: Forge, where: str) -> list[dict[str, Any]]:
    """Earlier runs, the oldest first; *where* is the forge's address. Raises `ForgeError`."""
    path = Path(where) / FILE
    try:
        content = forge.artifact(ARTIFACT, FILE) if where.startswith(GITHUB) else _bytes(path)
        found = json.loads(content)["runs"] if content else []
        return [dict(each) for each in found]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ForgeError(f"{FILE} of earlier drills cannot be read ({error!r}); delete it to begin another") from error


def keep_drills(folder: Path, earlier: Sequence[dict[str, Any]], runs: Sequence[DrillRun]) -> Path:
    """Write the *earlier* and the new *runs* to *folder*, atomically; returns the file."""
    kept = [*earlier, *(asdict(each) for each in runs)][-KEPT:]
    path = folder / FILE
    folder.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{FILE}-{os.getpid()}")
    work.write_text(json.dumps({"format": FORMAT, "runs": kept}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    work.replace(path)
    return path


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
