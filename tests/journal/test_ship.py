"""What is closed goes elsewhere once, whatever breaks on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import fsspec
import pytest

from archive.__main__ import main
from archive.retention import marker, partitions
from archive.upload import Shipping
from contracts.journal_format import lines, parts
from monitoring.journal.remote_files import journal_at
from tests.journal.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(params=["file", "s3"])
def to(request, tmp_path):
    """Where it goes: a folder, and a bucket."""
    if request.param == "file":
        return f"file://{tmp_path}/far/journal"
    return request.getfixturevalue("bucket") + "/journal"


def there(to):
    """path -> content of everything on the far side."""
    files, root = fsspec.url_to_fs(to, skip_instance_cache=True)
    if not files.exists(root):
        return {}
    return {path.removeprefix(f"{root}/"): files.cat_file(path) for path in files.find(root)}


def here(journal):
    return {path.relative_to(journal).as_posix(): path.read_bytes() for path in partitions(journal)}


def test_what_is_closed_arrives_and_stays_what_it_was(put, answer, journal, to):
    """Of every kind; what was open or private to the scorer is not there."""
    put([answer(1), answer(2, day="2026-03-02")])
    put([{"id": "i1", "outcome": "yes"}], "outcomes")
    (journal / "salt").write_bytes(b"secret")
    found = Shipping(journal, to).once()

    assert (found.converted, found.sent, found.problems) == (3, 3, [])
    assert there(to) == here(journal)
    assert len(there(to)) == 3


def test_what_was_shipped_is_read_where_it_arrived(put, answer, journal, to):
    """JOURNAL=s3://… for the watch."""
    put([answer(n) for n in range(3)])
    Shipping(journal, to).once()
    with journal_at(to) as place:
        (part,) = parts(place, "answers")
        found = list(lines(place, part, ("id", "row.pages")))

    assert found == [{"id": f"i{n}", "row": {"pages": n}} for n in range(3)]


def test_what_arrived_is_not_sent_again(put, answer, journal, to):
    """And what is new is."""
    put([answer(1)])
    Shipping(journal, to).once()
    put([answer(2)])
    found = Shipping(journal, to).once()

    assert (found.converted, found.sent) == (1, 1)
    assert there(to) == here(journal)


@pytest.mark.parametrize("spoil", ["no marker", "torn marker", "half a file", "no file and no marker"])
def test_killed_at_any_point_it_goes_on_and_nothing_is_there_twice(put, answer, journal, to, spoil):
    """After the upload and before the marker; in the middle of either."""
    put([answer(1)])
    Shipping(journal, to).once()
    (path,) = partitions(journal)
    files, root = fsspec.url_to_fs(to, skip_instance_cache=True)
    far = f"{root}/{path.relative_to(journal).as_posix()}"
    if spoil == "torn marker":
        marker(journal, path).write_text('{"to"')
    else:
        marker(journal, path).unlink()
    if spoil == "half a file":
        files.pipe_file(far, path.read_bytes()[:100])
    elif spoil == "no file and no marker":
        files.rm_file(far)
    found = Shipping(journal, to).once()

    assert found.problems == []
    assert there(to) == here(journal)
    assert Shipping(journal, to).once().sent == 0


def test_another_place_gets_all_of_it(put, answer, journal, to, tmp_path):
    """A marker says where a file arrived."""
    put([answer(1)])
    Shipping(journal, f"file://{tmp_path}/first").once()

    assert Shipping(journal, to).once().sent == 1
    assert there(to) == here(journal)


def test_a_lost_marker_costs_no_second_upload_where_the_far_side_has_digests(put, answer, journal, bucket):
    """An ETag is the MD5."""
    put([answer(1)])
    Shipping(journal, bucket).once()
    (path,) = partitions(journal)
    marker(journal, path).unlink()
    found = Shipping(journal, bucket).once()

    assert (found.sent, found.there) == (0, 1)


def test_a_bucket_that_is_not_there_is_said_and_nothing_is_marked(put, answer, journal, bucket):
    """The next run tries again."""
    put([answer(1)])
    found = Shipping(journal, "s3://nobodys-bucket/journal").once()

    assert len(found.problems) == 1
    assert "did not arrive" in found.problems[0]
    assert json.loads((journal / ".shipped/state.json").read_text())["left"] == 1
    assert Shipping(journal, bucket).once().sent == 1


