"""A bundle's manifest: read, checked, and compared with its own digest and those of the files.

`digest` in it covers its content, however that is written; `seal_of` covers its bytes. The standard
library alone, since the gate reads manifests too.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contracts.bundle_content import (
    ERASED,
    EVALUATION,
    MAX_MANIFEST_BYTES,
    content_digest,
    erased_digests,
    read_regular,
    sha256,
)
from contracts.live_tables import VERSION

#: 1: one model. 2: `model.onnx` is the release model, and the evaluation model travels in the evidence.
FORMATS = (1, 2)
MODEL, MANIFEST, EVIDENCE = "model.onnx", "manifest.json", "evidence"
REQUIRED = ("version", "digest", "task", "contract", "files", "golden")
#: Golden rows at most, and the largest tolerance of their scores.
MAX_GOLDEN_ROWS, MAX_TOLERANCE = 10_000, 0.05


class BundleError(Exception):
    """A folder is not a bundle that can be served. The message says what is wrong with it."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the bundle in *folder*; its own digest is checked, the files' are not.

    Raises `BundleError` if it is missing, not JSON, of an unknown format or edited.
    """
    path, content = folder / MANIFEST, content_of(folder)
    try:
        manifest: dict[str, Any] = json.loads(content)
        found = manifest.get("format") if isinstance(manifest, dict) else None
        digest = content_digest(manifest) if found in FORMATS else ""
    except (ValueError, RecursionError) as error:  # also half of a character, as "\ud800"
        raise BundleError(f"{path} cannot be read: {error}") from error
    if found not in FORMATS:
        raise BundleError(f"{path} has format {found!r}; this code reads formats 1 and 2: update Tidegate here first")
    if missing := [key for key in REQUIRED if key not in manifest]:
        raise BundleError(f"{path} has no {', '.join(missing)}")
    if problems := [*_problems(manifest)]:
        raise BundleError(f"{path} is not as it should be: {'; '.join(problems)}")
    if manifest["digest"] != digest:
        raise BundleError(f"{path} was edited: its content does not have the digest it claims")
    version = str(manifest["version"])
    match = VERSION.fullmatch(version)
    if not match or not digest.startswith(f"sha256:{match[1]}"):
        raise BundleError(f"{path}: version {version!r} does not name the digest {digest}")
    return manifest


def seal_of(folder: Path) -> str:
    """`sha256:` and the digest of the manifest's bytes. Raises `BundleError`."""
    return sha256(content_of(folder))


def verify(folder: Path, manifest: Mapping[str, Any], *, evidence: bool = False, erased: bool = False) -> None:
    """Compare the files with their digests. Raises `BundleError` naming every one that differs.

    *erased*: evidence may lack rows that were erased on request, by the record in the folder.
    """
    try:
        known = erased_digests(folder) if erased else {}
    except OSError as error:
        raise BundleError(f"{folder / ERASED} cannot be read: {error.strerror}") from error
    if wrong := [*_wrong_files(folder, manifest["files"], evidence, known)]:
        raise BundleError(f"{folder} is damaged: {'; '.join(wrong)}")


def content_of(folder: Path) -> bytes:
    """The manifest's bytes. BundleError if there are none, or too many."""
    path = folder / MANIFEST
    try:
        return read_regular(path, MAX_MANIFEST_BYTES)
    except FileNotFoundError as error:
        raise BundleError(f"{folder} is not a bundle: it has no {MANIFEST}") from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}") from error


def _problems(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What in a manifest does not have the form that it should have."""
    if not isinstance(manifest["digest"], str):
        yield "digest is not a string"
    files = manifest["files"]
    if not isinstance(files, dict) or not all(isinstance(each, str) for each in files.values()):
        yield "files is not an object of digests by name"
    yield from _wrong_evaluation(manifest)
    if not isinstance(manifest.get("build", {}), dict):
        yield "build is not an object"
    yield from _wrong_data(manifest.get("data", {}))
    yield from _wrong_golden(manifest["golden"])


def _wrong_data(data: Any) -> Iterator[str]:
    if not isinstance(data, dict):
        yield "data is not an object"
        return
    if not isinstance(data.get("window", []), list):
        yield "data.window is not a list"
    if not _are_categories(data.get("categories", {})):
        yield "data.categories is not an object of lists of strings"


def _wrong_evaluation(manifest: Mapping[str, Any]) -> Iterator[str]:
    """The entries and the file of the evaluation model, which format 2 has, and format 1 has not."""
    files, release, evaluation = (manifest.get(name) for name in ("files", "release", "evaluation"))
    listed = isinstance(files, dict) and EVALUATION in files
    if manifest["format"] == 1:
        if listed or release is not None or evaluation is not None:
            yield "format 1 has one model, and this one has entries of two"
        return
    if not listed:
        yield f"format 2 has two models, and files does not list {EVALUATION}"
    if not isinstance(release, dict) or not all(isinstance(release.get(each), str) for each in ("start", "end")):
        yield "release has no start and end"
    if not isinstance(evaluation, dict) or not _are_categories(evaluation.get("unseen", {})):
        yield "evaluation is not an object, or its unseen not one of lists of strings"
    if not isinstance(manifest.get("data"), dict) or "categories" not in manifest["data"]:
        yield "format 2 needs data.categories"


def _are_categories(found: Any) -> bool:
    return isinstance(found, dict) and all(
        isinstance(values, list) and all(isinstance(value, str) for value in values) for values in found.values()
    )


def _wrong_golden(golden: Any) -> Iterator[str]:
    if not isinstance(golden, dict) or {"rows", "scores", "tolerance"} - golden.keys():
        yield "golden has no rows, scores and tolerance"
        return
    rows, scores, tolerance = golden["rows"], golden["scores"], golden["tolerance"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_GOLDEN_ROWS:
        yield f"golden.rows is not a list of 1 to {MAX_GOLDEN_ROWS:,} rows"
    elif not all(isinstance(row, dict) for row in rows):
        yield "golden.rows has a row that is not an object"
    if not isinstance(scores, list) or not (
        all(map(_is_number, scores))
        or (
            all(isinstance(each, list) and all(map(_is_number, each)) for each in scores)
            and len({*map(len, scores)}) == 1
        )
    ):
        yield "golden.scores is not a list of numbers, or of lists of as many numbers each"
    if not isinstance(tolerance, float) or not 0 <= tolerance <= MAX_TOLERANCE:
        yield f"golden.tolerance is {tolerance!r}; expected 0 to {MAX_TOLERANCE:g}"
    spread = golden.get("spread", 1.0)
    each_class = spread if isinstance(spread, list) else [spread]
    if not all(isinstance(value, float) and 0 <= value < math.inf for value in each_class):
        yield f"golden.spread is {spread!r}; expected a number, or one for each class"


def _is_number(value: Any) -> bool:
    """Whether *value* is a finite number; a comparison with NaN would pass for every score."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max


def _wrong_files(folder: Path, files: Mapping[str, str], evidence: bool, erased: Mapping[str, Any]) -> Iterator[str]:
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
            except ValueError as error:  # a name with a zero byte
                yield f"{name!r} is not a file name ({error})"
            else:
                if found != expected and found not in erased.get(name, {}).get("now", ()):
                    yield f"{name} has not the digest that {MANIFEST} gives"
