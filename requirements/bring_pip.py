"""Fetch pip from the package index, for a Python that came without it, as Debian's does.

    python3 requirements/bring_pip.py FOLDER

It prints the path of the wheel, from which pip runs. Which pip, and its digest: tools.txt.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import sys
import urllib.error
import urllib.request
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

LOCK = Path(__file__).with_name("tools.txt")
SETTINGS = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")


def index() -> str:
    """The address of the package index: as pip would have it."""
    found = os.environ.get("PIP_INDEX_URL") or os.environ.get("UV_DEFAULT_INDEX", "")
    settings = configparser.ConfigParser(interpolation=None)
    settings.read([Path(path).expanduser() for path in SETTINGS])
    found = found or settings.get("global", "index-url", fallback="https://pypi.org/simple")
    return found.rstrip("/") + "/"


def fetch(folder: Path, lock: str, address: str) -> Path:
    """The wheel of the pip in *lock*, from the index at *address*. Raises ValueError, OSError."""
    pin = re.search(r"^pip==(\S+)((?:\s+\\?\s*--hash=sha256:[0-9a-f]{64})+)", lock, re.MULTILINE)
    if pin is None:
        raise ValueError("tools.txt does not say which pip")
    name = f"pip-{pin[1]}-py3-none-any.whl"
    page = urljoin(address, "pip/")
    links = [unescape(link) for link in re.findall(r'href="([^"]+)"', _read(page).decode())]
    here = [link for link in links if urlsplit(link).path.endswith("/" + name) or link == name]
    if not here:
        raise ValueError(f"the package index has no {name}")
    wheel = _read(urljoin(page, here[0]))
    if hashlib.sha256(wheel).hexdigest() not in pin[2]:
        raise ValueError(f"{name} is not the file that tools.txt names by its digest")
    path = folder / name
    path.write_bytes(wheel)
    return path


def _read(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 -- the user's index
        content: bytes = answer.read()
        return content


if __name__ == "__main__":
    try:
        print(fetch(Path(sys.argv[1]), LOCK.read_text(), index()))
    except (ValueError, OSError) as error:
        sys.exit(f"error: pip could not be fetched: {error}; or type: apt-get install python3-venv")
