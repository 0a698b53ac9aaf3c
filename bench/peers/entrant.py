"""One server of the comparison: environment, command, requests and answers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
Prepare = Callable[["Place"], None]


@dataclass(frozen=True)
class Place:
    """An entrant's folder, Python, model and ports."""

    folder: Path
    python: Path
    pipeline: Path
    model: Path
    rows: Path
    ports: tuple[int, int, int]

    def words(self) -> dict[str, str]:
        """The values of the placeholders in commands and settings."""
        return {
            "python": str(self.python),
            "bin": str(self.python.parent),
            "servers": str(Path(__file__).parent / "servers"),
            "folder": str(self.folder),
            "rows": str(self.rows),
            "port": str(self.ports[0]),
            "port2": str(self.ports[1]),
            "port3": str(self.ports[2]),
        }

    def environment(self) -> dict[str, str]:
        """Environment variables: the model's paths, and no telemetry."""
        return {
            "PATH": f"{self.python.parent}:{os.environ['PATH']}",
            "PIPELINE": str(self.pipeline),
            "MODEL": str(self.model),
            "BENTOML_HOME": str(self.folder / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
            "DO_NOT_TRACK": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_TRACKING_URI": f"file:{self.folder / 'mlruns'}",
            "PYTHONWARNINGS": "ignore",
        }


@dataclass(frozen=True)
class Entrant:
    """A server: `body` writes a row in its format, `score` reads the score of its answer."""

    name: str
    title: str
    family: str  # ours, floor, onnx or scikit-learn
    command: str
    packages: tuple[str, ...] = ()
    path: str = "/score"
    body: Callable[[Row], Any] = dict
    score: Callable[[Any], float] = lambda answer: float(answer["score"])
    prepare: Prepare | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    environment_of: str = ""  # another entrant's packages serve

    def bodies(self, rows: Sequence[Row]) -> list[bytes]:
        """The requests' bodies, one per row."""
        return [json.dumps(self.body(row), separators=(",", ":")).encode() for row in rows]
