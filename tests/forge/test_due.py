"""What the clock starts: pure decisions, and what GitHub's answers mean."""

import ast
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forge.clock.due import JOBS, WORKFLOWS, Known, due, found, outputs

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 4, 6, 43, tzinfo=UTC)
NOTHING = Known(NOW - timedelta(hours=2), False, False, False, False, False)


def known(**changes):
    return Known(**{**vars(NOTHING), **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"commands": True}, ["answer"]),
        ({"journal": True}, ["watch"]),
        ({"pages": True}, []),
        ({"pages": True, "changed": True}, ["pages"]),
        ({"changed": True}, []),
        ({"challenger": True}, []),
        ({"journal": True, "challenger": True, "last": NOW - timedelta(hours=8)}, ["watch", "experiment"]),
        ({"journal": True, "challenger": False, "last": NOW - timedelta(hours=8)}, ["watch", "robots", "release"]),
        ({"last": NOW - timedelta(hours=8)}, ["robots", "release"]),
        ({"last": NOW - timedelta(days=7)}, ["robots", "drill", "release"]),
        ({"last": None}, ["robots", "drill", "release"]),
        ({"last": NOW, "journal": True, "commands": True}, []),
    ],
)
def test_only_what_is_due_is_started(changes, expected):
    """Since the last successful run, so that a run that GitHub dropped is made up for."""
    if "challenger" in changes and "last" in changes and changes["challenger"]:
        expected = [*expected, "robots", "release"]
    assert due(NOW, known(**changes)) == expected


def test_a_day_of_runs_starts_each_as_often_as_it_should():
    """Twelve runs, each a few minutes late."""
    last, count = datetime(2026, 3, 3, 22, 41, tzinfo=UTC), dict.fromkeys(JOBS | WORKFLOWS, 0)
    for hour in range(0, 24, 2):
        now = datetime(2026, 3, 4, hour, 41 + hour % 7, tzinfo=UTC)
        for name in due(now, Known(last, True, True, True, True, True)):
            count[name] += 1
        last = now

    assert count == {"answer": 12, "watch": 12, "experiment": 2, "robots": 1, "drill": 0, "release": 1, "pages": 4}


def asked(answers):
    paths = []

    def ask(path):
        paths.append(path)
        answer = next(value for part, value in answers.items() if part in path)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask, paths


RUN = {"workflow_runs": [{"created_at": "2026-03-04T04:41:00Z"}]}


def test_github_is_asked_since_the_last_run():
    """For comments that begin with a slash, and for pages for anything that changed."""
    ask, paths = asked(
        {"runs": RUN, "comments": [{"body": "thanks"}, {"body": "so\n/rollback"}], "commits": [], "issues": [1]}
    )

    facts = found(ask, NOW, {"challenger": {"share": 0.1}}, {"JOURNAL": "s3://j", "PAGES": "on"})

    assert facts == Known(datetime(2026, 3, 4, 4, 41, tzinfo=UTC), True, True, True, True, True)
    assert "issues/comments?since=2026-03-04T04:41:00Z&per_page=100" in paths
    assert "issues?state=all&since=2026-03-04T00:43:00Z&per_page=1" in paths


def test_without_pages_nothing_is_asked_about_changes():
    """Two requests, at most four."""
    ask, paths = asked({"runs": RUN, "comments": [{"body": None}]})

    facts = found(ask, NOW, {}, {"PAGES": "off"})

    assert (facts.commands, facts.changed, len(paths)) == (False, False, 2)


@pytest.mark.parametrize("broken", [OSError("502"), ValueError("no JSON"), {"message": "Bad credentials"}])
def test_what_could_not_be_found_out_is_due(broken, capsys):
    """Never "nothing to do" because GitHub did not answer."""
    ask, _ = asked({"runs": broken, "comments": broken, "commits": OSError("502"), "issues": OSError("502")})

    names = due(NOW, found(ask, NOW, {}, {"JOURNAL": "x", "PAGES": "on"}))

    assert names == ["answer", "watch", "robots", "drill", "release", "pages"]
    assert "::warning::" in capsys.readouterr().out


def test_the_outputs_are_words_for_conditions():
    """True or false for each job; the workflows in one line."""
    assert outputs(["watch", "release", "pages"]) == (
        "answer=false\nwatch=true\nexperiment=false\nrobots=false\ndrill=false\nstart=release pages\n"
    )


def test_it_needs_the_standard_library_alone():
    """So that a run that has nothing to do installs nothing."""
    ours = {"forge.clock.due", "forge.closed_pipes"}
    for name in ("clock/due.py", "clock/__main__.py", "clock/__init__.py", "closed_pipes.py", "__init__.py"):
        for node in ast.walk(ast.parse((ROOT / "forge" / name).read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                assert module in ours or module.split(".")[0] in sys.stdlib_module_names
