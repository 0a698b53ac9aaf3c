"""What happened on which day, or from when to when: a mark or a bar each, drawn to scale."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from html import escape

from monitoring.dashboard.chart_svg import LEFT, RIGHT, STYLES, WIDTH, ends_of, figure, folded, swatch, table
from monitoring.dashboard.dashboard_data import ARMS, Span

#: After the last change an axis is cut where it would leave the changes no room.
LONGEST = 1.0
CUT = 0.35
#: Signs of a label that fit beside a row of marks.
LONGEST_LABEL = 28


def timeline(spans: Sequence[Span], now: str, styles: dict[str, int]) -> str:
    """A lane per arm, a bar per version that it had, until *now*; "" of nothing.

    *styles* has the number of each version's colour and hatch.
    """
    if not spans:
        return ""
    first = min(_at(span.since) for span in spans)
    last = max(_at(time) for span in spans for time in (span.since, span.until) if time)
    end = max(_at(now), last) if now else last
    told, cut = (last - first).total_seconds() or 1.0, False
    whole = (end - first).total_seconds() or 1.0
    if whole - told > LONGEST * told:
        whole, cut = told * (1 + CUT), True

    def share(time: str) -> float:
        past = (_at(time) - first).total_seconds() if time else whole
        return min(past / whole, 1.0) * 100

    rows = []
    for arm in ARMS:
        mine = [span for span in spans if span.arm == arm]
        bars = "".join(
            f'<li class="b{styles.get(span.version, 0) % STYLES}{" open" if not span.until else ""}"'
            f' style="left:{share(span.since):.2f}%;width:{share(span.until) - share(span.since):.2f}%"'
            f' title="{escape(_told(span), quote=True)}"><span>{escape(_short(span))}</span></li>'
            for span in mine
        )
        none = "" if mine else '<p class="soft">none</p>'
        rows.append(f'<div class="lane"><h4>{arm}</h4><ol>{bars}</ol>{none}</div>')
    to = f"now, {_day(end)}" + (": not to scale from the last change on" if cut else "")
    axis = f'<p class="axis"><span>{_day(first)}</span><span>{to}</span></p>'
    cells = [[s.arm, s.version, _time(s.since), _time(s.until) or "now", s.how] for s in spans[::-1]]
    below = folded(table(["arm", "version", "from", "until", "how much"], cells))
    return f'<div class="timeline" aria-hidden="true">{"".join(rows)}{axis}</div>{below}'


def _told(span: Span) -> str:
    how = f", {span.how}" if span.how else ""
    return f"{span.arm} {span.version}{how}: {_time(span.since)} to {_time(span.until) or 'now'}"


def _short(span: Span) -> str:
    return span.version.rpartition("-")[2] + (f" · {span.how}" if span.how else "")


def _at(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _day(time: datetime) -> str:
    return f"{time:%d %b %Y}"


def _time(text: str) -> str:
    return text[:16].replace("T", " ")


def grid(title: str, told: str, days: Sequence[str], rows: Sequence[tuple[str, str]]) -> str:
    """A row of marks per series (label, marks), one a day: ``#`` beyond, ``.`` within, else blank."""
    if not rows:
        return ""
    left, high = 172, 17
    cell = (WIDTH - left - 2) / max(len(days), 1)
    inside = []
    for number, (label, marks) in enumerate(rows):
        top = 4 + number * high
        inside.append(f'<text x="{left - 6}" y="{top + 11}" text-anchor="end">{escape(_fitting(label))}</text>')
        inside += [_mark(mark, left + i * cell, top, cell) for i, mark in enumerate(marks)]
    foot = 4 + len(rows) * high
    at = {date.fromisoformat(day): left + i * cell for i, day in enumerate(days)}
    inside += [
        f'<text x="{at[day]:.1f}" y="{foot + 13}" text-anchor="{anchor}">{day:%d %b}</text>'
        for day, anchor in ends_of(min(at), max(at))
        if day in at
    ]
    counts = [[label, str(marks.count("#")), str(sum(mark in "#." for mark in marks))] for label, marks in rows]
    legend = (
        f'<ul class="legend"><li>{swatch(_mark("#", 2, 1, 12))} beyond its limit</li>'
        f"<li>{swatch(_mark('.', 2, 1, 12))} within</li><li>blank: not judged</li></ul>"
    )
    return figure(
        title,
        told,
        "".join(inside),
        (WIDTH, foot + 20),
        legend + folded(table(["signal", "days beyond", "days judged"], counts)),
    )


def lanes(title: str, told: str, rows: Sequence[tuple[str, int, Sequence[tuple[date, int]]]]) -> str:
    """A lane per version (label, style, [(day, rows)]): a bar a day, as high as its rows."""
    bars = [bar for _, _, days in rows for bar in days]
    if not bars:
        return ""
    first, last = min(day for day, _ in bars), max(day for day, _ in bars)
    most, high = max(count for _, count in bars), 48
    step = (WIDTH - LEFT - RIGHT) / ((last - first).days + 1)
    inside = []
    for number, (label, style, days) in enumerate(rows):
        floor = (number + 1) * high
        inside.append(
            f'<text x="{LEFT}" y="{floor - high + 13}">{escape(label)}</text>'
            f'<path class="rule" d="M{LEFT} {floor}H{WIDTH - RIGHT}"/>'
        )
        for day, count in days:
            tall = max(1.5, count / most * (high - 20))
            at = LEFT + (day - first).days * step
            inside.append(
                f'<rect class="bar v{style % STYLES}" x="{at:.1f}" y="{floor - tall:.1f}"'
                f' width="{max(step - 1, 1):.1f}" height="{tall:.1f}"/>'
            )
    foot = len(rows) * high
    inside += [
        f'<text x="{LEFT + (day - first).days * step:.1f}" y="{foot + 16}" text-anchor="{anchor}">{day:%d %b}</text>'
        for day, anchor in ends_of(first, last)
    ]
    counts = [
        [label, f"{days[0][0]}", f"{days[-1][0]}", f"{sum(count for _, count in days):,}"] for label, _, days in rows
    ]
    below = folded(table(["version", "from", "to", "rows"], counts))
    return figure(title, told, "".join(inside), (WIDTH, foot + 22), below)


def _fitting(label: str) -> str:
    """As much of it as there is room for; the table has it whole."""
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


def _mark(mark: str, x: float, y: float, cell: float) -> str:
    """Beyond its limit: as high as the row; within: a dash."""
    wide = max(cell * 0.85, 1)
    if mark == "#":
        return f'<rect class="beyond" x="{x:.1f}" y="{y}" width="{wide:.1f}" height="13"/>'
    if mark == ".":
        return f'<rect class="within" x="{x:.1f}" y="{y + 6}" width="{wide:.1f}" height="1.5"/>'
    return ""
