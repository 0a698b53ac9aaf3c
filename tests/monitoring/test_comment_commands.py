"""`python -m monitoring`: one alert that opens, is kept up to date and closes; and the page."""

import json
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from contracts.live_config import Live, with_champion
from forge.local.folder_forge import LocalForge
from monitoring.__main__ import NO_WATCH, OK, USAGE, main
from tests.monitoring.conftest import answered, measure_once, write
from tests.monitoring.test_service_history import line
from tests.monitoring.test_service_history import write as write_counts

pytestmark = pytest.mark.slow

LIVE = "serve/live.toml"
QUIET, SWISS = date(2026, 2, 20), date(2026, 3, 2)


@pytest.fixture
def buys(made):
    return made("binary")


@pytest.fixture
def forge(tmp_path, buys):
    forge = LocalForge(tmp_path / "forge")
    bundle = buys.bundle
    forge.upload(bundle.version, buys.folder)
    live = with_champion(Live(), bundle.version, bundle.digest).to_toml()
    forge.propose("retrain", "first", "", {LIVE: live})
    forge.status("retrain", True, "good")
    forge.merge("retrain", "first")
    return forge


@pytest.fixture
def clock():
    """A clock that is set by hand."""
    return SimpleNamespace(now=datetime(2026, 2, 26, 6, tzinfo=UTC))


@pytest.fixture
def watch(forge, journal, tmp_path, clock):
    """What a person types, with the exit code."""
    out = tmp_path / "runs"
    places = ["--forge", str(forge.root), "--journal", str(journal), "--out", str(out)]
    return lambda *words: main(["watch", *places, *map(str, words)], lambda: clock.now, measure_once)


def test_one_alert_opens_is_kept_up_to_date_and_closes(watch, forge, buys, journal, tmp_path, capsys, clock):
    """A person gets one issue, not one a day."""
    write(journal, *answered(buys, QUIET, 6), name="1")
    assert watch() == OK
    assert forge.alerts() == []
    assert "quiet: within limits for the last 3 days" in capsys.readouterr().out

    clock.now = datetime(2026, 3, 7, 6, tzinfo=UTC)
    write(journal, *answered(buys, SWISS, 5, labelled=False), name="2")
    assert watch() == OK
    (opened,) = forge.alerts()
    assert (opened.state, opened.marker) == ("open", "watch:buys:page/unseen_categories/web")
    assert opened.title.startswith("buys: ")
    assert "unseen categories" in opened.title
    assert "since 2026-03-02" in opened.title
    assert "country" in opened.title
    assert "`make rollback`" in opened.body

    assert watch() == OK  # an hour later, with nothing new to say
    assert forge.alerts() == [opened]

    clock.now = datetime(2026, 3, 9, 6, tzinfo=UTC)
    write(journal, *answered(buys, date(2026, 3, 7), 2, labelled=False), name="3")
    assert watch() == OK
    (updated,) = forge.alerts()
    assert (updated.number, updated.state, len(updated.history)) == (1, "open", 2)

    def as_before(_):
        start = datetime(2026, 2, 20, tzinfo=UTC)
        rows = buys.recipe.load(start, start + timedelta(days=9))
        return rows.assign(at=rows["at"] + timedelta(days=17))

    clock.now = datetime(2026, 3, 18, 6, tzinfo=UTC)
    write(journal, *answered(buys, date(2026, 3, 9), 9, change=as_before), name="4")
    assert watch() == OK
    (closed,) = forge.alerts()
    assert (closed.number, closed.state) == (1, "closed")
    assert "alert 1 is closed" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "runs").glob("watch-*.json")) == [
        f"watch-000{n}.json" for n in range(1, 6)
    ]


@pytest.mark.parametrize("slow", [True, False])
def test_a_slow_release_is_an_incident_that_says_so(watch, forge, buys, journal, clock, slow, capsys):
    """By the journal alone, in milliseconds; answers that take as long as ever are none."""
    clock.now = datetime(2026, 2, 27, 6, tzinfo=UTC)
    write(journal, *answered(buys, QUIET, 6))
    for n in range(35):
        version = buys.bundle.version if n >= 33 else "20260101T0000-aaaaaaa"
        new = (0, 0, 0, 0, 0, 300, 700, 0) if slow and n >= 33 else (0, 980 + n % 3, 0, 0, 20, 0, 0, 0)
        day = f"{date(2026, 1, 23) + timedelta(days=n)}"
        write_counts(journal, [line(day, version, new)], f"{day}T1")

    assert watch() == OK
    if not slow:
        assert forge.alerts() == []
        assert "not yet monitored: latency" not in capsys.readouterr().out
        return
    (opened,) = forge.alerts()
    assert opened.marker == "watch:buys:page/latency/"
    assert opened.title == "buys: latency outside control limits since 2026-02-25"
    assert "- latency p50: 61 ms on 2026-02-26; usual 1.6" in opened.body
    assert "latency p99 in ms" in opened.body
    assert "do not depend on the training data" in opened.body


