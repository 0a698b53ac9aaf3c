"""A disk that is really full: rows are answered or refused as the setting says, and all is reported."""

import errno
import json
import os
import subprocess
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from archive.retention import prune
from tests.serve.test_process import get, scorer, until

pytestmark = pytest.mark.slow

ROOM = 32 * 2**10


@pytest.fixture
def disk(tmp_path):
    """A folder on its own disk of some megabytes."""
    folder = tmp_path / "a small disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("only root may mount a small disk, so that it can be filled")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk, room):
    """Fill *disk* up to *room* bytes; the file to delete when there shall be more."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(2**16))
        except OSError as error:
            assert error.errno == errno.ENOSPC
        file.truncate(max(0, file.tell() - room))
    return ballast


def post(address, rows):
    """The status, and the answers."""
    request = urllib.request.Request(f"http://{address}/score", json.dumps(rows).encode())
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def metric(address, name):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        found = answer.read().decode().splitlines()
    return next(float(line.split()[-1]) for line in found if line.startswith(name + " "))


@pytest.mark.parametrize(("policy", "status"), [("drop", 200), ("refuse", 503)])
def test_a_disk_that_fills_up_under_way(root, store, tmp_path, bundles, row, disk, policy, status):
    """Every answer is kept, or counted as lost by either worker, or refused; with room again, it goes on."""
    store.serve(bundles[0])
    journal, words = disk / "journal", ["--journal-policy", policy, "--workers", "2"]
    with scorer(root, store.folder, journal, tmp_path, *words) as (process, address):
        until(lambda: get(address, "/ready")["journal"]["workers"] == 2)
        assert post(address, row)[0] == 200
        ballast = fill(disk, ROOM)
        found = [post(address, [row] * 20) for _ in range(30)]
        state, lost = get(address, "/ready"), metric(address, "tidegate_journal_lost_lines_total")
        ballast.unlink()
        healed = post(address, row)
        assert process.poll() is None

    codes = [code for code, _ in found]
    given = [answer["id"] for code, answers in found if code == 200 for answer in answers]
    kept = {line["id"] for line in whole(journal)}
    assert codes[0] == 200
    assert codes[-1] == status
    assert set(codes) == {200, status}
    assert state["journal"]["failing"]
    assert state["journal"]["workers"] == 2
    assert state["journal"]["why"].endswith(("No space left on device", "the log says why"))
    assert state["journal"]["lost"] == lost > 0
    assert healed[0] == 200
    assert healed[1]["id"] in kept
    if policy == "refuse":
        assert set(given) <= kept
    else:
        assert len(given) == 600
        assert len(set(given) - kept) <= lost


def test_a_disk_that_is_full_at_the_start(root, store, tmp_path, bundles, row, disk):
    """It answers, counts in memory, and says what it cannot keep; nothing ends by a signal later."""
    store.serve(bundles[0])
    fill(disk, 0)
    with scorer(root, store.folder, disk / "journal", tmp_path) as (process, address):
        assert [post(address, [row] * 10)[0] for _ in range(5)] == [200] * 5
        assert get(address, "/ready")["journal"]["lost"] == 50
        assert metric(address, "tidegate_answer_seconds_count") == 5
        process.terminate()
        said = process.communicate(timeout=30)[0]

    assert process.returncode == 0
    assert "metrics: No space left on device; each worker counts for itself" in said
    assert "the journal cannot be written, answers are sent without a record" in said


def test_old_files_of_a_full_disk_are_deleted(disk):
    """The log of deletions gets its entry when there is room for it, on a line that is whole."""
    journal = disk / "journal"
    old = journal / "day=2026-01-01/kind=answers/answers-20260101T120000000000-0.parquet"
    old.parent.mkdir(parents=True)
    old.write_bytes(bytes(2**16))
    # The next entry begins on the last bytes of a page, which are all that is left for it.
    (journal / "deleted.log").write_text(json.dumps({"file": "x" * (os.sysconf("SC_PAGESIZE") - 40)}) + "\n")
    fill(disk, 0)
    found = prune(journal, 1, datetime.now(UTC))

    assert found.problems == []
    assert not old.exists()
    assert json.loads((journal / "deleted.log").read_text().splitlines()[-1])["day"] == "2026-01-01"


def whole(journal):
    """The lines that are whole: of one the disk may have taken a part."""
    for path in journal.glob("answers-*.jsonl"):
        for line in path.read_text().splitlines():
            with suppress(ValueError):
                yield json.loads(line)
