"""What a repository that runs itself has to look after: leftovers, and robots that went silent. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from forge.interface import Release, Schedule

#: What to do about a robot that went silent.
SILENT = """\
Look at its newest runs on the Actions page, and run it by hand there. GitHub also switches a schedule off
after 60 days without a commit, this watch's own with it: switch both on again there.
"""


def leftovers(releases: Iterable[Release], wanted: Collection[str], now: datetime, days: int) -> list[str]:
    """Candidates older than so many *days* that came to nothing; *wanted* are live or proposed."""
    return [
        release.version
        for release in releases
        if release.state == "candidate"
        and release.version not in wanted
        and datetime.fromisoformat(release.at) < now - timedelta(days=days)
    ]


def overdue(name: str, schedule: Schedule, now: datetime, days: float) -> str:
    """What is wrong with a robot that should have run within *days*; "" if nothing is."""
    if not schedule.enabled:
        return f"{name} is switched off, or is not there"
    since = now - datetime.fromisoformat(schedule.last_success)
    if since > timedelta(days=days):
        return f"{name} has not run to a good end for {since.days} days, since {schedule.last_success}"
    return ""
