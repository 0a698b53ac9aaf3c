"""The parent of the workers: who dies is replaced, who cannot live ends it all, all stop together."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

SCRIPT = """
import os, signal, sys, time
from serve.supervisor import READY, Supervisor

def say(*words):  # in one write, that those of others do not come between
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def work():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # before it is waited for
    say("worker", os.getpid())
    os.kill(os.getppid(), READY)
    {work}

forks = iter([{fork}, *[os.fork] * 99])
fork = lambda: next(forks)()
lived = Supervisor({number}, work, lambda: say("started"), {patience}, fork).run()
say("over", lived)
"""
WAITS = "signal.sigwait([signal.SIGTERM])"


@pytest.fixture
def supervise(root):
    """Starts a supervisor of workers that do *work*."""
    begun = []

    def start(work, number=1, patience=20, fork="os.fork"):
        script = SCRIPT.format(work=work, number=number, patience=patience, fork=fork)
        process = subprocess.Popen(
            [sys.executable, "-c", script], cwd=root, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        begun.append(process)
        return process

    yield start
    for process in begun:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers have the pipe, too
        process.communicate()


def words(process):
    return process.stdout.readline().split()


def first_workers(process, number):
    """Their ids; it says once that it started."""
    found = [words(process) for _ in range(number + 1)]
    assert ["started"] in found
    return [int(word[1]) for word in found if word[0] == "worker"]


def test_a_worker_that_dies_is_replaced_again_and_again(supervise):
    """However short it lived, if it is a signal from outside that ends one now and then."""
    process = supervise(WAITS)
    (worker,) = first_workers(process, 1)
    for _ in range(2):
        time.sleep(1.1)
        os.kill(worker, signal.SIGKILL)
        worker = int(words(process)[1])
    process.terminate()

    assert process.communicate(timeout=20)[0].split() == ["over", "True"]


@pytest.mark.parametrize("after", ["", "time.sleep(1.1); "], ids=["at once", "after a while"])
def test_workers_that_cannot_live_end_it(supervise, after):
    """Else it would begin others for ever; what they say is there to be read."""
    process = supervise(after + "raise LookupError('no such thing')")
    told = process.communicate(timeout=20)[0]

    assert told.count("LookupError: no such thing") == 3
    assert "error: workers end as soon as they begin" in told
    assert told.endswith("over False\n")


def test_a_fork_that_fails_is_tried_again(supervise):
    """What it takes may be there in a moment; the others work on."""
    process = supervise(WAITS, fork="lambda: os.open('/nowhere', 0)")
    assert words(process)[:5] == ["error:", "cannot", "begin", "a", "worker:"]
    first_workers(process, 1)
    process.terminate()

    assert process.communicate(timeout=20)[0].split() == ["over", "True"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_stop_when_it_is_told_to(supervise, number):
    """A terminal tells all of them SIGINT, which the workers leave to it; none is too young."""
    process = supervise(WAITS, 3)
    for worker in first_workers(process, 3):
        os.kill(worker, signal.SIGINT)
    process.send_signal(number)

    assert process.communicate(timeout=20)[0].split() == ["over", "True"]


def test_who_does_not_stop_is_killed(supervise):
    """When patience is at its end."""
    process = supervise("time.sleep(60)", patience=0.2)
    first_workers(process, 1)
    process.terminate()

    assert process.communicate(timeout=20)[0].split() == ["over", "True"]


def test_each_signal_is_handed_on(supervise):
    """The second says that somebody is in a hurry."""
    process = supervise(WAITS + "; say('told'); " + WAITS)
    first_workers(process, 1)
    process.terminate()
    assert words(process) == ["told"]
    process.terminate()

    assert process.communicate(timeout=20)[0].split() == ["over", "True"]