def test_a_journal_without_counts_of_the_scorers_is_not_broken(watch, forge, buys, journal, capsys):
    """They are of a version that kept none."""
    write(journal, *answered(buys, QUIET, 6))

    assert watch() == OK
    assert forge.alerts() == []
    assert "not yet monitored: latency: the journal has no service counts" in capsys.readouterr().out


def test_a_release_that_fails_on_every_request_is_an_incident(watch, forge, buys, journal, clock):
    """It leaves not one row to look at."""
    clock.now = datetime(2026, 2, 27, 6, tzinfo=UTC)
    journal.mkdir()
    days = [f"{date(2026, 1, 23) + timedelta(days=n)}" for n in range(35)]
    lines = [line(day, "20260101T0000-aaaaaaa") for day in days[:33]]
    lines += [line(day, buys.bundle.version, (0,) * 8, failed=1000) for day in days[33:]]
    write_counts(journal, lines)

    assert watch() == OK
    opened = next(each for each in forge.alerts() if each.marker.startswith("watch:"))
    assert opened.title == "buys: errors outside control limits since 2026-02-25"
    assert "errors share: 100.00% on 2026-02-26; usual 0.00%, limit 1.00%" in opened.body


def test_a_run_leaves_its_signals(watch, buys, journal, tmp_path):
    """For the page, and for who asks later."""
    write(journal, *answered(buys, QUIET, 6))
    watch()
    run = json.loads((tmp_path / "runs/watch-0001.json").read_text())

    assert run["version"] == buys.bundle.version
    assert run["state"] == "quiet"
    assert {"kind", "day", "value", "upper", "breached"} <= run["signals"][0].keys()


def test_a_past_day_can_be_looked_at(watch, forge, buys, journal):
    """As if it were that day's morning."""
    write(journal, *answered(buys, QUIET, 16))
    assert watch("--today", "2026-03-01") == OK
    assert forge.alerts() == []


def test_a_thin_stream_is_no_alarm_and_no_pass(watch, forge, buys, journal, capsys):
    """An open alert stays open."""
    forge.alert("watch:buys", "drift", "")
    answers, outcomes = answered(buys, QUIET, 3)
    write(journal, answers[::10], outcomes[::10])

    assert watch() == OK
    assert forge.alerts()[0].state == "open"
    assert "no change: fewer than 3 days could be evaluated" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (lambda f, b, j: None, "journal", "there is no journal at"),
        (
            lambda f, b, j: (f.root / "releases" / b.bundle.version / "bundle/evidence/holdout.parquet").write_bytes(
                b""
            ),
            "evidence",
            "holdout.parquet cannot be read",
        ),
        (
            lambda f, b, j: (f.root / "releases" / b.bundle.version / "bundle/manifest.json").write_text("{"),
            "evidence",
            "no manifest that can be read",
        ),
    ],
    ids=["no journal", "cut evidence", "cut manifest"],
)
def test_what_cannot_be_watched_is_said_and_changes_no_incident(
    watch, forge, buys, journal, capsys, spoil, kind, words
):
    """It is neither an alarm nor a pass; the watch itself gets an issue."""
    forge.alert("watch:buys", "drift", "")
    spoil(forge, buys, journal)

    assert watch() == NO_WATCH
    assert words in capsys.readouterr().err
    broken, alert = forge.alerts()
    assert alert.history[-1].endswith("opened: drift")
    assert (broken.state, broken.marker) == ("open", f"monitor:{kind}")


def test_a_watch_that_is_blind_says_so_once_and_that_it_sees_again(watch, forge, buys, journal, clock):
    """No journal, then no rows for long, then rows: their own issues, and none of the model's."""
    assert watch() == NO_WATCH
    answers, outcomes = answered(buys, QUIET, 6)
    write(journal, answers[::10], outcomes[::10])
    clock.now = datetime.now(UTC) + timedelta(days=3)  # after it went live
    for _ in range(2):
        assert watch() == OK
    assert [(a.marker, a.state, len(a.history)) for a in forge.alerts()] == [
        ("monitor:rows", "open", 1),
        ("monitor:journal", "closed", 2),
    ]
    assert "the newest response is of 2026-02-25" in forge.alerts()[0].body
    clock.now = datetime.now(UTC)
    assert watch() == OK

    assert [a.state for a in forge.alerts()] == ["closed", "closed"]


