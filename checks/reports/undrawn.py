"""A report that cannot be drawn: what is written in its place. The verdict is written all the same."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from checks.verdict import Verdict
from reporting.markdown import text


def or_undrawn(draw: Callable[[], str], undrawn: Callable[[Verdict, str], str], verdict: Verdict) -> str:
    """What *draw* returns, or what *undrawn* returns for the verdict and the reason if *draw* raises an error."""
    try:
        return draw()
    except Exception as error:  # manifests and data of any shape: the rules have judged them, drawing decides nothing
        return undrawn(verdict, f"{type(error).__name__}: {error}")


def undrawn_markdown(verdict: Verdict, why: str) -> str:
    """The verdict and what did not pass, with the reason *why* there is no more."""
    lines = [f"## {verdict.decision}", f"**{text(verdict.summary)}**", f"{_NO_MORE}: {text(why)}. {_WHERE}"]
    return "\n\n".join([*lines, *(f"- **{text(rule)}** {text(rest)}" for rule, rest in _failing(verdict))]) + "\n"


def undrawn_page(verdict: Verdict, why: str) -> str:
    """The same as an HTML page."""
    found = "".join(f"<li><b>{escape(rule)}</b> {escape(rest)}</li>" for rule, rest in _failing(verdict))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{verdict.decision}</title>'
        f"<h1>{verdict.decision}</h1><p>{escape(verdict.summary)}</p><p>{_NO_MORE}: {escape(why)}. {_WHERE}</p>"
        f"<ul>{found}</ul></html>\n"
    )


def unrecorded(_: Verdict, why: str) -> str:
    """That later verdicts do not find in the release notes what this one compared."""
    return f"\nWhat later verdicts read in this report could not be written: {text(why)}.\n"


_NO_MORE, _WHERE = "The report could not be drawn", "verdict.json has every finding."


def _failing(verdict: Verdict) -> list[tuple[str, str]]:
    return [(f.rule, f"{f.outcome}: {f.observed}") for f in verdict.findings if f.outcome != "PASS"]
