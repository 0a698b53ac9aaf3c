"""What a forge knows of a bundle: the file that describes it, and the digest that names its content."""

from __future__ import annotations

import json
from pathlib import Path

from forge import ForgeError

MANIFEST = "manifest.json"


def digest_in(bundle: Path) -> str:
    """The digest of the content of *bundle*, without who made it and when. Raises `ForgeError`."""
    try:
        return str(json.loads((bundle / MANIFEST).read_bytes())["digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ForgeError(f"{bundle} is not a bundle: {error!r}") from error
