"""The issues about online corrections: a model that needs a retrain below them, and corrections that stopped."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contracts.row_contract import Contract, Task
from monitoring.corrections.moved_slices import CURRENT, MovedSlice, moved_slices
from monitoring.corrections.recorded_corrections import RecordedCorrection, read_corrections
from monitoring.incidents.actions import Action, OpenAlert, ResolveAlert
from monitoring.journal.remote_files import journal_at
from reporting.markdown import code, text

MOVED, STOPPED = "moved", "stopped"
#: A slice is in the title up to this number.
NAMED = 2


def marker(model: str, kind: str) -> str:
    """The marker of the issue of a *kind* about *model*."""
    return f"corrections:{model}:{kind}"


def issues_now(args: argparse.Namespace, contract: Contract, days: int, alerts: Sequence[Any]) -> list[Action]:
    """What the journal's corrections of the last *days* call for; nothing in a run about past days.

    Raises `JournalError`.
    """
    if args.today:
        return []
    with journal_at(args.journal) as journal:
        history = read_corrections(journal, days, args.now)
    return correction_issues(contract, history, alerts, args.now)


def correction_issues(
    contract: Contract, history: Sequence[RecordedCorrection], alerts: Sequence[Any], now: datetime
) -> list[Action]:
    """Opens, updates and closes the issues of a model, by the *history* of its corrections, the oldest first.

    Without a recent correction nothing is changed: whether it is over is not known. An issue that a person closed is
    opened again only for a slice or a stop that it does not name.
    """
    if not history or now - history[-1].at > CURRENT:
        return []
    model, newest, moved = contract.name, history[-1], moved_slices(history, now)
    found: list[Action] = []
    by_marker = {alert.marker: alert for alert in alerts}
    wanted: dict[str, tuple[str, str, list[str]]] = {}
    if moved:
        wanted[MOVED] = moved_title(model, moved), moved_body(contract.task, moved), [each.name for each in moved]
    if newest.state == STOPPED:
        wanted[STOPPED] = f"{text(model)}: online corrections stopped", stopped_body(newest), [newest.version]
    for kind in (MOVED, STOPPED):
        alert = by_marker.get(marker(model, kind))
        if kind in wanted:
            title, body, names = wanted[kind]
            closed_by_person = alert is not None and alert.state == "closed" and alert.by_hand
            if not closed_by_person or not {*names} <= {*_names(alert)}:
                found.append(OpenAlert(marker(model, kind), title, body, {"names": names}))
        elif alert is not None and alert.state == "open":
            why = "no slice is moved for long" if kind == MOVED else f"the correction's state is {newest.state}"
            found.append(ResolveAlert(alert.marker, f"Resolved: {why}.\n\n{alert.body}", {}, why))
    return found


def moved_title(model: str, moved: Sequence[MovedSlice]) -> str:
    """What is moved, in one line."""
    names = ", ".join(text(each.name) for each in moved[:NAMED])
    more = f" and {len(moved) - NAMED} more" if len(moved) > NAMED else ""
    return f"{text(model)}: a retrain is due, corrections keep moving {names}{more}"


def moved_line(task: Task, each: MovedSlice) -> str:
    """One slice, by how much, and for how long."""
    unit = "standard deviations of the target" if task == "regression" else "on the logit"
    days = f"{each.days:.0f} days (since {each.since:%Y-%m-%d %H:%M} UTC)"
    return f"corrections have moved {text(each.name)} by {each.amount:+.2f} {unit} for {days}"


def moved_body(task: Task, moved: Sequence[MovedSlice]) -> str:
    """The body of the issue about slices that are moved."""
    retrained = any(each.retrained for each in moved)
    step = (
        "A retrain was released meanwhile and did not absorb it. Look at what the model does not see there: a feature that"
        " is missing, a training window that ends too early, outcomes that come late."
        if retrained
        else "Retrain: *Actions → nightly*, or `make retrain gate land`. The gate compares the new model."
    )
    return "\n".join(
        [
            "**Answers are corrected, and the model below them has decayed.** Nothing is down, this can wait until the day:",
            "online corrections compensate for it, within their limits. Without them these slices have wrong scores.",
            "",
            *(f"- {moved_line(task, each)}" for each in moved),
            "",
            f"**What to do:** {step} This issue closes when no slice is moved for long.\n",
        ]
    )


def stopped_body(newest: RecordedCorrection) -> str:
    """The body of the issue about a correction that stopped."""
    largest = sorted(newest.terms.items(), key=lambda term: -abs(term[1]))[:5]
    return "\n".join(
        [
            f"**Online corrections of {code(newest.version)} stopped: {text(newest.why)}.** Answers are the model's own",
            "scores. The limit protects decisions from outcomes that are wrong, and from a change that a person should see.",
            "",
            "Largest terms: "
            + (", ".join(f"{text(name)} {term:+.2f}" for name, term in largest if term) or "none")
            + ".",
            "",
            "**What to do:** compare the outcomes of these slices with their source.",
            "",
            "- They are wrong: repair the feed, then `python -m forge online off` until the wrong ones have been forgotten.",
            "- They are right: retrain (`make retrain gate land`). A new champion ends the stop; so do 24 hours of answers",
            "  within the limit.",
            "- The limit is too low: raise `max_flips` in `[online]` of `serve/live.toml`, by pull request.\n",
        ]
    )


def _names(alert: Any) -> list[str]:
    found = alert.memory.get("names")
    return [str(each) for each in found] if isinstance(found, list) else []
