"""A bundle's manifest: read, and held against its own digest and those of the files.

`digest` in it is over what it says, however it is written; `seal_of` is over its bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from serve.regular import read_regular

FORMAT = 1
MODEL, MANIFEST, EVIDENCE = "model.onnx", "manifest.json", "evidence"
#: What the digest of a bundle leaves out: its own name, and when and by whom it was made.
UNSIGNED = ("version", "digest", "build")
#: Bytes of the largest manifest, rows that are replayed, and how far scores may be off at most.
LARGEST, MOST_GOLDEN, LOOSEST = 64 * 2**20, 10_000, 0.05
#: The minute it was made in, and how its digest begins: seven digits of it before, twelve now.
VERSION = re.compile(r"\d{8}T\d{4}-([0-9a-f]{12}|[0-9a-f]{7})")


class BundleError(Exception):
    """A folder is not a bundle that can be served. The message says what is wrong with it."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the bundle in *folder*; its own digest is checked, the files' are not.

    Raises `BundleError` if it is missing, not JSON, of an unknown format or edited.
    """
    path, content = folder / MANIFEST, content_of(folder)
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        shown = manifest.get("format") if isinstance(manifest, dict) else None
        raise BundleError(f"{path} has format {shown!r}; this scorer reads format {FORMAT}")
    expected = ("version", "digest", "task", "contract", "files", "golden")
    missing = [key for key in expected if key not in manifest]
    if missing:
        raise BundleError(f"{path} has no {', '.join(missing)}")
    odd = list(_odd(manifest))
    if odd:
        raise BundleError(f"{path} is not as it should be: {'; '.join(odd)}")
    if manifest["digest"] != digest_of(manifest):
        raise BundleError(f"{path} was edited: its content does not have the digest it claims")
    name = str(manifest["version"])
    found = VERSION.fullmatch(name)
    if not found or not manifest["digest"].startswith(f"sha256:{found[1]}"):
        raise BundleError(f"{path}: version {name!r} does not name the digest {manifest['digest']}")
    return manifest


def seal_of(folder: Path) -> str:
    """`sha256:` and the digest of the manifest as it lies there. Raises `BundleError`."""
    return sha256(content_of(folder))


def verify(folder: Path, manifest: Mapping[str, Any], *, evidence: bool = False) -> None:
    """Compare the files with their digests. Raises `BundleError` naming every one that is off."""
    wrong = list(_wrong_files(folder, manifest["files"], evidence))
    if wrong:
        raise BundleError(f"{folder} is damaged: {'; '.join(wrong)}")


def digest_of(manifest: Mapping[str, Any]) -> str:
    """`sha256:` and the digest of what the manifest says, apart from `UNSIGNED`.

    The files' own digests are in it, so it covers the whole content; the time of making is not, so
    the same content always has the same digest.
    """
    content = {key: value for key, value in manifest.items() if key not in UNSIGNED}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode())


def sha256(content: bytes) -> str:
    """`sha256:` and the digest of *content*, as manifests write it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def content_of(folder: Path) -> bytes:
    """The manifest's bytes. BundleError if there are none, or far too many."""
    path = folder / MANIFEST
    try:
        return read_regular(path, LARGEST)
    except FileNotFoundError as error:
        raise BundleError(f"{folder} is not a bundle: it has no {MANIFEST}") from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}") from error


def _odd(manifest: Mapping[str, Any]) -> Iterable[str]:
    """What in a manifest has not the shape it should have."""
    files, golden = manifest["files"], manifest["golden"]
    if not isinstance(manifest["digest"], str):
        yield "digest is no text"
    if not isinstance(files, dict) or not all(isinstance(each, str) for each in files.values()):
        yield "files is no list of digests by name"
    if not isinstance(golden, dict) or {"rows", "scores", "tolerance"} - golden.keys():
        yield "golden has no rows, scores and tolerance"
        return
    rows, tolerance = golden["rows"], golden["tolerance"]
    if not isinstance(rows, list) or not rows or len(rows) > MOST_GOLDEN:
        yield f"golden.rows is no list of 1 to {MOST_GOLDEN:,} rows"
    elif not all(isinstance(row, dict) for row in rows):
        yield "golden.rows has a row that is no object"
    if not isinstance(tolerance, float) or not 0 <= tolerance <= LOOSEST:
        yield f"golden.tolerance is {tolerance!r}; expected 0 to {LOOSEST:g}"
    spread = golden.get("spread", 1.0)
    each = spread if isinstance(spread, list) else [spread]
    if not all(isinstance(value, float) and 0 <= value < math.inf for value in each):
        yield f"golden.spread is {spread!r}; expected a number, or one for each class"


def _wrong_files(folder: Path, files: Mapping[str, str], evidence: bool) -> Iterable[str]:
    if MODEL not in files:
        yield f"{MANIFEST} does not list {MODEL}"
    for name, expected in files.items():
        if ".." in Path(name).parts or Path(name).is_absolute():
            yield f"{name} lies outside the bundle"
        elif evidence or not name.startswith(EVIDENCE + "/"):
            try:
                found = sha256(read_regular(folder / name))
            except OSError as error:
                yield f"{name} cannot be read ({error.strerror})"
            else:
                if found != expected:
                    yield f"{name} has not the digest that {MANIFEST} gives"
