"""What was made of closed days, kept on the disk: values and a frame each, under a name that tells all it depends on.

Another digest is another entry, so nothing that is kept is ever out of date: it is found, or it is not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from monitoring.run_files import write_whole


@dataclass(frozen=True)
class Shelf:
    """Entries in a *folder* (None: nothing is kept). One is "<what>-<digest>", a day's in *what*."""

    folder: Path | None

    def has(self, name: str) -> bool:
        """Whether an entry is whole."""
        return self.folder is not None and all((self.folder / f"{name}.{end}").is_file() for end in ("json", "parquet"))

    def told(self, name: str) -> Any:
        """An entry's values; None if it was never kept, or half of it is gone."""
        if self.folder is None:
            return None
        try:
            return json.loads((self.folder / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return None

    def frame(self, name: str) -> pd.DataFrame | None:
        """An entry's frame; None as above."""
        if self.folder is None:
            return None
        try:
            return pd.read_parquet(self.folder / f"{name}.parquet")
        except (OSError, ValueError):
            return None

    def keep(self, what: str, digest: str, told: Any, frame: pd.DataFrame) -> None:
        """Keep an entry instead of what was kept as *what* before."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{what}-{digest}"
        self.only(f"{what}-", ())
        work = self.folder / f".{name}"
        frame.to_parquet(work)
        work.replace(self.folder / f"{name}.parquet")
        write_whole(self.folder / f"{name}.json", json.dumps(told))

    def names(self, begins: str) -> list[str]:
        """The entries whose name *begins* so, and halves of them."""
        return sorted({path.stem for path in self.folder.glob(f"{begins}*")} if self.folder else ())

    def remove(self, name: str) -> None:
        """Remove an entry, if there is one."""
        if self.folder:
            for end in ("json", "parquet"):
                (self.folder / f"{name}.{end}").unlink(missing_ok=True)

    def only(self, begins: str, names: Collection[str]) -> None:
        """Remove what begins so and is not among *names*."""
        for name in {*self.names(begins)} - {*names}:
            self.remove(name)


def digest_of(told: Any) -> str:
    """What tells things that something depends on, plain values, from all others."""
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def folder_of(kept: Path, journal: str) -> Path:
    """Where in *kept* the days of a *journal* are: each has a folder of its own, however it is named."""
    named = journal if "://" in journal else str(Path(journal).resolve())
    return kept / hashlib.sha256(named.encode()).hexdigest()[:12]
