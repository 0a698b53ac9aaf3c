"""Peer: LitServe with the scikit-learn pipeline."""

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import litserve
import pandas as pd


class Flights(litserve.LitAPI):
    """The four methods of LitServe's documentation."""

    def setup(self, _device: str) -> None:
        """Load the model, in the worker."""
        # A pickle made by this benchmark, and used here only.
        self.model = pickle.loads(Path(os.environ["PIPELINE"]).read_bytes())  # noqa: S301

    def decode_request(self, request: dict[str, Any]) -> pd.DataFrame:
        """JSON to a frame."""
        return pd.DataFrame([request])

    def predict(self, frame: pd.DataFrame) -> float:
        """The probability that the flight is late."""
        return float(self.model.predict_proba(frame)[0, 1])

    def encode_response(self, score: float) -> dict[str, float]:
        """The score to JSON."""
        return {"score": score}


if __name__ == "__main__":
    server = litserve.LitServer(Flights(api_path="/score"), accelerator="cpu", devices=1, workers_per_device=2)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
