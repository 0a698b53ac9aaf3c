"""The model of the benchmarks (the default recipe's), and the rows that are sent."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from contracts.atomic_file import write_atomically

ROOT = Path(__file__).parents[2]
WORK, SERVE = (ROOT / f".venv/{name}/bin/python" for name in ("work", "serve"))
#: The training day of the model, and of the model that it is swapped with.
DAYS = ("2013-04-29", "2013-04-22")
MAKERS = ("bundles/*.py", "contracts/*.py", "model/**/*.py", "bench/scorer/sklearn_pipeline.py")


class SubjectError(Exception):
    """The model cannot be made. The message says why, and what to type."""


@dataclass(frozen=True)
class Subject:
    """A folder with two bundles, the pipeline that the first was exported from, and rows."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Subject:
        """The subject in *folder*; trained (half a minute) where the code that makes it changed."""
        stamp, made_by = folder / "made", _digest()
        if stamp.is_file() and stamp.read_text() == made_by:
            return cls(folder)
        if not WORK.exists():
            raise SubjectError(f"there is no {WORK}; type: make setup")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for day in DAYS:
            _run("model", "train", "--today", day, "--out", str(folder / "bundles" / day))
        _run("bench.scorer.sklearn_pipeline", str(folder), DAYS[0])
        stamp.write_text(made_by)
        return cls(folder)

    @cached_property
    def bundles(self) -> list[Path]:
        """The bundle that is served, and the one it is swapped with."""
        return [next((self.folder / "bundles" / day).iterdir()) for day in DAYS]

    @property
    def pipeline(self) -> Path:
        """The pickled scikit-learn pipeline."""
        return self.folder / "pipeline.pickle"

    @property
    def model(self) -> Path:
        """The graph that is released, which the ONNX peers are fed."""
        return self.bundles[0] / "model.onnx"

    @cached_property
    def pairs(self) -> list[tuple[dict[str, Any], float]]:
        """A thousand rows without missing values, with the pipeline's scores."""
        return [(row, score) for row, score in json.loads((self.folder / "rows.json").read_text())]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows alone."""
        return [row for row, _ in self.pairs]

    def store(self, folder: Path) -> Store:
        """A store in *folder* with both bundles; the first is live."""
        return Store.of(folder, self.bundles)


@dataclass(frozen=True)
class Store:
    """A folder that a scorer follows."""

    folder: Path
    versions: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, bundles: list[Path]) -> Store:
        """A store in *folder* with *bundles*; the first is live."""
        for bundle in bundles:
            shutil.copytree(bundle, folder / "bundles" / bundle.name, dirs_exist_ok=True)
        store = cls(folder, tuple(bundle.name for bundle in bundles))
        store.serve(store.versions[0])
        return store

    @classmethod
    def found(cls, folder: Path) -> Store:
        """The store that is in *folder*; the first version is the live one."""
        live = tomllib.loads((folder / "live.toml").read_text())["champion"]["version"]
        # Versions sort by the minute of their training, which two of them may share.
        return cls(folder, tuple(sorted((path.name for path in (folder / "bundles").iterdir()), key=live.__ne__)))

    def serve(self, version: str, shadow: str = "") -> None:
        """Make *version* live, with another one as its *shadow*, in one step."""
        named = self._named("champion", version)
        if shadow:
            named += self._named("challenger", shadow) + 'mode = "shadow"\n'
        write_atomically(self.folder / "live.toml", named)

    def _named(self, role: str, version: str) -> str:
        manifest = json.loads((self.folder / "bundles" / version / "manifest.json").read_text())
        return f'[{role}]\nversion = "{version}"\ndigest = "{manifest["digest"]}"\n'


def _run(module: str, *words: str) -> None:
    command = [str(WORK), "-m", module, *words]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SubjectError(f"python -m {module} failed:\n{done.stderr[-2000:]}")


def _digest() -> str:
    files = sorted(path for pattern in MAKERS for path in ROOT.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
