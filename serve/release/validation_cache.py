"""A cache of bundles that were validated on this machine, so that workers need not repeat the validation.

Loading a bundle with all checks takes about ten times as long as preparing its session, and delays the answers of
the process that does it. The background process validates a bundle once and writes a proof for the workers. Without
a proof, a worker makes all checks itself.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import msgspec

from bundles.bundle import Bundle
from bundles.manifest import BundleError, seal_of
from contracts.atomic_file import write_atomically
from contracts.bundle_content import read_regular

#: Seconds for which a worker with a live model waits for a proof, and seconds between two looks for it.
PROOF_TIMEOUT, POLL_INTERVAL = 2.0, 0.02
#: Bytes of the largest proof.
MAX_BYTES = 2**20


class Proof(msgspec.Struct):
    """The `seal_of` a bundle's folder, and its `Bundle.core`."""

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
        """The bundle in *folder*. Without a proof, all checks are made and a proof is written.

        *digest* as in `Bundle.load`. Raises `BundleError`.
        """
        if proof := self._read(folder):
            return Bundle.proven(folder, proof.seal, proof.core, digest)
        seal, bundle = seal_of(folder), Bundle.load(folder, digest, core=self._core)
        if seal_of(folder) != seal:
            raise BundleError(f"{folder} changes while it is read")
        with suppress(OSError):  # without a proof, for example on a full disk, workers only need more time
            write_atomically(self._path(bundle.version), msgspec.json.encode(Proof(seal, bundle.core)))
        return bundle

    def load(self, folder: Path, digest: str = "", timeout: float = 0.0) -> Bundle:
        """The bundle in *folder*, by its proof if there is one within *timeout* seconds."""
        until = time.monotonic() + timeout
        while (proof := self._read(folder)) is None and time.monotonic() < until:
            time.sleep(POLL_INTERVAL)
        if proof is None:
            return Bundle.load(folder, digest, core=self._core)
        return Bundle.proven(folder, proof.seal, proof.core, digest)

    def _read(self, folder: Path) -> Proof | None:
        """The proof, if it is of the present content of *folder*."""
        try:
            content = read_regular(self._path(folder.name), MAX_BYTES)
            proof = msgspec.json.decode(content, type=Proof)
        except (OSError, ValueError, RecursionError):
            return None
        return proof if proof.seal == seal_of(folder) else None

    def _path(self, version: str) -> Path:
        return self._folder / f"{version}.json"
