"""Story -> one HTML page that needs no network and runs nothing: the control room. Pure.

Everything that comes from data, notes or people is escaped, and the page's own policy forbids it to load
or run anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from html import escape
from pathlib import Path

from monitoring.dashboard.dashboard_data import Story
from monitoring.dashboard.incidents_section import changes, experiments, incidents, judged
from monitoring.dashboard.metric_charts import performance, short, signals
from monitoring.dashboard.overview import first
from monitoring.dashboard.timeline import lanes, timeline

_STYLE = Path(__file__).with_name("dashboard.css").read_text(encoding="utf-8")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
#: Versions whose answers are drawn, a lane each; the newest.
LANES = 8


def page(story: Story) -> str:
    """The page, as one HTML document."""
    name = story.name or "no model yet"
    sections = [
        ("served", "What served when", _served(story)),
        ("incidents", "Incidents", incidents(story)),
        ("performance", "How well it did", performance(story)),
        ("charts", "What moved", signals(story)),
        ("experiments", "Experiments", experiments(story)),
        ("verdicts", "Gate verdicts", judged(story)),
        ("unread", "Could not be read", _list(story.notes)),
    ]
    sections = [each for each in sections if each[2]]
    links = "".join(f'<li><a href="#{mark}">{words}</a></li>' for mark, words, _ in sections)
    body = "".join(
        f'<section id="{mark}" aria-labelledby="{mark}-name"><h2 id="{mark}-name">{words}</h2>{inside}</section>'
        for mark, words, inside in sections
    )
    at = f" · as of {escape(story.told.at[:16].replace('T', ' '))} UTC" if story.told.at else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}: control room</title><style>{_STYLE}</style></head>"
        f'<body><header><p class="soft">Control room{at}</p><h1>{escape(name)}</h1></header>'
        f'<main>{first(story)}<nav aria-label="Sections"><ul>{links}</ul></nav>{body}</main>'
        f'<footer class="soft">Written by <code>python -m monitoring site</code> from'
        f" {escape(story.told.forge or 'a forge')}. It loads and runs nothing.</footer></body></html>\n"
    )


def _served(story: Story) -> str:
    styles = {version: number for number, version in enumerate(story.versions)}
    arms = timeline(story.spans, story.told.at, styles)
    if not arms:
        return (
            '<p class="empty">A lane for each arm (champion, challenger, anchor) appears here with the first release:'
            " <code>make retrain gate land</code>.</p>"
        )
    moves = [[m.at[:16].replace("T", " "), m.champion or "none", m.message] for m in story.moves[::-1]]
    answered = [version for version in story.versions if any(d.version == version for d in story.days)]
    rows = [
        (
            short(version),
            styles[version],
            [(date.fromisoformat(d.day), d.rows) for d in story.days if d.version == version],
        )
        for version in answered[-LANES:]
    ]
    told = "; ".join(f"{name} from {days[0][0]} to {days[-1][0]}" for name, _, days in rows)
    drawn = lanes("Rows answered by day, by the rows' own time", told, rows)
    none = (
        '<p class="empty">Rows by day appear here once the scorer has answered and the watch has looked:'
        " <code>make serve</code>, <code>make watch</code>.</p>"
    )
    return f'{arms}<div class="pair">{drawn or none}{changes(moves)}</div>'


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""
