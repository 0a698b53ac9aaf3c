"""What is counted: by every worker, lost by none, and in the format that Prometheus reads."""

import json
import math
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bundles.bundle import Bundle
from serve.app import create_app
from serve.metrics.buckets import MIN_FOR_NUMPY, bounds_of
from serve.metrics.counters import SIZE, VARIABLE, begin_run
from serve.metrics.exporter import EXTENSION
from serve.metrics.metric_definitions import COUNTED, LOOKED_UP
from serve.metrics.scorer_metrics import Metrics

pytestmark = pytest.mark.slow

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
            found = tuple(sorted((k, unescaped(v)) for k, v in re.findall(LABEL, labels or "")))
            assert (name, found) not in samples
            samples[name, found] = float(value)
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


def exposed(collector):
    return generate_latest(collector).decode()


def value(samples, name, **labels):
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


def answered(metrics, count=1, score=0.4):
    for _ in range(count):
        metrics.in_progress(1)
        metrics.answered("v1", "champion", [score], {"age": 1}, {}, 8e-5)
        metrics.in_progress(-1, 1)


@given(st.lists(st.text(), min_size=1, unique=True))
def test_whatever_a_label_is_the_text_is_read_back(labels):
    """Quotes, line ends, backslashes."""
    metrics = Metrics()
    for label in labels:
        metrics.answered("v1", "champion", [0.5], {label: 1}, {}, 1e-4)
    found = [dict(labels) for name, labels in parse(exposed(metrics)) if "missing" in name]

    assert {labels["feature"] for labels in found} == set(labels)


def test_a_label_that_utf_8_cannot_spell_breaks_no_scrape():
    """JSON can: `"\\ud800"`."""
    metrics = Metrics()
    metrics.answered("v1", "champion", [0.5], {"\ud800": 2}, {}, 1e-4)

    assert value(parse(exposed(metrics)), "tidegate_missing_values_total", feature="?") == 2


def test_rows_are_counted_by_version_arm_and_feature(tmp_path):
    """A batch counts as its rows do one by one."""
    one, batch = Metrics(tmp_path / "one"), Metrics(tmp_path / "batch")
    scores = [0.0, 0.05, 0.051, 0.4, 0.93, 1.0]
    for score in scores:
        one.answered("v1", "anchor", [score], {"age": 2}, {"country": 1}, 1e-4)
    batch.answered("v1", "anchor", scores, {"age": 12}, {"country": 6}, 1e-4)
    found, expected = parse(exposed(batch)), parse(exposed(one))

    for name, labels in expected:
        if "seconds" not in name:
            assert found[name, labels] == pytest.approx(expected[name, labels])
    arm = {"version": "v1", "arm": "anchor"}
    assert value(found, "tidegate_score_bucket", **arm, le="0.05") == 2
    assert value(found, "tidegate_score_count", **arm) == 6
    assert value(found, "tidegate_missing_values_total", feature="age") == 12
    assert value(found, "tidegate_unseen_values_total", feature="country") == 6


@pytest.mark.parametrize("count", [2, MIN_FOR_NUMPY - 1, MIN_FOR_NUMPY, 10 * MIN_FOR_NUMPY])
def test_many_scores_at_once_fall_into_the_buckets_of_each_alone(count):
    """At the bounds, between, below and above them."""
    known = [0.0, 0.05, 0.0500001, 0.5, 0.95, 1.0, 7.5, -3.0]
    scores = [known[n % len(known)] for n in range(count)]
    together, alone = Metrics(), Metrics()
    together.answered("v1", "champion", scores, {}, {}, 1e-4, count)
    for score in scores:
        alone.answered("v1", "champion", [score], {}, {}, 1e-4)
    found, expected = (
        {key: number for key, number in parse(exposed(each)).items() if "created" not in key[0]}
        for each in (together, alone)
    )

    assert found == pytest.approx(expected)


def test_workers_are_added_up(tmp_path):
    """Whichever worker is asked answers for all."""
    workers = [Metrics(tmp_path) for _ in range(3)]
    for number, worker in enumerate(workers, 1):
        answered(worker, number)
        worker.request("/outcome", 202)
    for worker in workers:
        measured = parse(exposed(worker))

        assert value(measured, "tidegate_score_count", version="v1", arm="champion") == 6
        assert value(measured, "tidegate_requests_total", route="/score", status="200") == 6
        assert value(measured, "tidegate_requests_total", route="/outcome", status="202") == 3
        assert value(measured, "tidegate_workers") == 3


