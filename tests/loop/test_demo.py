"""The demo as a process: it can be stopped at any point, and two do not disturb each other."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from contracts.row_contract import Contract, Feature, Target
from forge.local.folder_forge import LocalForge
from tests.loop.__main__ import sweep
from tests.loop.website import Website

pytestmark = [pytest.mark.slow, pytest.mark.loop]

STOPPED = 130


def start(root, folder):
    """The demo, in its own process group, as a terminal starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.loop", "--folder", str(folder)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def read_until(process, sign):
    """What it prints, up to the line with *sign*."""
    said = []
    for line in process.stdout:
        said.append(line)
        if sign in line:
            return said
    raise AssertionError(f"{sign!r} never came:\n" + "".join(said))


def still_running(folder):
    """The processes whose command names *folder*."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(word.startswith(str(folder)) for word in words):
            found.append(" ".join(words))
    return found


@pytest.mark.parametrize(
    ("sign", "number"), [("recipe ", signal.SIGINT), ("(3)", signal.SIGINT), ("(1)", signal.SIGTERM)]
)
def test_it_can_be_stopped_at_any_point(root, tmp_path, sign, number):
    """In training, while pages are served: no process is left, and the forge is whole."""
    folder = tmp_path / "a demo"
    with start(root, folder) as process:
        read_until(process, sign)
        # Ctrl-C reaches every process of the terminal's group, SIGTERM the one that is named.
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(60) == STOPPED, rest

    assert f"stopped; the results so far are in {folder}" in rest
    assert "Traceback" not in rest
    assert still_running(folder) == []
    assert LocalForge(folder / "forge").proposals() is not None


def test_two_do_not_share_a_folder(root, tmp_path):
    """The second says so, and disturbs nothing."""
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "mine").write_text("kept")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with start(root, folder) as second:
            said = second.stdout.read()
            assert second.wait(60) == 2

    assert f"a demo is running in {folder}; wait for it, or give this one --folder" in said
    assert (folder / "mine").read_text() == "kept"


def test_it_begins_again_and_removes_only_what_it_made(tmp_path):
    """Somebody may have put something beside it."""
    for name in ("forge", "journal", "site", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "sync.log").write_text("old")
    (tmp_path / "mine.txt").write_text("mine")
    sweep(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "notes"]


def test_traffic_counts_what_failed():
    """A website that cannot reach the scorer has no answer, and says so."""
    contract = Contract("t", "regression", (Feature("x", "number"),), Target("y"), "k", "at")
    rows = pd.DataFrame({"k": ["a"], "at": [pd.Timestamp("2026-01-01", tz="UTC")], "x": [1.0], "y": [1.0]})
    answers = Website("127.0.0.1:9", contract).send(rows)  # the discard port: nobody listens

    assert len(answers.failed) == 1
    assert "1 failed" in answers.summary()
