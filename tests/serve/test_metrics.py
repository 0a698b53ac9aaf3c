"""What is counted: by every worker, lost by none, and in the format that Prometheus reads."""

import gc
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.app import create_app
from serve.bundle import Bundle
from serve.exposition import Family, exposed
from serve.families import table
from serve.metrics import EXTENSION, Metrics, bounds_of
from serve.slots import SLOTS, Series

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL},?)*)\}})? (\S+)")


def parse(text):
    """The samples by name and labels, checked strictly: declared once, together, whole histograms."""
    samples, declared, family = {}, {}, None
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert family not in declared
            declared[family] = None
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family
            declared[name] = kind
        else:
            name, labels, *_, value = SAMPLE.fullmatch(line).groups()
            suffixes = ("_bucket", "_sum", "_count") if declared[family] == "histogram" else ("",)
            assert name in [family + suffix for suffix in suffixes]
            assert (declared[family] == "counter") == family.endswith("_total")
            told = tuple(sorted((k, unescaped(v)) for k, v in re.findall(LABEL, labels or "")))
            assert (name, told) not in samples
            samples[name, told] = float(value)
    histograms = {name for name, kind in declared.items() if kind == "histogram"}
    check_histograms(histograms, samples)
    return samples


def unescaped(text):
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text)


def check_histograms(families, samples):
    """Buckets never fall, the last is the count, and there is a sum."""
    found = {}
    for (name, labels), count in samples.items():
        family, _, part = name.rpartition("_")
        if family in families and part == "bucket":
            rest = tuple(pair for pair in labels if pair[0] != "le")
            found.setdefault((family, rest), {})[float(dict(labels)["le"])] = count
    assert {family for family, _ in found} == families
    for (family, labels), buckets in found.items():
        values = [buckets[bound] for bound in sorted(buckets)]
        assert values == sorted(values)
        assert buckets[math.inf] == samples[family + "_count", labels]
        assert (family + "_sum", labels) in samples


def value(samples, name, **labels):
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


def answered(metrics, count=1, score=0.4):
    for _ in range(count):
        metrics.in_progress(1)
        metrics.answered("v1", "champion", [score], {"age": 1}, {}, 8e-5)
        metrics.in_progress(-1, 1)


@given(st.lists(st.text(), min_size=1, unique=True), st.floats())
def test_whatever_a_label_or_value_is_the_text_is_read_back(labels, number):
    """Quotes, line ends, backslashes."""
    family = Family("tidegate_x", "gauge", "Says \\ and\nmore.", ("label",))
    for label in labels:
        family.add(number if number == number else 0.0, label)
    samples = parse(exposed([family]))

    assert {dict(told)["label"] for _, told in samples} == set(labels)


def test_rows_are_counted_by_version_arm_and_feature(tmp_path):
    """A batch counts as its rows do one by one."""
    one, batch = Metrics(tmp_path / "one"), Metrics(tmp_path / "batch")
    scores = [0.0, 0.05, 0.051, 0.4, 0.93, 1.0]
    for score in scores:
        one.answered("v1", "anchor", [score], {"age": 2}, {"country": 1}, 1e-4)
    batch.answered("v1", "anchor", scores, {"age": 12}, {"country": 6}, 1e-4)
    told, expected = parse(batch.render()), parse(one.render())

    for name, labels in expected:
        if "seconds" not in name:
            assert told[name, labels] == pytest.approx(expected[name, labels])
    arm = {"version": "v1", "arm": "anchor"}
    assert value(told, "tidegate_score_bucket", **arm, le="0.05") == 2
    assert value(told, "tidegate_score_count", **arm) == 6
    assert value(told, "tidegate_missing_values_total", feature="age") == 12
    assert value(told, "tidegate_unseen_values_total", feature="country") == 6


def test_workers_are_added_up(tmp_path):
    """Whoever is asked tells of all."""
    workers = [Metrics(tmp_path) for _ in range(3)]
    for number, worker in enumerate(workers, 1):
        answered(worker, number)
        worker.lost = lambda: 2
        worker.request("/outcome", 202)
    for worker in workers:
        told = parse(worker.render())

        assert value(told, "tidegate_score_count", version="v1", arm="champion") == 6
        assert value(told, "tidegate_requests_total", route="/score", status="200") == 6
        assert value(told, "tidegate_requests_total", route="/outcome", status="202") == 3
        assert value(told, "tidegate_journal_lost_lines_total") == 6
        assert value(told, "tidegate_workers") == 3


