"""The floor: applications that read the body and say next to nothing, for WSGI and for our server."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

BODY = b'{"score":0.5}\n'
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI: 200, and fourteen bytes."""
    environ["wsgi.input"].read()
    start("200 OK", HEADERS)
    return [BODY]


class Empty:
    """What stands where the scorer's short cut does: the same."""

    def takes(self, _request: Any) -> bool:
        """Everything."""
        return True

    def answers(self, requests: Sequence[Any]) -> list[tuple[bytes, bytes]]:
        """Headers and body of each."""
        return [(b"Content-Type: application/json\r\n", BODY)] * len(requests)