def test_a_segment_that_cannot_be_converted_holds_up_no_other(put, answer, journal, tmp_path):
    """And stays as it is."""
    bad, good = put([answer(1)]), put([answer(2)])
    (journal / "day=2026-03-01").mkdir()
    (journal / "day=2026-03-01/kind=answers").mkdir()
    (journal / f"day=2026-03-01/kind=answers/.{bad.stem}.parquet-work").mkdir()
    found = Shipping(journal, f"file://{tmp_path}/far").once()

    assert bad.exists()
    assert not good.exists()
    assert found.sent == 1
    assert f"{bad.name} stays as it is" in found.problems[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--journal", "nowhere", "--to", "file:///x"], "there is no journal at nowhere"),
        (["--journal", ".", "--to", "nosuch://x/y"], "expected a URL such as s3://bucket/journal"),
        (["--journal", ".", "--to", "."], "it is the journal itself"),
        (["--journal", ".", "--to", "x", "--every", "0"], "--every is 0.0; expected more than 0"),
        (["--journal", ".", "--to", "x", "--every", "-1"], "--every is -1.0"),
        (["--journal", ".", "--to", "x", "--every", "nan"], "--every is nan"),
        (["--journal", ".", "--to", "x", "--every", "1e10"], "and 86,400 at most"),
        (["--journal", ".", "--to", "x", "--days", "0"], "--days is 0; expected 1 to 36,500"),
        (["--journal", ".", "--to", "x", "--days", "999999999999"], "--days is 999999999999"),
        (["--journal", "nowhere", "--to", "x", "--days", "0"], "nowhere; the scorer's --journal"),
        (["--journal", "nowhere", "--to", "x", "--days", "0"], "--days is 0"),
    ],
)
def test_a_mistake_in_how_it_is_started_is_said(words, said, capsys):
    """With what to type; all mistakes at once, and before anything is uploaded or deleted."""
    assert main(["ship", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_deletion_that_fails_is_reported_and_ends_no_run(put, answer, journal, tmp_path, capsys):
    """The command that runs beside a scorer tries again the next time."""
    put([answer(1)])
    (journal / "deleted.log").mkdir()
    words = ["ship", "--journal", str(journal), "--to", f"file://{tmp_path}/far", "--days", "1"]

    assert main(words) == 8
    assert "cannot be deleted: " in capsys.readouterr().err
    assert len(here(journal)) == 1
    (journal / "deleted.log").rmdir()
    assert main(words) == 0
    assert here(journal) == {}


def test_the_command_goes_on_until_it_is_stopped(put, answer, journal, to):
    """`python -m archive ship --every 0.1` beside a scorer; killed by force, a second one takes over."""
    command = [sys.executable, "-m", "archive", "ship", "--journal", str(journal), "--to", to, "--every", "0.1"]
    codes = []
    for n, ending in enumerate((signal.SIGKILL, signal.SIGTERM)):
        if n == 0:
            put([answer(n)])
        else:
            (journal / f"answers-20260301T120000000009-{n}.jsonl").write_text(json.dumps(answer(n)))
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            until(lambda n=n: len(there(to)) == n + 1)
            os.kill(process.pid, ending)
            process.communicate(timeout=30)
        codes.append(process.returncode)

    assert codes == [-signal.SIGKILL, 0]
    assert there(to) == here(journal)


def test_when_stopped_it_sends_what_was_closed_last(put, answer, journal, tmp_path):
    """A pod ends: the scorer closes its files, then what ships them is stopped."""
    to = f"file://{tmp_path}/far/journal"
    command = [sys.executable, "-m", "archive", "ship", "--journal", str(journal), "--to", to, "--every", "600"]
    put([answer(1)])
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        until(lambda: len(there(to)) == 1)
        put([answer(2, day="2026-03-02")])
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)

    assert process.returncode == 0
    assert len(there(to)) == 2


def test_what_is_old_and_has_arrived_is_deleted_if_that_is_asked_for(put, answer, journal, tmp_path, capsys):
    """What has not arrived stays, however old."""
    put([answer(1)])
    words = ["ship", "--journal", str(journal), "--days", "1", "--to"]
    (tmp_path / "taken").write_text("")

    assert main([*words, f"file://{tmp_path}/taken/journal"]) == 8
    assert len(here(journal)) == 1
    assert main([*words, f"file://{tmp_path}/far"]) == 0
    assert "1 deleted" in capsys.readouterr().out
    assert here(journal) == {}
    assert len(there(f"file://{tmp_path}/far")) == 1


def test_it_runs_from_what_its_image_holds(put, answer, journal, tmp_path):
    """The packages that it copies, and what requirements/ship.in names."""
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("archive", "forge", "serve"):
        shutil.copytree(ROOT / package, tmp_path / "app" / package, ignore=ignored)
    put([answer(1)])
    command = [sys.executable, "-m", "archive", "ship", "--journal", str(journal), "--to", f"file://{tmp_path}/far"]
    done = subprocess.run(command, cwd=tmp_path / "app", capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "1 files made, 1 sent\n")


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
