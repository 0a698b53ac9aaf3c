"""Automatic rollback on a local forge, with the evidence in the incident."""

import http.server
import json
import shutil
import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from contracts.live_config import LIVE, Live, parse_live, with_champion
from forge.local.folder_forge import LocalForge
from monitoring.__main__ import NO_WATCH, OK, main
from monitoring.incidents.expected_causes import PATH, ExpectedCause, write_expected
from tests.monitoring.conftest import answered, measure_once, write
from tests.monitoring.test_service_history import line
from tests.monitoring.test_service_history import write as write_counts

pytestmark = pytest.mark.slow

OLD = "20260101T0000-aaaaaaa"
#: The forge's commits are made now, and the watch judges the whole days before now.
TODAY = datetime.now(UTC).date()
SIX_DAYS = TODAY - timedelta(days=6)


@pytest.fixture
def buys(made):
    return made("binary")


@pytest.fixture
def forge(tmp_path, buys):
    """An older version was live, and the bundle is since a moment ago."""
    forge = LocalForge(tmp_path / "forge")
    older = tmp_path / "older"
    shutil.copytree(buys.folder, older)
    manifest = json.loads((older / "manifest.json").read_text())
    (older / "manifest.json").write_text(json.dumps(manifest | {"version": OLD}))
    for version, folder in ((OLD, older), (buys.bundle.version, buys.folder)):
        forge.upload(version, folder)
        live = with_champion(Live(), version, buys.bundle.digest).to_toml()
        forge.propose("retrain", version, "", {LIVE: live})
        forge.status("retrain", True, "good")
        forge.merge("retrain", version)
        forge.publish(version)
    return forge


