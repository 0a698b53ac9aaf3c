"""The 28 tests of the ML Test Score: what ran, and when, decides; a claim in a file does not."""

import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from checks.ml_test_score.ml_tests import SECTIONS, TESTS
from checks.ml_test_score.recorded_runs import of_drills, of_manifests, of_reports, of_series, rule_runs, rules_line
from checks.ml_test_score.score_inputs import Reader
from checks.ml_test_score.score_text import lines, to_json
from checks.ml_test_score.test_states import Run, score
from checks.verdict import Finding
from forge.interface import ForgeError, Schedule
from forge.local.folder_forge import LocalForge

TODAY = date(2026, 11, 29)
NAMES = {each.name for each in TESTS}
SCHEMA = next(each for each in TESTS if each.name == "Feature expectations are captured in a schema")
EVERY = sorted({need.checks[0].replace("*", "x") for test in TESTS for need in test.needs})


def days_ago(*numbers, check="rule:a", scheduled=False):
    return [Run(check, TODAY - timedelta(days=number), "a verdict", scheduled) for number in numbers]


def test_there_are_the_tests_of_the_paper():
    """Breck et al. 2017, tables I to IV: seven in each of four sections."""
    assert [[test.number for test in TESTS if test.section == name] for name in SECTIONS] == [[*range(1, 8)]] * 4
    assert {"All features are beneficial", "Training is reproducible", "Serving models can be rolled back"} <= NAMES


@pytest.mark.parametrize(
    ("ran", "state"),
    [
        ([], "missing"),
        (days_ago(0), "by hand"),
        (days_ago(0, 0, 0), "by hand"),
        (days_ago(0, 1), "by hand"),
        (days_ago(0, 1, 2), "by machine"),
        (days_ago(5, 12, 30), "by machine"),
        (days_ago(8, 9, 10), "by hand"),
        (days_ago(0, 40, 41), "by hand"),
        (days_ago(364), "by hand"),
        (days_ago(366), "missing"),
        (days_ago(-1), "missing"),
        (days_ago(1, scheduled=True), "by machine"),
        (days_ago(8, scheduled=True), "by hand"),
    ],
)
def test_once_is_by_hand_and_regularly_is_by_machine(ran, state):
    """Three days of the last five weeks, the last within a week; or a scheduled workflow."""
    test = SCHEMA.__class__("data", 1, "one", (SCHEMA.needs[0].__class__(("rule:a",), "type this"),))

    assert score(ran, TODAY, (), [test]).states[0].state == state


@pytest.mark.parametrize(
    ("every", "ran", "state"),
    [
        (7, days_ago(10, 17, 24), "by machine"),
        (7, days_ago(11, 18, 25), "by hand"),
        (31, days_ago(30, 61), "by machine"),
        (31, days_ago(46, scheduled=True), "by machine"),
        (31, days_ago(47, 60), "by hand"),
    ],
)
def test_what_runs_less_often_is_recent_for_longer(every, ran, state):
    test = SCHEMA.__class__("data", 1, "one", (SCHEMA.needs[0].__class__(("rule:a",), "type this", every),))

    assert score(ran, TODAY, (), [test]).states[0].state == state


def test_a_month_of_nights_by_machine_has_all_points():
    ran = [Run(name, TODAY - timedelta(days=n), "a night") for name in EVERY for n in range(30)]
    monthly = [Run(name, TODAY - timedelta(days=n), "a month") for name in EVERY for n in (31, 62)]

    assert score(ran + monthly, TODAY).total == 28
    assert score(ran + monthly, TODAY).score == 7
    assert score([run for run in ran if run.day == TODAY], TODAY).total == 14
    assert score([], TODAY).total == 0


def test_the_score_is_the_smallest_section():
    names = {c for t in TESTS if t.section != "model" for need in t.needs for c in need.checks}
    found = score([Run(name.replace("*", "x"), TODAY) for name in names], TODAY)

    assert found.sections["data"] == found.sections["infrastructure"] == 3.5
    assert found.score == found.sections["model"] == min(found.sections.values())


def finding(rule, outcome="PASS"):
    return Finding(rule, outcome, "seen", "a limit", "why")


def test_a_report_records_which_rules_ran():
    """A rule that could not be checked did not run, and values of slices stay out of the record."""
    findings = [
        finding("data.lost"),
        finding("leak.solo", "FAIL"),
        finding("serving.answers", "NOT_RUN"),
        finding("slice.origin=<b>--></b>"),
        finding("slice.origin=JFK", "INCONCLUSIVE"),
        finding("waivers.leak.solo"),
    ]
    (found,) = rule_runs(f"## PROMOTE\n{rules_line(findings, {'importance'}, TODAY)}\n")

    assert found.passed == ("data.lost", "slice.origin")
    assert (found.failed, found.waived, found.measured) == (
        ("leak.solo", "slice.origin"),
        ("leak.solo",),
        ("importance",),
    )
    assert found.day == "2026-11-29"


