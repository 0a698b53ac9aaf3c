"""What a worker counts goes to the journal, now and then: all that /metrics has, once."""

import os
import shutil
import signal
import urllib.request
from datetime import UTC, datetime

import pytest

from serve.journal.service_counts import Service
from serve.journal.writer import Journal
from serve.metrics.buckets import SECONDS
from serve.metrics.exporter import EXTENSION
from serve.metrics.scorer_metrics import Metrics, Served
from tests.serve.test_process import Load, children, scorer, until
from tests.serve.test_scorer_metrics import parse, value

pytestmark = pytest.mark.slow


class Worker:
    """What a worker holds, set by hand; and the lines that are kept of it, while there is room."""

    def __init__(self, clock):
        self.held = Served({}, [0.0] * (len(SECONDS) + 1))
        self.lines, self.version, self.room = [], "v1", True
        self.service = Service(lambda: self.held, self.keep, lambda: self.version, clock)

    def keep(self, line):
        if self.room:
            self.lines.append(line)
        return self.room

    def count(self, status="200", requests=1, bucket=0, route="/score"):
        before, answers = self.held.requests.get((route, status), 0.0), [*self.held.answers]
        answers[bucket] += requests
        self.held = Served({**self.held.requests, (route, status): before + requests}, answers)


@pytest.fixture
def worker(clock):
    return Worker(clock)


@pytest.mark.parametrize(
    ("passes", "change", "last", "expected"),
    [
        ({"minutes": 4}, None, False, 0),
        ({"minutes": 5}, None, False, 1),
        ({"minutes": 4}, None, True, 1),
        ({"seconds": 5}, "v2", False, 1),
        ({"seconds": -5}, None, False, 1),
        ({"hours": -24, "minutes": 1}, None, False, 1),
    ],
    ids=["soon", "after minutes", "the last", "a new champion", "set back", "another day"],
)
def test_a_line_comes_in_time_and_with_whatever_a_line_is_about(worker, clock, passes, change, last, expected):
    """Minutes, a day, a champion, the end: each has its own lines."""
    worker.count()
    clock.pass_by(**passes)
    worker.version = change or worker.version
    worker.service.write(last=last)

    assert len(worker.lines) == expected
    assert all(line["version"] == "v1" for line in worker.lines)


def test_a_line_has_what_came_since_the_line_before(worker, clock):
    """By what became of a request, and by bucket; it is of the time that it began."""
    worker.count("200", 7)
    worker.count("422", 2, bucket=3)
    worker.count("503", 1, bucket=len(SECONDS))
    clock.pass_by(minutes=5)
    worker.service.write()
    worker.count("200", 4, bucket=3)
    clock.pass_by(minutes=6)
    worker.service.write()
    first, second = worker.lines

    assert (first["at"], first["until"]) == ("2026-03-01T12:00:00.000000Z", "2026-03-01T12:05:00.000000Z")
    assert second["at"] == first["until"]
    assert [first[name] for name in ("answered", "refused", "failed")] == [7, 2, 1]
    assert [second[name] for name in ("answered", "refused", "failed")] == [4, 0, 0]
    assert first["bounds"] == SECONDS
    assert (first["answers"][0], first["answers"][3], first["answers"][-1]) == (7, 2, 1)
    assert second["answers"] == [4.0 if n == 3 else 0.0 for n in range(len(SECONDS) + 1)]


def test_an_hour_without_a_request_has_no_line_and_none_is_about_it(worker, clock):
    """A line over it would lie on the day before."""
    for _ in range(3):
        clock.pass_by(hours=10)
        worker.service.write()
    worker.count()
    clock.pass_by(minutes=5)
    worker.service.write()

    assert [line["at"][:13] for line in worker.lines] == ["2026-03-02T18"]


def test_what_could_not_be_kept_is_in_the_next_line(worker, clock):
    """The disk was full for a while."""
    worker.room = False
    worker.count()
    clock.pass_by(minutes=5)
    worker.service.write()
    worker.room = True
    worker.count()
    clock.pass_by(minutes=5)
    worker.service.write()

    assert [line["answered"] for line in worker.lines] == [2]


@pytest.mark.parametrize(
    ("route", "counts"),
    [
        ("/score", True),
        ("/outcome", True),
        ("/invocations", True),
        ("/v2/models/<model>/versions/<version>/infer", True),
        ("/ready", False),
        ("/metrics", False),
        ("/v2/health/ready", False),
        ("none", False),
    ],
)
def test_only_what_is_asked_of_a_model_is_a_request(worker, clock, route, counts):
    """A balancer asks every second whether a worker is ready; that one says no is no failure."""
    worker.count("503", route=route)
    clock.pass_by(minutes=5)
    worker.service.write()

    assert [line["failed"] for line in worker.lines] == [int(counts)]


def test_counts_that_cannot_be_kept_are_no_answers_that_were_lost(journal, clock, capsys):
    """Of /ready and the policy; that the journal cannot be written is reported all the same."""
    journal.write_text("")
    writing = Journal(journal, clock)

    assert writing.service({"answered": 1}) is False
    assert (writing.state()["lost"], writing.state()["failing"]) == (0, True)
    assert "cannot be written" in capsys.readouterr().err


