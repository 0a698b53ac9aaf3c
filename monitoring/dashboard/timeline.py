"""Which version had which role when: bars drawn to scale, as values for the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.live_tables import ROLES
from monitoring.dashboard.live_spans import CORRECTIONS, Span
from reporting.html import Table
from reporting.svg import STYLES

#: Where the time since the last change is longer than that between the changes, the axis is cut after so much of it.
CUT_AFTER = 0.35


@dataclass(frozen=True)
class Bar:
    """A span: its colour, its place in percent of the axis, its texts, and whether a rollback ended it."""

    style: int
    left: float
    width: float
    label: str
    title: str
    is_open: bool
    is_rolled_back: bool = False


@dataclass(frozen=True)
class Timeline:
    """A lane of bars for each role, the texts at both ends of the axis, and the same as a table."""

    lanes: Mapping[str, Sequence[Bar]]
    first: str
    last: str
    table: Table


def timeline(spans: Sequence[Span], now: str, styles: Mapping[str, int]) -> Timeline | None:
    """The *spans* until *now*; None without any. *styles* has the number of each version's colour."""
    if not spans:
        return None
    first = min(_at(span.since) for span in spans)
    last = max(_at(time) for span in spans for time in (span.since, span.until) if time)
    end = max(_at(now), last) if now else last
    changing = (last - first).total_seconds() or 1.0
    whole = (end - first).total_seconds() or 1.0
    is_cut = whole > 2 * changing
    whole = changing * (1 + CUT_AFTER) if is_cut else whole

    def percent(time: str) -> float:
        past = (_at(time) - first).total_seconds() if time else whole
        return min(past / whole, 1.0) * 100

    def bar(span: Span) -> Bar:
        how = f", {span.how}" if span.how else ""
        label = span.version.rpartition("-")[2] + (f" · {span.how}" if span.how else "")
        back = f". {span.rolled_back}" if span.rolled_back else ""
        title = f"{span.role} {span.version}{how}: {_minute(span.since)} to {_minute(span.until) or 'now'}{back}"
        left, style = percent(span.since), styles.get(span.version, STYLES - 1) % STYLES
        return Bar(style, left, percent(span.until) - left, label, title, not span.until, bool(span.rolled_back))

    names = [*ROLES, *([CORRECTIONS] if any(span.role == CORRECTIONS for span in spans) else [])]
    lanes = {role: [bar(span) for span in spans if span.role == role] for role in names}
    rows = [
        [s.role, s.version, _minute(s.since), _minute(s.until) or "now", s.how or s.rolled_back] for s in spans[::-1]
    ]
    to = f"now, {end:%d %b %Y}" + (": not to scale after the last change" if is_cut else "")
    return Timeline(
        lanes, f"{first:%d %b %Y}", to, Table(["role", "version", "from", "until", "traffic, or how it ended"], rows)
    )


def _at(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")
