"""Recognise the robots' alerts among issues, also after people removed a label or edited a body or a title. Pure.

An alert has several traces: its label, hidden line, author, title and text. On a public repository anybody may
open an issue, but only those with write or triage access can change a robot's issue. So the author decides which of
the other traces are believed:

| hidden line | label | believed if its author is |
|---|---|---|
| yes | yes | a robot, a member, ourselves |
| yes | no | a robot, ourselves |
| no | yes | a robot; a known robot or ourselves if title or text name the alert |
| no | no | a known robot or ourselves, if title or text name the alert |

A known robot is GitHub Actions, or the author of another alert with its hidden line.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from forge.github.hidden_metadata import MEMBERS, parse_body, recover_metadata
from forge.interface import WATCH
from forge.records import Meta
from forge.releases.landing import INCIDENT

LABEL = "alert"
ACTIONS = "github-actions[bot]"
_GHOST = {"type": "User", "login": None}  # the author's account was deleted
_LOST = "lost-"
#: Titles, with the part of the marker they contain.
_TITLES = {
    re.compile(pattern): marker
    for pattern, marker in {
        r"Rolled back from (\S+)$": INCIDENT + "{}",
        r"The release (\S+) is not what main names$": INCIDENT + "changed:{}",
        r"(\S+) is live, its release is gone, and there is none": INCIDENT + "stuck:{}",
        r"(.+): .+ (?:moved|outside control limits) in the week of \d{4}-\d\d-\d\d$": "digest:{}",
        r"(.+): .+ since \d{4}-\d\d-\d\d(?: \(.*\))?$": WATCH + "{}:" + _LOST,
        r"Scorers: .+ (?:beyond|above) limits$": "service",
        r"(?:The watch|Monitoring): ": "monitor:" + _LOST,
        r"Experiment: (?:shadow|challenger) (\S+): ": "experiment:{}:" + _LOST,
        r"(\S+) (?:has not run to a good end for|is switched off)": "robot:{}",
    }.items()
}
#: Lines of the text with a part of the marker, for alerts whose title was edited.
_TEXTS = {
    re.compile(pattern, re.MULTILINE): marker
    for pattern, marker in {
        r"^`(\S+)` was live from .+ serves again\.": INCIDENT + "{}",
        r"has named `(\S+)` with .+ Its release has ": INCIDENT + "changed:{}",
        r"^- To keep `(\S+)`: ": INCIDENT + "stuck:{}",
        r"^\*\*(.+)\*\*, version <code>": WATCH + "{}:" + _LOST,
    }.items()
}


@dataclass(frozen=True)
class Trace:
    """An issue that is an alert; *whole*: it has its label and its hidden line."""

    issue: Any
    meta: Meta
    text: str
    whole: bool


def recognise(issues: Iterable[Any], me: Callable[[], str]) -> list[Trace]:
    """The alerts among *issues*, in their order. *me* returns our own login, "" for a robot.

    A robot's issue with the label but without a recognisable marker counts as an incident: no robot lands until a
    person has looked at it.
    """
    read = [
        (issue, issue["user"] or _GHOST, *recover_metadata(issue["body"]))
        for issue in issues
        if "pull_request" not in issue
    ]
    known = {by["login"] for _, by, meta, _ in read if by["type"] == "Bot" and "marker" in meta}
    known.add(ACTIONS)
    found = []
    for issue, by, left, text in read:
        robot, labelled = by["type"] == "Bot", is_labelled(issue)
        named = left.get("marker") or _named(issue, text)
        if "marker" in left:
            member = labelled and issue["author_association"] in MEMBERS
            believed = robot or member or by["login"] == me()
        else:
            believed = robot and labelled
            believed = believed or bool(named and (by["login"] in known or by["login"] == me()))
        if believed:
            meta = {"marker": named or f"{INCIDENT}{_LOST}{issue['number']}"} | left
            whole = labelled and parse_body(issue["body"])[0] == meta and "history" in meta
            found.append(Trace(issue, {"memory": {}, "history": []} | meta, text, whole))
    return found


def carried_on(found: Sequence[Trace]) -> list[Trace]:
    """One alert per marker: of several the oldest open one."""
    best: dict[str, Trace] = {}
    for each in sorted(found, key=lambda e: (e.issue["state"] != "open", e.issue["number"])):
        best.setdefault(each.meta["marker"], each)
    return [each for each in found if best[each.meta["marker"]] is each]


def home_of(marker: str, title: str, found: Sequence[Trace]) -> Trace | None:
    """The alert with *marker* among *found*; else one that lost its marker and matches.

    It matches by the same title, by the same kind and subject, or as an incident whose text is empty or names the same
    subject.
    """
    for each in found:
        if each.meta["marker"] == marker:
            return each
    subject = marker.rpartition(":")[2]
    for each in reversed(found):
        kind, lost, _ = each.meta["marker"].rpartition(_LOST)
        if not lost or each.issue["state"] != "open":
            continue
        same = each.issue["title"] == title or (kind.count(":") > 1 and marker.startswith(kind))
        if kind == INCIDENT == marker[: len(INCIDENT)]:
            text = f"{each.issue['title']}\n{each.text}"
            same = same or subject in text or not each.text.strip()
        if same and not marker.startswith(WATCH):  # monitoring finds those of its model itself
            return each
    return None


def is_labelled(issue: Any) -> bool:
    """Whether an issue has the label of alerts."""
    return LABEL in {each["name"] for each in issue["labels"]}


def is_bare(comment: Any) -> bool:
    """Whether a comment was edited and has no hidden line."""
    return not parse_body(comment["body"])[0] and comment.get("updated_at") != comment["created_at"]


def authors(comments: Iterable[Any]) -> set[str]:
    """The robots that wrote comments with a hidden line."""
    return {
        each["user"]["login"]
        for each in comments
        if each["user"] and each["user"]["type"] == "Bot" and "comment" in parse_body(each["body"])[0]
    }


def _named(issue: Any, text: str) -> str:
    """The marker by a title or a text; "" if neither has one."""
    title = issue["title"].strip()
    found = [(pattern.match(title), marker) for pattern, marker in _TITLES.items()]
    found += [(pattern.search(text), marker) for pattern, marker in _TEXTS.items()]
    for match, marker in found:
        if match:
            named = marker.format(*(html.unescape(each) for each in match.groups()))
            return named + (str(issue["number"]) if named.endswith(_LOST) else "")
    return ""
