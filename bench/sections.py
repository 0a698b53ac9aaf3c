"""Sections of BENCHMARKS.md: each benchmark writes one, between two marks, and does not change the others."""

from __future__ import annotations

from pathlib import Path

#: All sections, in their order.
SECTIONS = (
    "scorer",
    "before",
    "gate",
    "decision",
    "speed",
    "drill",
    "nights",
    "policy",
    "watch",
    "generated",
    "arrivals",
    "scale",
    "experiment",
    "delay",
    "online",
    "verification",
)
HEADING = "# Benchmarks\n\nEach part is written by the command that it names; nothing here is edited by hand.\n"


def put(path: Path, name: str, words: str) -> None:
    """Write the section *name* of the document at *path*; the others do not change.

    Raises ValueError for an unknown name.
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
