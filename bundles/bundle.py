"""A bundle: the model as files, verified before use, scored with ONNX Runtime.

A bundle is a folder named after its version: `model.onnx`, `manifest.json` and `evidence/`. In format 2 `model.onnx`
is the release model, and the evaluation model travels in the evidence, which the scorer does not load. A bundle is the
only thing that crosses an environment, and the gate scores with this module, too: what is evaluated is
what will be served.

`load` trusts nothing: the format, the digest of the manifest, the digest of each file, and the golden
rows (rows with the scores they had at export) must all agree. `proven` trusts what `load` found for the
same bytes.
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

from bundles.manifest import MANIFEST, MODEL, BundleError, content_of, read_manifest, verify
from bundles.onnx_core import FILE as CORE
from bundles.onnx_core import CoreError, Encoder, trial
from bundles.onnx_session import CoreGraph, Engine, FullGraph, NoGraph, Rows, Scores, disagreement, shaped
from contracts.bundle_content import EVALUATION, read_regular, sha256
from contracts.row_contract import Contract, ContractError
from contracts.tolerance import allowed


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle whose model is loaded.

    `score` may be called from several threads at once. Make a bundle after a fork, not before: a
    session's threads do not survive one. *core* is empty if the scores are computed by the proven
    core, else it says why by the full graph.
    """

    folder: Path
    manifest: Mapping[str, Any]
    contract: Contract
    engine: Engine
    core: str

    @classmethod
    def load(
        cls, folder: Path, digest: str = "", *, evidence: bool = False, erased: bool = False, core: bool = True
    ) -> Bundle:
        """The bundle in *folder*, verified: digests, contract, golden rows.

        With a *digest*, a bundle that has another is refused before its model is loaded. With
        *evidence*, the Parquet files are verified too, of which some rows may be *erased*; the scorer does
        not need them. Without *core*, the full graph computes even where there is a core. Raises `BundleError`.
        """
        described = cls.described(folder, digest, evidence=evidence, erased=erased)
        full = replace(described, engine=_full(described), core="the full graph was asked for")
        full.replay_golden_rows()
        if not core:
            return full
        try:
            return replace(full, engine=_agreeing(full, _core(described)), core="")
        except (BundleError, CoreError) as error:
            return replace(full, core=str(error))

    @classmethod
    def proven(cls, folder: Path, seal: str, core: str, digest: str = "") -> Bundle:
        """The bundle in *folder*, for which `load` gave one with this `seal_of` and *core* before.

        The manifest is not checked again, and only the engine that scores is made; digests and golden
        rows are verified. Raises `BundleError`.
        """
        content = content_of(folder)
        if sha256(content) != seal:
            raise BundleError(f"{folder / MANIFEST} is not the one that was proven")
        described = cls._described(folder, json.loads(content), digest)
        engine = _full(described) if core else _core(described)
        found = replace(described, engine=engine, core=core)
        found.replay_golden_rows()
        return found

    @classmethod
    def described(cls, folder: Path, digest: str = "", *, evidence: bool = False, erased: bool = False) -> Bundle:
        """The bundle in *folder*, verified but without its model: it cannot score."""
        return cls._described(folder, read_manifest(folder), digest, evidence=evidence, erased=erased)

    @classmethod
    def _described(
        cls, folder: Path, manifest: dict[str, Any], digest: str, *, evidence: bool = False, erased: bool = False
    ) -> Bundle:
        if digest and manifest["digest"] != digest:
            raise BundleError(f"{folder} holds {manifest['version']} ({manifest['digest']}), live.toml names {digest}")
        verify(folder, manifest, evidence=evidence, erased=erased)
        try:
            contract = Contract.from_json(manifest["contract"])
        except ContractError as error:
            raise BundleError(f"{folder / MANIFEST}: {error}") from error
        return cls(folder, manifest, contract, NoGraph(), "")

    @cached_property
    def evaluation(self) -> Bundle:
        """The evaluation model, which was trained up to the holdout and judged on it; this bundle if it has one model.

        It is loaded when it is first asked for, from a bundle with its evidence. Raises `BundleError`.
        """
        if EVALUATION not in self.manifest["files"]:
            return self
        data, unseen = self.manifest["data"], self.manifest["evaluation"].get("unseen", {})
        known = {name: [*({*values} - {*unseen.get(name, ())})] for name, values in data["categories"].items()}
        manifest = {**self.manifest, "data": {**data, "categories": known}}
        described = replace(self, manifest=manifest, core="the evaluation model has no core")
        return replace(described, engine=_full(described, EVALUATION))

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """ONNX Runtime's session."""
        return self.engine.session

    @cached_property
    def version(self) -> str:
        """Time and digest, such as 20261123T0317-a1b2c3d."""
        return str(self.manifest["version"])

    @cached_property
    def known(self) -> list[tuple[str, frozenset[str | None]]]:
        """For each category the values that are not new: those of the training, and missing."""
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
        """For each category the values seen in training; empty if the manifest does not have them."""
        seen = self.manifest.get("data", {}).get("categories", {})
        return {name: frozenset(values) for name, values in seen.items()}

    def score(self, rows: Rows) -> Scores:
        """The scores of rows that fit the contract.

        Shape (n,) for binary (the probability of the positive class) and regression (the value),
        (n, classes) for multiclass. Missing numbers and booleans are None or NaN.
        """
        return shaped(self.contract.task, self.engine.score(rows))

    def score_each(self, rows: Rows) -> Scores:
        """As `score` of each row alone, to the bit: a sum over rows may be taken in another order."""
        return shaped(self.contract.task, self.engine.score_each(rows))

    def score_columns(self, columns: Mapping[str, Sequence[Any]]) -> Scores:
        """As `score`, for one sequence of values per feature, all of one length."""
        return shaped(self.contract.task, self.engine.score_columns(columns))

    def replay_golden_rows(self) -> None:
        """Score the golden rows and compare. Raises `BundleError` naming the first that differs."""
        golden = self.manifest["golden"]
        try:
            scores = self.score(golden["rows"]).astype(float)
        except Exception as error:  # ONNX Runtime raises a dozen types
            raise BundleError(f"{self.folder}: the golden rows cannot be scored: {error}") from error
        expected = np.asarray(golden["scores"], dtype=float)
        if scores.shape != expected.shape or not np.isfinite(scores).all():
            raise BundleError(
                f"{self.folder}: the golden rows give {scores.shape} finite scores, expected {expected.shape}"
            )
        # Bundles without a spread were made with 1 in its place.
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


