"""Peer: saves the scikit-learn pipeline as MLflow's documentation says, for `mlflow models serve`.

python mlflow_save.py FOLDER ROWS.json
"""

import json
import os
import pickle
import sys
from pathlib import Path

import mlflow
import pandas as pd

folder, rows = sys.argv[1:]
# A pickle made by this benchmark, and used here only.
model = pickle.loads(Path(os.environ["PIPELINE"]).read_bytes())  # noqa: S301
frame = pd.DataFrame(json.loads(Path(rows).read_text()))
mlflow.sklearn.save_model(
    model,
    folder,
    pyfunc_predict_fn="predict_proba",
    signature=mlflow.models.infer_signature(frame, model.predict_proba(frame)),
    serialization_format="cloudpickle",
)
