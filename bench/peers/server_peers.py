"""The peers, each as its documentation recommends for production on two cores.

Other choices are in the peer's favour: no access log, an async route for short work. Before the measurement it is checked
that all give the same scores.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from bench.peers.entrant import Entrant, Place, Row

SCIKIT = ("scikit-learn=={scikit-learn}", "numpy=={numpy}", "pandas")
ONNX = ("onnxruntime=={onnxruntime}", "numpy=={numpy}")
UVICORN = "{python} -m uvicorn --app-dir {servers} --port {port} --workers 2 --no-access-log "
GUNICORN = "{bin}/gunicorn --chdir {servers} -b 127.0.0.1:{port} -w 4 flask_sklearn:app"
#: scikit-learn's gradient boosting uses an OpenMP thread per core, even for one row, and idle threads spin; with several
#: workers on two cores that costs up to ten times as much. scikit-learn's guide mentions it, no server's does. Two peers
#: are measured without this setting as well.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def _save_for_mlflow(place: Place) -> None:
    words = place.words()
    command = [words["python"], f"{words['servers']}/mlflow_save.py", f"{place.folder}/model"]
    _run([*command, words["rows"]], place)


def _settings_for_mlserver(place: Place) -> None:
    (place.folder / "model.pickle").write_bytes(place.pipeline.read_bytes())
    http, grpc, metrics = place.ports
    settings = {
        "host": "127.0.0.1",
        "http_port": http,
        "grpc_port": grpc,
        "metrics_port": metrics,
        "debug": False,
        "parallel_workers": 2,
    }
    model = {
        "name": "flights",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.pickle"},
    }
    (place.folder / "settings.json").write_text(json.dumps(settings))
    (place.folder / "model-settings.json").write_text(json.dumps(model))


def _run(command: list[str], place: Place) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **place.environment()},
        cwd=place.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-600:])


def _v2(row: Row) -> dict[str, Any]:
    def column(name: str, value: Any) -> dict[str, Any]:
        is_text = isinstance(value, str)
        more = {"parameters": {"content_type": "str"}} if is_text else {}
        kind = "BYTES" if is_text else "FP64"
        return {"name": name, "datatype": kind, "shape": [1, 1], "data": [value], **more}

    return {
        "parameters": {"content_type": "pd"},
        "inputs": [column(name, value) for name, value in row.items()],
        "outputs": [{"name": "predict_proba"}],
    }


PEERS = (
    Entrant(
        "mlflow",
        "MLflow `models serve` + scikit-learn",
        "scikit-learn",
        "{bin}/mlflow models serve -m {folder}/model --env-manager local -h 127.0.0.1 -p {port} --workers 2",
        ("mlflow", *SCIKIT),
        "/invocations",
        lambda row: {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}},
        lambda answer: float(answer["predictions"][0][1]),
        _save_for_mlflow,
        ONE_THREAD,
    ),
    Entrant(
        "bentoml",
        "BentoML + scikit-learn",
        "scikit-learn",
        "{bin}/bentoml serve bentoml_sklearn:Flights --working-dir {servers} --host 127.0.0.1 --port {port}",
        ("bentoml", *SCIKIT),
        body=lambda row: {"row": dict(row)},
        environment=ONE_THREAD,
    ),
    Entrant(
        "mlserver",
        "MLServer + scikit-learn",
        "scikit-learn",
        "{bin}/mlserver start {folder}",
        ("mlserver", "mlserver-sklearn", "uvloop<0.22", *SCIKIT),  # its workers die with later ones
        "/v2/models/flights/infer",
        _v2,
        lambda answer: float(answer["outputs"][0]["data"][1]),
        _settings_for_mlserver,
        ONE_THREAD,
    ),
    Entrant(
        "litserve",
        "LitServe + scikit-learn",
        "scikit-learn",
        "{python} {servers}/litserve_sklearn.py {port}",
        ("litserve", *SCIKIT),
        environment=ONE_THREAD,
    ),
    Entrant(
        "fastapi",
        "FastAPI + scikit-learn, uvicorn",
        "scikit-learn",
        UVICORN + "fastapi_sklearn:app",
        ("fastapi", "uvicorn[standard]", *SCIKIT),
        environment=ONE_THREAD,
    ),
    Entrant(
        "flask",
        "Flask + scikit-learn, gunicorn",
        "scikit-learn",
        GUNICORN,
        ("flask", "gunicorn", *SCIKIT),
        environment=ONE_THREAD,
    ),
    Entrant(
        "fastapi-default",
        "FastAPI + scikit-learn, uvicorn, OpenMP left alone",
        "untuned",
        UVICORN + "fastapi_sklearn:app",
        environment_of="fastapi",
    ),
    Entrant(
        "flask-default",
        "Flask + scikit-learn, gunicorn, OpenMP left alone",
        "untuned",
        GUNICORN,
        environment_of="flask",
    ),
    Entrant(
        "fastapi-onnx",
        "FastAPI + ONNX Runtime, uvicorn",
        "onnx",
        UVICORN + "fastapi_onnx:app",
        ("fastapi", "uvicorn[standard]", *ONNX),
    ),
    Entrant(
        "mosec-onnx",
        "mosec + ONNX Runtime",
        "onnx",
        "{python} {servers}/mosec_onnx.py --address 127.0.0.1 --port {port} --log-level error",
        ("mosec", *ONNX),
        "/inference",
    ),
)
