"""DashboardData -> one HTML page that needs no network and runs nothing. Pure.

The template escapes everything that comes from data, notes or people, and the page's own policy forbids it to load or
run anything.
"""

from __future__ import annotations

from datetime import date

from monitoring.dashboard.dashboard_data import DashboardData
from monitoring.dashboard.day_charts import rows_by_day
from monitoring.dashboard.forge_entries import experiments, incidents, judged
from monitoring.dashboard.metric_charts import performance, short, signals
from monitoring.dashboard.overview import rollback_command, rollback_workflow, summary, tiles, unfollowed
from monitoring.dashboard.timeline import timeline
from reporting.html import Chip, Figure, Table, render

#: Versions whose rows by day are drawn, one below the other: the newest.
VERSIONS = 8


def page(data: DashboardData) -> str:
    """The page, as one HTML document."""
    styles = {version: number for number, version in enumerate(data.versions)}
    moves = [[m.at[:16].replace("T", " "), m.champion or "none", m.message] for m in data.moves[::-1]]
    return render(
        "dashboard.html",
        name=data.name or "no model yet",
        at=data.context.at,
        forge=data.context.forge,
        champion=data.roles.get("champion"),
        others=[span for role, span in data.roles.items() if role != "champion"],
        unfollowed=unfollowed(data),
        warning=Chip("Check that scorers follow", "bad", "alarm"),
        summary=summary(data),
        back=data.context.back,
        workflow=rollback_workflow(data),
        command=rollback_command(data),
        tiles=tiles(data),
        timeline=timeline((*data.spans, *data.corrections), data.context.at, styles),
        rows_by_day=_rows(data, styles),
        changes=Table(["when", "champion", "why"], moves),
        incidents=incidents(data),
        performance=performance(data),
        signals=signals(data),
        experiments=experiments(data),
        drill=data.context.drill,
        verdicts=judged(data),
        notes=data.notes,
    )


def _rows(data: DashboardData, styles: dict[str, int]) -> Figure | None:
    answered = [version for version in data.versions if any(d.version == version for d in data.days)]
    rows = [
        (
            short(version),
            styles[version],
            [(date.fromisoformat(d.day), d.rows) for d in data.days if d.version == version],
        )
        for version in answered[-VERSIONS:]
    ]
    return rows_by_day("Rows answered by day, by the rows' own time", rows)
