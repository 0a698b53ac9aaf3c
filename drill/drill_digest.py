"""A digest of everything that a drill's results depend on: with another digest, a run starts again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: The packages that train and judge the bundles.
PACKAGES = ("bundles", "checks", "contracts", "drill", "forge", "model", "reporting", "serve")


def identity(*parts: object, files: Iterable[Path] = (), root: Path = ROOT, packages: Iterable[str] = PACKAGES) -> str:
    """The digest of the code of *packages*, the locked libraries, *files* and the texts *parts*."""
    found = hashlib.sha256(repr(tuple(map(str, parts))).encode())
    code = [path for package in packages for path in (root / package).rglob("*.py")]
    for path in sorted({*code, *(root / "requirements").glob("*.txt"), *files}):
        found.update(f"{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
    return found.hexdigest()


def beside(recipe: Path) -> list[Path]:
    """The recipe, and the Python files in its folder, which the recipe may import."""
    return sorted(recipe.resolve().parent.glob("*.py"))
