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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from model.contract import Contract, ContractError

FORMAT = 1
MODEL, MANIFEST, EVIDENCE = "model.onnx", "manifest.json", "evidence"
#: What the digest of a bundle leaves out: its own name, and when and by whom it was made.
UNSIGNED = ("version", "digest", "build")
VERSION = re.compile(r"\d{8}T\d{4}-[0-9a-f]{7}")


class BundleError(Exception):
    """A folder is not a bundle that can be served. The message says what is wrong with it."""


@dataclass(frozen=True)
class Bundle:
    """A loaded model that answers.

    `score` may be called from several threads at once. Make a bundle after a fork, not before: a
    session's threads do not survive one.
    """

    folder: Path
    manifest: Mapping[str, Any]
    contract: Contract
    session: onnxruntime.InferenceSession

    @classmethod
    def load(cls, folder: Path, *, evidence: bool = False) -> Bundle:
        """The bundle in *folder*, verified: digests, contract, golden rows.

        With *evidence*, the Parquet files are verified too; the scorer has no use for them.
        Raises `BundleError` saying which of them failed.
        """
        manifest = read_manifest(folder)
        verify(folder, manifest, evidence=evidence)
        try:
            contract = Contract.from_json(manifest["contract"])
        except ContractError as error:
            raise BundleError(f"{folder / MANIFEST}: {error}") from error
        try:
            session = onnxruntime.InferenceSession(
                (folder / MODEL).read_bytes(), _session_options(), ["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises a dozen types of its own
            raise BundleError(f"{folder / MODEL}: ONNX Runtime cannot load it: {error}") from error
        bundle = cls(folder, manifest, contract, session)
        bundle.replay_golden_rows()
        return bundle

    @property
    def version(self) -> str:
        """Time and digest, such as 20261123T0317-a1b2c3d."""
        return str(self.manifest["version"])

    @property
    def digest(self) -> str:
        """`sha256:` and the digest of the content."""
        return str(self.manifest["digest"])

    def score(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The scores of rows that fit the contract.

        Shape (n,) for binary (the probability of the positive class) and regression (the value),
        (n, classes) for multiclass. Missing numbers and booleans are None or NaN.
        """
        return self.score_columns(
            {name: [row.get(name) for row in rows] for name in self.contract.feature_names}
        )

    def score_columns(
        self, columns: Mapping[str, Sequence[Any]]
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """As `score`, for one sequence of values per feature, all of one length."""
        answer = self.session.run([self._output], tensors(self.contract, columns))[0]
        scores = np.asarray(answer, dtype=np.float32)
        if self.contract.task == "multiclass":
            return scores
        return scores[:, 1] if self.contract.task == "binary" else scores.reshape(-1)

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

    @property
    def _output(self) -> str:
        # A classifier gives labels and probabilities, a regressor its values: the last is ours.
        return str(self.session.get_outputs()[-1].name)


def tensors(contract: Contract, columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """One tensor of shape (n, 1) per feature: float32 with NaN, or strings with "" for missing.

    The one place where values become float32 (training rounds the same way).
    """
    found: dict[str, Any] = {}
    for feature in contract.features:
        values = columns[feature.name]
        if feature.kind == "category":
            column = np.array(
                [value if isinstance(value, str) else "" for value in values], dtype=object
            )
        else:
            column = np.array(
                [np.nan if value is None else value for value in values], dtype=np.float64
            ).astype(np.float32)
        found[feature.name] = column.reshape(-1, 1)
    return found


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the bundle in *folder*; its own digest is checked, the files' are not.

    Raises `BundleError` if it is missing, not JSON, of an unknown format or edited.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BundleError(f"{folder} is not a bundle: it has no {MANIFEST}") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        shown = manifest.get("format") if isinstance(manifest, dict) else None
        raise BundleError(f"{path} has format {shown!r}; this scorer reads format {FORMAT}")
    expected = ("version", "digest", "task", "contract", "files", "golden")
    missing = [key for key in expected if key not in manifest]
    if missing:
        raise BundleError(f"{path} has no {', '.join(missing)}")
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


def _session_options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one row is too little to share; workers share the cores
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options
