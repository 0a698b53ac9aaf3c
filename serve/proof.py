"""What is proven of bundles on this machine, so that a worker need not do it while it answers.

To load a bundle with all that must be tried takes some ten times as long as to make ready what
scores, and it holds up the answers of the process that does it. The process aside does it once, and
leaves a proof where the workers look. Without one a worker does it all itself.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from serve.bundle import Bundle
from serve.manifest import BundleError, seal_of
from serve.regular import read_regular

#: Seconds that a worker which answers waits for a proof; seconds between two looks for it.
PATIENCE, EVERY = 2.0, 0.02
#: Bytes of the largest proof.
LARGEST = 2**20


class Proofs:
    """Proofs in *folder*, one file for each version; *core* as `Bundle.load` has it."""

    def __init__(self, folder: Path, *, core: bool = True) -> None:
        self._folder, self._core = folder, core

    def clear(self) -> None:
        """Forget what was proven before: by another runtime, it may be."""
        for path in self._folder.glob("*.json"):
            path.unlink(missing_ok=True)

    def prove(self, folder: Path, digest: str = "") -> Bundle:
        """The bundle in *folder*, loaded with everything that is tried, unless it was proven before.

        With a *digest*, of that one. Raises `BundleError`.
        """
        if proof := self._proof(folder):
            return Bundle.proven(folder, *proof, digest)
        seal, bundle = seal_of(folder), Bundle.load(folder, digest, core=self._core)
        if seal_of(folder) != seal:
            raise BundleError(f"{folder} changes while it is looked at")
        path = self._path(bundle.version)
        work = path.with_name(f".{path.name}-{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            work.write_text(json.dumps({"seal": seal, "core": bundle.core}))
            work.replace(path)
        except OSError:
            pass  # a disk that is full costs the workers some time, and nothing else
        return bundle

    def load(self, folder: Path, digest: str = "", patience: float = 0.0) -> Bundle:
        """The bundle in *folder*, by its proof if there is one within *patience* seconds."""
        until = time.monotonic() + patience
        while (proof := self._proof(folder)) is None and time.monotonic() < until:
            time.sleep(EVERY)
        if proof is None:
            return Bundle.load(folder, digest, core=self._core)
        return Bundle.proven(folder, *proof, digest)

    def _proof(self, folder: Path) -> tuple[str, str] | None:
        """`seal_of` and `Bundle.core` of what is in *folder*, if just that was proven."""
        try:
            proof = json.loads(read_regular(self._path(folder.name), LARGEST))
            seal, core = str(proof["seal"]), str(proof["core"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return (seal, core) if seal == seal_of(folder) else None

    def _path(self, version: str) -> Path:
        return self._folder / f"{version}.json"
