"""Peer: FastAPI on uvicorn with the scikit-learn pipeline."""

import os
import pickle
from pathlib import Path

import pandas as pd
from fastapi import FastAPI
from row import Row

app = FastAPI()
# A pickle made by this benchmark, and used here only.
model = pickle.loads(Path(os.environ["PIPELINE"]).read_bytes())  # noqa: S301


@app.post("/score")
def score(row: Row) -> dict[str, float]:
    """The probability that the flight is late."""
    return {"score": float(model.predict_proba(pd.DataFrame([row.model_dump()]))[0, 1])}
