"""No answer that was given is missing from the journal; where it is, /ready says so."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.closed_segments import closed, segments
from serve.app import create_app
from serve.journal.segments import Segment
from serve.journal.writer import Journal
from serve.settings import Settings
from tests.serve.test_process import Load, children, scorer, until

pytestmark = pytest.mark.slow


def line(n, **row):
    return {"id": f"i{n}", "key": f"k{n}", "row": {"age": n, "pages": 1} | row, "score": 0.5}


def answer(n):
    """A line as the scorer writes it."""
    return msgspec.defstruct("Line", line(n))(**line(n))


@pytest.fixture
def writing(journal, clock):
    return Journal(journal, clock)


def test_a_line_per_answer_and_per_outcome(writing, kept):
    """In files of their own."""
    writing.answers([line(1), line(2)], (), "visitor")
    writing.outcomes([{"id": "i1", "outcome": "yes"}])

    assert [each["id"] for each in kept("answers")] == ["i1", "i2"]
    assert kept("outcomes") == [{"id": "i1", "outcome": "yes"}]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_stays_on_its_line(journal, text):
    """Newlines of every kind among it."""
    shutil.rmtree(journal, ignore_errors=True)
    writing = Journal(journal)
    writing.answers([line(1, campaign=text)], (), "visitor")
    writing.close()
    (path,) = journal.glob("answers-*")

    assert path.read_bytes().count(b"\n") == 1
    assert json.loads(path.read_bytes())["row"]["campaign"] == text


def test_private_fields_never_reach_it(writing, kept, journal):
    """A private key is kept as its hash, with a salt that stays here."""
    writing.answers([answer(1), answer(1), answer(2)], ("visitor", "age"), "visitor")
    first, again, other = kept("answers")

    assert first["row"] == {"pages": 1}
    assert first["key"] == again["key"] != other["key"]
    assert first["key"].startswith("sha256:")
    assert "k1" not in "".join(path.read_text() for path in journal.glob("answers-*"))
    assert (journal / "salt").stat().st_mode & 0o077 == 0


def test_a_hash_is_the_same_after_a_restart_and_another_elsewhere(journal, tmp_path, kept):
    """A visitor stays one visitor, and cannot be looked up by who has another journal."""
    for folder in (journal, journal, tmp_path / "elsewhere"):
        Journal(folder).answers([answer(1)], ("visitor",), "visitor")
    one, same = kept("answers")
    (path,) = (tmp_path / "elsewhere").glob("answers-*")

    assert one["key"] == same["key"] != json.loads(path.read_text())["key"]


def test_a_new_day_begins_a_new_file(writing, journal, clock):
    """So that old ones can be converted."""
    writing.answers([line(1)], (), "visitor")
    clock.pass_by(days=1)
    writing.answers([line(2)], (), "visitor")

    assert [path.name[:16] for path in sorted(journal.glob("answers-*"))] == ["answers-20260301", "answers-20260302"]


def test_a_folder_that_cannot_be_written_costs_no_answer_but_is_counted(journal, clock):
    """A file is where the folder should be."""
    journal.write_text("")
    writing = Journal(journal, clock)

    assert writing.answers([line(1), line(2)], (), "visitor") is False
    assert writing.state()["lost"] == 2
    assert str(journal) in writing.state()["why"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_counted_and_writing_goes_on_when_there_is_room(writing, journal, kept, clock):
    """The first file is one that is always full."""
    writing.answers([line(1)], (), "visitor")
    writing._files["answers"]._file = os.open("/dev/full", os.O_WRONLY)
    assert writing.answers([line(2)], (), "visitor") is False
    assert writing.state()["why"].endswith(os.strerror(28))
    writing._files.clear()
    clock.pass_by(seconds=1)
    writing.answers([line(3)], (), "visitor")

    assert writing.state()["lost"] == 1
    assert [each["id"] for each in kept("answers")] == ["i1", "i3"]


def test_a_torn_line_never_runs_into_the_next(writing, journal):
    """A disk that took half of a line."""
    writing.answers([line(1)], (), "visitor")
    segment = writing._files["answers"]
    os.write(segment._file, b'{"id": "to')
    segment._torn = True
    writing.answers([line(2)], (), "visitor")
    (path,) = journal.glob("answers-*")

    first, torn, last = path.read_text().splitlines()
    assert json.loads(first)["id"] == "i1"
    assert json.loads(last)["id"] == "i2"
    assert torn == '{"id": "to'


def ids(folder):
    """Of all answers in files below *folder*; a torn line is not one."""
    found = set()
    for path in folder.rglob("answers-*.jsonl"):
        for each in path.read_text().splitlines():
            with contextlib.suppress(ValueError):
                found.add(json.loads(each)["id"])
    return found


def delete_file(folder):
    for path in folder.glob("answers-*"):
        path.unlink()


def replace_folder(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def link_elsewhere(folder):
    shutil.rmtree(folder)
    (folder.parent / "elsewhere").mkdir()
    folder.symlink_to("elsewhere")


def truncate(folder, size=0):
    for path in folder.glob("answers-*"):
        os.truncate(path, size)


def copytruncate(folder):
    for path in folder.glob("answers-*"):
        shutil.copy(path, folder / f"copied-{path.name}")
    truncate(folder)


def whole_and_a_half(folder):
    (path,) = folder.glob("answers-*")
    first, second, *_ = path.read_bytes().splitlines(keepends=True)
    truncate(folder, len(first) + len(second) // 2)


@pytest.mark.parametrize(
    ("tidy", "lost"),
    [
        (shutil.rmtree, 3),
        (delete_file, 3),
        (replace_folder, 3),
        (link_elsewhere, 3),
        (lambda folder: folder.rename(folder.with_name("renamed")), 0),
        (truncate, 3),
        (copytruncate, 3),
        (whole_and_a_half, 2),
    ],
    ids=["folder", "file", "replaced", "linked", "renamed", "truncated", "copied", "half"],
)
@pytest.mark.parametrize("seconds", [0, 1])
def test_every_row_is_in_a_file_that_exists_or_is_counted(tmp_path, clock, tidy, lost, seconds):
    """Whoever tidies up under a running scorer; at once, without a second's delay."""
    journal = tmp_path / "place/journal"
    writing = Journal(journal, clock)
    for n in range(3):
        assert writing.answers([line(n)], (), "visitor")
    tidy(journal)
    clock.pass_by(seconds=seconds)
    for n in range(3, 6):
        assert writing.answers([line(n)], (), "visitor")
    writing.close()

    found = {each for each in ids(tmp_path) if int(each[1:]) >= 3}
    assert found == {"i3", "i4", "i5"}
    assert writing.state()["lost"] == lost
    assert bool(writing.state()["why"]) == bool(lost)


