"""The floor: applications that read the body and say next to nothing, for granian's two interfaces."""

from collections.abc import Callable, Iterable
from typing import Any

BODY = b'{"score":0.5}\n'
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI: 200, and fourteen bytes."""
    environ["wsgi.input"].read()
    start("200 OK", HEADERS)
    return [BODY]


class Empty:
    """RSGI: the same."""

    async def __rsgi__(self, _scope: Any, proto: Any) -> None:
        await proto()
        proto.response_bytes(200, HEADERS, BODY)
