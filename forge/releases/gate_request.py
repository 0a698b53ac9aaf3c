"""What the gate has to judge in a pull request: a candidate, a recipe, a rollback or nothing. Only reads files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from contracts.live_config import LIVE, Live, LiveError, moves, parse_live, readable
from forge.interface import Change, ForgeError

Subject = Literal["candidate", "recipe", "rollback", "nothing"]
#: A change of these may change the trained model.
TRAINING = ("model", "requirements/work.txt")
NONE = 'champion = "none"'


def subject(
    main: Path, proposal: Path, history: Sequence[Change], recipe: str, check: Callable[[Live, Live], Sequence[str]]
) -> Subject:
    """What the checkout *proposal* changes in the checkout *main*, whose live.toml has this *history*.

    A new champion in live.toml is a candidate to be judged, or a rollback if it was live before, which needs no
    verdict. *check* returns why changed slots cannot be served.

    Raises `LiveError` if live.toml cannot be read. Raises `ForgeError` with the problems of *check*; if live.toml and
    training both change, since one could hide the other; and if the candidate would replace another champion than the
    live one, as an entry of a merge queue may.
    """
    texts = [_text(folder) for folder in (main, proposal)]
    trains = any(_content(main / path) != _content(proposal / path) for path in (*TRAINING, recipe))
    if texts[0] == texts[1]:
        return "recipe" if trains else "nothing"
    if texts[1] is None:
        raise ForgeError(f"{LIVE} is not a regular file; to serve nothing, write {NONE}")
    before, after = _before(texts[0], history), parse_live(texts[1])
    if wrong := check(before, after):
        raise ForgeError(f"{LIVE} may not be merged: {'; '.join(wrong)}")
    was, now = before.champion, after.champion
    if was == now:
        return "recipe" if trains else "nothing"
    if trains:
        raise ForgeError(f"{LIVE} and the training change at once; open two pull requests")
    champions = [slot for _, slot in moves(history)]
    if not now or now in champions:
        return "rollback"
    if was != (champions[-1] if champions else None):
        raise ForgeError(
            f"{LIVE} would go from {was.version if was else 'nothing'} to {now.version}, but another"
            " model becomes live first. Queue this again after that merge"
        )
    return "candidate"


def changed(main: Path, proposal: Path) -> list[str]:
    """The files of a folder that differ, as FOLDER/FILE."""
    ours, theirs = _content(main), _content(proposal)
    names = sorted({*ours, *theirs})
    return [f"{main.name}/{name}" for name in names if ours.get(name) != theirs.get(name)]


def _text(folder: Path) -> str | None:
    """The text of live.toml in the checkout *folder*; None if there is no such file, or a link."""
    path = folder / LIVE
    if os.path.realpath(path) != str(folder.resolve() / LIVE) or not path.is_file():
        return None
    return path.read_bytes().decode(errors="replace")


def _before(text: str | None, history: Sequence[Change]) -> Live:
    """What *text* has live; if it cannot be read, the last readable state, which scorers keep."""
    try:
        return parse_live(text or "")
    except LiveError:
        return next((live for _, live in reversed(readable(history))), Live())


def _content(path: Path) -> dict[str, bytes]:
    """The files at *path*, a file or a folder, without compiled ones."""
    files = [path] if path.is_file() else [f for f in sorted(path.rglob("*")) if f.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files if "__pycache__" not in file.parts}
