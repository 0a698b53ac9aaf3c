"""A store on disk for results of closed days: values and a frame under a name with a digest of their inputs.

Other inputs have another digest, so an entry is never out of date.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from contracts.atomic_file import write_atomically


@dataclass(frozen=True)
class FrameStore:
    """Entries in a *folder* (None: nothing is stored), named "<what>-<digest>"; *what* includes the day."""

    folder: Path | None

    def has(self, name: str) -> bool:
        """Whether an entry is complete."""
        return self.folder is not None and all((self.folder / f"{name}.{end}").is_file() for end in ("json", "parquet"))

    def values(self, name: str) -> Any:
        """An entry's values; None if it does not exist or cannot be read."""
        if self.folder is None:
            return None
        try:
            return json.loads((self.folder / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return None

    def frame(self, name: str) -> pd.DataFrame | None:
        """An entry's frame; None if it does not exist or cannot be read."""
        if self.folder is None:
            return None
        try:
            return pd.read_parquet(self.folder / f"{name}.parquet")
        except (OSError, ValueError):
            return None

    def keep(self, what: str, digest: str, values: Any, frame: pd.DataFrame) -> None:
        """Store an entry, in place of earlier entries of the same *what*."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{what}-{digest}"
        self.only(f"{what}-", ())
        work = self.folder / f".{name}"
        frame.to_parquet(work)
        work.replace(self.folder / f"{name}.parquet")
        write_atomically(self.folder / f"{name}.json", json.dumps(values))

    def names(self, begins: str) -> list[str]:
        """The entries whose names begin with *begins*, complete or not."""
        return sorted({path.stem for path in self.folder.glob(f"{begins}*")} if self.folder else ())

    def remove(self, name: str) -> None:
        """Remove an entry, if it exists."""
        if self.folder:
            for end in ("json", "parquet"):
                (self.folder / f"{name}.{end}").unlink(missing_ok=True)

    def only(self, begins: str, names: Collection[str]) -> None:
        """Remove the entries whose names begin with *begins*, except *names*."""
        for name in {*self.names(begins)} - {*names}:
            self.remove(name)


def digest_of(inputs: Any) -> str:
    """A digest of plain values that an entry depends on."""
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]


def folder_of(kept: Path, journal: str) -> Path:
    """The folder in *kept* for the entries of a *journal*, whether its path is relative or absolute."""
    named = journal if "://" in journal else str(Path(journal).resolve())
    return kept / hashlib.sha256(named.encode()).hexdigest()[:12]
