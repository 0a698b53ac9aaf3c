"""The candidate: its ONNX files are checked before ONNX Runtime loads them.

A proposal may come from anyone, and ONNX Runtime reads files and allocates memory as a model demands. Champion and
anchor passed this check when they were candidates.
"""

from __future__ import annotations

from pathlib import Path

from bundles.bundle import Bundle
from bundles.manifest import BundleError
from checks.evidence import load_bundle
from checks.verdict import LIVE, Finding, ruled
from contracts.bundle_content import read_regular
from model.onnx_export.onnx_content import problems

#: The rule on the content of the ONNX files.
CONTENT = "bundle.onnx"


def load_candidate(folder: Path) -> tuple[Bundle, Finding]:
    """The bundle in *folder*, and the finding on its ONNX files; unless that is a PASS, the bundle cannot score.

    Raises `BundleError`.
    """
    described = Bundle.described(folder, evidence=True)
    finding = content(described)
    return (load_bundle(folder) if finding.outcome == "PASS" else described), finding


def content(bundle: Bundle) -> Finding:
    """The finding on the ONNX files of *bundle*, which are parsed and not loaded."""
    names = sorted(name for name in bundle.manifest["files"] if name.endswith(".onnx"))
    faults = [f"{name}: {each}" for name in names for each in problems(_read(bundle.folder / name))]
    return ruled(
        CONTENT,
        not faults,
        "; ".join(faults) or f"{' and '.join(names)} hold only what an exported model needs",
        "canonical bytes, standard ONNX operators, no external data, no tensor above 512 MB",
        "A model file can make the scorer read other files or run out of memory.",
    )


def as_named(bundle: Bundle, digest: str) -> Bundle:
    """*bundle*, if it has the *digest* that live.toml names. Raises `BundleError`."""
    if bundle.digest != digest:
        raise BundleError(f"{bundle.version} is stored with {bundle.digest}, but {LIVE} names {digest}")
    return bundle


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
