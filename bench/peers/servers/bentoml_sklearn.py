"""Peer: BentoML with the scikit-learn pipeline."""

import os
import pickle
from pathlib import Path

import bentoml
import pandas as pd
from row import Row


@bentoml.service(workers=2, traffic={"timeout": 30})
class Flights:
    """One model a worker, as BentoML's documentation has it for CPUs."""

    def __init__(self) -> None:
        # A pickle made by this benchmark, and used here only.
        self.model = pickle.loads(Path(os.environ["PIPELINE"]).read_bytes())  # noqa: S301

    @bentoml.api(route="/score")
    def score(self, row: Row) -> dict[str, float]:
        """The probability that the flight is late."""
        return {"score": float(self.model.predict_proba(pd.DataFrame([row.model_dump()]))[0, 1])}
