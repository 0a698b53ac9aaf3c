"""Write the generated parts of the reference pages, or say which of them are out of date.

python -m docs.generate work|serve [--check]

A part of a page between `<!-- generated: NAME -->` and `<!-- end -->` is what the function NAME of
docs/generate/work_environment.py or serve_environment.py returns; each runs in the environment it is named after. The
text around it is written by hand.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from importlib import import_module
from pathlib import Path

PAGES = Path(__file__).parents[1] / "reference"
PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
#: Settings of the caller that would appear as defaults.
VARIABLES = ("FORGE", "RECIPE")


def main(arguments: list[str] | None = None) -> int:
    """Rewrite the pages; with --check only compare, and return 1 if one is out of date."""
    parser = argparse.ArgumentParser("python -m docs.generate")
    parser.add_argument("environment", choices=["work", "serve"])
    parser.add_argument("--check", action="store_true", help="change nothing")
    asked = parser.parse_args(arguments)
    for name in VARIABLES:
        os.environ.pop(name, None)
    parts = import_module(f"docs.generate.{asked.environment}_environment").PARTS
    stale = []
    for page in sorted(PAGES.glob("*.md")):
        old = page.read_text(encoding="utf-8")
        new = PART.sub(lambda found: _part(found, parts), old)
        if new != old:
            stale.append(page.name)
            if not asked.check:
                page.write_text(new, encoding="utf-8")
    if asked.check and stale:
        print(f"out of date: {', '.join(stale)}; type: make reference", file=sys.stderr)
        return 1
    return 0


def _part(found: re.Match[str], parts: dict[str, object]) -> str:
    make = parts.get(found[2])
    return f"{found[1]}\n{make()}\n{found[3]}" if callable(make) else found[0]


if __name__ == "__main__":
    sys.exit(main())
