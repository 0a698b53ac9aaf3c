"""Events for other tools: a model promoted or rolled back, an alert opened or closed, posted to NOTIFY_URL.

The body is a CloudEvent in structured mode (CloudEvents 1.0, https://cloudevents.io), or a message of a chat. An event
that cannot be delivered is reported in the job's summary and changes nothing else: a rollback must not wait for a chat.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

import requests

from forge.interface import Alert, Forge, ForgeError
from forge.workflow_output import summary

Post = Callable[[str, Mapping[str, Any], Mapping[str, str]], None]
Kind = Literal["release.promoted", "release.rolled_back", "alert.opened", "alert.closed"]
_SECONDS = 10
_TITLES: dict[Kind, str] = {
    "release.promoted": "Model promoted",
    "release.rolled_back": "Model rolled back",
    "alert.opened": "Alert opened",
    "alert.closed": "Alert closed",
}


@dataclass(frozen=True)
class Event:
    """What happened to *subject*, a version or the number of an alert; *text* is one line."""

    kind: Kind
    subject: str
    text: str

    def line(self) -> str:
        """The event as one line for a person."""
        return f"{_TITLES[self.kind]}: {self.text}"


def cloud_event(event: Event, source: str, at: datetime, name: str) -> dict[str, Any]:
    """*event* as a CloudEvent; *name* is its id, unique for its *source*."""
    return {
        "specversion": "1.0",
        "id": name,
        "source": source,
        "type": f"tidegate.{event.kind}",
        "subject": event.subject,
        "time": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {"text": event.line()},
    }


def chat_message(event: Event, source: str) -> dict[str, Any]:
    """*event* for an incoming webhook of Slack, Mattermost or Google Chat."""
    return {"text": f"{event.line()} ({source})"}


def teams_card(event: Event, source: str) -> dict[str, Any]:
    """*event* for a Teams workflow that posts what its webhook receives: an adaptive card."""
    blocks = [
        {"type": "TextBlock", "weight": "bolder", "text": _TITLES[event.kind], "wrap": True},
        {"type": "TextBlock", "text": f"{event.text} ({source})", "wrap": True},
    ]
    card = {"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4"}
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "content": {**card, "body": blocks}}
    return {"type": "message", "attachments": [content]}


#: Names that NOTIFY_FORMAT may have.
FORMATS = ("cloudevents", "chat", "teams")


class Notifier:
    """Posts events to *url* in a *format*; *source* names the repository. Raises `ForgeError` for wrong settings."""

    def __init__(
        self,
        url: str,
        source: str,
        format: str = "cloudevents",  # noqa: A002 -- the name of the setting
        post: Post | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if format not in FORMATS:
            raise ForgeError(f"NOTIFY_FORMAT is {format!r}; expected one of {', '.join(FORMATS)}")
        if not url.startswith(("https://", "http://")):
            raise ForgeError("NOTIFY_URL is not an address; expected https://…")
        self._url, self._source, self._format = url, source, format
        self._post, self._clock = post or _post, clock

    def send(self, event: Event) -> None:
        """Deliver *event*, or say that it was not delivered."""
        try:
            self._post(self._url, *self._written(event))
        except requests.RequestException as error:
            # Not the error's text: it has the address, which is a secret.
            answer = error.response
            why = f"the answer was {answer.status_code}" if answer is not None else type(error).__name__
            print(f"warning: NOTIFY_URL was not reached ({why}): {event.line()}", file=sys.stderr)
            summary(f"⚠️ not sent to NOTIFY_URL ({why}): {event.line()}")

    def _written(self, event: Event) -> tuple[dict[str, Any], dict[str, str]]:
        """The body of *event*, and its headers."""
        if self._format == "chat":
            return chat_message(event, self._source), {"Content-Type": "application/json"}
        if self._format == "teams":
            return teams_card(event, self._source), {"Content-Type": "application/json"}
        body = cloud_event(event, self._source, self._clock(), str(uuid.uuid4()))
        return body, {"Content-Type": "application/cloudevents+json"}


class NotifyingForge:
    """*forge*, with an event for each release that it promotes or rolls back, and each alert that opens or closes.

    Repeating a write that changed nothing makes no event.
    """

    def __init__(self, forge: Forge, notifier: Notifier) -> None:
        self._forge, self._notifier = forge, notifier

    def __getattr__(self, name: str) -> Any:
        return getattr(self._forge, name)

    def _state(self, version: str) -> str | None:
        return next((each.state for each in self._forge.releases() if each.version == version), None)

    def publish(self, version: str, latest: bool = True) -> None:
        """Publish *version*."""
        was = self._state(version)
        self._forge.publish(version, latest)
        if was != "published":
            self._notifier.send(Event("release.promoted", version, f"{version} is live"))

    def withdraw(self, version: str, reason: str) -> None:
        """Quarantine *version*."""
        was = self._state(version)
        self._forge.withdraw(version, reason)
        if was == "published":
            first = reason.strip().partition("\n")[0]
            self._notifier.send(Event("release.rolled_back", version, f"{version}: {first}"))

    def alert(self, marker: str, title: str, body: str, memory: Mapping[str, Any] | None = None) -> Alert:
        """Open, update or reopen the one alert with *marker*."""
        was = any(each.marker == marker and each.state == "open" for each in self._forge.alerts())
        alert = self._forge.alert(marker, title, body, memory)
        if not was:
            self._notifier.send(Event("alert.opened", str(alert.number), f"{alert.number}, {title}"))
        return alert

    def resolve(self, marker: str, body: str, memory: Mapping[str, Any] | None = None) -> Alert | None:
        """Close the open alert with *marker*."""
        alert = self._forge.resolve(marker, body, memory)
        if alert:
            self._notifier.send(Event("alert.closed", str(alert.number), f"{alert.number}, {alert.title}"))
        return alert


def notifying(forge: Forge, source: str, settings: Mapping[str, str]) -> Forge:
    """*forge*, with events to the address of *settings*, if they have one. Raises `ForgeError` for wrong settings."""
    url = settings.get("NOTIFY_URL", "")
    if not url:
        return forge
    notifier = Notifier(url, source, settings.get("NOTIFY_FORMAT") or FORMATS[0])
    return cast("Forge", NotifyingForge(forge, notifier))


def _post(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    requests.post(url, json=body, headers=dict(headers), timeout=_SECONDS).raise_for_status()
