"""The parent of the workers: who dies or hangs is replaced, who cannot live ends it all, all stop together."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

SCRIPT = """
import os, socket, sys, time
from pathlib import Path
from serve.http.server import Server
from serve.settings import Settings

def say(*words):  # in one write and on a line by itself, whatever others are writing
    os.write(1, ("\\n" + " ".join(map(str, words)) + "\\n").encode())

class Worker:
    def __init__(self, settings, shared, offers, parent, number):
        os.setpgid(0, 0)
        {begins}
        self.shared, self.number, self.parent = shared, number, parent

    def __rsgi_init__(self, loop):
        self.loop, self.said = loop, False
        loop.call_soon(self.beat)

    def beat(self):
        if os.getppid() != self.parent:
            os._exit(1)
        self.shared.alive[self.number] = time.monotonic()
        if not self.said:
            say("worker", os.getpid())
            self.said = True
        self.loop.call_later(0.1, self.beat)

    def __rsgi_del__(self, loop):
        {ends}
        say("closed")

    async def __rsgi__(self, scope, proto):
        proto.response_bytes(200, [], b"well")

with socket.create_server(("127.0.0.1", 0)) as listener:
    listener.setblocking(False)
    folder = Path(sys.argv[1])
    settings = Settings(
        store=folder / "store", journal=folder / "journal", workers={number}, drain=0.0, connections=100,
        stop_within={stop_within},
    )
    server = Server(settings, listener, lambda: say("started"), Worker, heartbeat_timeout=1.0)
    say("port", listener.getsockname()[1])
    server.run()
say("over", server.failed)
"""


@pytest.fixture
def serve(root, tmp_path):
    """Starts a parent of workers that run *begins* and *ends*."""
    started = []

    def start(number=1, begins="pass", ends="pass", stop_within=20):
        script = SCRIPT.format(number=number, begins=begins, ends=ends, stop_within=stop_within)
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            cwd=root,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def after(process, word):
    """The next line that begins with *word*, and those before it are passed over."""
    for line in process.stdout:
        words = line.split()
        if words and words[0] == word:
            return words
    raise AssertionError(f"it ended without {word}")


def first_workers(process, number):
    """Their ids; it says once that it started."""
    said = []
    while len(said) < number + 1:
        line = process.stdout.readline()
        assert line, "it ended"
        if line.startswith(("started", "worker")):
            said.append(line.split())
    return [int(words[1]) for words in said if words[0] == "worker"]


def test_a_worker_that_dies_is_replaced_again_and_again(serve):
    """If it is a signal from outside that ends one now and then."""
    process = serve()
    (worker,) = first_workers(process, 1)
    for _ in range(4):
        time.sleep(1.1)
        os.kill(worker, signal.SIGKILL)
        worker = int(after(process, "worker")[1])
    process.terminate()

    assert after(process, "over") == ["over", "False"]


def test_a_worker_that_does_not_move_is_replaced_and_it_is_said(serve):
    """Its clients would wait for it, and nobody would notice."""
    process = serve(number=2)
    workers = first_workers(process, 2)
    os.kill(workers[1], signal.SIGSTOP)

    assert " ".join(after(process, "warning:")) in (
        "warning: worker 1 has sent no heartbeat for 1 s and is replaced",
        "warning: worker 2 has sent no heartbeat for 1 s and is replaced",
    )
    assert int(after(process, "worker")[1]) not in workers
    process.terminate()
    assert after(process, "over") == ["over", "False"]


@pytest.mark.parametrize("wait", ["", "time.sleep(1.1); "], ids=["at once", "after a while"])
def test_workers_that_cannot_live_end_it(serve, wait):
    """Else it would start others for ever; what they say is there to be read."""
    process = serve(begins=wait + "raise LookupError('no such thing')")
    output = process.communicate(timeout=60)[0]

    assert output.count("LookupError: no such thing") == 3
    assert "error: workers end as soon as they start" in output
    assert output.endswith("over True\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_stop_at_a_signal(serve, number):
    """A terminal's Ctrl-C reaches the parent alone; what a worker has to do at its end is done."""
    process = serve(number=3)
    first_workers(process, 3)
    os.killpg(process.pid, number)
    output = process.communicate(timeout=60)[0]

    assert output.count("closed") == 3
    assert output.endswith("over False\n")


def test_who_does_not_stop_is_killed(serve):
    """When its time is up."""
    process = serve(ends="time.sleep(600)", stop_within=1)
    first_workers(process, 1)
    process.terminate()

    assert "over False" in process.communicate(timeout=60)[0]