def test_rows_of_a_deleted_file_are_counted_though_nobody_asks(writing, journal, capsys):
    """At the next look for files that are due, or at the end."""
    for end in (writing.roll, writing.close):
        before = writing.lost
        writing.answers([line(1), line(2)], (), "visitor")
        shutil.rmtree(journal)
        end()
        assert writing.lost == before + 2
    assert capsys.readouterr().err.count("the journal lost 2 lines") == 2


def test_what_was_counted_for_service_is_not_lost_rows(writing, journal):
    """It is not an answer."""
    writing.service({"at": "now"})
    shutil.rmtree(journal)
    writing.service({"at": "later"})

    assert writing.lost == 0
    assert len(segments(journal)) == 1


def test_a_file_that_is_deleted_as_often_as_it_is_begun_is_a_loss(journal, clock):
    """And no endless loop."""

    class Hostile(Journal):
        def _next(self, kind, now):
            made = super()._next(kind, now)
            made.path.unlink()
            return made

    writing = Hostile(journal, clock)

    assert writing.answers([line(1)], (), "visitor") is False
    assert writing.state()["lost"] == 1
    assert "deleted at once" in writing.state()["why"]


def test_rows_are_found_or_counted_while_the_folder_is_deleted_under_load(journal, clock):
    """Several threads write, another deletes."""
    writing, done = Journal(journal, clock), threading.Event()

    def write(first):
        for n in range(400):
            writing.answers([line(first + n)], (), "visitor")  # False where the folder went at that moment: counted

    def tidy():
        while not done.is_set():
            shutil.rmtree(journal, ignore_errors=True)

    threads = [threading.Thread(target=write, args=(1000 * n,)) for n in range(3)]
    tidier = threading.Thread(target=tidy)
    for each in (*threads, tidier):
        each.start()
    for each in threads:
        each.join()
    done.set()
    tidier.join()
    writing.close()

    assert len(ids(journal)) + writing.lost == 1200


