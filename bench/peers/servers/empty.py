"""The floor: a WSGI application that reads the body and returns a constant."""

from collections.abc import Callable, Iterable
from typing import Any

BODY = b'{"score":0.5}\n'
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI: 200, and fourteen bytes."""
    environ["wsgi.input"].read()
    start("200 OK", HEADERS)
    return [BODY]
