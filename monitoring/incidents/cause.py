"""A cause of an incident, and the comment about causes that are new in one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from monitoring.incidents.incident_state import IncidentState
from reporting.markdown import text

Severity = Literal["page", "issue"]


@dataclass(frozen=True)
class Cause:
    """Signals of one kind and one owner that are outside their control limits for long enough to alert.

    *family* is the owner of the features, or the feature ("" for whole rows); *since* and *last* are the
    first and the newest day of the breach; *now* and *peak* are its size, as a multiple of the distance
    from the reference mean to the control limit.
    """

    kind: str
    severity: Severity
    family: str
    since: str
    last: str
    now: float
    peak: float
    summary: str

    @property
    def fingerprint(self) -> str:
        """Identifies the cause, whatever the day and the version."""
        return f"{self.severity}/{self.kind}/{self.family}"

    @property
    def short(self) -> str:
        """For a line of history."""
        owner = f" of {self.family}" if self.family else ""
        return f"{self.kind.replace('_', ' ')}{owner} {self.now:.1f} times the control limit"


def new_causes(before: IncidentState, causes: Sequence[Cause], state: str) -> list[Cause]:
    """The causes that people were not notified of since the incident last opened, or not as a page.

    An incident that does not record notifications has announced the causes it lists. One that was resolved
    automatically and reopens has announced none.
    """
    known = {*before.causes} if state == "closed" else {*(before.announced or before.causes)}
    pages = {name.partition("/")[2] for name in known if name.startswith("page/")}
    return [cause for cause in causes if cause.fingerprint not in known and f"{cause.kind}/{cause.family}" not in pages]


def describe(cause: Cause) -> str:
    """A line of Markdown."""
    return f"**{text(cause.kind.replace('_', ' '))}** ({cause.severity}): {text(cause.summary)}"


def new_causes_comment(lines: Sequence[str], state: str) -> str:
    """The comment that lists new causes as *lines* of Markdown: editing the issue notifies nobody."""
    heading = "Reopened: new since a person closed this incident:" if state == "closed" else "New in this incident:"
    return "\n".join([heading, "", *(f"- {line}" for line in lines), ""])