@pytest.fixture
def watch(forge, journal, root, tmp_path, monkeypatch):
    """What a person types, with automatic rollback on or off."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)  # where these tests run in a workflow
    rules = (root / "checks/thresholds.toml").read_text()
    places = ["--forge", str(forge.root), "--journal", str(journal), "--out", str(tmp_path / "o")]

    def watch(*words, automatic="on"):
        path = tmp_path / "rules.toml"
        path.write_text(rules.replace('automatic = "off"', f'automatic = "{automatic}"'))
        return main(["watch", *places, "--rules", str(path), *words], measuring=measure_once)

    return watch


@pytest.fixture
def scorer():
    """One whose requests all fail."""

    class Handler(http.server.BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self):
            Handler.asked += 1
            self.send_response(200)
            self.end_headers()
            count = 500 * Handler.asked
            self.wfile.write(f'tidegate_requests_total{{status="500"}} {count}\n'.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield ["--metrics", f"http://127.0.0.1:{server.server_port}/metrics", "--metrics-seconds", "0"]
    server.shutdown()
    server.server_close()


def champion(forge):
    return parse_live(forge.read(LIVE)).champion.version


def test_realised_performance_puts_back_what_was(watch, forge, buys, journal, capsys):
    """Every outcome is the other one: the new model is wrong about all."""
    answers, outcomes = answered(buys, SIX_DAYS, 6)
    other = {"no": "yes", "yes": "no"}
    write(journal, answers, [each | {"outcome": other[each["outcome"]]} for each in outcomes])

    assert watch(automatic="off") == OK
    assert champion(forge) == buys.bundle.version
    assert 'no rollback: rollback.automatic is "off"' in capsys.readouterr().out

    assert watch() == OK
    assert champion(forge) == OLD
    incident = next(each for each in forge.alerts() if each.marker.startswith("incident:"))
    assert "realised performance: roc_auc 0." in incident.body
    assert f"hours after {buys.bundle.version} became champion" in incident.body
    states = {each.version: each.state for each in forge.releases()}
    assert states == {OLD: "published", buys.bundle.version: "withdrawn"}


def test_what_is_expected_puts_nothing_back(watch, forge, buys, journal):
    """A waiver of the loss that would: merged by a person, it holds for the rollback as for the incident."""
    answers, outcomes = answered(buys, SIX_DAYS, 6)
    other = {"no": "yes", "yes": "no"}
    write(journal, answers, [each | {"outcome": other[each["outcome"]]} for each in outcomes])
    kinds = ("realised_performance", "prediction_bias", "estimated_performance")
    causes = tuple(f"page/{kind}/" for kind in kinds)
    waiver = ExpectedCause(causes, date.max, "the sale", "anna", "12")
    forge.propose("expected", "the sale", "", {PATH: write_expected([waiver], date.min)})
    forge.status("expected", True, "good")
    forge.merge("expected", "the sale")

    assert watch() == OK
    assert champion(forge) == buys.bundle.version


def slow_since(journal, buys, since):
    """A month of counts; answers take fifty times as long *since* a day, the version comes two days before the end."""
    lines = []
    for n in range(35):
        version = buys.bundle.version if n >= 33 else OLD
        slow = (0, 0, 0, 0, 0, 0, 1000, 0) if n >= since else (0, 980 + n % 3, 0, 0, 20, 0, 0, 0)
        lines.append(line(f"{TODAY - timedelta(days=35 - n)}", version, slow))
    write_counts(journal, lines)


@pytest.mark.parametrize(("since", "back"), [(33, True), (32, False)])
def test_a_slow_release_is_put_back_by_the_journal_alone(watch, forge, buys, journal, since, back):
    """No scorer can be reached from here; and what was slow before the release is not its fault."""
    write(journal, *answered(buys, SIX_DAYS, 6))
    slow_since(journal, buys, since)

    assert watch() == OK
    assert champion(forge) == (OLD if back else buys.bundle.version)
    if back:
        incident = next(each for each in forge.alerts() if each.marker.startswith("incident:"))
        assert f"latency: p50 70.7 ms on {TODAY - timedelta(days=1)}, usual 1.6" in incident.body


def test_errors_put_back_what_was_and_nothing_more(watch, forge, buys, scorer, capsys):
    """Before the journal is even looked at; a second run goes no further back."""
    assert watch(*scorer) == OK
    assert champion(forge) == OLD
    alerts = {each.marker: each for each in forge.alerts()}
    assert "500 of 500 requests failed" in alerts["service"].body
    assert "errors: 500 of 500" in alerts[f"incident:{buys.bundle.version}"].body

    moves = len(forge.history(LIVE))
    assert watch(*scorer) == NO_WATCH  # there is no journal
    assert len(forge.history(LIVE)) == moves
    assert f"no rollback: {OLD} was itself restored" in capsys.readouterr().out


def test_on_github_actions_another_job_rolls_back(watch, forge, buys, scorer, tmp_path, monkeypatch):
    """The monitoring job has no permission to change what is live."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    assert watch(*scorer) == OK
    assert champion(forge) == buys.bundle.version
    found = (tmp_path / "output").read_text()
    assert found.startswith(f"rollback=true\nversion=\nbad={buys.bundle.version}\nreason=automatic, 0.0 hours after")


def test_a_release_that_is_not_what_main_names_is_not_watched_by(watch, forge, buys, journal, capsys):
    """Its evidence is the reference: who edits the release would say what is usual."""
    write(journal, *answered(buys, SIX_DAYS, 6))
    place = forge.root / "releases" / buys.bundle.version / "bundle/manifest.json"
    manifest = json.loads(place.read_text())
    place.write_text(json.dumps(manifest | {"metrics": {}}))

    assert watch() == NO_WATCH
    assert "is not what live.toml names" in capsys.readouterr().err


def test_a_rollback_that_fails_is_reported_with_its_reason(watch, forge, buys, journal, capsys):
    """The older release was edited: nothing is rolled back, and the next run tries again."""
    answers, outcomes = answered(buys, SIX_DAYS, 6)
    other = {"no": "yes", "yes": "no"}
    write(journal, answers, [each | {"outcome": other[each["outcome"]]} for each in outcomes])
    place = forge.root / "releases" / OLD / "bundle/manifest.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"metrics": {}}))

    assert watch() == NO_WATCH
    assert champion(forge) == buys.bundle.version
    error = capsys.readouterr().err
    assert "error: watch failed: the rollback failed, and the next run tries it again: nothing was rolled back" in error
