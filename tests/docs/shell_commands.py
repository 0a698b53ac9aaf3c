"""Markdown -> the commands that a reader types."""

from __future__ import annotations

import re

BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
#: `make …` in a sentence, with the variables before it.
INLINE = re.compile(r"`((?:[A-Z]+=\S+ )*make [a-z][^`]*)`")


def commands_of(text: str) -> list[str]:
    """The lines of shell blocks without comments (a curl, with its body, is one command), and `make` in sentences."""
    found = []
    for block in BLOCK.findall(text):
        found += [block.strip()] if block.lstrip().startswith("curl") else block.splitlines()
    found += INLINE.findall(text)
    return [command for line in found if (command := line.split("  #")[0].strip())]
