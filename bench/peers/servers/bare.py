"""The scorer's own parent and workers, with an empty application in place of a worker's.

python bare.py --store DIR --journal DIR --port PORT   (the scorer's own flags)
"""

import os
import sys
import time
from typing import Any

from serve.__main__ import listen
from serve.http.server import Server
from serve.http.worker import Shared
from serve.settings import read_settings


class Empty:
    """Reads a request's body, and answers the same to each."""

    def __init__(self, _: Any, shared: Shared, __: Any, ___: int, number: int) -> None:
        os.setpgid(0, 0)
        self._shared, self._number = shared, number

    def __rsgi_init__(self, loop: Any) -> None:
        """Report that the worker is ready; there is no further health check."""
        self._shared.alive[self._number] = time.monotonic() + 3600

    async def __rsgi__(self, _: Any, proto: Any) -> None:
        """Answer a request."""
        await proto()
        proto.response_bytes(200, [("content-type", "application/json")], b"{}\n")


if __name__ == "__main__":
    settings = read_settings(sys.argv[1:], os.environ)
    with listen(settings.host, settings.port) as listener:
        Server(settings, listener, lambda: None, Empty).run()
