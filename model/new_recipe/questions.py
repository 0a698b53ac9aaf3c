"""Which column is the target, the time and the key: asked in a terminal, else the one candidate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from model.new_recipe.column_roles import is_target
from model.new_recipe.outcome_times import DAYS

_WHAT = {
    "target": "Which column is to be predicted?",
    "time": "Which column is the time of the event?",
    "key": "Which column says who or what a row is about (a customer, a device)?",
    "known_at": "When is the outcome known: a column with the time, days such as 30d, or at once?",
}
#: A table may have no key, and outcomes that are known at once.
_OPTIONAL = ("key", "known_at")


def guessed(what: str, candidates: Sequence[str]) -> str:
    """The likeliest candidate; a target only if one column is called so."""
    if what == "target":
        candidates = [name for name in candidates if is_target(name)]
        return candidates[0] if len(candidates) == 1 else ""
    return candidates[0] if candidates else ""


def asking(
    columns: Sequence[str], read: Callable[[str], str], say: Callable[[str], None]
) -> Callable[[str, Sequence[str]], str]:
    """A choice by a person, who types the name of one of *columns*, or nothing for the likeliest one."""

    def choose(what: str, candidates: Sequence[str]) -> str:
        likeliest = candidates[0] if candidates else ""
        say(f"{_WHAT[what]} Columns: {', '.join(columns)}")
        while True:
            none = ", - for none" if what in _OPTIONAL else ""
            try:
                typed = read(f"{what}{none} [{likeliest or ('-' if none else '')}]: ").strip()
            except EOFError:
                return guessed(what, candidates)
            if typed == "-" and none:
                return ""
            if not typed and (likeliest or none):
                return likeliest
            if typed in columns or (what == "known_at" and DAYS.fullmatch(typed)):
                return typed
            say(f"there is no column {typed!r}")

    return choose
