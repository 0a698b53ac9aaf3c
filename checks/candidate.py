"""The candidate: its ONNX files are checked before a session is made of them.

Anybody may propose a bundle, and a session is made by a C++ library that reads files and allocates
memory as the model says. The champion and the anchor passed this check when they were candidates.
"""

from __future__ import annotations

from pathlib import Path

from checks.evidence import load_bundle
from checks.verdict import LIVE, Finding
from contracts.regular_file import read_regular
from model.onnx_export.onnx_content import problems
from serve.release.bundle import Bundle
from serve.release.manifest import BundleError

#: The rule on what the ONNX files contain.
CONTENT = "bundle.onnx"


def load_candidate(folder: Path) -> tuple[Bundle, Finding]:
    """The bundle in *folder*, and whether its ONNX files contain what an exported model may.

    If they do not, the bundle cannot score. Raises `BundleError`.
    """
    described = Bundle.described(folder, evidence=True)
    found = content(described)
    return (load_bundle(folder) if found.outcome == "PASS" else described), found


def content(bundle: Bundle) -> Finding:
    """What is wrong with the ONNX files of *bundle*; they are parsed, not loaded."""
    names = sorted(name for name in bundle.manifest["files"] if name.endswith(".onnx"))
    wrong = [f"{name}: {each}" for name in names for each in problems(_read(bundle.folder / name))]
    return Finding(
        CONTENT,
        "FAIL" if wrong else "PASS",
        "; ".join(wrong) or f"{' and '.join(names)} hold only what an exported model needs",
        "canonical bytes, ONNX's own operators, all data inside, no tensor beyond 512 MB",
        "A model file can make the scorer read other files, or run out of memory.",
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
