"""The bench's own arithmetic, its client, and its manners; what it measures is measured by `make bench`."""

import ast
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import document
from bench.__main__ import chosen
from bench.peers.goals import Goal, goals, table
from bench.peers.own_servers import OURS
from bench.peers.server_chart import FIGURE, chart
from bench.peers.server_peers import PEERS
from bench.peers.server_process import Server, ServerError, ask, free_port
from bench.peers.server_results import LEVELS, Results
from bench.peers.server_rounds import Measurement
from bench.scorer import client
from bench.scorer.answer_ledger import Books, compare
from bench.scorer.benchmark_model import Store
from bench.scorer.soak import Outcome

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FLOOR = {"model 1": {"cpu": 30.0, "wall": 30.0}, "model 1000": {"cpu": 2000.0, "wall": 2000.0}}
ROW = {"carrier": "UA", "origin": "EWR", "minute": 600}


def measured(**cpu):
    """Three rounds of each, the middle one as said."""
    return [
        Measurement(name.replace("_", "-"), level, number, value + off, 1000.0, 1.0, 2.0, 100, 0)
        for name, value in cpu.items()
        for level in LEVELS
        for number, off in ((1, -10), (2, 0), (3, 500))
    ]


@pytest.fixture
def results():
    taken = measured(ours=100, bare=40, flask=6000, mlflow=9000, mosec_onnx=132)
    extra = {"lists": 1.9, "installed": 177.0, "ready": 0.5, "resident": 79.0, "swaps": 2.0}
    extra["shadow"] = 1.05
    return Results([*OURS, *PEERS], taken, FLOOR, extra, {"lists": "JSON"}, {}, {"bentoml": "no wheel"})


def test_a_figure_is_the_median_of_the_rounds(results):
    """One round that was disturbed does not count."""
    assert results.cpu("ours") == 100
    assert results.cpu("bentoml") is None


def test_the_best_peer_is_the_one_that_takes_least(results):
    """Of its kind."""
    assert results.best(("scikit-learn", "untuned")) == ("flask", 6000)
    assert results.best(("onnx",)) == ("mosec-onnx", 132)
    assert results.best(("nobody",)) is None


def test_each_goal_is_met_or_missed_and_says_by_how_much(results):
    """60 times of 40, 1.32 of 1.5, 100 / 70, a list 1.9 of 2, 177 MB of 175, …"""
    found = goals(results)

    assert [goal.met for goal in found] == [True, False, True, True, False, True, True, True, True]
    assert "**missed** by 12%" in found[1].row()
    assert "**missed** by 1%" in found[4].row()
    assert "with a shadow, over that without | at most 1.10 times | 1.05 times | met" in found[7].row()
    assert len(table(found)) == 2 + len(found)


def test_a_goal_that_was_not_measured_is_not_called_met():
    """Without peers, say."""
    assert Goal("x", None, 50, "times").met is None
    assert "not measured" in Goal("x", None, 50, "times").row()


def test_the_document_names_everybody_and_who_was_left_out(results, tmp_path):
    """With machine and command."""
    facts = {"command": "python -m bench", "when": "2026-11-24", "machine": document.machine()}
    document.write(results, tmp_path / "B.md", facts)
    text = (tmp_path / "B.md").read_text()

    for words in ("**ours**, 1 worker", "mosec", "bentoml was left out: no wheel", "python -m bench"):
        assert words in text
    assert str(ROOT) not in text


def test_the_chart_is_a_picture_by_itself():
    """Well-formed, one bar each, no script and nothing from elsewhere."""
    drawn = chart([("ours", 90.0, "ours"), ("a & b", 12_000.0, "scikit-learn")], "µs <log>", "& more")
    tree = ET.fromstring(drawn)

    assert len(tree.findall(".//{*}rect[@class='bar v0']")) == 1
    right = [float(each.get("x")) + float(each.get("width")) for each in tree.findall(".//{*}rect[@rx]")]
    assert len(right) == 2
    assert max(right) + FIGURE <= int(tree.get("width")) + 1
    assert "script" not in drawn
    assert "href" not in drawn


@pytest.mark.parametrize(
    ("memory", "problems"),
    [
        ([70.0, 80.0, 80.0, 81.0], []),
        ([70.0, 80.0, 80.0, 90.0], ["memory grew by 10.0 MB; at most 6 are flat"]),
        ([70.0, 80.0, 80.0, 0.0], ["the worker that was to live throughout did not"]),
    ],
    ids=["flat", "it grew", "it died"],
)
def test_a_soak_says_what_memory_did(memory, problems):
    """A worker that is gone holds nothing, and is no proof of anything."""
    found = Outcome(Books(answers=1), memory=memory)

    assert found.problems() == problems
    assert found.lines()[-1] == (problems or ["no row is lost, no answer is of another version, memory is flat"])[0]


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_is_sent_json_with_every_value_of_the_row(peer):
    """However it wants it spelt."""
    (body,) = peer.bodies([ROW])
    text = json.dumps(json.loads(body))

    assert all(json.dumps(value) in text for value in ROW.values())
    assert b"\n" not in body  # wrk's script reads a body a line


