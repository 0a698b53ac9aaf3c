"""Proofs that a bundle was verified on this machine, so that a worker need not repeat it.

To load a bundle with everything that is tried takes about ten times as long as to prepare what scores,
and delays the answers of the process that does it. The process aside does it once and leaves a proof
for the workers. Without a proof, a worker tries everything itself.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from bundles.bundle import Bundle
from bundles.manifest import BundleError, seal_of
from contracts.bundle_content import read_regular

#: Seconds for which a worker with a model waits for a proof, and between two looks for it.
PATIENCE, EVERY = 2.0, 0.02
#: Bytes of the largest proof.
LARGEST = 2**20


class Proof(msgspec.Struct):
    """`seal_of` a bundle's folder, and the `Bundle.core` that was found."""

    seal: str
    core: str


class ValidationCache:
    """Proofs in *folder*, one file for each version; *core* as in `Bundle.load`."""

    def __init__(self, folder: Path, *, core: bool = True) -> None:
        self._folder, self._core = folder, core

    def clear(self) -> None:
        """Remove all proofs: they may be from another version of ONNX Runtime."""
        for path in self._folder.glob("*.json"):
            path.unlink(missing_ok=True)

    def prove(self, folder: Path, digest: str = "") -> Bundle:
        """The bundle in *folder*; unless there is a proof, everything is tried and one is written.

        *digest* as in `Bundle.load`. Raises `BundleError`.
        """
        if proof := self._read(folder):
            return Bundle.proven(folder, proof.seal, proof.core, digest)
        seal, bundle = seal_of(folder), Bundle.load(folder, digest, core=self._core)
        if seal_of(folder) != seal:
            raise BundleError(f"{folder} changes while it is read")
        path = self._path(bundle.version)
        work = path.with_name(f".{path.name}-{os.getpid()}")
        with suppress(OSError):  # without a proof, on a full disk say, workers only need more time
            self._folder.mkdir(parents=True, exist_ok=True)
            work.write_bytes(msgspec.json.encode(Proof(seal, bundle.core)))
            work.replace(path)
        return bundle

    def load(self, folder: Path, digest: str = "", patience: float = 0.0) -> Bundle:
        """The bundle in *folder*, by its proof if there is one within *patience* seconds."""
        until = time.monotonic() + patience
        while (proof := self._read(folder)) is None and time.monotonic() < until:
            time.sleep(EVERY)
        if proof is None:
            return Bundle.load(folder, digest, core=self._core)
        return Bundle.proven(folder, proof.seal, proof.core, digest)

    def _read(self, folder: Path) -> Proof | None:
        """The proof of what *folder* holds now."""
        try:
            content = read_regular(self._path(folder.name), LARGEST)
            proof = msgspec.json.decode(content, type=Proof)
        except (OSError, ValueError, RecursionError):
            return None
        return proof if proof.seal == seal_of(folder) else None

    def _path(self, version: str) -> Path:
        return self._folder / f"{version}.json"
