"""A short cut past Flask's dispatch for the one hot route, `POST /score`.

It calls what the Flask view calls and answers the same bytes. What is not plain goes the other way.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from serve.access import Access
from serve.replies import JSON
from serve.scorer import Scorer
from serve.scoring import RequestError
from serve.trace import echo

#: A larger body is rare, and read by Flask, which knows the limits.
LARGEST = 64 * 2**10
#: Where an error of the short cut's is handed on.
FAILED = "tidegate.failed"
#: With one of these a request is not plain.
UNUSUAL = ("HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING", "HTTP_EXPECT")


class ShortCut:
    """A WSGI application in front of *ordinary*."""

    def __init__(
        self, ordinary: Callable[..., Iterable[bytes]], scorer: Scorer, access: Access, most: int
    ) -> None:
        self._ordinary, self._scorer, self._access = ordinary, scorer, access
        self._most = min(most, LARGEST)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """The answer to a plain `POST /score`; anything else goes to Flask."""
        said: Any = environ.get
        length = said("CONTENT_LENGTH") or ""
        if (
            (environ["PATH_INFO"], environ["REQUEST_METHOD"]) != ("/score", "POST")
            or not (length.isascii() and length.isdigit() and int(length) <= self._most)
            or any(name in environ for name in UNUSUAL)
            or ("HTTP_ORIGIN" in environ and said("CONTENT_TYPE") != JSON)
        ):
            return self._ordinary(environ, start)
        body, trace = environ["wsgi.input"].read(int(length)), said("HTTP_TRACEPARENT", "")
        try:
            if len(body) < int(length):
                raise RequestError(400, "the body is shorter than its Content-Length")
            self._access.admit("/score", said("HTTP_AUTHORIZATION", ""))
            told = self._scorer.score(body, trace)
        except Exception as error:
            # The view raises it again, and Flask's handlers say it: one place for every route.
            environ["wsgi.input"], environ[FAILED] = io.BytesIO(body), error
            return self._ordinary(environ, start)
        headers = [("Content-Type", JSON), ("Content-Length", str(len(told)))]
        start("200 OK", headers + echo(trace) + self._access.headers(said("HTTP_ORIGIN", "")))
        return [told]