def test_prometheus_reads_what_its_client_wrote(tmp_path):
    """The text by the parser of prometheus_client: kinds, samples, and no sample twice."""
    metrics = Metrics(tmp_path, lambda version: (-10.0, 2.5, 250_000.0) if version == "v2" else (0.5, 1.0))
    metrics.answered("v1", "champion", [0.25, 0.5, 0.75], {}, {}, 1e-4)
    metrics.answered("v2", "challenger", [-50.0, 2.5, 1e6], {}, {}, 1e-4)
    families = {each.name: each for each in text_string_to_metric_families(exposed(metrics))}
    kinds = {name: family.type for name, family in families.items()}
    scores = {
        (sample.name, *(sample.labels.get(name, "") for name in ("version", "le"))): sample.value
        for sample in families["tidegate_score"].samples
    }

    assert kinds == {each.metric().name: each.kind for each in COUNTED if each.metric().name in families}
    assert scores == {
        ("tidegate_score_bucket", "v1", "0.5"): 2,
        ("tidegate_score_bucket", "v1", "1.0"): 3,
        ("tidegate_score_bucket", "v1", "+Inf"): 3,
        ("tidegate_score_sum", "v1", ""): 1.5,
        ("tidegate_score_count", "v1", ""): 3,
        ("tidegate_score_bucket", "v2", "-10.0"): 1,
        ("tidegate_score_bucket", "v2", "2.5"): 2,
        ("tidegate_score_bucket", "v2", "250000.0"): 2,
        ("tidegate_score_bucket", "v2", "+Inf"): 3,
        ("tidegate_score_sum", "v2", ""): 999_952.5,
        ("tidegate_score_count", "v2", ""): 3,
    }


def test_a_kill_loses_nothing_that_was_counted(tmp_path, root):
    """Counters stay when a worker goes, and the next one goes on; what was in progress goes with it."""
    code = (
        "import sys; from pathlib import Path; from serve.metrics.scorer_metrics import Metrics\n"
        "metrics = Metrics(Path(sys.argv[1])); n = 0\n"
        "metrics.in_progress(1)\n"
        "while True:\n"
        "    metrics.answered('v1', 'champion', [0.5], {}, {}, 1e-4); n += 1\n"
        "    print(n, flush=True)\n"
    )
    metrics, sums = Metrics(tmp_path), []
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
        ) as process:
            for _ in range(50):
                last = int(process.stdout.readline())
            measured = parse(exposed(metrics))
            assert value(measured, "tidegate_requests_in_progress") == 1
            assert value(measured, "tidegate_workers") == 2
            process.send_signal(signal.SIGKILL)
            last += len(process.stdout.read().split())
        before = exposed(metrics)
        measured = parse(before)
        assert value(measured, "tidegate_requests_in_progress") == 0
        assert value(measured, "tidegate_workers") == 1
        assert before == exposed(metrics)
        sums.append(value(measured, "tidegate_answer_seconds_count") - sum(sums))
        assert last <= sums[-1] <= last + 1
    assert len(list(tmp_path.glob("*.db"))) == 2


def test_restarts_add_no_files_and_no_counts(tmp_path):
    """A worker takes the file of one that ended, with its counters and without its gauges."""
    metrics = Metrics(tmp_path)
    for count in range(1, 6):
        worker = Metrics(tmp_path)
        worker.in_progress(1)
        worker.watch(journal := Losing())
        journal.lose(2)
        answered(worker)
        measured = parse(exposed(metrics))
        worker.close()

        assert value(measured, "tidegate_answer_seconds_count") == count
        assert value(measured, "tidegate_requests_in_progress") == 1
        assert value(measured, "tidegate_journal_lost_lines_total") == 2 * count
        assert metrics.losses() == (2 * count, 0, 1)
        assert len(list(tmp_path.glob("*.db"))) == 2


class Losing:
    """A journal that loses lines when it is asked to."""

    lost, failing, changed = 0, False, None

    def lose(self, count):
        self.lost, self.failing = self.lost + count, True
        self.changed()


