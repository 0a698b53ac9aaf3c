"""What a pull request asks the gate: to judge a candidate, a recipe, or nothing. Pure but for reading files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from forge import ForgeError
from forge.live import LIVE, champion_of

Subject = Literal["candidate", "recipe", "rollback", "nothing"]
#: A change of these may change what is learnt.
LEARNING = ("model", "requirements/work.txt")


def subject(main: Path, proposal: Path, champions: Sequence[str], recipe: str) -> Subject:
    """What the checkout *proposal* changes in the checkout *main*, of which *champions* were live.

    A live.toml that names another champion is a candidate to be judged, or a rollback if that was
    live before: going back is not held up by a verdict. Raises `LiveError` if it cannot be read,
    `ForgeError` if both what is live and what is learnt change (one would hide the other), and if the
    candidate would follow another champion than the live one, which it would be compared with: an
    entry of a merge queue comes after the entries before it.
    """
    before, after = (_champion(folder) for folder in (main, proposal))
    learns = any(_content(main / path) != _content(proposal / path) for path in (*LEARNING, recipe))
    if learns and after != before:
        raise ForgeError(f"{LIVE} and what is learnt change at once; make two pull requests of it")
    if after != before:
        if not after or after in champions:
            return "rollback"
        if before != (champions[-1] if champions else ""):
            raise ForgeError(
                f"{LIVE} would go from {before or 'nothing'} to {after}, and another model is live: what"
                " comes first changes it. Queue this again when that is merged"
            )
        return "candidate"
    return "recipe" if learns else "nothing"


def changed(main: Path, proposal: Path) -> list[str]:
    """The files of a folder that differ, each with the folder's name before it."""
    ours, theirs = _content(main), _content(proposal)
    names = sorted({*ours, *theirs})
    return [f"{main.name}/{name}" for name in names if ours.get(name) != theirs.get(name)]


def _champion(folder: Path) -> str:
    path = folder / LIVE
    return champion_of(path.read_text(encoding="utf-8")) if path.is_file() else ""


def _content(path: Path) -> dict[str, bytes]:
    """The files at *path*, a file or a folder; compiled ones do not count."""
    files = [path] if path.is_file() else [f for f in sorted(path.rglob("*")) if f.is_file()]
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in files
        if "__pycache__" not in file.parts
    }
