"""Verify a bundle in the environment `verify`, from any other: neither the scorer nor the gate has its libraries."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from provenance.trust_settings import ROOT, TRUST

TOP = Path(__file__).parents[1]
SECONDS = 120
_INSTALLED = TOP / ".venv/verify/bin/python"
ACCEPTED, REFUSED = 0, 3


def interpreter() -> str | None:
    """A Python with the libraries: that of `.venv/verify`, or this one, as in the image of the sync."""
    if _INSTALLED.is_file():
        return str(_INSTALLED)
    return sys.executable if importlib.util.find_spec("sigstore") else None


def verify_apart(
    folder: Path,
    attestation: bytes | None,
    repository: str,
    ref: str,
    *,
    trust: Path = TRUST,
    root: Path = ROOT,
    find: Callable[[], str | None] = interpreter,
) -> tuple[bool, str]:
    """Whether the bundle in *folder* is accepted with its *attestation*, and why.

    *repository* is OWNER/NAME on GitHub and *ref* its default branch, both "" for a forge in a folder. What could not be
    checked is not accepted. *find* gives the Python that verifies, by the settings in *trust* and the
    certificates in *root*.
    """
    python = find()
    if python is None:
        return False, "it could not be checked: .venv/verify is not installed; type: make .venv/verify/installed"
    with tempfile.TemporaryDirectory() as work:
        command = [python, "-m", "provenance", "verify", str(folder.resolve())]
        command += [
            "--repository",
            repository,
            "--ref",
            ref,
            "--trust",
            str(trust.resolve()),
            "--root",
            str(root.resolve()),
        ]
        if attestation is not None:
            path = Path(work) / "attestation.jsonl"
            path.write_bytes(attestation)
            command += ["--attestation", str(path)]
        try:
            done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return False, f"it could not be checked: {error}"
    if done.returncode in (ACCEPTED, REFUSED):
        return done.returncode == ACCEPTED, done.stdout.strip()
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return False, f"it could not be checked: {last}"
