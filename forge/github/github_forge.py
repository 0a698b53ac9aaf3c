"""A forge on GitHub: releases, pull requests as proposals, issues as alerts.

All state is on GitHub; robots keep theirs in a hidden line of the bodies.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import requests

from forge.github.artifacts import file_of
from forge.github.assets import Assets
from forge.github.hidden_metadata import TITLE, body_of, one_line, parse_trusted
from forge.github.pulls import Pulls
from forge.github.repository_settings import Settings, read_settings
from forge.github.rest import MAX_WAIT, Rest, surely
from forge.github.robot_issues import (
    ACTIONS,
    LABEL,
    Trace,
    authors,
    carried_on,
    home_of,
    is_bare,
    is_labelled,
    recognise,
)
from forge.github.usage import Usage
from forge.interface import REPLY, Alert, Comment, ForgeError, Schedule
from forge.records import Meta

MAX_HISTORY_LINES = 50  # lines of an alert's history
#: How many closed issues without the label are read, newest changes first; robots restore the label within hours.
CLOSED = 100


class GitHubForge(Assets, Pulls):
    """The forge of the *repository* owner/name; reading a public one needs no *token*.

    *patience*: seconds that a command may wait for rate limits in all, beyond a minute for one request.
    *session* sends the requests; a new one by default.
    """

    def __init__(
        self,
        repository: str,
        token: str,
        api: str = "https://api.github.com",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        patience: float = MAX_WAIT,
        session: requests.Session | None = None,
    ) -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
            raise ForgeError(f"the forge is github:{repository}; expected github:OWNER/NAME")
        rest = Rest(repository, token, api, clock, sleep, patience, session)
        Assets.__init__(self, rest, clock)
        Pulls.__init__(self, rest)

    @surely
    def alert(self, marker: str, title: str, body: str, memory: Mapping[str, Any] | None = None) -> Alert:
        """Open, update or reopen the one alert with *marker*; an unchanged one is not written."""
        title = one_line(title, TITLE)
        found = home_of(marker, title, self._found())
        issue, known, text = (found.issue, found.meta, found.text) if found else (None, {}, "")
        meta = {"marker": marker, "history": known.get("history", []), "left": "open"}
        meta["memory"] = dict(known.get("memory", {}) if memory is None else memory)
        same = issue and (issue["state"], issue["title"], text) == ("open", title, body)
        if found and found.whole and same and known == meta:
            return _alert(issue, meta, text)
        word = "updated" if issue and issue["state"] == "open" else "opened again"
        line = f"{self._now()} {word if issue else 'opened'}: {title}"
        meta["history"] = [*meta["history"], line][-MAX_HISTORY_LINES:]
        fields = {"title": title, "body": body_of(meta, body)}
        if issue is None:
            issue = self._rest.write("POST", "issues", fields | {"labels": [LABEL]})
        else:
            self._label(issue)
            path = f"issues/{issue['number']}"
            issue = self._rest.write("PATCH", path, fields | {"state": "open"})
        return _alert(issue, meta, body)

    def resolve(self, marker: str, body: str, memory: Mapping[str, Any] | None = None) -> Alert | None:
        """Close the open alert with *marker*; None if there was none."""
        found = next((each for each in self._found() if each.meta["marker"] == marker), None)
        if found is None or found.issue["state"] != "open":
            return None
        self._label(found.issue)
        meta = found.meta | {"left": "closed"}
        meta["history"] = [*meta["history"], f"{self._now()} closed"][-MAX_HISTORY_LINES:]
        if memory is not None:
            meta["memory"] = dict(memory)
        return self._settle(found.issue["number"], meta, body)

    def alerts(self) -> list[Alert]:
        """All alerts, newest first, including those without their label or hidden line."""
        return [_alert(each.issue, each.meta, each.text) for each in self._found()]

    @surely
    def put_back(self) -> list[int]:
        """Restore labels and hidden lines of alerts, and close duplicates; returns their numbers."""
        every = recognise(self._issues(), self._rest.me)
        kept = carried_on(every)
        changed = []
        for each in kept:
            if not each.whole:
                number = each.issue["number"]
                self._label(each.issue)
                if each.issue["body"] != body_of(each.meta, each.text):
                    fields = {"body": body_of(each.meta, each.text)}
                    self._rest.write("PATCH", f"issues/{number}", fields)
                changed.append(number)
        goes_on = {each.meta["marker"]: each.issue["number"] for each in kept}
        for each in every:
            if each not in kept and each.issue["state"] == "open":
                number, other = each.issue["number"], goes_on[each.meta["marker"]]
                why = f"This duplicates #{other}, which stays open. Write commands there.\n"
                self._comment(number, "duplicate", why)
                self._rest.write("PATCH", f"issues/{number}", {"state": "closed"})
                changed.append(number)
        return changed

    def comments(self, number: int) -> list[Comment]:
        """People's comments on an alert, oldest first.

        A robot's comment without its hidden line counts as the answer to all comments before it, so that no command
        is carried out twice.
        """
        notes, every = self._comments(number), list(self._rest.pages(f"issues/{number}/comments"))
        found: list[Comment] = []
        for each in every:
            author = each["user"] or {"type": "User", "login": "ghost"}
            body = each["body"] or ""
            if author["type"] == "Bot" and is_bare(each) and self._is_robot_of(number, each, every):
                found = [replace(c, reply=body) if c.reply is None else c for c in found]
            elif author["type"] == "User" and "comment" not in parse_trusted(each, self._rest.me)[0]:
                _, reply = notes.get(f"{REPLY}{each['id']}", (0, None))
                found.append(Comment(each["id"], author["login"], each["created_at"], body, reply))
        return found

    @surely
    def note(self, number: int, marker: str, body: str) -> None:
        """Write or update the robots' one comment with *marker* on an alert."""
        self._comment(number, marker, body)

    @surely
    def say(self, number: int, body: str) -> None:
        """Comment on an alert, as a person; repeating the last comment does nothing."""
        *_, last = [None, *self._rest.pages(f"issues/{number}/comments")]
        by = (last["user"] or {}).get("login") if last else None
        if last is None or (by, last["body"]) != (self._rest.me(), body):
            self._rest.write("POST", f"issues/{number}/comments", {"body": body})

    @surely
    def set_state(self, number: int, state: Literal["open", "closed"]) -> None:
        """Close or reopen an alert, as a person."""
        self._rest.write("PATCH", f"issues/{number}", {"state": state})

    def may_write(self, person: str) -> bool:
        """Whether *person* may change the repository.

        A comment's `author_association` is not enough: members and collaborators may have read access only.
        """
        found = self._rest.get(f"collaborators/{person}/permission")
        return found is not None and found["permission"] in ("admin", "write")

    def schedule(self, name: str) -> Schedule | None:
        """Whether the workflow file *name* is enabled, and its last success."""
        workflow = self._rest.get(f"actions/workflows/{name}")
        if workflow is None:
            return Schedule(False, self._now(), ran=False)
        found = self._rest.get(f"actions/workflows/{name}/runs", status="success", per_page=1)
        runs = found["workflow_runs"] if found else []
        since = runs[0]["updated_at"] if runs else workflow["created_at"]
        return Schedule(workflow["state"] == "active", since, ran=bool(runs))

    def artifact(self, name: str, path: str) -> bytes | None:
        """The file *path* of the newest artifact *name* of the default branch's runs, if any."""
        return file_of(self._rest, name, path)

    def settings(self) -> Settings:
        """The repository's settings, as far as this token may read them."""
        return read_settings(self._rest)

    def usage(self) -> Usage:
        """What this month's runs used, and when the token expires."""
        return Usage(self._rest)

    def public(self) -> bool:
        """Whether anybody may read it."""
        return not self._rest.get("")["private"]

    def prove(self, version: str, folder: Path | None = None) -> None:
        """Nothing is demanded here; `VerifyingForge` demands it."""

    def origin(self) -> tuple[str, str]:
        """OWNER/NAME as GitHub spells it, and the ref of the default branch."""
        return str(self._rest.get("")["full_name"]), f"refs/heads/{self._rest.default_branch()}"

    @surely
    def _settle(self, number: int, meta: Meta, body: str) -> Alert:
        """Close an issue; doing it twice is harmless."""
        fields = {"state": "closed", "body": body_of(meta, body)}
        return _alert(self._rest.write("PATCH", f"issues/{number}", fields), meta, body)

    def _label(self, issue: Any) -> None:
        """Restore the label of alerts, beside the issue's others."""
        if not is_labelled(issue):
            names = [*(each["name"] for each in issue["labels"]), LABEL]
            self._rest.write("PUT", f"issues/{issue['number']}/labels", {"labels": names})

    def _is_robot_of(self, number: int, comment: Any, others: Iterable[Any]) -> bool:
        """Whether the author of *comment* is a robot that wrote the alert or a comment with a hidden line."""
        login = comment["user"]["login"]
        if login == ACTIONS or login in authors(others):
            return True
        issue = self._rest.get(f"issues/{number}") or {}
        return bool(login == (issue.get("user") or {}).get("login"))

    def _found(self) -> list[Trace]:
        """All alerts, newest first, one per marker."""
        return carried_on(recognise(self._issues(), self._rest.me))

    def _issues(self) -> list[Any]:
        """All issues with the label, all open ones, and those closed last."""
        last = {"state": "closed", "sort": "updated", "direction": "desc", "per_page": CLOSED}
        found = [
            *self._rest.pages("issues", labels=LABEL, state="all"),
            *self._rest.pages("issues", state="open"),
            *(self._rest.get("issues", **last) or ()),
        ]
        newest = {each["number"]: each for each in found}
        return [newest[number] for number in sorted(newest, reverse=True)]


def _alert(issue: Any, meta: Meta, body: str) -> Alert:
    number, state = issue["number"], issue["state"]
    return Alert(
        number,
        meta["marker"],
        issue["title"],
        body,
        state,
        tuple(meta["history"]),
        meta.get("memory", {}),
        state != meta.get("left", state),
        (issue["closed_at"] or "") if state == "closed" else "",
        f"#{number}",
    )
