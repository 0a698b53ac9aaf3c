"""What the doctor says of schedules, token, minutes, disk and what is live: what could not be seen is never right."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.live_config import LIVE
from forge.__main__ import main
from forge.github.doctor import NOT_SET
from forge.github.repository_settings import Unseen
from forge.github.usage import Usage
from forge.interface import ForgeError, Release, Schedule
from forge.local.folder_forge import LocalForge
from forge.working_order import disk, live, minutes, schedules, token

NOW = datetime(2026, 11, 16, tzinfo=UTC)
UNSEEN = Unseen("GitHub shows it to administrators only")
VERSION = "20260101T0000-aaaaaaa"
RELEASE = Release(VERSION, "sha256:0", "published", "", "2026-01-01T00:00:00Z")


def ago(**time):
    return f"{NOW - timedelta(**time):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(
    ("schedule", "state", "step"),
    [
        (Schedule(True, ago(hours=30)), "set", ""),
        (Schedule(True, ago(hours=49)), "not set", "gh workflow run nightly.yml"),
        (Schedule(False, ago(hours=1)), "not set", "gh workflow enable nightly.yml"),
        (Schedule(True, ago(hours=1), ran=False), "not set", "it has not succeeded yet"),
        (UNSEEN, "not checked", "administrators only"),
        (None, "not checked", "a folder has no schedules"),
    ],
)
def test_a_schedule_is_right_if_it_succeeded_within_its_days(schedule, state, step):
    (found,) = schedules({"nightly.yml": schedule}, NOW)

    assert found.state == state
    assert step in found.step


@pytest.mark.parametrize(
    ("finding", "state"),
    [
        (token(NOW + timedelta(days=14), NOW), "set"),
        (token(NOW + timedelta(days=13), NOW), "not set"),
        (token(NOW - timedelta(days=1), NOW), "not set"),
        (token(UNSEEN, NOW), "not checked"),
        (minutes(True, 1000, NOW), "set"),
        (minutes(True, 1100, NOW), "not set"),
        (minutes(True, 2100, NOW.replace(day=31, month=12)), "not set"),
        (minutes(True, UNSEEN, NOW), "not checked"),
        (minutes(UNSEEN, 0, NOW), "not checked"),
        (minutes(False, UNSEEN, NOW), "set"),
        (disk("/x", 3 * 2**30, 100 * 2**30), "set"),
        (disk("/x", 1 * 2**30, 100 * 2**30), "not set"),
        (disk("/x", 2**28, 2**30), "set"),
        (live(VERSION, [], [VERSION], [RELEASE])[0], "set"),
        (live(VERSION, ["share is 2"], [], [RELEASE])[0], "not set"),
        (live(VERSION, [], [], [])[0], "not set"),
        (live("", [], [], [])[0], "not set"),
        (live(VERSION, [], [], [RELEASE])[1], "not set"),
        (live(VERSION, [], ["older"], [RELEASE])[1], "set"),
    ],
)
def test_each_finding_has_a_state_and_a_step(finding, state):
    """A step wherever it is not right."""
    assert finding.state == state
    assert bool(finding.step) == (state != "set")


class Answers:
    """GitHub's answers: *header* of the token, and pages of runs."""

    def __init__(self, header="", pages=()):
        self.said, self.pages, self.asked = header, [*pages], []

    def header(self, *_):
        return self.said

    def get(self, path, **query):
        self.asked.append((path, query["created"], query["page"]))
        return self.pages.pop(0) if self.pages else None


def run(seconds):
    return {
        "run_started_at": "2026-11-03T04:00:00Z",
        "updated_at": f"{datetime(2026, 11, 3, 4, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}",
    }


def test_minutes_are_those_of_every_page_rounded_up():
    asked = Answers(pages=[{"workflow_runs": [run(1)] * 100}, {"workflow_runs": [run(61), run(0)]}])

    assert Usage(asked).minutes(NOW) == 103
    assert asked.asked == [("actions/runs", ">=2026-11-01", page) for page in (1, 2)]
    with pytest.raises(ForgeError):
        Usage(Answers()).minutes(NOW)


def test_the_token_says_when_it_expires():
    assert Usage(Answers("2026-12-01 10:00:00 UTC")).expires() == datetime(2026, 12, 1, 10, tzinfo=UTC)
    for text in ("", "soon"):
        with pytest.raises(ForgeError):
            Usage(Answers(text)).expires()


def test_a_folder_is_looked_at_as_far_as_it_goes(tmp_path, capsys):
    """Its schedules cannot be seen, which is not right; what is wrong has a step."""
    forge = LocalForge(tmp_path)
    forge.alert("x", "t", "b")
    assert forge.read(LIVE)

    assert main(["doctor", "--forge", str(tmp_path)]) == NOT_SET
    said = capsys.readouterr().out
    assert "NOT RIGHT    live.toml names a champion" in said
    assert "NOT CHECKED  nightly.yml runs" in said
    assert "right        the disk of" in said
    assert "make retrain gate land" in said
