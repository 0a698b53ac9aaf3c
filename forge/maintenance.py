"""Maintenance: candidates to remove, and scheduled workflows that do not run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from forge.interface import Release, Schedule

#: What to do about a scheduled workflow that does not run.
SILENT = """\
Look at its newest runs on the Actions page, and run it by hand there. GitHub disables schedules after 60 days
without a commit, including the one of this check: enable both again there.
"""


def leftovers(releases: Iterable[Release], wanted: Collection[str], now: datetime, days: int) -> list[str]:
    """Candidates older than *days* that are not *wanted* (live or proposed)."""
    return [
        release.version
        for release in releases
        if release.state == "candidate"
        and release.version not in wanted
        and datetime.fromisoformat(release.at) < now - timedelta(days=days)
    ]


def overdue(name: str, schedule: Schedule, now: datetime, days: float) -> str:
    """Why the workflow *name* counts as not running: disabled, or no success within *days*; "" if it runs."""
    if not schedule.enabled:
        return f"{name} is switched off, or is not there"
    since = now - datetime.fromisoformat(schedule.last_success)
    if since > timedelta(days=days):
        return f"{name} has not run to a good end for {since.days} days, since {schedule.last_success}"
    return ""
