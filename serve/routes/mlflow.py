"""MLflow's scoring protocol, which SageMaker shares: `/invocations`, `/ping` and `/version`.

Rows come as JSON in one of four forms, or as CSV. A prediction is the whole answer to a row, as
`/score` gives it; who accepts only CSV gets the scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.datastructures import MIMEAccept

from contracts.row_contract import describe, show
from serve.http.responses import JSON
from serve.http.strict_json import read_json
from serve.routes.column_rows import Fields
from serve.routes.csv_rows import read_csv, write_csv
from serve.routes.live_models import body_here, fields_of, json_response, require_live, scorer_here, versions
from serve.scoring.answer_lines import bodies
from serve.scoring.validation import RequestError, read_rows, refuse, refuse_more

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
ONE_OF_THEM = f"an object with one of {', '.join(FORMS)}"
#: Names that are accepted beside the rows and ignored: models here have no parameters.
OTHER_NAMES = ("params",)
CSV = "text/csv"
CHARSETS = ("utf-8", "utf8", "us-ascii")
#: The parameter `header` of `text/csv` (RFC 4180).
HEADERS = {"present": True, "absent": False}
#: Unknown names listed in an error.
MAX_NAMED = 10

routes = Blueprint("mlflow", __name__)


@routes.post("/invocations")
def invocations() -> Response:
    """Score rows in one of MLflow's four formats, or CSV; answers `{"predictions": […]}`, or scores as CSV."""
    scorer = scorer_here()
    fields, most = fields_of(require_live(scorer)), scorer.most_rows
    body = body_here(CSV)
    if request.mimetype == CSV:
        rows = read_csv(body, fields, most, header=_header())
    else:
        content = read_json(body, scorer.deepest, nan_is_missing=True)
        rows = read_rows(rows_of(content, fields, most), most)
    answers = scorer.answer(rows, trace=request.headers.get("traceparent", ""))
    if _accepts_csv():
        return Response(write_csv(answers), content_type=f"{CSV}; charset=utf-8")
    return json_response({"predictions": bodies(fields.contract, answers)})


@routes.get("/ping")
def ping() -> Response:
    """Readiness: an empty 200, or 503."""
    return Response("\n", 200 if scorer_here().state()["ready"] else 503, mimetype="text/plain")


@routes.get("/version")
def version() -> Response:
    """The live version; during an experiment, one version on each line."""
    lines = "".join(f"{name}\n" for name in versions(require_live(scorer_here())))
    return Response(lines, mimetype="text/plain")


def _accepts_csv() -> bool:
    """Whether the client prefers CSV to JSON; parameters of the media type are ignored."""
    accepted = [(kind.partition(";")[0], weight) for kind, weight in request.accept_mimetypes]
    return MIMEAccept(accepted).best_match((JSON, CSV)) == CSV


def _header() -> bool | None:
    """Whether the CSV has a header line; None if the Content-Type does not say."""
    parameters = request.mimetype_params
    if parameters.get("charset", "utf-8").lower() not in CHARSETS:
        raise RequestError(415, f"the CSV is in another charset than UTF-8; send {CSV}; charset=utf-8")
    if "header" not in parameters:
        return None
    found = HEADERS.get(parameters["header"].lower())
    if found is None:
        raise RequestError(415, f"the parameter header of {CSV} is {' or '.join(HEADERS)}")
    return found


def rows_of(body: Any, fields: Fields, most: int) -> list[Any]:
    """The rows of a request in any of the formats; at most *most* rows are created from columns."""
    if not isinstance(body, dict):
        raise RequestError(400, f"expected {ONE_OF_THEM}; got {describe(body)}")
    forms = [name for name in body if name in FORMS]
    if len(forms) != 1:
        got = " and ".join(forms) if forms else "none of them"
        raise RequestError(400, f"expected {ONE_OF_THEM}; got {got}")
    odd = [name for name in body if name not in (*FORMS, *OTHER_NAMES)]
    if odd:
        more = ", …" if len(odd) > MAX_NAMED else ""
        names = ", ".join(map(show, odd[:MAX_NAMED])) + more
        raise RequestError(400, f"{names}: not known; expected {ONE_OF_THEM}")
    (form,) = forms
    content = body[form]
    if form == "dataframe_split":
        return _split(content, fields, most)
    if form == "inputs" and isinstance(content, dict):
        return _columns(content, fields, most)
    if not isinstance(content, list):
        raise RequestError(422, f"{form}: expected a list of objects, one for each row")
    return content


def _split(content: Any, fields: Fields, most: int) -> list[Mapping[str, Any]]:
    """Rows from the `split` format: names once, then the values of each row."""
    table: dict[str, Any] = content if isinstance(content, dict) else {}
    names: Any = table.get("columns")
    data: Any = table.get("data")
    wrong = []
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        wrong = [_problem("columns", "a list of names", names)]
    elif len(set(names)) < len(names):
        wrong = [_problem("columns", "names that differ", names)]
    elif not isinstance(data, list):
        wrong = [_problem("data", "a list of rows", data)]
    refuse(wrong, form="dataframe_split")
    refuse_more(len(data), most)
    ragged = (
        {"row": number, **_problem("data", f"a list of {len(names):,}", row)}
        for number, row in enumerate(data)
        if not isinstance(row, list) or len(row) != len(names)
    )
    refuse(ragged, len(data), form="dataframe_split")
    columns = dict(zip(names, zip(*data, strict=True), strict=True)) if data else {}
    return fields.rows(columns, len(data))


def _columns(content: Mapping[str, Any], fields: Fields, most: int) -> list[Mapping[str, Any]]:
    """Columns from a list for each name, or from one value for each name, which is one row."""
    if not any(isinstance(values, list) for values in content.values()):
        return [dict(content)]
    found = {name: _flat(values) for name, values in content.items()}
    lengths = [len(values) for values in found.values() if isinstance(values, list)]
    refuse_more(max(lengths), most)
    ragged = (
        _problem(name, f"a list of {lengths[0]:,}, as the first is", values)
        for name, values in found.items()
        if not isinstance(values, list) or len(values) != lengths[0]
    )
    refuse(ragged, form="inputs")
    return fields.rows(found, lengths[0])


def _flat(values: Any) -> Any:
    """A column as a flat list, also where each value is in a list."""
    if not isinstance(values, list) or any(not isinstance(value, list) or len(value) != 1 for value in values):
        return values
    return [value[0] for value in values]


def _problem(field: str, expected: str, got: Any) -> dict[str, Any]:
    return {"field": field, "expected": expected, "got": "nothing" if got is None else describe(got)}
