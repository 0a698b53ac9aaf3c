"""The scorer as it runs: its own process, a production server, a slim environment."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from archive.closed_segments import closed, segments
from serve.__main__ import PORT_IN_USE, USAGE, listen, main
from serve.traffic.background import NAME

pytestmark = pytest.mark.slow


@contextmanager
def scorer(root, store, journal, tmp_path, *words):
    """The process and its address, once it answers."""
    ready = tmp_path / "address"
    command = [sys.executable, "-m", "serve", "--store", str(store), "--journal", str(journal)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--ready-file", str(ready), *words],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        until(ready.is_file)
        yield process, ready.read_text().strip().removeprefix("http://")
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def get(address, path):
    with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as answer:
        return json.load(answer)


class Load(threading.Thread):
    """Posts one row after the other until it is ended; keeps every answer."""

    def __init__(self, address, row):
        super().__init__()
        self.address, self.row = address, row
        self.answers, self.failed, self.ended = [], [], threading.Event()
        self.start()

    def run(self):
        connection = HTTPConnection(self.address, timeout=30)
        while not self.ended.is_set():
            try:
                connection.request("POST", "/score", json.dumps(self.row))
                answer = connection.getresponse()
                body = json.loads(answer.read())
            except OSError as error:
                self.failed.append(repr(error))
                connection.close()
                continue
            if answer.status == 200:
                self.answers.append(body)
            else:
                self.failed.append(body)
        connection.close()

    def versions(self):
        return list(dict.fromkeys(answer["version"] for answer in self.answers))


def test_it_swaps_under_load_and_no_request_fails(root, store, journal, tmp_path, bundles, row, kept):
    """Forwards, back, and past a bundle that is bad; every answer is in the journal."""
    old, new = bundles
    store.serve(old)
    with scorer(root, store.folder, journal, tmp_path) as (_, address):
        load = [Load(address, row) for _ in range(2)]
        try:
            until(lambda: load[0].answers)
            for bundle in (new, old):
                store.serve(bundle)
                until(lambda b=bundle: get(address, "/ready")["version"] == b.name)
            store.serve(new, digest="sha256:" + "0" * 64)
            until(lambda: get(address, "/ready")["refused"])
            assert get(address, "/ready")["version"] == old.name
        finally:
            for each in load:
                each.ended.set()
                each.join()

    answers = [answer for each in load for answer in each.answers]
    assert [each.failed for each in load] == [[], []]
    assert load[0].versions() == [old.name, new.name]
    assert {a["id"]: a["version"] for a in answers} == {line["id"]: line["version"] for line in kept("answers")}


def test_it_stops_at_a_signal_and_finishes_what_it_began(root, store, journal, tmp_path, bundles, row):
    """SIGTERM, as a service is stopped; exit code 0, the address is gone."""
    store.serve(bundles[0])
    with scorer(root, store.folder, journal, tmp_path) as (process, address):
        get(address, "/ready")
        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 0
        assert not (tmp_path / "address").exists()


def test_a_killed_worker_comes_back_on_the_same_port(root, store, journal, tmp_path, bundles, row):
    """What waits at the port is answered by the next one."""
    store.serve(bundles[0])
    with scorer(root, store.folder, journal, tmp_path) as (process, address):
        get(address, "/ready")
        (worker,) = children(process.pid)
        os.kill(worker, signal.SIGKILL)

        assert get(address, "/ready")["version"] == bundles[0].name


def test_workers_do_not_outlive_a_server_that_is_killed(root, store, journal, tmp_path, bundles):
    """They would go on answering, and keep the port."""
    store.serve(bundles[0])
    with scorer(root, store.folder, journal, tmp_path) as (process, address):
        get(address, "/ready")
        workers = children(process.pid)
        process.kill()

        until(lambda: not any(alive(worker) for worker in workers))


def test_several_workers_share_store_and_journal(root, store, journal, tmp_path, bundles, row, kept):
    """Two processes, one port."""
    store.serve(bundles[0])
    with scorer(root, store.folder, journal, tmp_path, "--workers", "2") as (process, address):
        until(lambda: len(children(process.pid)) == 2)
        for _ in range(20):
            connection = HTTPConnection(address, timeout=30)
            connection.request("POST", "/score", json.dumps(row))
            assert connection.getresponse().status == 200
            connection.close()

    assert len({line["id"] for line in kept("answers")}) == 20


def test_a_port_in_use_is_said_with_what_to_type(store, journal, capsys):
    """And has its own exit code."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["--store", str(store.folder), "--journal", str(journal), "--port", str(port)]

        assert main(words) == PORT_IN_USE
    assert f"port {port} of 127.0.0.1 is in use; type --port 0" in capsys.readouterr().err


def test_every_mistake_in_how_it_is_started_is_said_at_once(tmp_path, capsys):
    """One look is enough."""
    (tmp_path / "file").write_text("")
    code = main(
        [
            "--store",
            str(tmp_path / "file"),
            "--journal",
            str(tmp_path / "file"),
            "--port",
            "70000",
            "--workers",
            "0",
            "--ready-file",
            str(tmp_path / "missing" / "address"),
        ]
    )

    assert code == USAGE
    printed = capsys.readouterr().err
    for words in ("--port is '70000'", "--workers is '0'", "--store is", "--journal is", "--ready-file is"):
        assert words in printed