def test_losses_are_those_of_all_workers(tmp_path):
    """And a worker that ended no longer fails."""
    workers, journals = [Metrics(tmp_path) for _ in range(3)], [Losing() for _ in range(3)]
    for worker, journal in zip(workers, journals, strict=True):
        worker.watch(journal)
    journals[0].lose(3)
    journals[1].lose(4)
    assert [worker.losses() for worker in workers] == [(7, 2, 3)] * 3
    journals[0].failing = False
    journals[0].changed()
    assert workers[2].losses() == (7, 1, 3)
    workers[1].close()
    assert workers[2].losses() == (7, 0, 2)


def test_threads_lose_no_count(tmp_path):
    """A number is read, added to and written: one at a time."""
    metrics = Metrics(tmp_path)
    threads = [threading.Thread(target=answered, args=(metrics, 3000)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    measured = parse(exposed(metrics))

    assert value(measured, "tidegate_answer_seconds_count") == 12_000
    assert value(measured, "tidegate_missing_values_total", feature="age") == 12_000
    assert value(measured, "tidegate_requests_in_progress") == 0


def test_a_year_of_releases_fits_and_a_full_file_stops_nothing(tmp_path):
    """After that, what has no number by its name is counted together, and the file does not grow."""
    metrics = Metrics(tmp_path)
    for version in range(800):
        metrics.answered(f"2026-01-01-{version:012}", "champion", [0.1], {}, {}, 1e-4)
    for number in range(100):
        metrics.request(f"/route/{number}", 200)
    samples = [sample for metric in metrics.collect() for sample in metric.samples]
    versions = {sample.labels["version"] for sample in samples if "version" in sample.labels}
    values = {sample.name: sample.value for sample in samples}
    requests = sum(metrics.served().requests.values())

    assert 366 < len(versions) < 800
    assert 0 < requests < 100
    assert values["tidegate_uncounted_total"] == 800 - len(versions) + 100 - requests
    assert values["tidegate_answer_seconds_count"] == 800
    assert [path.stat().st_size for path in tmp_path.glob("*.db")] == [SIZE]


def test_without_a_folder_it_counts_in_memory(tmp_path, capsys):
    """And says why."""
    (tmp_path / "file").write_text("")
    for metrics in (Metrics(tmp_path / "file"), Metrics()):
        answered(metrics, 3)
        metrics.watch(journal := Losing())
        journal.lose(5)

        assert value(parse(exposed(metrics)), "tidegate_answer_seconds_count") == 3
        assert metrics.losses() == (5, 1, 1)
    assert capsys.readouterr().err == "metrics: Not a directory; each worker counts for itself\n"


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"no counts at all, but text" * 1000])
def test_a_file_that_is_no_file_of_counts_stops_no_scrape(tmp_path, content):
    """It is left out of the sum."""
    metrics = Metrics(tmp_path)
    (tmp_path / "1.db").write_bytes(content)
    answered(metrics, 2)

    assert value(parse(exposed(metrics)), "tidegate_answer_seconds_count") == 2
    assert metrics.losses() == (0, 0, 1)


def test_a_folder_that_is_taken_away_stops_no_count(tmp_path):
    """What is left is what this worker counted."""
    metrics, other = Metrics(tmp_path), Metrics(tmp_path)
    answered(metrics, 3)
    answered(other, 1)
    shutil.rmtree(tmp_path)
    answered(metrics, 2)

    assert value(parse(exposed(metrics)), "tidegate_answer_seconds_count") == 5


def test_a_run_counts_from_zero_and_removes_what_ended_runs_left(tmp_path, root):
    """Not what another server counts that writes to the same journal."""
    code = (
        "import os, sys; from pathlib import Path; from serve.metrics.counters import begin_run\n"
        "begin_run(Path(sys.argv[1])); print(os.environ['PROMETHEUS_MULTIPROC_DIR'], flush=True)\n"
        "sys.stdin.read()\n"
    )
    (tmp_path / ".metrics").mkdir()
    (tmp_path / ".metrics/12-ab.slots").write_text("of an earlier version")
    folders = []
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        folders.append(Path(other.stdout.readline().strip()))
        environment = {}
        begin_run(tmp_path, environment)
        folders.append(Path(environment[VARIABLE]))
        assert sorted(folders) == sorted(each for each in (tmp_path / ".metrics").iterdir() if each.is_dir())
        assert not (tmp_path / ".metrics/12-ab.slots").exists()
        other.stdin.close()
    begin_run(tmp_path, environment)
    folders.append(Path(environment[VARIABLE]))

    assert [folder.exists() for folder in folders] == [False, True, True]
    assert len(set(folders)) == 3


