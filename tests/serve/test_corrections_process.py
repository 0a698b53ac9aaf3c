"""Online corrections beside the workers: which command runs, that it is started again, and that it ends with the scorer."""

import signal
import sys
from pathlib import Path

import pytest

from serve.http.corrections_process import CorrectionsProcess, command
from serve.settings import Settings
from tests.serve.test_process import scorer, until


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, []),
        ({"corrections": "on"}, ["--journal", "j"]),
        ({"corrections": "on", "corrections_from": Path("other")}, ["--follow", "other"]),
        ({"corrections_from": Path("other")}, ["--follow", "other"]),
    ],
)
def test_the_settings_say_what_runs(settings, words):
    found = command(Settings(store=Path("s"), journal=Path("j"), **settings), 7)
    whole = [sys.executable, "-m", "online", "learn", "--store", "s", *words, "--parent", "7"]
    assert found == (whole if words else [])


def test_what_cannot_start_or_ends_is_started_again_after_a_while(capfd):
    process = CorrectionsProcess([sys.executable, "-c", "raise SystemExit(3)"], restart_interval=10)
    process.keep(100)
    process._process.wait()
    process.keep(109)
    assert process._process.returncode == 3
    process.keep(110)
    assert "serve learn ended with exit code 3; another is started" in capfd.readouterr().err
    process.stop(10)
    nowhere = CorrectionsProcess(["/nowhere/python"])
    nowhere.keep(0)
    assert "cannot be started" in capfd.readouterr().err
    nowhere.stop(1)
    CorrectionsProcess([]).keep(0)


def _learners(pid):
    """The children of *pid* that are `online learn`."""
    numbers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for each in numbers if b"online\0learn" in Path(f"/proc/{each}/cmdline").read_bytes()]


@pytest.mark.slow
def test_a_scorer_has_one_and_ends_it(root, store, bundles, tmp_path):
    store.serve(bundles[0])
    with scorer(root, store.folder, tmp_path / "journal", tmp_path, "--corrections", "on", "--workers", "2") as (
        process,
        _,
    ):
        until(lambda: _learners(process.pid))
        (number,) = _learners(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not Path(f"/proc/{number}").exists()