def test_what_was_typed_below_an_incident_is_answered_without_a_look(forge, clock):
    """Nothing else is read: neither journal nor evidence."""
    forge.alert("watch:buys:issue/score_drift/", "drift", "", {"since": "2026-02-20"})
    forge.say(1, "/explain")

    assert main(["answer", "--forge", str(forge.root)], lambda: clock.now) == OK
    assert "First breach on 2026-02-20" in forge.comments(1)[0].reply


def test_nothing_live_is_nothing_to_watch(tmp_path, journal, capsys):
    """With that in words."""
    code = main(["watch", "--forge", str(tmp_path / "f"), "--journal", str(journal), "--out", str(tmp_path)])

    assert code == NO_WATCH
    assert "nothing is live, so there is nothing to monitor" in capsys.readouterr().err


def test_a_mistake_in_the_rules_is_said(watch, root, tmp_path, capsys):
    """As the gate says it."""
    path = tmp_path / "rules.toml"
    path.write_text((root / "checks/thresholds.toml").read_text().replace("lasting =", "lastng ="))

    assert watch("--rules", path) == USAGE
    assert "monitoring: lastng is not known; did you mean lasting?" in capsys.readouterr().err


def test_it_can_be_stopped_and_changes_nothing(forge, buys, journal, root, tmp_path):
    """Ctrl-C while NannyML is at work."""
    write(journal, *answered(buys, SWISS, 5))
    places = ["--forge", str(forge.root), "--journal", str(journal), "--out", str(tmp_path / "runs")]
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "monitoring", "watch", *places, "--today", "2026-03-07"],
        cwd=root,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        while "loading NannyML" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        printed = process.communicate()[1]

    assert (process.returncode, printed) == (130, "error: stopped; nothing was changed\n")
    assert forge.alerts() == []


def test_the_dashboard_is_written_whole(forge, buys, journal, watch, tmp_path, capsys):
    """Before the first run of the watch, and after; from the watch's folder alone, too."""
    write(journal, *answered(buys, QUIET, 6))
    words = ["site", "--forge", str(forge.root), "--watch", str(tmp_path / "runs")]
    out = tmp_path / "a site"
    page = out / "index.html"

    assert main([*words, "--out", str(out)]) == OK
    assert "once monitoring has judged a day" in page.read_text()
    assert buys.bundle.version in page.read_text()
    assert main([*words, "--journal", str(journal), "--out", str(out)]) == OK
    assert "Rows answered by day" in page.read_text()
    watch()
    assert main([*words, "--out", str(out)]) == OK
    assert "charts within their limits" in page.read_text()
    assert "Rows answered by day" in page.read_text()
    assert [path.name for path in out.iterdir()] == ["index.html"]
    assert f"dashboard: {page}" in capsys.readouterr().out


def test_a_site_of_a_forge_where_nothing_happened_says_what_will_appear(tmp_path, capsys):
    """A folder that is not there yet."""
    words = ["site", "--forge", str(tmp_path / "nothing"), "--out", str(tmp_path / "site")]

    assert main(words) == OK
    assert "no model yet" in (tmp_path / "site/index.html").read_text()
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "nothing/watch").mkdir(parents=True)
    (tmp_path / "nothing/watch/series.json").write_text("torn")
    assert main(words) == NO_WATCH
    assert "delete it" in capsys.readouterr().err


def test_nothing_is_sent_to_anybody(forge, buys, journal, root, tmp_path):
    """A whole watch with every way outward barred: telemetry is off before NannyML is imported."""
    write(journal, *answered(buys, SWISS, 5))
    code = (
        "import sys, socket\n"
        "def barred(*a, **k): raise AssertionError(f'a socket was opened outward: {a}')\n"
        "socket.socket.connect = barred; socket.socket.connect_ex = barred\n"
        "socket.getaddrinfo = barred; socket.create_connection = barred\n"
        "from monitoring.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    places = ["--forge", str(forge.root), "--journal", str(journal), "--out", str(tmp_path / "runs")]
    done = subprocess.run(
        [sys.executable, "-c", code, "watch", *places, "--today", "2026-03-07"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "alert 1 is open" in done.stdout