@pytest.mark.parametrize(
    ("how", "passes", "files"),
    [({"largest": 100}, 0, 3), ({"lasts": 60}, 30, 3), ({"lasts": 60}, -90, 5), ({}, 1, 1)],
    ids=["by size", "by time", "by a clock set back", "not yet"],
)
def test_a_file_ends_by_size_and_by_time(journal, clock, kept, how, passes, files):
    """So that it can be converted and shipped."""
    writing = Journal(journal, clock, **how)
    for n in range(5):
        writing.answers([line(n)], (), "visitor")
        clock.pass_by(seconds=passes)

    assert len(list(journal.glob("answers-*"))) == files
    assert sorted(each["id"] for each in kept("answers")) == [f"i{n}" for n in range(5)]


def test_a_file_is_closed_in_time_though_nobody_asks(journal, clock):
    """Else the last rows of the evening would wait for the morning."""
    writing = Journal(journal, clock, lasts=60)
    writing.answers([line(1)], (), "visitor")
    (path,) = segments(journal)
    writing.keep_rolling(every=0.01)
    with closed(path) as ours:
        assert not ours
    clock.pass_by(seconds=61)
    until(lambda: is_closed(path))
    writing.answers([line(2)], (), "visitor")

    assert len(segments(journal)) == 2
    writing.close()


def test_two_writers_of_one_moment_write_two_files(journal, clock, kept):
    """Two replicas may have one process id, and one clock."""
    for n in range(2):
        Journal(journal, clock).answers([line(n)], (), "visitor")

    assert len(segments(journal)) == 2
    assert sorted(each["id"] for each in kept("answers")) == ["i0", "i1"]


def test_a_write_waits_for_the_disk_if_it_is_asked_to(journal, clock):
    """A crash of the system loses nothing then."""
    flags = []
    for durable in (False, True):
        writing = Journal(journal, clock, durable=durable)
        writing.answers([line(1)], (), "visitor")
        flags.append(fcntl.fcntl(writing._files["answers"]._file, fcntl.F_GETFL) & os.O_DSYNC)

    assert flags == [0, os.O_DSYNC]


def test_what_utf_8_cannot_spell_is_kept_as_it_came(writing, kept):
    """A lone surrogate, in an id that a website made up."""
    writing.answers([line(1, campaign="\ud800"), line(2)], (), "visitor")

    assert [each["row"].get("campaign") for each in kept("answers")] == ["\ud800", None]


def test_what_waits_to_be_converted_and_shipped_is_reported(writing, journal):
    """On /ready, and so in the metrics."""
    writing.answers([line(1)], (), "visitor")
    writing.outcomes([{"id": "i1", "outcome": "yes"}])
    found = writing.state()

    assert found["segments"] == 2
    assert found["bytes"] == sum(path.stat().st_size for path in segments(journal))
    assert "unshipped" not in found
    (journal / ".shipped").mkdir()
    (journal / ".shipped/state.json").write_text('{"left": 3}')
    assert writing.state()["unshipped"] == 3


def test_a_loss_and_its_end_are_said_once_each(journal, clock, capsys):
    """Not once for each answer."""
    journal.write_text("")
    writing = Journal(journal, clock)
    for n in range(3):
        writing.answers([line(n)], (), "visitor")
    assert writing.state()["failing"] is True
    journal.unlink()
    writing.answers([line(4)], (), "visitor")
    writing.answers([line(5)], (), "visitor")

    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 2
    assert "the journal cannot be written, answers are sent without a record" in printed[0]
    assert printed[1] == "the journal is written again; lines lost so far: 3"
    assert writing.state()["failing"] is False


@pytest.mark.parametrize(("policy", "status"), [("drop", 200), ("refuse", 503)])
def test_an_answer_that_cannot_be_kept_leaves_or_not_as_the_setting_says(
    store, journal, clock, bundles, row, policy, status
):
    """By either way into the scorer; it heals by itself."""
    store.serve(bundles[0])
    asked = Settings(store=store.folder, journal=journal, journal_policy=policy)
    app = create_app(store.folder, journal, settings=asked, follow_every=None, clock=clock)
    client = app.test_client()
    assert client.post("/score", json=row).status_code == 200
    shutil.rmtree(journal)
    journal.write_text("")
    clock.pass_by(seconds=1)
    refused = client.post("/score", json=row)

    assert refused.status_code == status
    found = client.get("/ready").json["journal"]
    # The row of before went with its folder.
    assert (found["lost"], found["policy"], found["failing"]) == (2, policy, True)
    journal.unlink()
    assert client.post("/score", json=row).status_code == 200