def test_an_address_that_is_not_ours_is_said(store, journal, capsys):
    """192.0.2.0/24 belongs to nobody (RFC 5737)."""
    words = ["--store", str(store.folder), "--journal", str(journal), "--host", "192.0.2.1"]

    assert main(words) == USAGE
    assert "cannot listen on 192.0.2.1" in capsys.readouterr().err


def test_an_answer_does_not_wait_for_an_acknowledgement():
    """Head and body are two packets: without this option the second waits 40 ms for the first's ack."""
    with listen("127.0.0.1", 0) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with client, accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_connections_are_as_many_as_files_may_be_open(root):
    """The soft limit is raised as far as it may be; what still is too much is said."""
    code = """
import resource
from serve.http.server import max_connections
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 400))
print(max_connections(50), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print(max_connections(250), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print(max_connections(1000), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)

    assert found.stdout.split() == ["50", "200", "250", "350", "300", "400"]
    assert (
        "--connections is 1,000, but the limit of open files (ulimit -Hn) is 400: 300 connections are accepted"
        in found.stderr
    )


@pytest.mark.parametrize("package", ["pandas", "sklearn", "deepchecks", "nannyml", "skl2onnx", "scipy", "pyarrow"])
def test_what_is_heavy_is_not_installed_here(package):
    """These tests run in the scorer's own environment."""
    with pytest.raises(ModuleNotFoundError):
        __import__(package)


def children(pid):
    """The children of *pid* that run and answer."""
    return [each for each in _children(pid) if each not in background_processes(pid)]


def background_processes(pid):
    """The children of *pid* that run and do not answer."""
    return [each for each in _children(pid) if Path(f"/proc/{each}/comm").read_text() == NAME + "\n"]


def _children(pid):
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [each for each in pids if alive(each) and stat(each)[1] == str(pid)]


def alive(pid):
    return stat(pid)[0] not in "ZX"


def stat(pid):
    """State and parent; X for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return ["X", ""]


def test_slow_clients_hold_up_nobody_and_are_sent_away(root, store, journal, tmp_path, bundles, row):
    """More of them than there are threads, each with a body that never comes."""
    store.serve(bundles[0])
    words = ["--threads", "2", "--body-timeout", "1"]
    with scorer(root, store.folder, journal, tmp_path, *words) as (_, address):
        host, _, port = address.partition(":")
        slow = [socket.create_connection((host, int(port)), timeout=30) for _ in range(12)]
        try:
            for each in slow:
                each.sendall(b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
            load = Load(address, row)
            until(lambda: len(load.answers) > 5)
            answers = [each.recv(1000) for each in slow]
            load.ended.set()
            load.join()
        finally:
            for each in slow:
                each.close()

    assert load.failed == []
    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 408 Request Timeout"}


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["the server", "its workers, too"])
def test_readiness_goes_red_before_the_port_closes(root, store, journal, tmp_path, bundles, row, kill):
    """Requests go on being answered meanwhile; a signal that also comes handed on is one signal."""
    store.serve(bundles[0])
    with scorer(root, store.folder, journal, tmp_path, "--drain", "2") as (process, address):
        connection = HTTPConnection(address, timeout=30)
        kill(process.pid, signal.SIGTERM)

        def red():
            connection.request("GET", "/ready")
            answer = connection.getresponse()
            answer.read()
            return answer.status == 503

        until(red)
        time.sleep(0.5)  # still in the drain
        connection.request("POST", "/score", json.dumps(row))
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (200, "close")
        answer.read()
        connection.close()
        assert process.wait(30) == 0


def test_what_is_in_flight_at_a_stop_is_answered_and_kept(root, store, journal, tmp_path, bundles, row, kept):
    """Readiness is red first; the rest of the body comes when nothing new is taken any more."""
    store.serve(bundles[0])
    body = json.dumps(row | {"id": "in-flight"}).encode()
    head = f"POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with scorer(root, store.folder, journal, tmp_path, "--drain", "0.5") as (process, address):
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as slow:
            slow.sendall(head + body[:-1])
            assert get(address, "/ready")["ready"]
            process.send_signal(signal.SIGTERM)
            until(lambda: not ready(address))
            assert process.poll() is None
            time.sleep(1)  # past the drain
            assert process.poll() is None
            slow.sendall(body[-1:])
            answer = slow.recv(10_000)

        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert process.wait(30) == 0
    assert [line["id"] for line in kept("answers")] == ["in-flight"]
    assert all(is_closed(path) for path in segments(journal))


def ready(address):
    """Whether /ready says so, or does not answer any more."""
    try:
        return get(address, "/ready")["ready"]
    except urllib.error.HTTPError as error:
        return json.load(error)["ready"]


def is_closed(path):
    with closed(path) as ours:
        return ours


def test_settings_may_come_from_variables(root, store, journal, tmp_path, bundles):
    """As a container has them; a wrong one stops the start."""
    store.serve(bundles[0])
    found = subprocess.run(
        [sys.executable, "-m", "serve", "--store", str(store.folder)],
        cwd=root,
        env=os.environ | {"TIDEGATE_PROT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == USAGE
    assert "TIDEGATE_PROT is not a setting; did you mean TIDEGATE_PORT?" in found.stderr
    assert "--journal is missing" in found.stderr
