"""The events of NOTIFY_URL, read by the SDK of CloudEvents."""

import json
from datetime import UTC, datetime

from forge.notifications import Event, cloud_event


def test_the_sdk_reads_an_event(module):
    """All attributes of the specification, and the data as JSON."""
    http = module("cloudevents.core.bindings.http")
    at = datetime(2026, 11, 3, 14, 5, tzinfo=UTC)
    event = Event("alert.opened", "7", "7, AUC is low")
    body = json.dumps(cloud_event(event, "https://github.com/o/n", at, "1")).encode()
    headers = {"content-type": "application/cloudevents+json"}
    read = http.from_http_event(http.HTTPMessage(headers=headers, body=body))
    assert (read.get_type(), read.get_subject(), read.get_time()) == ("tidegate.alert.opened", "7", at)
    assert read.get_data() == {"text": "Alert opened: 7, AUC is low"}
