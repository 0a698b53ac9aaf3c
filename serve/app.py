"""The Flask application: which route calls what, and errors as JSON with a sentence each."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from serve.journal import stamp
from serve.scorer import Answer, Scorer

#: Bytes of a request's body.
LARGEST_BODY = 16 * 1024 * 1024
ROUTES = "POST /score, POST /outcome, GET /ready, GET /health"


def create_app(scorer: Scorer) -> Flask:
    """The application that answers with *scorer*; make both after a fork."""
    app = Flask("serve", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY

    @app.post("/score")
    def score() -> Response:
        return reply(scorer.score(request.get_data(cache=False)))

    @app.post("/outcome")
    def outcome() -> Response:
        return reply(scorer.outcome(request.get_data(cache=False)))

    @app.get("/ready")
    def ready() -> Response:
        return reply(readiness(scorer))

    @app.get("/health")
    def health() -> Response:
        return reply(Answer(200, {"up": True}))

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        return reply(Answer(error.code or 500, {"error": sentence(error)}), error)

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        app.logger.error("%s %s failed", request.method, request.path, exc_info=error)
        return reply(Answer(500, {"error": "the scorer failed; its log says why"}))

    return app


def readiness(scorer: Scorer) -> Answer:
    """What this process serves, since when, what it refused and what its journal lost."""
    arm, refused, lost = scorer.router.pick(), scorer.router.refused, scorer.journal.lost
    body = {
        "ready": arm is not None,
        "version": arm and arm.bundle.version,
        "since": arm and stamp(arm.since),
        "refused": refused and {"what": refused.what, "why": refused.why},
        "journal": {"lost": lost.lines, "why": lost.why},
    }
    return Answer(200 if arm else 503, body)


def reply(answer: Answer, error: HTTPException | None = None) -> Response:
    """The answer as JSON; the headers that an *error* brings (such as Allow) are kept."""
    # A lone surrogate, which JSON can spell and UTF-8 cannot, goes back as it came.
    text = json.dumps(answer.body, ensure_ascii=False) + "\n"
    response = Response(text.encode("utf-8", "backslashreplace"), answer.status)
    kept = [pair for pair in error.get_headers() if pair[0] != "Content-Type"] if error else []
    response.headers.extend(kept)
    response.mimetype = "application/json"
    return response


def sentence(error: HTTPException) -> str:
    """What a person reads of an error that Flask raises."""
    sentences: dict[int | None, Any] = {
        404: f"there is nothing at {request.path}; there is {ROUTES}",
        405: f"{request.path} does not take {request.method}; there is {ROUTES}",
        413: f"the body is too large; send at most {LARGEST_BODY // 1024**2} MB per request",
    }
    return str(sentences.get(error.code, f"{error.name}: {error.description}"))
