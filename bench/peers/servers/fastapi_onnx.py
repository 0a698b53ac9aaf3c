"""Peer: FastAPI on uvicorn, with the ONNX file that the scorer serves."""

import os

import numpy as np
import onnxruntime
from fastapi import FastAPI
from row import Row

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, ["CPUExecutionProvider"])
inputs = [(i.name, object if "string" in i.type else np.float32) for i in session.get_inputs()]
output = session.get_outputs()[-1].name
app = FastAPI()


@app.post("/score")
async def score(row: Row) -> dict[str, float]:  # async: a thread pool would cost more than the run
    """The probability that the flight is late."""
    values = row.model_dump()
    fed = {name: np.array([[values[name]]], dtype=kind) for name, kind in inputs}
    return {"score": float(session.run([output], fed)[0][0, 1])}
