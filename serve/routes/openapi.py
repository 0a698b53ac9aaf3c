"""`/openapi.json`: every route and every status it may answer with, made from the live contract.

A route's summary is the docstring of its view; this module adds what goes in and out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Blueprint, Response, current_app, request
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from bundles.bundle import Bundle
from contracts.row_contract import Contract
from serve.http.auth import MONITORING_PATHS
from serve.http.forwarded import prefix
from serve.http.responses import JSON, PROBLEM, spell
from serve.routes import contract_schema as schemas
from serve.routes import response_bodies as bodies
from serve.routes.contract_schema import Schema
from serve.routes.live_models import json_response, scorer_here, versions
from serve.routes.mlflow import CSV
from serve.routes.open_inference import JSON_LENGTH, OCTETS
from serve.routes.tensors import columns
from serve.routes.typical_row import typical_row
from serve.traffic.split import Variant

HTML, TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"
#: Errors of a request with a body: invalid bytes, JSON or rows, no live model, or a failure.
OF_A_BODY = (400, 401, 413, 415, 422, 500, 503)
OF_A_MODEL = (401, 404, 503)
TABLE: Schema = {
    "type": "string",
    "description": "In: a line for each row, with a line of names before them, or without one and the"
    " features in their order. Out, where only this is accepted: a line of scores for each row.",
}
BINARY: Schema = {
    "type": "string",
    "format": "binary",
    "description": f"JSON, as long as the header {JSON_LENGTH} says, and after it the bytes of tensors"
    " (the binary tensor data extension).",
}
SECTIONS = {"v2": "Open Inference Protocol", "invocations": "MLflow", "score": "Rows", "outcome": "Rows"}

routes = Blueprint("openapi", __name__)


@dataclass(frozen=True)
class Route:
    """A route: the schema of its request, its answers, and its errors."""

    answer: Schema | str
    kind: str = JSON
    body: str = ""
    status: int = 200
    errors: Sequence[int] = ()
    #: Media types of requests and answers other than JSON.
    others: Mapping[str, Schema] = field(default_factory=dict)


ROUTES: Mapping[str, Route] = {
    "/score": Route("Answers", body="Rows", errors=OF_A_BODY),
    "/outcome": Route("Accepted", body="Outcomes", status=202, errors=OF_A_BODY),
    "/invocations": Route("Predictions", body="Invocation", errors=OF_A_BODY, others={CSV: TABLE}),
    "/v2/models/<model>/infer": Route(
        "Inferred", body="Inference", errors=(*OF_A_BODY, 404, 409), others={OCTETS: BINARY}
    ),
    "/v2/models/<model>": Route("Model", errors=OF_A_MODEL),
    "/v2/models/<model>/ready": Route("ModelReady", errors=OF_A_MODEL),
    "/v2": Route("Server", errors=(401,)),
    "/v2/health/live": Route("Live"),
    "/v2/health/ready": Route("Ready", errors=(503,)),
    "/health": Route("Ok"),
    "/ready": Route("State", errors=(503,)),
    "/ping": Route({"type": "string"}, TEXT, errors=(503,)),
    "/version": Route({"type": "string"}, TEXT, errors=(503,)),
    "/metrics": Route({"type": "string"}, CONTENT_TYPE_PLAIN_0_0_4, errors=(401,)),
    "/openapi.json": Route({"type": "object"}),
    "/": Route({"type": "string"}, HTML, errors=(401,)),
    "/page.js": Route({"type": "string"}, "text/javascript; charset=utf-8"),
    "/page.css": Route({"type": "string"}, "text/css; charset=utf-8"),
    "/snippet.js": Route({"type": "string"}, "text/javascript; charset=utf-8"),
    "/example.js": Route({"type": "string"}, "text/javascript; charset=utf-8"),
    "/example.html": Route({"type": "string"}, HTML),
}
#: Routes whose 503 has the format of their 200: it is a state and not an error.
STATES = ("/v2/health/ready", "/v2/models/<model>/ready", "/ready", "/ping")
ANY: Schema = {"type": "object"}
REFERENCE = "#/components/schemas/{name}"
#: The key in the application's extensions of the live models and their document.
EXTENSION = "tidegate.openapi"


@routes.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI description of all routes, from the contract of the live model."""
    # Relative to the address of the document, which is correct behind any proxy.
    servers = [{"url": prefix(request.headers) or "."}]
    document = json_response({**_kept(), "servers": servers})
    # The document depends on the live models and on a header, so a cache must ask again.
    document.headers["Cache-Control"] = "no-cache"
    return document


