"""The scorer's own server, started just as the scorer starts it, with an empty application in it.

python bare.py --store DIR --journal DIR --port PORT   (the scorer's own flags)
"""

import sys
from types import SimpleNamespace
from typing import Any

from empty import Empty, application

from serve import worker
from serve.__main__ import main
from serve.front import Front
from serve.settings import Settings


def empty(settings: Settings, *_: Any) -> Any:
    """What answers, and who has nothing to close."""
    front = Front(application, Empty(), settings.largest_body, {})  # type: ignore[arg-type]
    return front, SimpleNamespace(close=lambda: None)


worker.application = empty

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
