"""A bundle: the model as files, verified before use, scored with ONNX Runtime.

A bundle is a folder named after its version: `model.onnx`, `manifest.json` and `evidence/`. It is
the only thing that crosses an environment, so this module is what the gate scores with too: what
is judged is what will be served.

`load` trusts nothing: the format, the digest over the manifest, the digest of each file, and the
golden rows (rows with the scores they had at export) must all agree. `proven` trusts what `load`
found in the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from model.contract import Contract, ContractError
from model.core import FILE as CORE
from model.core import CoreError, Encoder, trial
from model.tolerance import allowed
from serve.engine import CoreGraph, Engine, FullGraph, NoGraph, Scores, disagreement
from serve.manifest import MANIFEST, MODEL, BundleError, content_of, read_manifest, sha256, verify
from serve.regular import read_regular


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
    def load(
        cls, folder: Path, digest: str = "", *, evidence: bool = False, core: bool = True
    ) -> Bundle:
        """The bundle in *folder*, verified: digests, contract, golden rows.

        With a *digest*, no session is made of a bundle that has another. With *evidence*, the Parquet files are verified too; the scorer has no use for them. Without
        *core*, the full graph computes even where there is a core. Raises `BundleError`.
        """
        told = cls.described(folder, digest, evidence=evidence)
        whole = replace(told, engine=_full(told), core="the full graph was asked for")
        whole.replay_golden_rows()
        if not core:
            return whole
        try:
            return replace(whole, engine=_agreeing(whole, _core(told)), core="")
        except (BundleError, CoreError) as error:
            return replace(whole, core=str(error))

    @classmethod
    def proven(cls, folder: Path, seal: str, core: str, digest: str = "") -> Bundle:
        """The bundle in *folder*, of which `load` gave one with this `seal_of` and *core* before.

        Only what scores is made: what its manifest says was looked at then. Digests and golden rows
        are verified again. Raises `BundleError`.
        """
        content = content_of(folder)
        if sha256(content) != seal:
            raise BundleError(f"{folder / MANIFEST} is not the one that was proven")
        told = cls._told(folder, json.loads(content), digest)
        make = _full if core else _core
        found = replace(told, engine=make(told), core=core)
        found.replay_golden_rows()
        return found

    @classmethod
    def described(cls, folder: Path, digest: str = "", *, evidence: bool = False) -> Bundle:
        """The bundle in *folder* for what its manifest says; it is verified, and cannot score."""
        return cls._told(folder, read_manifest(folder), digest, evidence=evidence)

    @classmethod
    def _told(
        cls, folder: Path, manifest: dict[str, Any], digest: str, *, evidence: bool = False
    ) -> Bundle:
        if digest and manifest["digest"] != digest:
            raise BundleError(
                f"{folder} holds {manifest['version']} ({manifest['digest']}), live.toml names {digest}"
            )
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
        # Bundles made before there was a spread were made with 1 in its place.
        spread = np.asarray(golden.get("spread", 1.0), dtype=float)
        if spread.ndim and spread.shape != expected.shape[1:]:
            raise BundleError(f"{self.folder}: golden.spread is not one number for each class")
        probability = self.contract.task != "regression"
        most = allowed(expected, spread, golden["tolerance"], probability)
        off = np.argwhere(np.abs(scores - expected) > most)
        if len(off):
            where = tuple(off[0])
            raise BundleError(
                f"{self.folder}: golden row {where[0]} scores {scores[where]:.7g}, expected"
                f" {expected[where]:.7g} (tolerance {golden['tolerance']:g}): this machine does not"
                " compute what was judged"
            )

    def _shaped(self, scores: Scores) -> Scores:
        if self.contract.task == "multiclass":
            return scores
        return scores[:, 1] if self.contract.task == "binary" else scores.reshape(-1)


def _made(told: Bundle, name: str, make: Callable[[bytes], Engine]) -> Engine:
    """What *make* makes of the file *name*, if it has the digest that the manifest gives."""
    path = told.folder / name
    try:
        content = read_regular(path)
        if sha256(content) != told.manifest["files"][name]:
            raise BundleError(f"{path} has changed since it was verified")
        return make(content)
    except BundleError:
        raise
    except OSError as error:
        raise BundleError(f"{path} is not loaded: {error}") from error
    except Exception as error:  # ONNX Runtime raises a dozen types of its own
        raise BundleError(f"{path}: ONNX Runtime cannot load it: {error}") from error


def _full(told: Bundle) -> Engine:
    return _made(told, MODEL, lambda graph: FullGraph(graph, told.contract))


def _core(told: Bundle) -> Engine:
    """The core of a bundle that is described. BundleError if it has none."""
    parts = told.manifest.get("core")
    if not isinstance(parts, dict) or "parts" not in parts or CORE not in told.manifest["files"]:
        raise BundleError("the bundle has no core")
    encoder = Encoder.read(parts, told.contract)
    return _made(told, CORE, lambda graph: CoreGraph(graph, encoder))


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
