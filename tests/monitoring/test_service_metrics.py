"""Errors and latency, from what scorers count: between two looks."""

import http.server
import threading
from collections import Counter

import pytest

from contracts.release_policy import Rollback
from forge.local.folder_forge import LocalForge
from monitoring.incidents.auto_rollback import Alarm
from monitoring.incidents.forge_actions import handle_service_alarms
from monitoring.metrics.service_metrics import Counts, ServiceError, alarms_between, observe, parse_counts, scrape

pytestmark = pytest.mark.slow

RULES = Rollback("on", 48, 0.01, 250)
NEW = "20260303T0000-bbbbbbb"
TEXT = """\
# HELP tidegate_requests_total Requests, by route and status.
# TYPE tidegate_requests_total counter
tidegate_requests_total{route="/score",status="200"} 990
tidegate_requests_total{route="/outcome",status="200"} 5
tidegate_requests_total{route="/score",status="503"} 5
# TYPE tidegate_answer_seconds histogram
tidegate_answer_seconds_bucket{le="0.001"} 900
tidegate_answer_seconds_bucket{le="0.25"} 980
tidegate_answer_seconds_bucket{le="+Inf"} 990
tidegate_answer_seconds_sum 1.5
tidegate_answer_seconds_count 990
tidegate_score_bucket{version="x",arm="champion",le="0.5"} 400
"""


def counts(ok=0, wrong=0, fast=0, slow=0, beyond=0):
    seconds = {0.001: fast, 0.5: slow, float("inf"): beyond}
    return Counts(Counter({"200": ok, "503": wrong, "422": 5}), Counter(seconds))


def test_what_a_scorer_exposes_is_read():
    """Requests over all routes; buckets each for themselves."""
    found = parse_counts(TEXT)

    assert found.statuses == {"200": 995, "503": 5}
    assert found.seconds == {0.001: 900, 0.25: 80, float("inf"): 10}
    assert (found + found).statuses["200"] == 1990


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (counts(), counts(ok=1000, fast=1000), []),
        (counts(), counts(ok=990, wrong=10, fast=1000), []),
        (counts(), counts(ok=989, wrong=11, fast=1000), ["11 of 1,000 requests failed (1.1%; limit 1.0%)"]),
        (counts(wrong=500), counts(wrong=500, ok=1000), []),
        (counts(), counts(ok=50, wrong=40), []),
        (counts(), counts(fast=990, slow=10), []),
        (counts(), counts(fast=989, slow=11), ["p99 of 1,000 responses is up to 500 ms (limit 250 ms)"]),
        (counts(), counts(fast=989, beyond=11), ["p99 of 1,000 responses is beyond the last bucket (limit 250 ms)"]),
        (counts(), counts(slow=99), []),
        (counts(ok=900, wrong=90), counts(wrong=80), []),
        (counts(), Counts(), []),
    ],
    ids=[
        "well",
        "at the limit",
        "errors",
        "old errors",
        "few",
        "slow enough",
        "slow",
        "stuck",
        "few slow",
        "restarted",
        "nothing",
    ],
)
def test_only_what_came_between_two_looks_counts(before, after, words):
    """And only where enough requests came."""
    found = alarms_between(before, after, NEW, RULES)

    assert [each.details for each in found] == words
    assert {each.version for each in found} <= {NEW}


@pytest.fixture
def scorer():
    """Something that answers /metrics, and what it was asked with."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers.get("Authorization"))
            self.send_response(200 if self.path == "/metrics" else 404)
            self.end_headers()
            text = TEXT.replace('status="503"} 5', f'status="503"}} {5 + 500 * len(seen)}')
            self.wfile.write(text.encode() if self.path != "/other" else b"hello")

        def log_message(self, *_):
            pass

    seen = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def test_a_running_scorer_is_asked_twice(scorer, monkeypatch):
    """With its token, if it wants one."""
    address, seen = scorer
    monkeypatch.setenv("TIDEGATE_WATCH_TOKEN", "secret")
    (alarm,) = observe([f"{address}/metrics"], 0, NEW, RULES)

    assert (alarm.kind, alarm.details) == ("errors", "500 of 500 requests failed (100.0%; limit 1.0%)")
    assert seen == ["Bearer secret"] * 2


@pytest.mark.parametrize("address", ["{}/nowhere", "http://127.0.0.1:9/metrics", "file:///etc/passwd"])
def test_a_scorer_that_cannot_be_read_is_said(scorer, address):
    """It is no pass."""
    with pytest.raises(ServiceError, match="cannot be read|not the address"):
        scrape([address.format(scorer[0])])
    with pytest.raises(ServiceError, match="expected a scorer's /metrics"):
        parse_counts("hello")


class Noting(LocalForge):
    """A forge that keeps the comments of robots at hand."""

    notes: dict[str, str]

    def note(self, number, marker, body):
        self.notes[marker] = body
        super().note(number, marker, body)


@pytest.mark.parametrize("by_hand", [False, True])
def test_latency_that_joins_errors_is_one_comment(tmp_path, by_hand):
    """At every look from then on; an alert that a person closed opens again and says why."""
    forge = Noting(tmp_path / "forge")
    forge.notes = {}
    errors = Alarm("errors", "v", "5 of 200 requests failed")
    latency = Alarm("latency", "v", "p99 of 200 answers is up to 500 ms")

    for _ in range(2):
        handle_service_alarms(forge, [errors], RULES)
    assert forge.notes == {}
    if by_hand:
        forge.set_state(1, "closed")
    for _ in range(2):
        handle_service_alarms(forge, [errors, latency], RULES)
        (body,) = forge.notes.values()
        assert "- latency: p99 of 200 answers" in body
        assert "errors" not in body
        assert ("a person closed" in body) is by_hand
    (alert,) = forge.alerts()
    assert (alert.state, alert.title) == ("open", "Scorers: errors and latency above limits")

    handle_service_alarms(forge, [], RULES)
    handle_service_alarms(forge, [errors], RULES)
    assert len(forge.notes) == 1
