"""The manifest of a bundle: contract, data, metrics, digests and build."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from contracts.bundle_content import EVALUATION, content_digest, sha256
from model.data import fingerprint
from model.onnx_export.core_proof import categories_of
from model.onnx_export.trees import parts
from model.source_profile.fingerprint import source_of
from model.train import Fitted

#: The format of a bundle with one model, and of one with an evaluation model beside the release model.
ONE_MODEL, TWO_MODELS = 1, 2
LIBRARIES = ("numpy", "onnx", "onnxruntime", "pandas", "pyarrow", "scikit-learn", "skl2onnx")


@dataclass(frozen=True)
class Build:
    """Time, commit and recipe of a build: recorded, but not part of the digest."""

    made_at: datetime
    commit: str
    recipe: Path


def manifest_of(
    fitted: Fitted,
    build: Build,
    files: Mapping[str, bytes],
    golden: Mapping[str, Any],
    parity: tuple[Mapping[str, Any], Mapping[str, Any]],
    core: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of the bundle with these *files*.

    *golden* are the golden rows and *core* the entry of the core; *parity* has the entries of the release model and of
    the evaluation model, which are one where `fitted.release` is None.
    """
    contract, split, at = fitted.contract, fitted.split, fitted.contract.time
    loaded = pd.concat([fitted.loaded.train, fitted.loaded.holdout])
    manifest: dict[str, Any] = {
        "format": TWO_MODELS if fitted.release else ONE_MODEL,
        "task": contract.task,
        "contract": contract.to_json(),
        "classes": list(contract.target.classes),
        "files": {name: sha256(content) for name, content in sorted(files.items())},
        "golden": golden,
        "data": {
            "window": [_iso(moment) for moment in fitted.window],
            "train": _extent(split.train, at),
            "holdout": _extent(split.holdout, at),
            "fingerprint": fingerprint(loaded),
            "categories": categories_of(fitted.served),
            "source": source_of(loaded, contract, fitted.window[1]),
            **({"newest": _extent(loaded, at), "later": _extent(fitted.later, at)} if fitted.late else {}),
        },
        **({"label_delay": dict(fitted.late)} if fitted.late else {}),
        **({"point_in_time": dict(fitted.replay)} if fitted.replay else {}),
        **({"sent": dict(fitted.sent)} if fitted.sent else {}),
        **({"remarks": list(fitted.remarks)} if fitted.remarks else {}),
        "metrics": {"holdout": fitted.metrics},
        "parity": dict(parity[0]),
        **(_two_models(fitted, fitted.release, parity[1]) if fitted.release else {}),
        "core": dict(core),
        **({} if fitted.unstable is None else {"stability": {"decisions": fitted.unstable}}),
        "recipe": {"file": build.recipe.name, "sha256": sha256(build.recipe.read_bytes())},
    }
    digest = content_digest(manifest)
    return {
        "format": manifest["format"],
        "version": f"{build.made_at:%Y%m%dT%H%M}-{digest[7:19]}",
        **manifest,
        "digest": digest,
        "build": {
            "made_at": _iso(build.made_at),
            "commit": build.commit,
            "python": platform.python_version(),
            "libraries": {name: metadata.version(name) for name in LIBRARIES} | _of_estimator(fitted.estimator),
        },
    }


def _of_estimator(estimator: Any) -> dict[str, str]:
    """The versions of the other libraries that the steps of *estimator* come from, if they have one."""
    modules = {type(step).__module__.partition(".")[0] for step in parts(estimator)} - {"sklearn"}
    versions = {name: getattr(sys.modules.get(name), "__version__", None) for name in sorted(modules)}
    return {name: str(version) for name, version in versions.items() if version}


def _two_models(fitted: Fitted, release: Fitted, parity: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest says of the release model's rows, and of the evaluation model.

    `unseen` are the categories that the evaluation model was not trained on and the release model was.
    """
    judged = categories_of(fitted)
    unseen = {name: sorted({*values} - {*judged[name]}) for name, values in categories_of(release).items()}
    return {
        "release": _extent(release.split.train, fitted.contract.time),
        "evaluation": {
            "file": EVALUATION,
            "parity": dict(parity),
            "unseen": {name: values for name, values in unseen.items() if values},
        },
    }


def _extent(rows: pd.DataFrame, time: str) -> dict[str, Any]:
    return {"rows": len(rows), "start": _iso(rows[time].iloc[0]), "end": _iso(rows[time].iloc[-1])}


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