def test_peers_are_asked_for_by_name():
    """All, none, or some; an unknown name is reported with the known ones."""
    assert len(chosen("all")) == len(OURS) + len(PEERS)
    assert chosen("none") == list(OURS)
    assert [e.name for e in chosen("flask,mlflow")][-2:] == ["flask", "mlflow"]
    with pytest.raises(ValueError, match="expected all, none, or some of mlflow, bentoml"):
        chosen("flusk")


def test_the_live_version_of_a_store_comes_first_whatever_the_versions_sort_like(tmp_path):
    """Both bundles may be made in one minute: their versions then differ in their digest alone."""
    versions = ("20260101T0000-bbb", "20260101T0000-aaa")
    for version in versions:
        (tmp_path / "made" / version).mkdir(parents=True)
        (tmp_path / "made" / version / "manifest.json").write_text('{"digest": "x"}')
    Store.of(tmp_path / "store", [tmp_path / "made" / version for version in versions])
    assert Store.found(tmp_path / "store").versions == versions


def test_nothing_that_is_served_imports_the_bench():
    """It reads its own pickles, and runs other people's servers."""
    for package in ("archive", "bundles", "checks", "forge", "model", "monitoring", "serve"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) else []
                assert not [name for name in names if name.split(".")[0] == "bench"], path


BUSY = """
import subprocess, sys, time
if len(sys.argv) > 1:
    end = time.process_time() + 0.3
    while time.process_time() < end: pass
    time.sleep(60)
subprocess.run([sys.executable, __file__, "child"], start_new_session=True)
"""


def test_the_time_of_every_process_counts_and_all_are_ended(tmp_path):
    """Also of a child that made its own session, as some servers' workers do."""
    (tmp_path / "busy.py").write_text(BUSY)
    server = Server([sys.executable, tmp_path / "busy.py"], tmp_path, tmp_path / "log")
    try:
        while len(server.pids()) < 2 or server.cpu() < 0.25:
            server.process.poll()
        pids = server.pids()
    finally:
        server.stop(patience=0.2)

    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists() and alive(pid)]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_server_that_ends_says_why(tmp_path):
    """With the end of its log."""
    server = Server([sys.executable, "-c", "raise SystemExit('no model')"], tmp_path, tmp_path / "l")

    with pytest.raises(ServerError, match="ended with 1: no model"):
        server.wait(free_port(), "/", None)
    server.stop()


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if self.path == "/score" else 404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Hosting(ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # the client hangs up when its time is over


@pytest.fixture
def answering():
    with Hosting(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("connections", [1, 4])
def test_the_client_that_stands_in_for_wrk_counts_what_is_answered(answering, connections):
    """And what is not."""
    assert ask(answering, "/score", b"{}") == (200, b"{}")
    good = client.main(answering, "/score", ['{"a":1}', "{}"], connections, 0.3)
    bad = client.main(answering, "/nowhere", ["{}"], connections, 0.2)

    assert good["answered"] > 0
    assert good["failed"] == 0
    assert good["p50"] <= good["p99"]
    assert bad["failed"] == bad["answered"] > 0


def book(tmp_path, answered, kept):
    """The record of what one visitor had *answered*, compared with a journal that *kept* some lines."""
    (tmp_path / "visitor-0").write_text(answered)
    journal = tmp_path / "journal/day"
    journal.mkdir(parents=True)
    (journal / "answers-1.jsonl").write_text(kept)
    (journal / "outcomes-1.jsonl").write_text('{"id":"a"}\n')
    return compare([tmp_path / "visitor-0"], tmp_path / "journal", {"v1": [0.5, 0.25]})


KEPT = '{"id":"a","version":"v1","score":0.5}\n'


@pytest.mark.parametrize(
    ("answered", "words"),
    [
        ("answer a v1 0 0.5\noutcome a\ncut\n", []),
        ("answer a v1 0 0.5\nanswer b v1 0 0.5\n", ["1 acknowledged and not in the journal: b"]),
        ("answer a v1 0 0.5\noutcome b\n", ["1 acknowledged and not in the journal: outcome of b"]),
        ("answer a v1 1 0.5\n", ["1 answers whose score, version and journal disagree: a"]),
        ("answer a v1 0 0.5\nfailed 500 x\n", ["1 requests refused: 500 x"]),
        ("cut\n", ["nothing was answered"]),
    ],
)
def test_the_books_of_the_soak_are_compared(tmp_path, answered, words):
    """What was acknowledged is in the journal, with the same version and score."""
    torn = KEPT + '{"id":"b","vers'  # a kill in the middle of a line
    found = book(tmp_path, answered, torn).problems()

    assert len(found) == len(words)
    assert all(each.startswith(begin) for each, begin in zip(found, words, strict=True))
