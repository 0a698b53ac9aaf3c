"""Peer: plain Flask under gunicorn with the scikit-learn pipeline."""

import os
import pickle
from pathlib import Path

import pandas as pd
from flask import Flask, request

app = Flask(__name__)
# A pickle made by this benchmark, and used here only.
model = pickle.loads(Path(os.environ["PIPELINE"]).read_bytes())  # noqa: S301


@app.post("/score")
def score() -> dict[str, float]:
    """The probability that the flight is late."""
    return {"score": float(model.predict_proba(pd.DataFrame([request.get_json()]))[0, 1])}