def _kept() -> Mapping[str, Any]:
    """The encoded document without `servers`, made once for each set of live models."""
    live = scorer_here().follower.live
    kept = current_app.extensions.get(EXTENSION)
    if not kept or kept[0] is not live:
        found = {name: msgspec.Raw(spell(part)) for name, part in _document(live.all()).items()}
        kept = current_app.extensions[EXTENSION] = (live, found)
    described: Mapping[str, Any] = kept[1]
    return described


def _document(variants: Sequence[Variant]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the current application, without `servers`."""
    contract = variants[0].bundle.contract if variants else None
    examples = _examples(variants[0].bundle) if variants else {}
    paths: dict[str, Any] = {}
    for rule in current_app.url_map.iter_rules():
        path, names = re.sub(r"<(\w+)>", r"{\1}", rule.rule), sorted(rule.arguments)
        operation = _operation(rule.rule, rule.endpoint, examples)
        if names:
            operation["parameters"] = [_parameter(name, contract, versions(variants)) for name in names]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Tidegate: {contract.name}" if contract else "Tidegate: no model is live yet",
            "description": contract.description if contract else "",
            "version": variants[0].bundle.version if variants else "0",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": _schemas(contract),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _operation(rule: str, endpoint: str, examples: Mapping[str, Any]) -> dict[str, Any]:
    words = (current_app.view_functions[endpoint].__doc__ or "").strip().split("\n")[0]
    route = ROUTES[rule.replace("/versions/<version>", "")]
    schema = _ref(route.answer) if isinstance(route.answer, str) else route.answer
    content_of_200 = {route.kind: {"schema": schema}}
    others = {kind: {"schema": schema} for kind, schema in route.others.items()}
    answers = {str(route.status): {"description": words, "content": content_of_200 | others}}
    for status in route.errors:
        content = {PROBLEM: {"schema": _ref("Problem")}}
        if status == 503 and rule.replace("/versions/<version>", "") in STATES:
            content |= content_of_200
        answers[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    found: dict[str, Any] = {
        "summary": words,
        "operationId": (endpoint + ("_version" if "<version>" in rule else "")).replace(".", "_"),
        "tags": [SECTIONS.get(rule.split("/")[1], "State")],
        "responses": answers,
    }
    if route.body:
        body: dict[str, Any] = {"schema": _ref(route.body)}
        if route.body in examples:
            body["example"] = examples[route.body]
        found["requestBody"] = {"required": True, "content": {JSON: body} | others}
    if 401 in route.errors:
        found["security"] = [{}, {"token": []}]
        if rule in MONITORING_PATHS:
            found["security"].append({"password": []})
    return found


def _parameter(name: str, contract: Contract | None, live: Sequence[str]) -> dict[str, Any]:
    known = {"model": [contract.name] if contract else [], "version": list(live)}[name]
    schema: Schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema | ({"enum": known} if known else {})}


def _schemas(contract: Contract | None) -> dict[str, Schema]:
    row, answer, outcome = _ref("Row"), _ref("Answer"), _ref("Outcome")
    _, fixed = msgspec.json.schema_components(bodies.FIXED, ref_template=REFERENCE)
    return fixed | {
        "Row": schemas.row(contract) if contract else ANY,
        "Rows": _one_or_many(row),
        "Answer": schemas.answer(contract) if contract else ANY,
        "Answers": _one_or_many(answer),
        "Outcome": schemas.outcome(contract) if contract else ANY,
        "Outcomes": _one_or_many(outcome),
        "Predictions": schemas.record(predictions={"type": "array", "items": answer}),
        "Invocation": _invocation(row),
        "Inference": schemas.tensors(contract) if contract else ANY,
    }


def _examples(bundle: Bundle) -> dict[str, Any]:
    """Example requests, which the scorer answers."""
    contract = bundle.contract
    row = typical_row(contract, bundle.manifest)
    tensors = [
        {"name": name, "datatype": kind, "shape": [1, 1], "data": [row[name]]}
        for name, kind, _ in columns(contract)
        if name in row
    ]
    return {"Rows": row, "Invocation": {"instances": [row]}, "Inference": {"inputs": tensors}}


def _invocation(row: Schema) -> Schema:
    rows = {"type": "array", "items": row}
    split = schemas.record(
        columns={"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        data={"type": "array", "items": {"type": "array"}},
    )
    by_name = {"type": "object", "additionalProperties": {"type": "array"}}
    return {
        "oneOf": [
            _form(dataframe_split=split),
            _form(dataframe_records=rows),
            _form(instances=rows),
            _form(inputs={"anyOf": [row, rows, by_name]}),
        ]
    }


def _form(**rows: Schema) -> Schema:
    found = schemas.record(**rows)
    found["properties"]["params"] = {"description": "Says nothing here."}
    return found | {"additionalProperties": False}


def _one_or_many(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


def _ref(name: str) -> Schema:
    return {"$ref": REFERENCE.format(name=name)}
