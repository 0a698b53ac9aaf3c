"""What is due since the last successful run of the workflow monitor. What cannot be found out counts as due."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

#: How often each is due, in hours: jobs of the workflow monitor, and other workflows.
JOBS = {"answer": 2, "watch": 2, "experiment": 12, "robots": 24, "drill": 168}
WORKFLOWS = {"release": 24, "pages": 6}


@dataclass(frozen=True)
class Known:
    """What decides: the last successful run, whether there is a journal, and the rest where it is asked for.

    *commands*: a comment since then begins with "/". *challenger*: live.toml has one. *pages*: they are published.
    *changed*: code, issues or proposals changed in the last hours of `WORKFLOWS`.
    """

    last: datetime | None
    journal: bool
    commands: bool
    challenger: bool
    pages: bool
    changed: bool


def due(now: datetime, known: Known) -> list[str]:
    """Names of `JOBS` and `WORKFLOWS` that are due at *now*, each once in its hours, counted from midnight UTC."""
    wanted = {
        "answer": known.commands,
        "watch": known.journal,
        "experiment": known.journal and known.challenger,
        "robots": True,
        "drill": True,
        "release": True,
        # The journal brings new days once a day.
        "pages": known.pages and (known.changed or (known.journal and _passed(known.last, now, 24))),
    }
    return [name for name, hours in (JOBS | WORKFLOWS).items() if wanted[name] and _passed(known.last, now, hours)]


def _passed(last: datetime | None, now: datetime, hours: int) -> bool:
    """Whether *now* lies in a later one of the day's parts of so many *hours* than *last*."""
    part = timedelta(hours=hours)
    start = datetime(2000, 1, 1, tzinfo=UTC)
    return last is None or (now - start) // part > (last - start) // part


def found(ask: Callable[[str], Any], now: datetime, live: Mapping[str, Any], variables: Mapping[str, str]) -> Known:
    """What GitHub's answers to *ask*, live.toml and the repository's *variables* say."""

    def answered(path: str, read: Callable[[Any], Any], otherwise: Any) -> Any:
        try:
            return read(ask(path))
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"::warning::{path.partition('?')[0]} could not be read, so what depends on it is due: {error}")
            return otherwise

    runs = "actions/workflows/monitor.yml/runs?status=success&event=schedule&per_page=1"
    last = answered(runs, lambda got: [datetime.fromisoformat(run["created_at"]) for run in got["workflow_runs"]], [])
    since = min([*last, now]).strftime("%Y-%m-%dT%H:%M:%SZ")
    commands = f"issues/comments?since={since}&per_page=100"
    earlier = min([*last, now - timedelta(hours=WORKFLOWS["pages"])]).strftime("%Y-%m-%dT%H:%M:%SZ")
    pages = variables.get("PAGES") == "on"
    return Known(
        last=last[0] if last else None,
        journal=bool(variables.get("JOURNAL")),
        commands=answered(commands, lambda got: len(got) >= 100 or any(_commands(each["body"]) for each in got), True),
        challenger="challenger" in live,
        pages=pages,
        changed=pages
        and any(
            answered(f"{what}since={earlier}&per_page=1", bool, True) for what in ("commits?", "issues?state=all&")
        ),
    )


def _commands(text: str | None) -> bool:
    return any(line.startswith("/") for line in (text or "").splitlines())


def outputs(names: Iterable[str]) -> str:
    """The lines of a step's outputs: a job's name with true or false, and the workflows to be started."""
    some = {*names}
    jobs = "".join(f"{name}={'true' if name in some else 'false'}\n" for name in JOBS)
    return f"{jobs}start={' '.join(name for name in WORKFLOWS if name in some)}\n"
