"""The body of the current request and the live variants, for all routes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from flask import Response, current_app, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from bundles.bundle import Bundle
from serve.http.content_coding import unpack
from serve.http.responses import JSON, spell
from serve.http.strict_json import read_json
from serve.routes.column_rows import Fields
from serve.scoring.scorer import Scorer, must_be_live
from serve.scoring.validation import RequestError
from serve.traffic.split import Variant


def scorer_here() -> Scorer:
    """The scorer of the current application."""
    found: Scorer = current_app.extensions["tidegate"]
    return found


def json_response(value: Any, status: int = 200) -> Response:
    """A response with *value* as JSON."""
    return Response(spell(value), status, mimetype=JSON)


def json_here(scorer: Scorer) -> Any:
    """The parsed JSON of the current request."""
    return read_json(body_here(), scorer.deepest)


def body_here(*kinds: str) -> bytes:
    """The decompressed body of the current request; JSON, or one of the media types *kinds*.

    What looks like JSON is accepted as any media type (`curl -d` calls it a form), but not from a web
    page: some media types a browser sends without a CORS preflight. Raises `RequestError`.
    """
    try:
        body = request.get_data(cache=False)
    except ClientDisconnected as error:
        raise RequestError(400, "the body is shorter than its Content-Length") from error
    most = current_app.config["MAX_CONTENT_LENGTH"]
    if request.content_length is None and len(body) >= most:
        raise RequestEntityTooLarge  # Werkzeug cuts off a body without a length
    body = unpack(body, request.headers.get("Content-Encoding", ""), most)
    kind, from_a_page = request.mimetype, "Origin" in request.headers
    like_json = not kind or body.lstrip()[:1] in (b"", b"{", b"[")
    if not request.is_json and kind not in kinds and (from_a_page or not like_json):
        others = "".join(f", or {each}" for each in kinds)
        raise RequestError(415, f"the body is {kind or 'of no kind'}; send JSON, as Content-Type: {JSON}{others}")
    return body


def live_variants(scorer: Scorer) -> list[Variant]:
    """The live variants, the champion first; empty before the first release."""
    return scorer.follower.live.all()


def require_live(scorer: Scorer) -> list[Variant]:
    """The live variants. Raises `RequestError` 503 if there is none."""
    must_be_live(scorer.follower.live.bundle)
    return live_variants(scorer)


def versions(variants: Iterable[Variant]) -> list[str]:
    """The versions that answer requests, each once; a shadow does not."""
    return list(dict.fromkeys(variant.bundle.version for variant in variants if variant.name != "shadow"))


def fields_of(variants: Iterable[Variant]) -> Fields:
    """The fields that any of *variants* reads."""
    return Fields([variant.bundle.contract for variant in variants])


def age(bundle: Bundle, now: datetime) -> float | None:
    """Seconds since *bundle* was built; None if its manifest has no time."""
    made = bundle.manifest.get("build", {}).get("made_at")
    try:
        then = datetime.fromisoformat(str(made))
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (now - then).total_seconds())
