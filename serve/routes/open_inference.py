"""The Open Inference Protocol, version 2, as Triton, KServe and MLServer speak it: an adapter.

A row's features are columns here: one tensor of shape [n] or [n, 1] for each, as JSON or as bytes
after the JSON (the binary tensor data extension, which Triton's client uses by default).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, request
from msgspec import UNSET

from contracts.row_contract import Contract, Label
from serve.http.responses import spell
from serve.http.strict_json import read_json
from serve.routes import mlflow
from serve.routes.binary_tensors import write_values
from serve.routes.live_models import body_here, fields_of, json_response, require_live, scorer_here, versions
from serve.routes.response_bodies import Live, Model, ModelReady, Ready, Server, Tensor
from serve.routes.tensors import InferenceRequest, columns, read_request
from serve.scoring.answer_lines import Answer, bodies
from serve.scoring.validation import RequestError
from serve.traffic.split import Variant

NAME, PLATFORM = "tidegate", "onnx_onnxruntime"
EXTENSIONS = ["binary_tensor_data"]
#: The header with the length of the JSON, if bytes of tensors follow it.
JSON_LENGTH = "Inference-Header-Content-Length"
OCTETS = "application/octet-stream"
#: Outputs besides the score.
ROW_OUTPUTS = ("id", "version", "arm")

routes = Blueprint("inference", __name__)
routes.register_blueprint(mlflow.routes)


@routes.get("/v2")
def server() -> Response:
    """Name, version and extensions of the server."""
    return json_response(Server(NAME, "2", EXTENSIONS))


@routes.get("/v2/health/live")
def live() -> Response:
    """Liveness: the process is up."""
    return json_response(Live(live=True))


@routes.get("/v2/health/ready")
def ready() -> Response:
    """Readiness of the scorer."""
    is_ready = bool(scorer_here().state()["ready"])
    return json_response(Ready(is_ready), 200 if is_ready else 503)


@routes.get("/v2/models/<model>")
@routes.get("/v2/models/<model>/versions/<version>")
def metadata(model: str, version: str | None = None) -> Response:
    """Inputs and outputs of the model, from its contract."""
    found = _named(model, version)
    contract = found[0].bundle.contract
    inputs = [Tensor(*column) for column in columns(contract)]
    outputs = [Tensor(name, kind, [-1, *more]) for name, kind, more in _outputs(contract)]
    return json_response(Model(contract.name, versions(found), PLATFORM, inputs, outputs))


@routes.get("/v2/models/<model>/ready")
@routes.get("/v2/models/<model>/versions/<version>/ready")
def model_ready(model: str, version: str | None = None) -> Response:
    """Readiness of the model, or of one version of it."""
    _named(model, version)
    is_ready = bool(scorer_here().state()["ready"])
    return json_response(ModelReady(model, is_ready), 200 if is_ready else 503)


@routes.post("/v2/models/<model>/infer")
@routes.post("/v2/models/<model>/versions/<version>/infer")
def infer(model: str, version: str | None = None) -> Response:
    """Score rows given as tensors. A named version must be the one that answers all rows."""
    found = _named(model, version)
    contract = found[0].bundle.contract
    scorer = scorer_here()
    content, tail = _body()
    body = read_json(content, scorer.deepest, nan_is_missing=True)
    wanted = read_request(fields_of(found), body, scorer.most_rows, tail)
    if version and len(versions(found)) > 1:
        raise RequestError(
            409,
            f"rows are divided among {', '.join(versions(found))} by their key;"
            f" ask for the model without a version, each row says which one answered it",
        )
    answers = scorer.answer(wanted.rows, trace=request.headers.get("traceparent", ""))
    return _spell(_answer(contract, answers, body.get("id"), wanted.outputs), wanted)


def datatype(classes: Sequence[Label]) -> str:
    """The protocol's data type of labels."""
    kinds = {type(label) for label in classes}
    if kinds == {int} and all(-(2**63) <= label < 2**63 for label in classes):  # type: ignore[operator]
        return "INT64"
    return "BOOL" if kinds == {bool} else "BYTES"


def _body() -> tuple[bytes, memoryview]:
    """The JSON of the current request, and the bytes after it."""
    said = request.headers.get(JSON_LENGTH)
    if said is None:
        return body_here(), memoryview(b"")
    body = body_here(OCTETS)
    length = int(said) if said.isascii() and said.isdigit() and len(said) < 20 else -1
    if not 0 <= length <= len(body):
        raise RequestError(400, f"{JSON_LENGTH}: expected the length of the JSON, at most {len(body):,}")
    return body[:length], memoryview(body)[length:]


def _spell(body: dict[str, Any], wanted: InferenceRequest) -> Response:
    """The encoded *body*: JSON, followed by the outputs that were requested as bytes."""
    tail = []
    for output in body["outputs"]:
        if wanted.as_bytes.get(output["name"], wanted.all_as_bytes):
            content = write_values(output["datatype"], output.pop("data"))
            output["parameters"] = {"binary_data_size": len(content)}
            tail.append(content)
    if not tail:
        return json_response(body)
    head = spell(body)
    answer = Response(head + b"".join(tail), content_type=OCTETS)
    answer.headers[JSON_LENGTH] = str(len(head))
    return answer


def _answer(contract: Contract, answers: Sequence[Answer], id_: str | None, wanted: Sequence[str]) -> dict[str, Any]:
    rows = bodies(contract, answers)
    outputs: list[dict[str, Any]] = []
    for name, kind, more in _outputs(contract):
        data = [row[name] for row in rows]
        if more:  # for each row the probabilities by class
            data = [value for by_class in data for value in by_class.values()]
        elif kind == "BYTES":
            data = [*map(str, data)]
        outputs.append({"name": name, "datatype": kind, "shape": [len(rows), *more], "data": data})
    unknown = [name for name in wanted if name not in {output["name"] for output in outputs}]
    if unknown:
        given = ", ".join(str(output["name"]) for output in outputs)
        raise RequestError(422, f"{', '.join(unknown)}: no such output; there is {given}")
    body: dict[str, Any] = {"model_name": contract.name}
    answered = {answer.version for answer in answers}
    if len(answered) == 1:
        body["model_version"] = answered.pop()
    if id_ is not None:
        body["id"] = id_
    corrections = {answer.correction for answer in answers}
    if len(corrections) == 1 and UNSET not in corrections:
        body["parameters"] = {"correction": corrections.pop()}
    kept = [output for output in outputs if not wanted or output["name"] in wanted]
    return body | {"outputs": kept}


def _outputs(contract: Contract) -> list[tuple[str, str, list[int]]]:
    """The outputs of a model: name, data type, and shape after the number of rows."""
    classes = contract.target.classes
    found: list[tuple[str, str, list[int]]] = [("score", "FP32", [])]
    if classes:
        found.append(("label", datatype(classes), []))
    if contract.task == "multiclass":
        found.append(("probabilities", "FP32", [len(classes)]))
    return [*found, *((name, "BYTES", []) for name in ROW_OUTPUTS)]


def _named(model: str, version: str | None) -> list[Variant]:
    """The live variants, if the live model is *model* (and *version* is one of them)."""
    found = require_live(scorer_here())
    name = found[0].bundle.contract.name
    if model != name:
        raise RequestError(404, f"there is no such model; there is {name}")
    if version is None:
        return found
    if version not in versions(found):
        live_ones = ", ".join(versions(found))
        raise RequestError(404, f"that version of {name} is not live; live is {live_ones}")
    return found
