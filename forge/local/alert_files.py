"""The alerts of a forge in a folder, and their comments."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal

from forge.interface import REPLY, Alert, Comment, ForgeError
from forge.records import Meta, Records

MAX_HISTORY_LINES = 50  # lines of an alert's history


class Board:
    """The part of a forge in the folder *root* that keeps alerts.

    *time* returns the time as text, *lock* the lock for writing.
    """

    def __init__(self, root: Path, time: Callable[[], str], lock: Callable[[], AbstractContextManager[None]]) -> None:
        self._time, self._lock = time, lock
        self._alerts = Records(root / "alerts")
        self._comments = Records(root / "comments")

    def alert(self, marker: str, title: str, body: str, memory: Mapping[str, Any] | None = None) -> Alert:
        """Open, update or reopen the one alert with *marker*; an unchanged one is not written."""
        with self._lock():
            found = self._alerts.find(marker=marker)
            meta, text = found or ({"number": self._alerts.new_number(), "history": []}, "")
            new = meta | {"marker": marker, "title": title, "state": "open", "left": "open"}
            new["memory"] = dict(meta.get("memory", {}) if memory is None else memory)
            if (new, body) != (meta, text):
                word = {None: "opened", "open": "updated", "closed": "opened again"}
                line = f"{self._time()} {word[meta.get('state')]}: {title}"
                new["history"] = [*meta["history"], line][-MAX_HISTORY_LINES:]
                self._alerts.put(new, body)
            return _alert(new, body)

    def resolve(self, marker: str, body: str, memory: Mapping[str, Any] | None = None) -> Alert | None:
        """Close the open alert with *marker*; None if there was none."""
        with self._lock():
            found = self._alerts.find(marker=marker, state="open")
            if found is None:
                return None
            meta = found[0] | {"state": "closed", "left": "closed", "closed_at": self._time()}
            meta["history"] = [*meta["history"], f"{self._time()} closed"][-MAX_HISTORY_LINES:]
            if memory is not None:
                meta["memory"] = dict(memory)
            self._alerts.put(meta, body)
            return _alert(meta, body)

    def alerts(self) -> list[Alert]:
        """All alerts, newest first."""
        return [_alert(*record) for record in self._alerts.all()]

    def put_back(self) -> list[int]:
        """Nothing to restore: a record without its hidden line is refused, with its path."""
        return []

    def comments(self, number: int) -> list[Comment]:
        """People's comments on an alert, oldest first."""
        here = [each for each in reversed(self._comments.all()) if each[0]["alert"] == number]
        notes = {meta["note"]: body for meta, body in here if "note" in meta}
        return [
            Comment(meta["number"], meta["author"], meta["at"], body, notes.get(f"{REPLY}{meta['number']}"))
            for meta, body in here
            if "note" not in meta
        ]

    def note(self, number: int, marker: str, body: str) -> None:
        """Write or update the robots' one comment with *marker* on an alert."""
        with self._changing_alert(number):
            found = self._comments.find(alert=number, note=marker)
            self._put_comment(number, body, found and found[0], note=marker, author="robot")

    def say(self, number: int, body: str) -> None:
        """Comment on an alert, as a person; repeating the last comment does nothing."""
        with self._changing_alert(number):
            found = self._comments.find(alert=number)
            if found is None or "note" in found[0] or found[1] != body:
                self._put_comment(number, body, None, author=_who())

    def set_state(self, number: int, state: Literal["open", "closed"]) -> None:
        """Close or reopen an alert, as a person."""
        with self._changing_alert(number) as (meta, body):
            if meta["state"] != state:
                closed = {"state": state, "closed_at": self._time()}
                self._alerts.put({"left": meta["state"]} | meta | closed, body)

    def may_write(self, person: str) -> bool:  # noqa: ARG002 -- see the protocol
        """Whether *person* may change the repository: here everybody may."""
        return True

    @contextmanager
    def _changing_alert(self, number: int) -> Iterator[tuple[Meta, str]]:
        with self._lock():
            found = self._alerts.find(number=number)
            if found is None:
                raise ForgeError(f"there is no alert {number}; python -m forge status lists them")
            yield found

    def _put_comment(self, number: int, body: str, known: Meta | None, **more: str) -> None:
        meta = known or {"number": self._comments.new_number(), "alert": number, "at": self._time()}
        self._comments.put(meta | more, body)


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "somebody"


def _alert(meta: Meta, body: str) -> Alert:
    number, state = meta["number"], meta["state"]
    return Alert(
        number,
        meta["marker"],
        meta["title"],
        body,
        state,
        tuple(meta["history"]),
        meta.get("memory", {}),
        state != meta.get("left", state),
        meta.get("closed_at", "") if state == "closed" else "",
        f"alert {number}",
    )