def test_a_kill_loses_nothing_that_was_counted(tmp_path, root):
    """Counters stay when a worker goes; what it had in progress goes with it."""
    code = (
        "import sys; from pathlib import Path; from serve.metrics import Metrics\n"
        "metrics = Metrics(Path(sys.argv[1])); n = 0\n"
        "metrics.in_progress(1)\n"
        "while True:\n"
        "    metrics.answered('v1', 'champion', [0.5], {}, {}, 1e-4); n += 1\n"
        "    print(n, flush=True)\n"
    )
    metrics = Metrics(tmp_path)
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
        ) as process:
            for _ in range(50):
                last = int(process.stdout.readline())
            assert value(parse(metrics.render()), "tidegate_requests_in_progress") == 1
            process.send_signal(signal.SIGKILL)
            last += len(process.stdout.read().split())
        before = metrics.render()
        told = parse(before)
        assert value(told, "tidegate_requests_in_progress") == 0
        assert value(told, "tidegate_workers") == 1
        assert before == metrics.render()
    assert last <= value(told, "tidegate_answer_seconds_count") <= 2 * last + 10_000
    assert len(list(tmp_path.glob("*.slots"))) == 1


def test_a_dead_worker_is_not_counted_twice(tmp_path):
    """Although whoever moved its counts was killed before the file was removed."""
    dead = Metrics(tmp_path)
    answered(dead, 5)
    (path,) = tmp_path.glob("*.slots")
    content = path.read_bytes()
    metrics = Metrics(tmp_path)
    del dead
    gc.collect()
    assert value(parse(metrics.render()), "tidegate_answer_seconds_count") == 5
    assert not path.exists()

    path.write_bytes(content)
    assert value(parse(metrics.render()), "tidegate_answer_seconds_count") == 5
    assert not path.exists()


