"""Passwords and addresses that a recipe reads from `os.environ`: from `.env`, or on GitHub from the secret RECIPE_ENV.

Both hold lines NAME=value. Values are hidden in messages and in everything else that this process prints (warnings,
logging, the recipe's own output), so that no log and no bundle has them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any, TextIO, cast

#: The variable with the text of a `.env` file, which the workflows set from the secret of that name.
VARIABLE = "RECIPE_ENV"
#: Shorter values occur in other words: hiding them would make messages unreadable, and would protect nothing.
MIN_LENGTH = 6
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$")
_hidden: set[str] = set()


def set_secrets(environment: MutableMapping[str, str], folder: Path) -> None:
    """Add the secrets to *environment*; a name that has a value keeps it. On GitHub the runner is asked to hide them."""
    text = environment.get(VARIABLE, "")
    file = folder / ".env"
    if not text and file.is_file():
        text = file.read_text(encoding="utf-8")
    found = dict(_lines(text))
    for name, value in found.items():
        if not environment.get(name):
            environment[name] = value
    parts = {part for name in found for part in (environment[name], *_passwords(environment[name]))}
    new = {part for part in parts if len(part) >= MIN_LENGTH} - _hidden
    if environment.get("GITHUB_ACTIONS"):
        for value in sorted(new):
            print(f"::add-mask::{value}", flush=True)
    _hidden.update(new)
    if new:
        sys.stdout, sys.stderr = _hiding(sys.stdout), _hiding(sys.stderr)


class HidingStream:
    """The text *stream* with secrets hidden in what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write *text* with secrets hidden."""
        self._stream.write(hide(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def hide(text: str) -> str:
    """*text* with three asterisks in place of secrets."""
    for value in sorted(_hidden, key=len, reverse=True):
        text = text.replace(value, "***")
    return text


def _hiding(stream: TextIO) -> TextIO:
    return stream if isinstance(stream, HidingStream) else cast("TextIO", HidingStream(stream))


def _lines(text: str) -> Iterable[tuple[str, str]]:
    for line in text.splitlines():
        if line.lstrip().startswith("#") or not (found := _LINE.match(line)):
            continue
        name, value = found[1], found[2]
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        yield name, value[1:-1] if quoted else value


def _passwords(value: str) -> list[str]:
    """The password in an address: a driver's message may have it alone."""
    return re.findall(r"://[^/@\s]*?:([^/\s]+)@", value)
