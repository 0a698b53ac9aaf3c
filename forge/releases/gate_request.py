"""What a pull request asks the gate: to judge a candidate, a recipe, or nothing. Pure but for reading files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from contracts.live_config import LIVE, Live, LiveError, moves, parse_live, readable
from forge.interface import Change, ForgeError

Subject = Literal["candidate", "recipe", "rollback", "nothing"]
#: A change of these may change what is learnt.
LEARNING = ("model", "requirements/work.txt")
NONE = 'champion = "none"'


def subject(
    main: Path, proposal: Path, history: Sequence[Change], recipe: str, check: Callable[[Live, Live], Sequence[str]]
) -> Subject:
    """What the checkout *proposal* changes in the checkout *main*, whose live.toml has this *history*.

    A live.toml that names another champion is a candidate to be judged, or a rollback if that was
    live before: going back is not held up by a verdict. *check* says why slots that were changed
    cannot be served. Raises `LiveError` if live.toml cannot be read, `ForgeError` with all that *check*
    says, if both what is live and what is learnt change (one would hide the other), and if the
    candidate would follow another champion than the live one, which it would be compared with: an
    entry of a merge queue comes after the entries before it.
    """
    texts = [_text(folder) for folder in (main, proposal)]
    learns = any(_content(main / path) != _content(proposal / path) for path in (*LEARNING, recipe))
    if texts[0] == texts[1]:
        return "recipe" if learns else "nothing"
    if texts[1] is None:
        raise ForgeError(f"{LIVE} is no regular file any more; to serve nothing: {NONE}")
    before, after = _before(texts[0], history), parse_live(texts[1])
    if wrong := check(before, after):
        raise ForgeError(f"{LIVE} may not be merged: {'; '.join(wrong)}")
    was, now = before.champion, after.champion
    if was == now:
        return "recipe" if learns else "nothing"
    if learns:
        raise ForgeError(f"{LIVE} and what is learnt change at once; make two pull requests of it")
    champions = [slot for _, slot in moves(history)]
    if not now or now in champions:
        return "rollback"
    if was != (champions[-1] if champions else None):
        raise ForgeError(
            f"{LIVE} would go from {was.version if was else 'nothing'} to {now.version}, and another"
            " model is live: what comes first changes it. Queue this again when that is merged"
        )
    return "candidate"


def changed(main: Path, proposal: Path) -> list[str]:
    """The files of a folder that differ, each with the folder's name before it."""
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
    """What *text* has live; where it cannot be read, what scorers went on with."""
    try:
        return parse_live(text or "")
    except LiveError:
        return next((live for _, live in reversed(readable(history))), Live())


def _content(path: Path) -> dict[str, bytes]:
    """The files at *path*, a file or a folder; compiled ones do not count."""
    files = [path] if path.is_file() else [f for f in sorted(path.rglob("*")) if f.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files if "__pycache__" not in file.parts}