def test_a_file_of_counts_lasts_longer_and_ends_with_the_day(journal, clock, kept):
    """Few lines; who reads weeks of them from afar waits for each file."""
    writing = Journal(journal, clock, lasts=900)
    for _ in range(13):
        writing.service({"at": str(clock())})
        clock.pass_by(hours=1)

    assert len(list(journal.glob("service-*"))) == 13
    assert len(kept("service")) == 13
    shutil.rmtree(journal)
    for _ in range(8):
        writing.service({"at": str(clock())})
        clock.pass_by(minutes=14)
    assert len(list(journal.glob("service-*"))) == 2


def test_a_scorer_has_its_lines_from_the_start_to_the_end(app, client, row, kept, clock):
    """Of its first champion, too; and at a stop the rest."""
    found = app.extensions["tidegate"]
    found.journal.also()
    client.post("/score", json=row)
    client.post("/score", json={"age": "old"})
    client.get("/ready")
    clock.pass_by(minutes=1)
    found.close()

    (line,) = kept("service")
    assert (line["answered"], line["refused"], line["failed"]) == (1, 1, 0)
    assert line["version"] == found.champion()
    assert sum(line["answers"]) == 1
    assert line["answers"] == app.extensions[EXTENSION].served().answers


def test_a_worker_keeps_no_line_of_what_the_one_before_it_counted(tmp_path, clock):
    """Whose file it took over: that one has its own lines."""
    for count in (3, 2):
        metrics, worker = Metrics(tmp_path), Worker(clock)
        service = Service(metrics.served, worker.keep, lambda: "v1", clock)
        for _ in range(count):
            metrics.answered("v1", "champion", [0.5], {}, {}, 1e-4)
            metrics.request("/score", 200)
            metrics.request("/score", 422)
        service.write(last=True)
        metrics.close()

        assert [(line["answered"], line["refused"]) for line in worker.lines] == [(count, count)]
        assert sum(worker.lines[0]["answers"]) == count


def test_lines_of_all_workers_sum_to_what_metrics_says(root, store, journal, tmp_path, bundles, row, kept):
    """At a graceful stop nothing of it is missing."""
    store.serve(bundles[0])
    with scorer(root, store.folder, journal, tmp_path, "--workers", "2") as (process, address):
        asked(address, row, 300)
        measured = metrics(address)
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    lines = kept("service")
    assert total(lines, "answered") == value(measured, "tidegate_requests_total", route="/score", status="200")
    assert total(lines, "failed") == 0
    assert sum(sum(line["answers"]) for line in lines) == value(measured, "tidegate_answer_seconds_count")
    assert {line["version"] for line in lines} == {bundles[0].name}
    buckets = [value(measured, "tidegate_answer_seconds_bucket", le=str(bound)) for bound in SECONDS[:-1]]
    summed = [sum(column) for column in zip(*(line["answers"] for line in lines), strict=True)]
    assert [sum(summed[: n + 1]) for n in range(len(buckets))] == buckets


def test_a_kill_loses_counts_of_minutes_and_no_answer(root, store, journal, tmp_path, bundles, row, kept):
    """The other worker's are whole; every answer is in the journal."""
    store.serve(bundles[0])
    with scorer(root, store.folder, journal, tmp_path, "--workers", "2") as (process, address):
        given = asked(address, row, 300)
        os.kill(children(process.pid)[0], signal.SIGKILL)
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    assert set(given) <= {each["id"] for each in kept("answers")}
    assert total(kept("service"), "answered") <= len(kept("answers"))


def test_metrics_go_on_where_a_killed_worker_stopped(root, store, journal, tmp_path, bundles, row):
    """Nothing that was answered is missing, and another start counts from zero."""
    store.serve(bundles[0])
    with scorer(root, store.folder, journal, tmp_path, "--workers", "2") as (process, address):
        given = asked(address, row, 100)
        os.kill(children(process.pid)[0], signal.SIGKILL)
        until(lambda: value(metrics(address), "tidegate_workers") == 2)
        given += asked(address, row, 100)
        measured = metrics(address)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    with scorer(root, store.folder, journal, tmp_path) as (_, address):
        again = metrics(address)

    assert value(measured, "tidegate_answer_seconds_count") >= len(given)
    assert value(measured, "tidegate_requests_in_progress") == 1
    assert value(again, "tidegate_answer_seconds_count") == 0
    assert len([*journal.glob(".metrics/*/")]) == 1


def asked(address, row, least):
    """The ids of some answers."""
    load = [Load(address, row) for _ in range(4)]
    try:
        until(lambda: sum(len(each.answers) for each in load) > least)
    finally:
        for each in load:
            each.ended.set()
            each.join()
    return [answer["id"] for each in load for answer in each.answers]


def metrics(address):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return parse(answer.read().decode())


def total(lines, name):
    return sum(line[name] for line in lines)


def test_days_are_those_of_utc(clock):
    """Wherever the scorer's clock is set to."""
    worker = Worker(lambda: datetime(2026, 3, 1, 23, 59, tzinfo=UTC).astimezone())
    worker.count()
    worker.service.write(last=True)

    assert worker.lines[0]["at"] == "2026-03-01T23:59:00.000000Z"
