"""Where clients see the scorer, as a reverse proxy says it: `X-Forwarded-Prefix`, `-Proto`, `-Host`.

Anyone can send these headers. They are used only in the answer to the request that has them, and
only if there is one plain value; of several values none is used. Werkzeug's `ProxyFix` checks
neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from werkzeug.datastructures import Headers as Received

#: Characters of the longest prefix.
MAX_PREFIX_LENGTH = 200
#: No empty segment, so never another host (//host), and none of dots alone.
_PREFIX = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
Headers = Mapping[str, str] | Received


def prefix(headers: Headers) -> str:
    """The path that a proxy takes away before it asks, such as "/model"; "" if none is named."""
    value = headers.get("X-Forwarded-Prefix", "").removesuffix("/")
    return value if len(value) <= MAX_PREFIX_LENGTH and _PREFIX.fullmatch(value) else ""


def address(headers: Headers, scheme: str) -> str:
    """The scorer's URL without a slash at its end; *scheme* is that of the connection."""
    proto = headers.get("X-Forwarded-Proto", "")
    hosts = (headers.get("X-Forwarded-Host", ""), headers.get("Host", ""))
    host = next(filter(_HOST.fullmatch, hosts), "localhost")
    return f"{proto if proto in ('http', 'https') else scheme}://{host}{prefix(headers)}"
