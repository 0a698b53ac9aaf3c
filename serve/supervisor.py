"""The parent of the workers: begins them, begins another where one dies, and stops them all.

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
    ) -> None:
        self._number, self._work, self._started, self._fork = number, work, started, fork
        self._patience, self._short_lived, self._pause_until = patience, 0, 0.0
        self._born: dict[int, float] = {}

    def run(self) -> bool:
        """Until SIGTERM or SIGINT; False if workers cannot live.

        The signal is handed on, each time it comes. What still lives *patience* seconds after the
        first is killed.
        """
        told, telling = os.pipe()
        os.set_blocking(telling, False)
        signal.set_wakeup_fd(telling)
        for each in _WAITED_FOR:
            signal.signal(each, lambda *_: None)  # the pipe has its number
        until = _NEVER
        while self._born or until == _NEVER:
            if until == _NEVER:
                self._fill()
            signals = os.read(told, 64) if select([told], [], [], 0.5)[0] else b""
            stop = signal.SIGTERM in signals or signal.SIGINT in signals
            self._reap(stopping=stop or until != _NEVER)
            if READY in signals:
                self._started()
                self._started = lambda: None
            if self._short_lived >= ENOUGH and until == _NEVER:
                print("error: workers end as soon as they begin", file=sys.stderr, flush=True)
                stop = True
            if stop:
                until = min(until, time.monotonic() + self._patience)
                self._send(signal.SIGTERM)
            if time.monotonic() > until:
                self._send(signal.SIGKILL)
        return self._short_lived < ENOUGH

    def _fill(self) -> None:
        while len(self._born) < self._number and time.monotonic() >= self._pause_until:
            try:
                self._begin()
            except OSError as error:  # processes or memory are short, which may pass
                print(
                    f"error: cannot begin a worker: {error.strerror}; it is tried again",
                    file=sys.stderr,
                    flush=True,
                )
                self._pause_until = time.monotonic() + PAUSE

    def _begin(self) -> None:
        if pid := self._fork():
            self._born[pid] = time.monotonic()
            return
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for each in _WAITED_FOR:
                signal.signal(each, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's; the parent hands it on
            self._work()
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

    def _send(self, number: int) -> None:
        for pid in self._born:
            os.kill(pid, number)
