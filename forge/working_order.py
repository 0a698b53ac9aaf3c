"""Whether what runs by itself is in working order: schedules, token, minutes, disk, what is live. Pure.

What could not be seen is "not checked", and never right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from forge.github.guardrails import Finding
from forge.github.repository_settings import Unseen
from forge.interface import Release, Schedule
from forge.maintenance import overdue

#: Scheduled workflows, and the days within which each has to have succeeded.
SCHEDULED = {"nightly.yml": 2.0, "monitor.yml": 2.0, "features.yml": 35.0}
#: Minutes of Actions that a private repository has free each month.
FREE = 2000
#: A token that expires sooner has to be renewed now; fewer bytes than these are too few.
EXPIRES_SOON, MIN_FREE_BYTES = timedelta(days=14), 2 * 2**30


def schedules(found: Mapping[str, Schedule | Unseen | None], now: datetime) -> list[Finding]:
    """A finding for each scheduled workflow."""
    made = []
    for name, schedule in found.items():
        days = SCHEDULED[name]
        what = f"{name} runs: it has succeeded within {days:g} days"
        if schedule is None or isinstance(schedule, Unseen):
            why = (
                schedule.why if schedule else "a folder has no schedules; look at what starts make there, such as cron"
            )
            made.append(Finding(what, "not checked", why))
        elif not schedule.ran:
            made.append(Finding(what, "not set", f"it has not succeeded yet: gh workflow run {name}"))
        elif wrong := overdue(name, schedule, now, days):
            made.append(Finding(what, "not set", f"{wrong}: gh workflow enable {name}, then gh workflow run {name}"))
        else:
            made.append(Finding(what, "set"))
    return made


def token(expires: datetime | Unseen, now: datetime) -> Finding:
    """The token of this command; *expires* is Unseen where GitHub does not say when."""
    what = f"the token of this command is valid for {EXPIRES_SOON.days} days or more"
    if isinstance(expires, Unseen):
        return Finding(what, "not checked", expires.why)
    if expires - now < EXPIRES_SOON:
        return Finding(
            what, "not set", f"it expires on {expires:%Y-%m-%d}: make another in Settings → Developer settings"
        )
    return Finding(what, "set")


def minutes(private: bool | Unseen, used: int | Unseen, now: datetime) -> Finding:
    """The minutes of Actions *used* this month, at least; they are limited for a *private* repository."""
    what = f"the workflows stay within {FREE:,} minutes of Actions this month"
    if isinstance(private, Unseen):
        return Finding(what, "not checked", private.why)
    if not private:
        return Finding("minutes of Actions are free for a public repository", "set")
    if isinstance(used, Unseen):
        return Finding(what, "not checked", used.why)
    pace = round(used * 31 / max(now.day, 3))  # the first days say little
    if max(pace, used) > FREE:
        step = f"{used:,} are used, which makes {pace:,} by its end: set the variable EVERY to 6 or 24"
        return Finding(what, "not set", step)
    return Finding(f"{what}: {used:,} used so far", "set")


def disk(where: str, free: int, total: int) -> Finding:
    """The disk of a folder, with *free* bytes of *total*."""
    what = f"the disk of {where} has room: {free / 2**30:.1f} of {total / 2**30:.0f} GiB are free"
    if free < min(MIN_FREE_BYTES, total / 10):
        return Finding(
            what, "not set", "remove what nothing reads any more: python -m forge tidy, python -m serve prune"
        )
    return Finding(what, "set")


def live(champion: str, problems: Sequence[str], targets: Sequence[str], releases: Sequence[Release]) -> list[Finding]:
    """What is served: live.toml, the release of the *champion*, and the *targets* of a rollback."""
    what = "live.toml names a champion that scorers can serve"
    if problems:
        first = Finding(what, "not set", f"{'; '.join(problems)}: python -m forge release")
    elif not champion:
        first = Finding(what, "not set", "nothing is live yet: make retrain gate land")
    elif champion not in [each.version for each in releases]:
        first = Finding(what, "not set", f"{champion} has no release: python -m forge restore STORE/bundles/{champion}")
    else:
        first = Finding(what, "set")
    back = "there is an earlier release to roll back to"
    second = Finding(back, "set") if targets else Finding(back, "not set", "there is none yet: make retrain gate land")
    return [first, second]
