"""The scorer's HTTP interface: `create_app` gives the Flask application."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from bundles.bundle import Bundle
from serve.http.auth import Access
from serve.http.content_coding import CODINGS, CodingError
from serve.http.forwarded import prefix
from serve.http.responses import JSON, refusal
from serve.http.trace_context import echo
from serve.journal.writer import Journal
from serve.metrics import exporter
from serve.metrics.scorer_metrics import Metrics
from serve.release.bundle_copies import COPIES
from serve.release.correction_files import CorrectionFiles
from serve.release.follower import Follower
from serve.release.validation_cache import PROOF_TIMEOUT, ValidationCache
from serve.routes import open_inference, openapi, status_page
from serve.routes.live_models import body_here, json_here, json_response, scorer_here
from serve.routes.response_bodies import Ok, State
from serve.scoring.scorer import Scorer
from serve.scoring.validation import RequestError, read_rows
from serve.settings import Settings
from serve.traffic.shadow import Offers

ROUTES = "POST /score, POST /outcome, GET /ready, GET /health"

routes = Blueprint("scorer", __name__)


def create_app(
    store: Path,
    journal: Path,
    *,
    settings: Settings | None = None,
    follow_every: float | None = Settings.follow_every,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    metrics: Metrics | None = None,
    stopping: Callable[[], bool] = lambda: False,
    offers: Offers | None = None,
) -> Flask:
    """The application that serves the models in *store* and writes to *journal*.

    A thread checks the store every *follow_every* seconds; with None it is read once, and again when
    `follower.refresh()` is called. Create the application in the worker, after the fork. While *stopping* returns
    True, `/ready` answers "not ready", and rows are still scored. *offers* is the socket to the background process,
    which validates releases and scores for a shadow; without it, the application validates releases itself and has
    no shadow.
    """
    settings = settings or Settings(store=store, journal=journal)
    app = Flask("tidegate", static_folder=None)
    app.url_map.merge_slashes = False  # a redirect would leave out the path that a proxy adds
    app.config["MAX_CONTENT_LENGTH"] = settings.largest_body
    validated = ValidationCache(settings.proofs, core=settings.core == "auto")

    def load(folder: Path, digest: str) -> Bundle:
        # While no model is live, loading one delays no answer.
        return validated.load(folder, digest, PROOF_TIMEOUT if offers and follower.live.champion else 0.0)

    written = Journal(
        journal,
        clock,
        policy=settings.journal_policy,
        durable=settings.journal_fsync == "on",
        largest=settings.journal_segment_size,
        lasts=settings.journal_segment_seconds,
    )
    corrections = CorrectionFiles(store, clock, written.correction)
    follower = Follower(
        store, clock, load, copies=settings.proofs / COPIES, keeps=offers is None, corrections=corrections
    )
    scorer = Scorer(
        follower,
        written,
        clock,
        metrics,
        most_rows=settings.most_rows,
        deepest=settings.deepest,
        stopping=stopping,
        offers=offers,
    )
    access = Access(settings.tokens, settings.watch_tokens, settings.origins, settings.cors_headers)
    app.extensions["tidegate"], app.extensions["tidegate.access"] = scorer, access
    for part in (routes, open_inference.routes, status_page.routes, openapi.routes, exporter.routes):
        app.register_blueprint(part)
    app.before_request(_admit)
    app.after_request(_add_headers)
    app.register_error_handler(RequestError, _refused)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(HTTPException, _http)
    if follow_every is None:
        follower.refresh()
    else:
        follower.follow(follow_every)
        scorer.journal.keep_rolling()
    return app


@routes.post("/score")
def score_rows() -> Response:
    """Score one row (an object), or several rows together (a list)."""
    answers = scorer_here().score(body_here(), request.headers.get("traceparent", ""))
    return Response(answers, mimetype=JSON)


@routes.post("/outcome")
def record_outcomes() -> Response:
    """Record outcomes of rows that were scored before: `{"id": …, "outcome": …}`, or a list of them."""
    scorer = scorer_here()
    outcomes = read_rows(json_here(scorer), scorer.most_rows)
    return json_response(scorer.record_outcomes(outcomes), 202)


@routes.get("/health")
def health() -> Response:
    """Liveness: the process is up."""
    return json_response(Ok(ok=True))


@routes.get("/ready")
def ready() -> Response:
    """Readiness: what serves and since when, which releases were refused, and what the journal lost."""
    state = scorer_here().state()
    known = _access().may_monitor(request.headers.get("Authorization", ""))
    shown = state if known else msgspec.convert(state, State)
    return json_response(shown, 200 if state["ready"] else 503)


def _access() -> Access:
    found: Access = current_app.extensions["tidegate.access"]
    return found


def _admit() -> Response | None:
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        headers = _access().preflight(request.headers.get("Origin", ""))
        if headers:
            return Response(status=204, headers=headers)
    if request.method != "OPTIONS":
        _access().admit(request.path, request.headers.get("Authorization", ""))
    return None


def _add_headers(response: Response) -> Response:
    origin, trace = (request.headers.get(name, "") for name in ("Origin", "traceparent"))
    for name, value in [*echo(trace), *_access().headers(origin)]:
        if name not in response.headers:
            response.headers[name] = value
    return response


def _refused(error: RequestError) -> Response:
    found = refusal(error)
    answer = Response(found.body, found.status, mimetype=found.kind)
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = _access().challenge(request.path, prefix(request.headers))
    if error.status == 503:
        answer.headers["Retry-After"] = "1"
    if isinstance(error, CodingError):
        answer.headers["Accept-Encoding"] = CODINGS
    return answer


def _too_large(_: RequestEntityTooLarge) -> Response:
    most = current_app.config["MAX_CONTENT_LENGTH"]
    return _refused(RequestError(413, f"the body is larger than {most:,} bytes"))


def _http(error: HTTPException) -> Response:
    words: dict[int, str] = {
        404: f"there is no route {request.path}; the routes are {ROUTES}",
        405: f"{request.path} does not accept {request.method}; the routes are {ROUTES}",
        500: "the scorer failed; the reason is in its log",
    }
    code = error.code or 500
    described = "the request is not valid HTTP" if isinstance(error, BadRequest) else ""
    answer = _refused(RequestError(code, words.get(code) or described or str(error.description)))
    headers: dict[str, Any] = dict(error.get_headers())
    if "Allow" in headers:
        answer.headers["Allow"] = headers["Allow"]
    return answer
