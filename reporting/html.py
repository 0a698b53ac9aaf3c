"""HTML from the templates of this folder: everything that they are given is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reporting import svg

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
#: word -> how it is coloured, and the mark before it, which says the same without colour.
_MARKS = {
    "PROMOTE": ("good", "tick"),
    "HOLD": ("plain", "half"),
    "REJECT": ("bad", "cross"),
    "passes": ("good", "tick"),
    "fails": ("bad", "cross"),
    "could not be checked": ("bad", "question"),
    "inconclusive": ("plain", "half"),
    "page": ("bad", "alarm"),
    "issue": ("plain", "triangle"),
    "open": ("plain", "dot"),
    "closed": ("plain", "ring"),
    "merged": ("plain", "tick"),
    "published": ("good", "dot"),
    "withdrawn": ("bad", "cross"),
    "candidate": ("plain", "ring"),
    "running": ("plain", "half"),
    "wins": ("good", "tick"),
    "loses": ("bad", "cross"),
    "equivalent": ("plain", "equal"),
    "broken": ("bad", "alarm"),
}


def render(template: str, **values: object) -> str:
    """The *template* with *values*; a value that it names and does not get is an error."""
    return _TEMPLATES.get_template(template).render(values)


@dataclass(frozen=True)
class Chip:
    """A word with the mark and the colour of its meaning, or with those given: *tone* is good, bad or plain."""

    word: str
    tone: str = ""
    mark: str = ""

    def __html__(self) -> str:
        """For templates: already escaped."""
        tone, mark = _MARKS.get(self.word, ("plain", "ring"))
        return render("chip.html", word=self.word, tone=self.tone or tone, mark=svg.mark(self.mark or mark))


_TEMPLATES.filters["chip"] = Chip
_TEMPLATES.filters["minute"] = lambda time: str(time)[:16].replace("T", " ")


@dataclass(frozen=True)
class Table:
    """Text under *heads*. A template writes it as an HTML table that scrolls where the page is narrow."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __html__(self) -> str:
        """For templates: already escaped."""
        return render("table.html", table=self)


@dataclass(frozen=True)
class Figure:
    """A chart: its *svg*, a *caption*, a *note* that readers see, a *legend* of (mark, text), and its numbers."""

    caption: str
    svg: str
    table: Table
    note: str = ""
    legend: Sequence[tuple[str, str]] = ()

    def __html__(self) -> str:
        """For templates: the module `svg` has escaped the drawing and the marks, the template escapes the rest."""
        return render("figure.html", figure=self)

    __str__ = __html__
