"""BENCHMARKS.md in sections: each benchmark owns one, between two marks, and leaves the others alone."""

from __future__ import annotations

from pathlib import Path

#: The sections there may be, in the order in which they stand.
SECTIONS = ("scorer", "before", "gate", "speed", "drill", "watch", "arrivals", "scale", "experiment")
HEADING = "# Benchmarks\n\nEach part is written by the command that it names; nothing here is edited by hand.\n"


def put(path: Path, name: str, words: str) -> None:
    """Put the section *name* into the document at *path*, in its place; the others stay as they are.

    Raises ValueError for a name that is no section's.
    """
    if name not in SECTIONS:
        raise ValueError(f"{name!r} is not a section; sections are {', '.join(SECTIONS)}")
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = {each: inside for each in SECTIONS if (inside := _inside(text, each))}
    found[name] = words.strip("\n")
    parts = [f"{_begin(each)}\n{found[each]}\n{_end(each)}\n" for each in SECTIONS if each in found]
    path.write_text("\n".join([HEADING, *parts]), encoding="utf-8")


def _inside(text: str, name: str) -> str:
    _, begun, rest = text.partition(_begin(name))
    words, ended, _ = rest.partition(_end(name))
    return words.strip("\n") if begun and ended else ""


def _begin(name: str) -> str:
    return f"<!-- {name} -->"


def _end(name: str) -> str:
    return f"<!-- /{name} -->"