def _full(described: Bundle, name: str = MODEL) -> Engine:
    return _made(described, name, lambda graph: FullGraph(graph, described.contract))


def _core(described: Bundle) -> Engine:
    """The core of a bundle. Raises `BundleError` if it has none, `CoreError` if it is malformed."""
    core = described.manifest.get("core")
    if not isinstance(core, dict) or "parts" not in core or CORE not in described.manifest["files"]:
        raise BundleError("the bundle has no core")
    encoder = Encoder.read(core, described.contract)
    return _made(described, CORE, lambda graph: CoreGraph(graph, encoder))


def _made(described: Bundle, name: str, make: Callable[[bytes], Engine]) -> Engine:
    """The engine of the file *name*, if that still has the digest in the manifest."""
    path = described.folder / name
    try:
        content = read_regular(path)
    except OSError as error:
        raise BundleError(f"{path} is not loaded: {error}") from error
    if sha256(content) != described.manifest["files"][name]:
        raise BundleError(f"{path} has changed since it was verified")
    try:
        return make(content)
    except Exception as error:  # ONNX Runtime raises a dozen types
        raise BundleError(f"{path}: ONNX Runtime cannot load it: {error}") from error


def _agreeing(full: Bundle, core: Engine) -> Engine:
    """*core*, if it gives the scores of *full* to the bit. Raises `BundleError` if it does not."""
    try:
        rows = trial(full.contract, full.categories, full.manifest["golden"]["rows"])
        wrong = disagreement(full.engine, core, rows)
    except Exception as error:  # as in _made
        wrong = f"{type(error).__name__}: {error}"
    if wrong:
        raise BundleError(f"{CORE} does not give the full graph's scores: {wrong}")
    return core