@pytest.mark.parametrize(
    "line",
    [
        '<!-- rules {"day": "never"} -->',
        '<!-- rules {"day": 5} -->',
        '<!-- rules {"passed": []} -->',
        "<!-- rules [] -->",
        '<!-- rules {"day": "2026-11-29", "passed": 3} -->',
    ],
)
def test_a_line_that_a_person_edited_records_nothing(line):
    assert rule_runs(line) == []


def test_reports_of_earlier_versions_are_read_by_their_tables():
    notes = (
        "**Failed**\n\n- **data.lost** ❌ fails: 5; limit: 3. Why.\n- **serving.size** ❔ could not be checked: x.\n\n"
        "| rule | observed | limit | why |\n|---|---|---|---|\n| data.missing | within | 50% | Because. |\n"
        "| log_loss | 0.5 | 0.6 | x |\n"
    )

    assert {run.check for run in of_reports({"v1": (notes, "2026-11-28")})} == {"rule:data.lost", "rule:data.missing"}
    assert [*of_reports({"proposal 1": (notes, "")})] == []


def test_manifests_record_what_was_measured_and_which_features_are_new():
    def manifest(day, *names, **more):
        made = {"made_at": f"2026-11-{day}T03:00:00Z", "commit": "abc"}
        return {"build": made, "contract": {"features": [{"name": name} for name in names]}, **more}

    runs = [*of_manifests({"v1": manifest(20, "a"), "v2": manifest(21, "a", "b", parity={"x": 1}), "v3": {}})]

    assert {(run.check, run.day.day) for run in runs} == {
        ("manifest:commit", 20),
        ("manifest:commit", 21),
        ("manifest:parity", 21),
        ("feature:added", 21),
    }


def test_monitoring_records_kinds_by_day_and_when_it_ran():
    """Data of a past year that is monitored today shows that monitoring runs today."""
    content = {
        "run": {"at": "2026-11-29T06:00Z"},
        "signal": ["version", "kind", "day"],
        "signals": [["v1", "latency", "2013-05-01"], ["v2", "errors", "2013-05-02"]],
    }

    assert {(run.check, f"{run.day}") for run in of_series(content, ["v2"])} == {
        ("signal:latency", "2013-05-01"),
        ("signal:errors", "2013-05-02"),
        ("signal:errors", "2026-11-29"),
        ("loop:answered", "2013-05-02"),
        ("loop:answered", "2026-11-29"),
    }


def test_a_drill_that_failed_is_no_run():
    runs = [{"drill": "rollback", "at": "2026-11-28T05:00:00Z", "ok": ok, "says": "1.3 s"} for ok in (True, False)]

    assert [run.check for run in of_drills({"runs": runs})] == ["drill:rollback"]


def test_a_claim_in_a_file_is_not_a_run(tmp_path):
    """A folder that says of itself that everything is tested has no score; what cannot be read is named."""
    (tmp_path / "README.md").write_text("All 28 tests run every night.\n")
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/staleness.json").write_text("not JSON")
    reader = Reader(LocalForge(tmp_path / "forge"))

    found = score(reader.runs(f"{tmp_path / 'forge'}", None, tmp_path, TODAY), TODAY, reader.unread)

    assert found.total == 0
    assert [each.partition(":")[0] for each in found.unread] == ["checks/staleness.json"]
    assert any("staleness.json" in line for line in lines(found))
    assert json.loads(json.dumps(to_json(found, TODAY)))["unread"] == [*found.unread]


class Hosted:
    """A forge on GitHub with scheduled workflows; only those of *schedules* can be seen."""

    def __init__(self, schedules):
        self.schedules = schedules
        self.history = self.releases = self.proposals = lambda *_: []

    def artifact(self, *_):
        raise ForgeError("artifacts are not shown without a token")

    def schedule(self, name):
        return self.schedules[name]

    def settings(self):
        return SimpleNamespace()


def test_a_schedule_counts_if_it_is_enabled_and_has_succeeded(tmp_path):
    day = f"{datetime(2026, 11, 28, 3, tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}"
    reader = Reader(
        Hosted(
            {
                "nightly.yml": Schedule(True, day),
                "monitor.yml": Schedule(True, day, ran=False),
                "features.yml": Schedule(False, day),
            }
        )
    )
    runs = reader.runs("github:o/n", None, tmp_path, TODAY)

    assert {(run.check, run.scheduled) for run in runs} == {
        ("workflow:nightly.yml", True),
        ("workflow:features.yml", False),
    }
    unread = [each.partition(":")[0] for each in reader.unread]
    assert unread == ["series.json", "drills.json", "the runs of backtest.yml", "the settings"]


def test_what_is_missing_says_what_to_type():
    text = "\n".join(lines(score([], TODAY)))

    assert "1. Feature expectations are captured in a schema: missing" in text
    assert "no run is recorded; type: make retrain gate land" in text
