"""A short cut past Flask's dispatch for the one hot route, `POST /score`.

It calls what the Flask view calls and answers the same bytes. What is not plain goes the other way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serve.access import Access
from serve.replies import JSON
from serve.request import Request
from serve.scorer import Scorer
from serve.trace import echo

#: A larger body is Flask's, in a thread: what is wrong with many rows takes the loop too long.
LARGEST = 8 * 2**10
#: Where in a WSGI environment an error of the short cut's is handed on.
FAILED = "tidegate.failed"
#: With one of these a request is not plain.
UNUSUAL = frozenset({b"transfer-encoding", b"content-encoding", b"expect"})
LOOKED_AT = (b"traceparent", b"origin", b"authorization")


class ShortCut:
    """Answers what is plain with *scorer*, to whom *access* lets; *most* is the largest body."""

    def __init__(self, scorer: Scorer, access: Access, most: int) -> None:
        self._scorer, self._access, self._most = scorer, access, min(most, LARGEST)

    def takes(self, request: Request) -> bool:
        """Whether it is a plain `POST /score`."""
        headers = request.headers
        return (
            (request.method, request.target) == (b"POST", b"/score")
            and request.size <= self._most
            and UNUSUAL.isdisjoint(headers)
            and (b"origin" not in headers or headers.get(b"content-type") == JSON.encode())
        )

    def answers(self, requests: Sequence[Request]) -> list[tuple[bytes, bytes] | Exception]:
        """Each answer's headers and body; or what was raised, for Flask to say."""
        found: list[Any] = [self._head(request.headers) for request in requests]
        admitted = [n for n, head in enumerate(found) if not isinstance(head, Exception)]
        told = self._scorer.scores([(requests[n].body, found[n][1]) for n in admitted])
        for n, body in zip(admitted, told, strict=True):
            found[n] = body if isinstance(body, Exception) else (found[n][0], body)
        return found

    def _head(self, headers: Mapping[bytes, bytes]) -> tuple[bytes, str] | Exception:
        """The answer's headers, and the trace, where the request is admitted."""
        trace, origin, token = [headers.get(name, b"").decode("latin-1") for name in LOOKED_AT]
        try:
            self._access.admit("/score", token)
        except Exception as error:
            return error
        lines = [("Content-Type", JSON), *echo(trace), *self._access.headers(origin)]
        return "".join([f"{name}: {value}\r\n" for name, value in lines]).encode("latin-1"), trace
