"""Events that NOTIFY_URL receives, and that a failed delivery changes nothing."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from forge.interface import ForgeError
from forge.local.folder_forge import LocalForge
from forge.notifications import Event, Notifier, NotifyingForge, chat_message, cloud_event, notifying, teams_card
from forge.opening import open_forge

AT = datetime(2026, 11, 3, 14, 5, tzinfo=UTC)
PROMOTED = Event("release.promoted", "20260101T0000-aaaaaaa", "20260101T0000-aaaaaaa is live")


class Releases:
    """Stands in for the releases of a forge: their states by version."""

    def __init__(self, **states: str) -> None:
        self.states = states

    def releases(self):
        return [SimpleNamespace(version=version, state=state) for version, state in self.states.items()]

    def publish(self, version, latest=True):
        self.states[version] = "published"

    def withdraw(self, version, reason):
        self.states[version] = "withdrawn"


@pytest.fixture
def sent():
    return []


@pytest.fixture
def notifier(sent):
    return Notifier("https://events.test/x", "here", "chat", post=lambda _, body, __: sent.append(body["text"]))


def test_a_cloud_event_has_the_attributes_that_the_specification_requires():
    found = cloud_event(PROMOTED, "https://github.com/o/n", AT, "1")
    assert found == {
        "specversion": "1.0",
        "id": "1",
        "source": "https://github.com/o/n",
        "type": "tidegate.release.promoted",
        "subject": "20260101T0000-aaaaaaa",
        "time": "2026-11-03T14:05:00Z",
        "datacontenttype": "application/json",
        "data": {"text": "Model promoted: 20260101T0000-aaaaaaa is live"},
    }


def test_messages_for_a_chat_name_the_repository():
    assert chat_message(PROMOTED, "o/n") == {"text": "Model promoted: 20260101T0000-aaaaaaa is live (o/n)"}
    assert "o/n" in json.dumps(teams_card(PROMOTED, "o/n"))


def test_a_release_that_is_promoted_or_rolled_back_is_sent_once(notifier, sent):
    forge = NotifyingForge(Releases(a="candidate", b="candidate"), notifier)
    forge.publish("a")
    forge.publish("a", latest=False)
    forge.withdraw("b", "never live")
    forge.withdraw("a", "Withdrawn: scores too low\nmore")
    forge.withdraw("a", "Withdrawn: scores too low\nmore")
    assert sent == ["Model promoted: a is live (here)", "Model rolled back: a: Withdrawn: scores too low (here)"]


def test_a_version_that_is_live_again_is_promoted(notifier, sent):
    forge = NotifyingForge(Releases(a="withdrawn"), notifier)
    forge.publish("a")
    assert sent == ["Model promoted: a is live (here)"]


def test_an_alert_is_sent_when_it_opens_and_when_it_closes(tmp_path, notifier, sent):
    forge = NotifyingForge(LocalForge(tmp_path), notifier)
    forge.alert("watch:auc", "AUC is low", "body")
    forge.alert("watch:auc", "AUC is lower", "another body")
    forge.resolve("watch:auc", "well")
    forge.resolve("watch:auc", "well")
    forge.alert("watch:auc", "AUC is low again", "body")
    assert sent == [
        "Alert opened: 1, AUC is low (here)",
        "Alert closed: 1, AUC is lower (here)",
        "Alert opened: 1, AUC is low again (here)",
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.ConnectionError("https://events.test/secret"), "ConnectionError"),
        (requests.Timeout("https://events.test/secret"), "Timeout"),
        (requests.exceptions.InvalidURL("https://events.test/secret"), "InvalidURL"),
    ],
)
def test_an_event_that_cannot_be_delivered_is_said_without_its_address(error, said, capsys, tmp_path):
    def post(*_):
        raise error

    forge = NotifyingForge(LocalForge(tmp_path), Notifier("https://events.test/secret", "here", post=post))
    assert forge.alert("watch:auc", "AUC is low", "body").state == "open"
    err = capsys.readouterr().err
    assert said in err
    assert "AUC is low" in err
    assert "secret" not in err


def test_an_address_receives_cloud_events(tmp_path, monkeypatch):
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.headers["Content-Type"], json.loads(body)))
            self.send_response(500 if len(received) > 1 else 204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("NOTIFY_URL", f"http://127.0.0.1:{server.server_port}/events")
        forge = open_forge(str(tmp_path))
        forge.alert("watch:auc", "AUC is low", "body")
        forge.resolve("watch:auc", "well")
        server.shutdown()
        thread.join()

    kinds = [(content_type, body["type"]) for content_type, body in received]
    assert kinds == [
        ("application/cloudevents+json", "tidegate.alert.opened"),
        ("application/cloudevents+json", "tidegate.alert.closed"),
    ]
    assert received[0][1]["source"] == str(tmp_path)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"NOTIFY_URL": "events.test"}, "expected https"),
        ({"NOTIFY_URL": "https://events.test", "NOTIFY_FORMAT": "slack"}, "expected one of cloudevents, chat, teams"),
    ],
)
def test_wrong_settings_are_refused(settings, said, tmp_path):
    with pytest.raises(ForgeError, match=said):
        notifying(LocalForge(tmp_path), "here", settings)


def test_without_an_address_the_forge_is_the_plain_one(tmp_path: Path) -> None:
    forge = LocalForge(tmp_path)
    assert notifying(forge, "here", {"NOTIFY_URL": "", "NOTIFY_FORMAT": "slack"}) is forge