@pytest.mark.parametrize("victims", ["a worker", "all of them"])
def test_a_kill_under_load_loses_no_row_that_was_answered(root, store, journal, tmp_path, bundles, row, kept, victims):
    """By force, in the middle of things; every id that a client has is in the journal."""
    store.serve(bundles[0])
    answers = []
    with scorer(root, store.folder, journal, tmp_path, "--workers", "2") as (process, address):
        load = [Load(address, row) for _ in range(4)]
        try:
            until(lambda: sum(len(each.answers) for each in load) > 300)
            workers = children(process.pid)
            for worker in workers[: 1 if victims == "a worker" else None]:
                os.kill(worker, signal.SIGKILL)
            until(lambda: sum(len(each.answers) for each in load) > 900)
            if victims == "all of them":
                for each in (process.pid, *children(process.pid)):
                    os.kill(each, signal.SIGKILL)
        finally:
            for each in load:
                each.ended.set()
                each.join()
            answers = [answer["id"] for each in load for answer in each.answers]

    ids = [each["id"] for each in kept("answers")]
    assert len(answers) > 900
    assert set(answers) - set(ids) == set()
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["prune", "--days", "90"], 0, "0 deleted, 0 wait to be shipped"),
        (["ship", "--to", "file:///x"], 2, "type .venv/work/bin/python -m archive ship"),
    ],
)
def test_old_days_are_deleted_from_here_and_shipped_from_elsewhere(root, journal, command, code, said):
    """The scorer's environment has no Parquet in it."""
    journal.mkdir()
    words = [sys.executable, "-m", "serve", *command, "--journal", str(journal)]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == code
    assert said in done.stdout + done.stderr


def is_closed(path):
    with closed(path) as ours:
        return ours


def test_threads_write_whole_lines(writing, kept):
    """None inside another."""

    def write(n):
        for i in range(50):
            writing.answers([line(n * 100 + i, campaign="x" * 500)], (), "visitor")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({each["id"] for each in kept("answers")}) == 200


def test_a_kill_loses_no_line_that_was_reported(journal, kept, root):
    """The process says an id when its line is written; then it is killed in the middle of things."""
    code = (
        "import sys; from pathlib import Path; from serve.journal.writer import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "n = 0\n"
        "while True:\n"
        "    journal.answers([{'id': n, 'row': {}, 'key': ''}], (), 'visitor')\n"
        "    print(n, flush=True)\n"
        "    n += 1\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(journal)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as process:
        for _ in range(2000):
            last = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)

    assert [each["id"] for each in kept("answers")][: last + 1] == list(range(last + 1))


@pytest.mark.parametrize("tidy", [shutil.rmtree, delete_file, truncate])
def test_lines_that_somebody_deleted_are_counted_by_ready_and_metrics(client, row, journal, tidy):
    """Though every write succeeded: the new file is there before the loss is known."""
    for _ in range(3):
        assert client.post("/score", json=row).status_code == 200
    tidy(journal)
    assert client.post("/score", json=row).status_code == 200

    assert client.get("/ready").json["journal"]["lost"] == 3
    assert "tidegate_journal_lost_lines_total 3.0" in client.get("/metrics").text


def test_a_folder_that_is_deleted_before_a_file_is_made_costs_no_answer(journal, clock):
    """The next try makes it again."""

    class Late(Journal):
        late = 3

        def _next(self, kind, now):
            self.late -= 1
            if self.late >= 0:
                raise FileNotFoundError(2, "No such file or directory")
            return super()._next(kind, now)

    writing = Late(journal, clock)

    assert writing.answers([line(1)], (), "visitor")
    assert writing.state()["lost"] == 0


def test_lines_of_a_file_that_cannot_be_looked_at_are_missing(journal, clock):
    """As where another client of a network file system deleted it (ESTALE)."""
    segment = Segment(journal, "answers", clock(), 900, durable=False)
    segment.append(b"1\n2\n")
    segment.lines = 2
    file, segment._file = segment._file, 10**6  # as ESTALE, EBADF is an error of every call

    assert not segment.is_whole()
    assert segment.missing(1) == 2
    os.close(file)