def test_threads_lose_no_count(tmp_path):
    """A slot is read, added to and written: one at a time."""
    metrics = Metrics(tmp_path)
    threads = [threading.Thread(target=answered, args=(metrics, 3000)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = parse(metrics.render())

    assert value(told, "tidegate_answer_seconds_count") == 12_000
    assert value(told, "tidegate_missing_values_total", feature="age") == 12_000
    assert value(told, "tidegate_requests_in_progress") == 0


def test_when_all_slots_are_taken_the_rest_is_counted_together(tmp_path):
    """A server that swaps every minute for a day stays up."""
    metrics = Metrics(tmp_path)
    for version in range(SLOTS // 22 + 10):
        metrics.answered(f"v{version}", "champion", [0.1], {}, {}, 1e-4)
    told = parse(metrics.render())

    assert value(told, "tidegate_uncounted_total") > 0
    assert value(told, "tidegate_answer_seconds_count") == SLOTS // 22 + 10


def test_without_a_folder_it_counts_in_memory(tmp_path):
    """And says why its counts are its own."""
    (tmp_path / "file").write_text("")
    for metrics in (Metrics(tmp_path / "file"), Metrics(None)):
        answered(metrics, 3)

        assert value(parse(metrics.render()), "tidegate_answer_seconds_count") == 3
    assert "its own" in Metrics(tmp_path / "file").why


def test_a_folder_that_is_taken_away_stops_no_count(tmp_path):
    """What is left is what this worker counted; a file cut short by a crash counts nothing."""
    metrics = Metrics(tmp_path / "a")
    answered(metrics, 3)
    (tmp_path / "a/gone.json").write_text("")
    assert value(parse(metrics.render()), "tidegate_answer_seconds_count") == 3
    shutil.rmtree(tmp_path / "a")
    answered(metrics, 2)
    assert value(parse(metrics.render()), "tidegate_answer_seconds_count") == 5


def test_counts_of_the_dead_stay_where_they_are_while_the_disk_is_full(tmp_path):
    """They are told all the same, and moved when there is room."""
    dead, metrics = Metrics(tmp_path), Metrics(tmp_path)
    answered(dead, 4)
    del dead
    gc.collect()
    in_the_way = tmp_path / f".gone.json-{os.getpid()}"
    in_the_way.mkdir()
    for _ in range(2):
        assert value(parse(metrics.render()), "tidegate_answer_seconds_count") == 4
        assert len(list(tmp_path.glob("*.slots"))) == 2
    in_the_way.rmdir()
    assert value(parse(metrics.render()), "tidegate_answer_seconds_count") == 4
    assert len(list(tmp_path.glob("*.slots"))) == 1


def test_recent_minutes_are_told_one_by_one(tmp_path):
    """Each what was counted in it, over all workers, with the minutes in which nothing was."""
    now = [10_000 * 60.0]
    workers = [Metrics(tmp_path, lambda: now[0]) for _ in range(2)]
    counts = {0: (2, 1), 1: (0, 3), 2: (0, 0), 3: (4, 0), 20: (1, 0)}
    for minute, each in counts.items():
        now[0] = (10_000 + minute) * 60.0 + 7
        for worker, count in zip(workers, each, strict=True):
            answered(worker, count)
        if minute == 3:
            recent = workers[0].recent(5)
            assert [total(minute) for minute in recent] == [0, 3, 3, 0, 4]
    assert [total(minute) for minute in workers[1].recent(3)] == [0, 0, 1]


def total(minute):
    series = next((one for one in minute if one.family == "score"), None)
    return sum(minute[series][:-1]) if series else 0


def test_the_buckets_of_values_are_round_and_hold_them(each_task):
    """Twenty of them, the same in every worker."""
    bundle = Bundle.load(each_task)
    bounds = bounds_of(bundle)

    assert len(bounds) == 20
    assert list(bounds) == sorted(set(bounds))
    if bundle.contract.task == "regression":
        golden = bundle.manifest["golden"]["scores"]
        assert bounds[0] <= min(golden)
        assert bounds[-1] >= max(golden)
        step = bounds[1] - bounds[0]
        assert float(f"{step:.0e}") == pytest.approx(step)
    else:
        assert (bounds[0], bounds[-1]) == (0.05, 1.0)


def test_the_scorer_tells_what_it_did(client, row, bundles, journal, app):
    """Every route by its rule, statuses, missing and unseen values, the model and its age."""
    client.post("/score", json=row | {"age": None, "country": "CH"})
    client.post("/score", json=[row, row])
    client.post("/score", json={})
    client.get("/wp-admin.php")
    client.get("/v2/models/nobody")
    answer = client.get("/metrics")
    told = parse(answer.text)
    version = bundles[0].name

    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"

    def requests(route, status):
        return value(told, "tidegate_requests_total", route=route, status=status)

    assert requests("/score", "200") == 2
    assert requests("/score", "422") == 1
    assert requests("none", "404") == 1
    assert requests("/v2/models/<model>", "404") == 1
    assert value(told, "tidegate_score_count", version=version, arm="champion") == 3
    assert value(told, "tidegate_missing_values_total", feature="age") == 1
    assert value(told, "tidegate_unseen_values_total", feature="country") == 1
    assert value(told, "tidegate_requests_in_progress") == 1
    assert value(told, "tidegate_arm_share", arm="champion") == 1
    assert value(told, "tidegate_ready") == 1
    assert value(told, "tidegate_release_refused") == 0
    assert value(told, "tidegate_journal_segments") == 1
    assert value(told, "tidegate_journal_bytes") > 0
    made = json.loads((bundles[0] / "manifest.json").read_text())["build"]["made_at"]
    assert made == "2026-02-20T03:17:00Z"
    assert (
        value(told, "tidegate_model_age_seconds", version=version, arm="champion") == 809_000 - 20
    )
    assert [dict(labels)["name"] for name, labels in told if name == "tidegate_model_info"] == [
        "buys"
    ]


def test_the_readme_has_everything_that_is_told(root, client, row):
    """As the code has it: python -c "from serve.families import table; print(table())"."""
    client.post("/score", json=row)
    told = re.findall(r"^# TYPE (\S+)", client.get("/metrics").text, re.MULTILINE)

    assert table() in (root / "README.md").read_text()
    assert [name for name in told if f"`{name}`" not in table()] == []


def test_accepted_outcomes_are_counted(client):
    """Those of a request that is refused are not."""
    for ids, outcome in ((["a", "b"], "yes"), (["a"], "no"), (["c"], "perhaps")):
        client.post("/outcome", json=[{"id": each, "outcome": outcome} for each in ids])
    metrics = parse(client.get("/metrics").text)

    assert value(metrics, "tidegate_outcomes_total") == 3


def test_what_the_journal_loses_is_counted(store, bundles, journal, clock, row):
    """On every answer, not when somebody looks."""
    store.serve(bundles[0])
    journal.write_text("a file where the folder should be")
    app = create_app(store.folder, journal, follow_every=None, clock=clock)
    app.test_client().post("/score", json=[row] * 3)

    assert (
        value(parse(app.extensions[EXTENSION].render()), "tidegate_journal_lost_lines_total") == 3
    )


def test_before_the_first_release_there_are_metrics(store, journal):
    """Not ready is something to see."""
    client = create_app(store.folder, journal, follow_every=None).test_client()
    told = parse(client.get("/metrics").text)

    assert value(told, "tidegate_ready") == 0
    assert value(told, "tidegate_release_refused") == 1


def test_a_series_knows_its_width():
    """One slot, or the buckets, what is above them, and the sum."""
    assert Series("requests").width == 1
    assert Series("score", (), (0.5, 1.0)).width == 4
