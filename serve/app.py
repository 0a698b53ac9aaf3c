"""The scorer's HTTP interface: `create_app` gives the Flask application."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from serve.bundle import Bundle
from serve.journal import Journal
from serve.router import Router
from serve.scoring import RequestError, read_json, read_outcomes, read_rows, score

LARGEST_BODY = 16 * 2**20
FOLLOW_EVERY = 0.5
#: The settings as JSON: a worker is a process of its own and is handed nothing else.
SETTINGS = "TIDEGATE_SERVE"
ROUTES = "POST /score, POST /outcome, GET /ready, GET /health"

routes = Blueprint("scorer", __name__)


def create_app(
    store: Path,
    journal: Path,
    *,
    follow_every: float | None = FOLLOW_EVERY,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Flask:
    """The application that answers from *store* and writes to *journal*.

    It follows the store from a thread of its own every *follow_every* seconds; with None it looks
    once, and again when `router.refresh()` is called. Make it after a fork, in the worker.
    """
    app = Flask("tidegate")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    router = Router(store, clock)
    app.extensions["tidegate"] = (router, Journal(journal, clock), clock)
    app.register_blueprint(routes)
    app.register_error_handler(RequestError, _refused)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(HTTPException, _http)
    if follow_every is None:
        router.refresh()
    else:
        router.follow(follow_every)
    return app


def from_environment() -> Flask:
    """The application with the settings that `python -m serve` was started with."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    settings = json.loads(os.environ[SETTINGS])
    return create_app(Path(settings["store"]), Path(settings["journal"]))


@routes.post("/score")
def score_rows() -> Response:
    """One object -> its answer; a list -> the answers, scored together."""
    found = read_json(_body())
    rows = read_rows(found)
    router, journal, _ = _parts()
    arm, bundle = router.arm("")
    bundle = _must_be_live(bundle)
    at = _now()
    answers = score(bundle, arm, rows, at)
    journal.answers([a.line(at) for a in answers], bundle.contract.private, bundle.contract.key)
    bodies = [answer.body(bundle.contract) for answer in answers]
    return _json(bodies if isinstance(found, list) else bodies[0])


@routes.post("/outcome")
def tell_outcomes() -> Response:
    """The truth about rows answered before: `{"id": …, "outcome": …}`, or a list of them."""
    told = read_rows(read_json(_body()))
    router, journal, _ = _parts()
    bundle = _must_be_live(router.live.bundle)
    at = _now()
    if not journal.outcomes([{**line, "at": at} for line in read_outcomes(bundle.contract, told)]):
        raise RequestError(503, "the journal cannot be written; send the outcomes again")
    return _json({"accepted": len(told)}, 202)


@routes.get("/health")
def health() -> Response:
    """The process is up."""
    return _json({"ok": True})


@routes.get("/ready")
def ready() -> Response:
    """Whether rows can be answered, by what since when; what was refused; what the journal lost."""
    router, journal, _ = _parts()
    live = router.live
    state = {
        "ready": live.bundle is not None,
        "version": live.bundle.version if live.bundle else None,
        "since": live.since or None,
        "refused": router.refused,
        "journal": journal.state(),
    }
    return _json(state, 200 if live.bundle else 503)


def _body() -> bytes:
    body = request.get_data(cache=False)
    if request.content_length is None and len(body) >= LARGEST_BODY:
        raise RequestEntityTooLarge  # Werkzeug cuts a body without a length off, and says nothing
    return body


def _parts() -> tuple[Router, Journal, Callable[[], datetime]]:
    parts: tuple[Router, Journal, Callable[[], datetime]] = current_app.extensions["tidegate"]
    return parts


def _end_with(parent: int) -> None:
    # A parent killed by force stops nobody: its workers would go on, and keep the port.
    while os.getppid() == parent:
        time.sleep(FOLLOW_EVERY)
    os._exit(1)


def _now() -> str:
    return _parts()[2]().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _must_be_live(bundle: Bundle | None) -> Bundle:
    if bundle is None:
        raise RequestError(503, "no model is live yet; GET /ready says why")
    return bundle


def _json(body: Any, status: int = 200) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")) + "\n"
    # A lone surrogate, which JSON can spell and UTF-8 cannot, goes back as it came.
    return Response(text.encode("utf-8", "backslashreplace"), status, mimetype="application/json")


def _refused(error: RequestError) -> Response:
    body: dict[str, Any] = {"error": error.words}
    if error.problems:
        body["problems"] = list(error.problems)
    return _json(body, error.status)


def _too_large(_: RequestEntityTooLarge) -> Response:
    return _json({"error": f"the body is larger than {LARGEST_BODY:,} bytes"}, 413)


def _http(error: HTTPException) -> Response:
    words = {
        404: f"there is nothing at {request.path}; there is {ROUTES}",
        405: f"{request.path} does not take {request.method}; there is {ROUTES}",
        500: "the scorer failed; its log says why",
    }
    code = error.code or 500
    answer = _json({"error": words.get(code, error.description)}, code)
    headers: Mapping[str, str] = dict(error.get_headers())
    if "Allow" in headers:
        answer.headers["Allow"] = headers["Allow"]
    return answer
