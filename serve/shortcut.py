"""A short cut past Flask's dispatch for the one hot route, `POST /score`.

It calls what the Flask view calls and answers the same bytes. What is not plain goes the other way.
"""

from __future__ import annotations

from collections.abc import Mapping

from serve.access import Access
from serve.replies import JSON
from serve.request import Request
from serve.scorer import Scorer
from serve.trace import echo

#: A larger body is read by Flask, in a thread of its own: all others wait for what is answered on
#: the loop, and what is wrong with each of many rows takes long to say.
LARGEST = 8 * 2**10
#: Where in a WSGI environment an error of the short cut's is handed on.
FAILED = "tidegate.failed"
#: With one of these a request is not plain.
UNUSUAL = frozenset({b"transfer-encoding", b"content-encoding", b"expect"})
_KIND = f"Content-Type: {JSON}\r\n".encode()


class ShortCut:
    """Answers what is plain with *scorer*, to whom *access* lets; *most* is the largest body."""

    def __init__(self, scorer: Scorer, access: Access, most: int) -> None:
        self._scorer, self._access, self._most = scorer, access, min(most, LARGEST)

    def takes(self, request: Request) -> bool:
        """Whether it is a plain `POST /score`."""
        headers = request.headers
        return (
            request.target == b"/score"
            and request.method == b"POST"
            and request.size <= self._most
            and UNUSUAL.isdisjoint(headers)
            and (b"origin" not in headers or headers.get(b"content-type") == JSON.encode())
        )

    def answer(self, headers: Mapping[bytes, bytes], body: bytes) -> tuple[bytes, bytes]:
        """The answer's headers and body. Raises what the scorer raises, for Flask to say."""
        trace, origin, token = (
            headers[name].decode("latin-1") if name in headers else ""
            for name in (b"traceparent", b"origin", b"authorization")
        )
        self._access.admit("/score", token)
        told = self._scorer.score(body, trace)
        lines = _KIND
        for name, value in echo(trace) + self._access.headers(origin):
            lines += f"{name}: {value}\r\n".encode("latin-1")
        return lines, told
