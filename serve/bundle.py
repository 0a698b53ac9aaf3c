"""A bundle: the model as files, verified before use, scored with ONNX Runtime.

A bundle is a folder named after its version: `model.onnx`, `manifest.json` and `evidence/`. It is
the only thing that crosses an environment, so this module is what the gate scores with too: what
is judged is what will be served.

`load` trusts nothing: the format, the digest over the manifest, the digest of each file, and the
golden rows (rows with the scores they had at export) must all agree.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime

from model.contract import Contract, ContractError
from model.core import FILE as CORE
from model.core import CoreError, Encoder, trial
from serve.engine import CoreGraph, Engine, FullGraph, NoGraph, Scores, disagreement
from serve.graph import GraphError, look

FORMAT = 1
MODEL, MANIFEST, EVIDENCE = "model.onnx", "manifest.json", "evidence"
#: What the digest of a bundle leaves out: its own name, and when and by whom it was made.
UNSIGNED = ("version", "digest", "build")
#: Bytes of the largest manifest, rows that are replayed, and how far scores may be off at most.
LARGEST, MOST_GOLDEN, LOOSEST = 64 * 2**20, 10_000, 0.05
Made = TypeVar("Made")
VERSION = re.compile(r"\d{8}T\d{4}-[0-9a-f]{7}")


class BundleError(Exception):
    """A folder is not a bundle that can be served. The message says what is wrong with it."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A loaded model that answers.

    `score` may be called from several threads at once. Make a bundle after a fork, not before: a
    session's threads do not survive one. *core* says how the scores are computed: "" by the proven
    core, else why by the full graph.
    """

    folder: Path
    manifest: Mapping[str, Any]
    contract: Contract
    engine: Engine
    core: str

    @classmethod
    def load(cls, folder: Path, *, evidence: bool = False, core: bool = True) -> Bundle:
        """The bundle in *folder*, verified: digests, graph, contract, golden rows.

        With *evidence*, the Parquet files are verified too; the scorer has no use for them. Without
        *core*, the full graph computes even where there is a core. Raises `BundleError`.
        """
        told = cls.described(folder, evidence=evidence)
        whole = replace(told, engine=_full(told), core="the full graph was asked for")
        whole.replay_golden_rows()
        if not core:
            return whole
        try:
            return replace(whole, engine=_agreeing(whole, _core(told)), core="")
        except (BundleError, CoreError) as error:
            return replace(whole, core=str(error))

    @classmethod
    def proven(cls, folder: Path, digest: str, core: str) -> Bundle:
        """The bundle in *folder*, of which `load` gave one with this *digest* and *core* before.

        Only what scores is made; digests and golden rows are verified again. Raises `BundleError`.
        """
        told = cls.described(folder)
        if told.digest != digest:
            raise BundleError(f"{folder} has the digest {told.digest}, and was proven as {digest}")
        found = replace(told, engine=_full(told) if core else _core(told), core=core)
        found.replay_golden_rows()
        return found

    @classmethod
    def described(cls, folder: Path, *, evidence: bool = False) -> Bundle:
        """The bundle in *folder* for what its manifest says; it is verified, and cannot score."""
        manifest = read_manifest(folder)
        verify(folder, manifest, evidence=evidence)
        try:
            contract = Contract.from_json(manifest["contract"])
        except ContractError as error:
            raise BundleError(f"{folder / MANIFEST}: {error}") from error
        return cls(folder, manifest, contract, NoGraph(), "")

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """What computes: ONNX Runtime's session."""
        return self.engine.session

    @cached_property
    def version(self) -> str:
        """Time and digest, such as 20261123T0317-a1b2c3d."""
        return str(self.manifest["version"])

    @cached_property
    def known(self) -> list[tuple[str, frozenset[str | None]]]:
        """The values of each category that are nothing new: those, and missing ones."""
        return [(name, values | {None}) for name, values in self.categories.items()]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The features' names, in the order of the contract."""
        return self.contract.feature_names

    @property
    def digest(self) -> str:
        """`sha256:` and the digest of the content."""
        return str(self.manifest["digest"])

    @cached_property
    def categories(self) -> Mapping[str, frozenset[str]]:
        """The values of each category that training saw; none where the manifest does not say."""
        seen = self.manifest.get("data", {}).get("categories", {})
        return {name: frozenset(values) for name, values in seen.items()}

    def score(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The scores of rows that fit the contract.

        Shape (n,) for binary (the probability of the positive class) and regression (the value),
        (n, classes) for multiclass. Missing numbers and booleans are None or NaN.
        """
        return self._shaped(self.engine.score(rows))

    def score_each(self, rows: Sequence[Mapping[str, Any]]) -> Scores:
        """As `score` of each row alone, to the bit: a sum over rows may be taken in another order."""
        return self._shaped(self.engine.score_each(rows))

    def score_columns(
        self, columns: Mapping[str, Sequence[Any]]
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """As `score`, for one sequence of values per feature, all of one length."""
        return self._shaped(self.engine.score_columns(columns))

    def replay_golden_rows(self) -> None:
        """Score the golden rows and compare. Raises `BundleError` naming the first that is off."""
        golden = self.manifest["golden"]
        try:
            scores = self.score(golden["rows"]).astype(float)
        except Exception as error:  # see load: ONNX Runtime's types
            raise BundleError(
                f"{self.folder}: the golden rows cannot be scored: {error}"
            ) from error
        expected = np.asarray(golden["scores"], dtype=float)
        if scores.shape != expected.shape or not np.isfinite(scores).all():
            raise BundleError(
                f"{self.folder}: the golden rows give {scores.shape} finite scores,"
                f" expected {expected.shape}"
            )
        allowed = golden["tolerance"] * np.maximum(1.0, np.abs(expected))
        off = np.argwhere(np.abs(scores - expected) > allowed)
        if len(off):
            where = tuple(off[0])
            raise BundleError(
                f"{self.folder}: golden row {where[0]} scores {scores[where]:.6f}, expected"
                f" {expected[where]:.6f} (tolerance {golden['tolerance']:g}): this machine does not"
                " compute what was judged"
            )

    def _shaped(self, scores: Scores) -> Scores:
        if self.contract.task == "multiclass":
            return scores
        return scores[:, 1] if self.contract.task == "binary" else scores.reshape(-1)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the bundle in *folder*; its own digest is checked, the files' are not.

    Raises `BundleError` if it is missing, not JSON, of an unknown format or edited.
    """
    path = folder / MANIFEST
    try:
        if path.stat().st_size > LARGEST:
            raise BundleError(f"{path} is larger than {LARGEST:,} bytes")
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BundleError(f"{folder} is not a bundle: it has no {MANIFEST}") from error
    except (OSError, ValueError, RecursionError) as error:
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
    if not VERSION.fullmatch(name) or name[-7:] != manifest["digest"][7:14]:
        raise BundleError(f"{path}: version {name!r} does not name the digest {manifest['digest']}")
    return manifest


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
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


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


def _wrong_files(folder: Path, files: Mapping[str, str], evidence: bool) -> Iterable[str]:
    if MODEL not in files:
        yield f"{MANIFEST} does not list {MODEL}"
    for name, expected in files.items():
        if ".." in Path(name).parts or Path(name).is_absolute():
            yield f"{name} lies outside the bundle"
        elif evidence or not name.startswith(EVIDENCE + "/"):
            try:
                found = "sha256:" + hashlib.sha256((folder / name).read_bytes()).hexdigest()
            except OSError as error:
                yield f"{name} cannot be read ({error.strerror})"
            else:
                if found != expected:
                    yield f"{name} has not the digest that {MANIFEST} gives"


def _made(path: Path, make: Callable[[bytes], Made]) -> Made:
    try:
        content = path.read_bytes()
        look(content)
        return make(content)
    except (OSError, GraphError) as error:
        raise BundleError(f"{path} is not loaded: {error}") from error
    except Exception as error:  # ONNX Runtime raises a dozen types of its own
        raise BundleError(f"{path}: ONNX Runtime cannot load it: {error}") from error


def _full(told: Bundle) -> Engine:
    return _made(told.folder / MODEL, lambda graph: FullGraph(graph, told.contract))


def _core(told: Bundle) -> Engine:
    """The core of a bundle that is described. BundleError if it has none."""
    parts = told.manifest.get("core")
    if not isinstance(parts, dict) or "parts" not in parts or CORE not in told.manifest["files"]:
        raise BundleError("the bundle has no core")
    encoder = Encoder.read(parts, told.contract)
    return _made(told.folder / CORE, lambda graph: CoreGraph(graph, encoder))


def _agreeing(full: Bundle, core: Engine) -> Engine:
    """*core*, if it is proven against *full*; BundleError if it is not."""
    rows = trial(full.contract, full.categories, full.manifest["golden"]["rows"])
    try:
        wrong = disagreement(full.engine, core, rows)
    except Exception as error:  # as in _made
        wrong = f"{type(error).__name__}: {error}"
    if wrong:
        raise BundleError(f"{CORE} does not give the full graph's scores: {wrong}")
    return core
