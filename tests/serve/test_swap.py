"""Fifty swaps under load in two workers: no request fails, no answer is of two models."""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest

from bundles.bundle import Bundle
from serve.traffic.split import TrafficSplit, Variant

pytestmark = pytest.mark.slow

SWAPS = 50
#: Requests of one connection; the next one may reach the other worker.
OF_ONE_CONNECTION = 25


@contextmanager
def scorer(root, store, journal, tmp_path, *words):
    """The process with two workers, and its address once it answers."""
    ready = tmp_path / "address"
    command = [sys.executable, "-m", "serve", "--store", str(store), "--journal", str(journal)]
    command += ["--port", "0", "--ready-file", str(ready), "--workers", "2", *words]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL)
    try:
        until(ready.is_file)
        yield ready.read_text().strip().removeprefix("http://")
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


class Load(threading.Thread):
    """Posts the rows in turn until it is ended; keeps what it was answered, row by row."""

    def __init__(self, address, rows):
        super().__init__()
        self.address, self.rows = address, rows
        self.answers, self.failed, self.ended = [], [], threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            connection = HTTPConnection(self.address, timeout=30)
            for number in range(OF_ONE_CONNECTION):
                row = number % len(self.rows)
                try:
                    connection.request("POST", "/score", json.dumps(self.rows[row]))
                    answer = connection.getresponse()
                    body = json.loads(answer.read())
                except OSError as error:
                    self.failed.append(repr(error))
                    break
                if answer.status == 200:
                    self.answers.append((row, body))
                else:
                    self.failed.append(body)
            connection.close()

    def sees(self, version, since):
        """Whether an answer after the first *since* was of *version*."""
        return any(body["version"] == version for _, body in self.answers[since:])


@contextmanager
def load(address, rows, threads):
    """The threads that ask; all have been answered, and all have ended in the end."""
    asking = [Load(address, rows) for _ in range(threads)]
    try:
        until(lambda: all(each.answers for each in asking))
        yield asking
    finally:
        for each in asking:
            each.ended.set()
        for each in asking:
            each.join()


@pytest.fixture
def rows(bundles):
    """Rows that the two models score differently, each with its own key."""
    golden = json.loads((bundles[0] / "manifest.json").read_text())["golden"]["rows"]
    return [row | {"visitor": f"v{number}"} for number, row in enumerate(golden[:5])]


def test_fifty_swaps_under_load(root, store, journal, tmp_path, bundles, rows, kept):
    """Every answer's score is the one that its version gives; each answer is in the journal."""
    loaded = {bundle.name: Bundle.load(bundle) for bundle in bundles}
    scores = {
        (version, number): float(bundle.score([row])[0])
        for version, bundle in loaded.items()
        for number, row in enumerate(rows)
    }
    assert len({*scores.values()}) == len(scores)
    store.serve(bundles[0])
    follow = ("--follow-every", "0.01")
    with scorer(root, store.folder, journal, tmp_path, *follow) as address, load(address, rows, 3) as asking:
        for number in range(1, SWAPS + 1):
            since = [len(each.answers) for each in asking]
            version = store.serve(bundles[number % 2])
            until(lambda v=version, s=since: all(each.sees(v, n) for each, n in zip(asking, s, strict=True)))

    answers = [answer for each in asking for answer in each.answers]
    assert [each.failed for each in asking] == [[], [], []]
    assert [(row, body) for row, body in answers if body["score"] != scores[body["version"], row]] == []
    assert {line["id"]: (line["version"], line["score"]) for line in kept("answers")} == {
        body["id"]: (body["version"], body["score"]) for _, body in answers
    }


def test_an_arm_is_the_same_in_every_worker(root, store, journal, tmp_path, bundles, rows, kept):
    """It is the one that anybody computes from salt and key."""
    one, two = bundles
    slots = [store.serve(one), store.serve(two)]
    digests = [json.loads((b / "manifest.json").read_text())["digest"] for b in bundles]
    (store.folder / "live.toml").write_text(
        "".join(
            f'[{role}]\nversion = "{slots[n]}"\ndigest = "{digests[n]}"\n{more}\n'
            for role, n, more in (("champion", 0, ""), ("challenger", 1, "share = 0.4"), ("anchor", 1, "share = 0.3"))
        )
        + '[split]\nsalt = "spring"\n'
    )
    rows = [rows[0] | {"visitor": f"v{number}"} for number in range(25)]
    bundle = Bundle.load(one)
    arms = [
        Variant(name, bundle, share, "", bundle.contract)
        for name, share in (("champion", 0.3), ("challenger", 0.4), ("anchor", 0.3))
    ]
    expected = [TrafficSplit("", *arms, salt="spring").pick(row["visitor"]).name for row in rows]
    with scorer(root, store.folder, journal, tmp_path) as address, load(address, rows, 3) as asking:
        until(lambda: all(len(each.answers) > 100 for each in asking))
        # A connection goes to whichever worker takes it: more of them, until each has answered.
        until(lambda: ask_again(address, rows[0]) and len([*journal.glob("answers-*")]) >= 2)

    assert [each.failed for each in asking] == [[], [], []]
    assert {(row, body["arm"]) for each in asking for row, body in each.answers} == {*enumerate(expected)}
    assert {*expected} == {"champion", "challenger", "anchor"}
    assert {line["salt"] for line in kept("answers")} == {"spring"}


def ask_again(address, row):
    """One row over its own connection; whether it was answered."""
    request = urllib.request.Request(
        f"http://{address}/score", json.dumps(row).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.status == 200