def test_a_run_without_a_folder_says_so(tmp_path, capsys):
    """And passes on no folder of another run."""
    (tmp_path / "journal").write_text("a file where the folder should be")
    environment = {VARIABLE: "of another run"}
    begin_run(tmp_path / "journal", environment)

    assert environment == {}
    assert "metrics: Not a directory; each worker counts for itself" in capsys.readouterr().err


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


def test_the_scorer_reports_what_it_did(client, row, bundles, journal, app):
    """Every route by its rule, statuses, missing and unseen values, the model and its age."""
    client.post("/score", json=row | {"age": None, "country": "CH"})
    client.post("/score", json=[row, row])
    client.post("/score", json={})
    client.get("/wp-admin.php")
    client.get("/v2/models/nobody")
    answer = client.get("/metrics")
    measured = parse(answer.text)
    version = bundles[0].name

    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"

    def requests(route, status):
        return value(measured, "tidegate_requests_total", route=route, status=status)

    assert requests("/score", "200") == 2
    assert requests("/score", "422") == 1
    assert requests("none", "404") == 1
    assert requests("/v2/models/<model>", "404") == 1
    assert value(measured, "tidegate_score_count", version=version, arm="champion") == 3
    assert value(measured, "tidegate_missing_values_total", feature="age") == 1
    assert value(measured, "tidegate_unseen_values_total", feature="country") == 1
    assert value(measured, "tidegate_requests_in_progress") == 1
    assert value(measured, "tidegate_arm_share", arm="champion") == 1
    assert value(measured, "tidegate_ready") == 1
    assert value(measured, "tidegate_release_refused") == 0
    assert value(measured, "tidegate_journal_segments") == 1
    assert value(measured, "tidegate_journal_bytes") > 0
    made = json.loads((bundles[0] / "manifest.json").read_text())["build"]["made_at"]
    assert made == "2026-02-20T03:17:00Z"
    assert value(measured, "tidegate_model_age_seconds", version=version, arm="champion") == 809_000 - 20
    assert [dict(labels)["name"] for name, labels in measured if name == "tidegate_model_info"] == ["buys"]


def test_the_reference_lists_every_metric(root, client, row):
    """Every one that is exported, and no other."""
    client.post("/score", json=row)
    found = re.findall(r"^# TYPE (\S+)", client.get("/metrics").text, re.MULTILINE)
    page = (root / "docs/reference/metrics.md").read_text()
    shown = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)

    assert shown == [each.exported for each in (*COUNTED, *LOOKED_UP)]
    assert set(found) <= set(shown)


def test_accepted_outcomes_are_counted(client):
    """Those of a request that is refused are not."""
    for ids, outcome in ((["a", "b"], "yes"), (["a"], "no"), (["c"], "perhaps")):
        client.post("/outcome", json=[{"id": each, "outcome": outcome} for each in ids])
    metrics = parse(client.get("/metrics").text)

    assert value(metrics, "tidegate_outcomes_total") == 3


def test_what_the_journal_loses_is_counted(store, bundles, journal, clock, row):
    """When it happens, not when somebody looks."""
    store.serve(bundles[0])
    journal.write_text("a file where the folder should be")
    app = create_app(store.folder, journal, follow_every=None, clock=clock)
    app.test_client().post("/score", json=[row] * 3)

    assert value(parse(exposed(app.extensions[EXTENSION])), "tidegate_journal_lost_lines_total") == 3


def test_before_the_first_release_there_are_metrics(store, journal):
    """Not ready is something to see."""
    client = create_app(store.folder, journal, follow_every=None).test_client()
    measured = parse(client.get("/metrics").text)

    assert value(measured, "tidegate_ready") == 0
    assert value(measured, "tidegate_release_refused") == 1
