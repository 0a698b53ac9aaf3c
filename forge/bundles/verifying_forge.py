"""A forge where signatures are demanded: what cannot be proven is not downloaded, merged or published.

Every command opens its forge by `forge.opening`, so the gate, `land`, `release`, a rollback and each sync share this.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.bundle_content import MAX_MANIFEST_BYTES, read_regular, sha256
from contracts.live_config import LIVE, Live, LiveError, Slot, usable
from contracts.live_tables import ROLES
from forge.bundles.bundle_files import MANIFEST
from forge.interface import Forge, ForgeError
from forge.workflow_output import say

#: Whether the bundle in a folder is accepted with its attestation, for a repository and ref, and why.
Verify = Callable[[Path, bytes | None, str, str], tuple[bool, str]]


class VerifyingForge:
    """*forge*, where each bundle is verified once, by *verify*, when it is first read, merged or published."""

    def __init__(self, forge: Forge, verify: Verify) -> None:
        self._forge, self._verify = forge, verify
        self._proven: set[tuple[str, str]] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._forge, name)

    def prove(self, version: str, folder: Path | None = None) -> None:
        """Raise `ForgeError` unless the bundle of *version*, or its copy in *folder*, has a valid signature."""
        if folder is None:
            with tempfile.TemporaryDirectory() as work:
                self.download(version, Path(work) / version)
            return
        try:
            seal = (version, sha256(read_regular(folder / MANIFEST, MAX_MANIFEST_BYTES)))
        except OSError as error:
            raise ForgeError(f"{version} is refused: its manifest cannot be read: {error}") from error
        if seal in self._proven:
            return
        accepted, why = self._verify(folder, self._forge.attestation(version), *self._forge.origin())
        if not accepted:
            raise ForgeError(f"{version} is refused: {why}")
        say(f"{version} is verified: {why}")
        self._proven.add(seal)

    def download(self, version: str, folder: Path) -> None:
        """Copy the bundle of *version* to the new *folder*, if it has a valid signature."""
        self._forge.download(version, folder)
        try:
            self.prove(version, folder)
        except ForgeError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def publish(self, version: str, latest: bool = True) -> None:
        """Publish *version*; what becomes the *latest*, which is what is live, must have a valid signature."""
        if latest:
            self.prove(version)
        self._forge.publish(version, latest)

    def merge(self, branch: str, message: str, override: bool = False) -> str:
        """Merge the proposal on *branch*, if every bundle that it would make live has a valid signature."""
        before = _slots(self._forge.read(LIVE))
        for slot in sorted(_slots(self._forge.read(LIVE, branch)) - before, key=lambda each: each.version):
            self.prove(slot.version)
        return self._forge.merge(branch, message, override)


def _slots(text: str | None) -> set[Slot]:
    """The slots of a live.toml that can be read."""
    try:
        live = usable(text or "")[0]
    except LiveError:
        live = Live()
    return {slot for role in ROLES if (slot := getattr(live, role))}
