"""A cause of an incident, and the comment about causes that join one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from monitoring.incidents.incident_state import IncidentState
from reporting.markdown import text

Tier = Literal["page", "issue"]


@dataclass(frozen=True)
class Cause:
    """Something beyond its limits for long enough.

    *kind* is that of its signals, *family* the owner of its features, or the feature ("" for whole
    rows); *since* and *last* are the first and the newest day beyond; *now* and *peak* tell how far
    beyond, as a multiple of the way from usual to the limit.
    """

    kind: str
    tier: Tier
    family: str
    since: str
    last: str
    now: float
    peak: float
    summary: str

    @property
    def fingerprint(self) -> str:
        """The same on every day and for every version."""
        return f"{self.tier}/{self.kind}/{self.family}"

    @property
    def short(self) -> str:
        """For a line of history."""
        whose = f" of {self.family}" if self.family else ""
        return f"{self.kind.replace('_', ' ')}{whose} {self.now:.1f} times its limit"


def new_causes(before: IncidentState, causes: Sequence[Cause], state: str) -> list[Cause]:
    """The causes that an incident did not have, or not as a page, when people were last notified of it.

    An incident from before this was noted has announced what it knew. One that closed by itself and
    opens again is news as a whole.
    """
    known = {*before.causes} if state == "closed" else {*(before.announced or before.causes)}
    pages = {name.partition("/")[2] for name in known if name.startswith("page/")}
    return [cause for cause in causes if cause.fingerprint not in known and f"{cause.kind}/{cause.family}" not in pages]


def describe(cause: Cause) -> str:
    """A line of Markdown."""
    return f"**{text(cause.kind.replace('_', ' '))}** ({cause.tier}): {text(cause.summary)}"


def new_causes_comment(lines: Sequence[str], state: str) -> str:
    """The comment that names what has joined an incident, in *lines* of Markdown: an edit notifies nobody."""
    again = ", which a person closed and which is open again because of it" if state == "closed" else ""
    listed = [f"- {line}" for line in lines]
    return "\n".join([f"This has joined the incident{again}:", "", *listed, ""])
