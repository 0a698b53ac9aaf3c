"""The parent of the workers: begins them, begins another where one dies, and stops them all.

All it waits for is signals, which a pipe brings (`signal.set_wakeup_fd`); it has one thread, so that
a fork finds everything in order.
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
#: Seconds that a worker lives if it can; how many that cannot, one after the other, are enough.
LIVES, ENOUGH = 1.0, 3


class Supervisor:
    """Keeps *number* processes that *work*; *started* is called once, when the first answers."""

    def __init__(
        self, number: int, work: Callable[[], None], started: Callable[[], None], patience: float
    ) -> None:
        self._number, self._work, self._started = number, work, started
        self._patience, self._short_lived = patience, 0
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
        until = float("inf")
        while self._born or until == float("inf"):
            while len(self._born) < self._number and until == float("inf"):
                self._begin()
            signals = os.read(told, 64) if select([told], [], [], 0.5)[0] else b""
            self._reap()
            if READY in signals:
                self._started()
                self._started = lambda: None
            if self._short_lived >= ENOUGH and until == float("inf"):
                print("error: workers end as soon as they begin", file=sys.stderr, flush=True)
                signals += bytes([signal.SIGTERM])
            if signal.SIGTERM in signals or signal.SIGINT in signals:
                until = min(until, time.monotonic() + self._patience)
                self._send(signal.SIGTERM)
            if time.monotonic() > until:
                self._send(signal.SIGKILL)
        return self._short_lived < ENOUGH

    def _begin(self) -> None:
        if pid := os.fork():
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

    def _reap(self) -> None:
        for pid, born in list(self._born.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self._born[pid]
                lived = time.monotonic() - born > LIVES
                self._short_lived = 0 if lived else self._short_lived + 1

    def _send(self, number: int) -> None:
        for pid in self._born:
            os.kill(pid, number)
