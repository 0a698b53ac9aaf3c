"""The parent of the workers: begins them, begins another where one dies, and stops them all.

Beside them it keeps one process that no answer waits for, begun once there are answers: however it
ends, another is begun, and nothing else follows from it.

All it waits for is signals, which a pipe brings (`signal.set_wakeup_fd`). It has one thread of its
own, so that a fork finds Python in order; the import of ONNX Runtime starts another, which sleeps,
and which the workers do not have.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from select import select

#: What a worker sends when it answers.
READY = signal.SIGUSR1
_WAITED_FOR = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, READY}
#: Seconds that a worker lives if it can, and before it fails; how many that cannot, one after the
#: other, are enough; seconds until another is begun.
LIVES, FAILS, ENOUGH, PAUSE = 1.0, 30.0, 3, 0.5
#: Seconds from the start of a process aside until there may be another.
LATER = 5.0
_NEVER = float("inf")


class Supervisor:
    """Keeps *number* processes that *work*; *started* is called once, when the first answers."""

    def __init__(
        self,
        number: int,
        work: Callable[[], None],
        started: Callable[[], None],
        patience: float,
        fork: Callable[[], int] = os.fork,
        aside: Callable[[], None] | None = None,
    ) -> None:
        self._number, self._work, self._started, self._fork = number, work, started, fork
        self._patience, self._short_lived, self._pause_until = patience, 0, 0.0
        self._born: dict[int, float] = {}
        self._do_aside, self._aside, self._aside_from = aside, 0, _NEVER

    def run(self) -> bool:
        """Until SIGTERM or SIGINT; False if workers cannot live.

        The signal is handed on, each time it comes, to the process aside when no worker is left.
        What still lives *patience* seconds after the first is killed.
        """
        told, telling = os.pipe()
        os.set_blocking(telling, False)
        signal.set_wakeup_fd(telling)
        for each in _WAITED_FOR:
            signal.signal(each, lambda *_: None)  # the pipe has its number
        until = _NEVER
        while self._born or self._aside or until == _NEVER:
            if until == _NEVER:
                self._fill()
            elif not self._born:
                self._send(signal.SIGTERM, self._aside)
            signals = os.read(told, 64) if select([told], [], [], 0.5)[0] else b""
            stop = signal.SIGTERM in signals or signal.SIGINT in signals
            self._reap(stopping=stop or until != _NEVER)
            if READY in signals:
                self._started()
                self._started = lambda: None
                self._aside_from = min(self._aside_from, time.monotonic())
            if self._short_lived >= ENOUGH and until == _NEVER:
                print("error: workers end as soon as they begin", file=sys.stderr, flush=True)
                stop = True
            if stop:
                until = min(until, time.monotonic() + self._patience)
                self._send(signal.SIGTERM, *self._born)
            if time.monotonic() > until:
                self._send(signal.SIGKILL, *self._born, self._aside)
        return self._short_lived < ENOUGH

    def _fill(self) -> None:
        while len(self._born) < self._number and time.monotonic() >= self._pause_until:
            if pid := self._begin(self._work):
                self._born[pid] = time.monotonic()
            else:
                self._pause_until = time.monotonic() + PAUSE
        if self._do_aside and not self._aside and time.monotonic() >= self._aside_from:
            self._aside = self._begin(self._do_aside)
            self._aside_from = time.monotonic() + LATER

    def _begin(self, work: Callable[[], None]) -> int:
        """The id of a process that does *work*; 0 if there is none."""
        try:
            if pid := self._fork():
                return pid
        except OSError as error:  # processes or memory are short, which may pass
            print(
                f"error: cannot begin a worker: {error.strerror}; it is tried again",
                file=sys.stderr,
                flush=True,
            )
            return 0
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for each in _WAITED_FOR:
                signal.signal(each, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's; the parent hands it on
            work()
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # what the parent has to do at its end is not a worker's

    def _reap(self, *, stopping: bool) -> None:
        for pid, born in list(self._born.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            del self._born[pid]
            if stopping:  # it may be as young as it likes
                continue
            now = time.monotonic()
            if now - born > (FAILS if os.waitstatus_to_exitcode(status) > 0 else LIVES):
                self._short_lived = 0
            else:
                self._short_lived += 1
                self._pause_until = now + PAUSE
        if self._aside and os.waitpid(self._aside, os.WNOHANG)[0]:
            self._aside = 0
            if not stopping:
                print("the process aside ended; another is begun", file=sys.stderr, flush=True)

    def _send(self, number: int, *processes: int) -> None:
        for pid in filter(None, processes):
            os.kill(pid, number)
