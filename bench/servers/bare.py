"""The floor's server: granian just as the scorer starts it, with an empty application in it.

python bare.py --store DIR --journal DIR --port PORT   (the scorer's own flags)
"""

import sys
from typing import Any

from empty import Empty

import serve.__main__ as scorer

scorer.application = lambda *_: Empty()  # type: ignore[attr-defined,assignment]


def main() -> Any:
    """Serve until told to stop."""
    return scorer.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
