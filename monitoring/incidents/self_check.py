"""What is wrong with the watch itself: no rows, no journal, a check that crashed. Pure.

A watch that cannot see is no pass. It raises an issue of its own, at once, and closes it with the next run
that can see. That it does not run at all, another robot has to notice: `python -m forge overdue`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from monitoring.charts.signals import Unknown
from monitoring.incidents.actions import Action, OpenAlert, PostComment, ResolveAlert
from monitoring.incidents.cause import new_causes_comment
from reporting.markdown import text

#: Begins the marker of an issue about the watch itself.
MARKER = "monitor:"
_TITLES = {
    "journal": "the journal cannot be read",
    "evidence": "the evidence of what is live cannot be read",
    "rows": "no rows arrive",
    "days": "no day can be judged",
    "checks": "a check crashed",
    "settings": "its settings cannot be used",
    "run": "a run did not come to its end",
}
_WHAT_TO_DO = {
    "journal": "See that the journal is where the watch looks for it (the variable `JOURNAL`, or `--journal`), and that its key may read it.",
    "evidence": "See that the release has all of its files: `make status` names it. Another model can go live meanwhile.",
    "rows": "See that the scorer answers (`/health`), that the website asks it, and that its journal is shipped here.",
    "days": "Do what is said above; the settings are in `checks/thresholds.toml`. Until then only counts are watched: rows, missing values, unseen categories, outcomes that arrive, errors.",
    "checks": "What is named was not judged, and the rest was. Look at the newest run: a mistake in the code? Please report it.",
    "settings": "Put the file right, by a pull request.",
    "run": "Look at the newest run on the Actions page, or type `make watch`. A mistake in the code: please report it.",
}


@dataclass(frozen=True)
class MonitoringFault:
    """One thing that is broken: its *kind*, and what there is to say.

    *causes* are words by cause, where one issue may have several that come one after another.
    """

    kind: str
    details: tuple[str, ...]
    causes: Mapping[str, str] = field(default_factory=dict)


def no_recent_rows(answered: str, live_since: str, now: datetime, days: float) -> list[MonitoringFault]:
    """Whether no row arrived for *days*: since the newest answer, or since the version went live."""
    newest = max(filter(None, (answered, live_since)), key=_time, default="")
    if not newest or now - _time(newest) <= timedelta(days=days):
        return []
    told = f"the newest answer is of {answered}" if answered else f"no answer since {live_since}, when it went live"
    return [MonitoringFault("rows", (f"{told}: more than {days:g} days ago",))]


def crashed_checks(unknown: Sequence[Unknown]) -> list[MonitoringFault]:
    """Whether a check crashed. One that has too little to go by yet did not."""
    found = {each.kind: f"{each.kind}: {each.why}" for each in unknown if each.crashed}
    return [MonitoringFault("checks", tuple(found.values()), found)] if found else []


def fault_issues(
    broken: Iterable[MonitoringFault], alerts: Sequence[Any], now: datetime, respect: float, whole: bool = True
) -> list[Action]:
    """Issues that open, are kept up to date and close. Of a run that was not *whole*, none closes.

    One that a person closed is left alone for *respect* days, unless a cause joins that it never had.
    """
    known = {each.kind: each for each in broken}
    of_marker = {alert.marker: alert for alert in alerts}
    found: list[Action] = []
    for kind, each in known.items():
        alert = of_marker.get(f"{MARKER}{kind}")
        notes, memory = announce_new(alert, each.causes, now)
        if notes or not _is_respected(alert, now, respect):
            title = f"The watch: {_TITLES[kind]}"
            found += [*notes, OpenAlert(f"{MARKER}{kind}", title, _body(each), memory)]
    if whole:
        found += [
            ResolveAlert(alert.marker, f"It is well again.\n\n{alert.body}", {}, "it is well again")
            for alert in alerts
            if alert.marker.startswith(MARKER)
            and alert.state == "open"
            and alert.marker.removeprefix(MARKER) not in known
        ]
    return found


def announce_new(alert: Any, causes: Mapping[str, str], now: datetime) -> tuple[list[Action], dict[str, Any]]:
    """The comment about *causes* that join an *alert*, and the alert's memory with all that were announced.

    An edit of the alert notifies nobody. No comment where the alert opens with them, which notifies by itself;
    nor for an alert that remembers none, from before they were noted.
    """
    if not causes:
        return [], {}
    # A robot closed it: it opens as a whole. A person may have edited the memory.
    kept = alert is not None and (alert.state == "open" or alert.by_hand)
    memory = alert.memory if kept else {}
    announced = memory.get("announced")
    before = [str(each) for each in announced] if isinstance(announced, list) else []
    since = str(memory.get("since") or f"{now:%Y-%m-%dT%H:%M:%SZ}")
    told = {"announced": [*dict.fromkeys((*before, *causes))], "since": since}
    new = {cause: words for cause, words in causes.items() if cause not in before}
    if not before or not new:
        return [], told
    marker = f"joined:{since}:{','.join(sorted(new))}"
    lines = [text(words) for words in new.values()]
    return [PostComment(alert.number, marker, new_causes_comment(lines, alert.state))], told


def fault_of(error: BaseException, kinds: Mapping[type[BaseException], str]) -> MonitoringFault:
    """What an *error* that ended a run says is broken; *kinds* names some, the first that fits."""
    kind = next((name for each, name in kinds.items() if isinstance(error, each)), "run")
    return MonitoringFault(kind, (f"{type(error).__name__}: {error}",))


def _is_respected(alert: Any, now: datetime, respect: float) -> bool:
    """Whether a person closed the *alert* less than *respect* days ago."""
    if alert is None or alert.state != "closed" or not (alert.by_hand and alert.closed_at):
        return False
    return now - _time(alert.closed_at) < timedelta(days=respect)


def _body(fault: MonitoringFault) -> str:
    lines = [f"- {text(words)}" for words in fault.details[:20]]
    return "\n".join(
        [
            f"**{_TITLES[fault.kind].capitalize()}.** That is no alarm about the model, and no pass either: it is not watched.",
            "",
            *lines,
            "",
            f"**What to do.** {_WHAT_TO_DO[fault.kind]} This closes itself with the next run that is whole.\n",
        ]
    )


def _time(words: str) -> datetime:
    found = datetime.fromisoformat(words)
    return found if found.tzinfo else found.astimezone()
