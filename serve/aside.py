"""The process beside the workers: it proves bundles for them, and lets a shadow score.

Nobody waits for it. It may be slow, grow, or fall over a challenger: the workers answer all the
same, and the supervisor begins another. It follows the store by itself. What scores for a shadow
runs only when the machine has nothing else to do, and rests nine times as long as it works, for
where processors are counted (a container's limit) even that would be taken from the answers.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from select import select

from serve.bundle import Bundle
from serve.counters import run_folder
from serve.engine import NoGraph
from serve.journal import Journal
from serve.live import SHADOW
from serve.metrics import Metrics
from serve.proof import Proofs
from serve.router import Router
from serve.settings import Settings
from serve.shadow import Shadow
from serve.stored import COPIES

#: Seconds between two looks at the store at most: workers that see a change wait for the proof.
LOOK_EVERY = 0.1
#: Seconds for which rows come together; messages that are taken at once: it works for well under a
#: millisecond, since others may have to wait that long (those of another group, as Linux schedules).
GATHER, AT_ONCE = 0.02, 32
#: For each second at work it rests so many.
REST = 9
#: Seconds between two looks at whether all else still lives; seconds that are left at a stop.
WAIT, LEFT = 0.5, 1.0
#: What the process is called in the lists of `ps` and `top` (Linux).
NAME = "tidegate-aside"
#: Bytes of the largest message.
LARGEST = 2**20


class Aside:
    """What the process does, with what comes from *offers*."""

    def __init__(
        self,
        settings: Settings,
        offers: socket.socket,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        metrics: Metrics | None = None,
    ) -> None:
        self._offers = offers
        self.proofs = Proofs(settings.proofs, core=settings.core == "auto")
        # What answers is loaded to be proven, and not kept.
        self.router = Router(
            settings.store, clock, self._prove, shadow=self.proofs.prove, says="aside: ",
            copies=settings.proofs / COPIES,
        )  # fmt: skip
        self.journal = Journal(
            settings.journal,
            clock,
            largest=settings.journal_segment_size,
            lasts=settings.journal_segment_seconds,
        )
        metrics = metrics or Metrics(run_folder(), worker=False)
        metrics.watch(self.journal)
        self.shadow = Shadow(partial(self.journal.answers, kind=SHADOW), metrics.shadowed)

    def run(self, woken: int, stops: Callable[[], bool]) -> None:
        """Take what is offered and have it scored, until it *stops*; *woken* is read with it."""
        while not stops():
            select([self._offers.fileno(), woken], [], [], WAIT)
            # Not woken by each row from here on, which would cost those who send them.
            select([woken], [], [], GATHER)
            began = time.monotonic()
            while self._turn() and not stops():
                select([woken], [], [], REST * (time.monotonic() - began))
                began = time.monotonic()
        self.settle(LEFT)

    def settle(self, seconds: float) -> None:
        """Score what was offered, for so many *seconds* at most."""
        until = time.monotonic() + seconds
        while self._turn() and time.monotonic() < until:
            pass

    def _turn(self) -> bool:
        """Take some of what was offered and score a few of the rows that wait; whether there were any."""
        with suppress(BlockingIOError):
            for _ in range(AT_ONCE):
                if self.shadow.has_room:
                    self.shadow.take(self._offers.recv(LARGEST, socket.MSG_DONTWAIT))
        some = self.shadow.waiting > 0
        self.shadow.turn(self.router.live.shadow)
        return some

    def close(self) -> None:
        """Follow the store no longer, and write out what the journal holds."""
        self.router.stop()
        self.journal.close()

    def _prove(self, folder: Path, digest: str) -> Bundle:
        return replace(self.proofs.prove(folder, digest), engine=NoGraph())


def work(settings: Settings, offers: socket.socket, parent: int) -> None:
    """Prove and score until SIGTERM, or until the process *parent* ends."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(NAME)
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    aside = Aside(settings, offers)
    aside.proofs.clear()
    aside.router.follow(min(LOOK_EVERY, settings.follow_every))
    aside.journal.keep_rolling()
    _give_way()  # this thread; those begun before stay as they are
    aside.run(woken, lambda: bool(told) or os.getppid() != parent)
    aside.close()


def _give_way() -> None:
    """Run when nobody else wants to, and be the first to go when memory is short (Linux)."""
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
