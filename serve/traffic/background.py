"""The process aside, beside the workers: it proves bundles for them and scores for a shadow.

No answer depends on it. It may be slow, grow, or crash because of a challenger: the workers answer all the
same, and the parent starts another. It follows the store by itself. It scores for a shadow only when the
machine is idle, and rests nine times as long as it works: where a container's CPU limit counts, even idle
time would be taken from the answers.
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

from bundles.bundle import Bundle
from bundles.onnx_session import NoGraph
from contracts.live_tables import SHADOW
from serve.journal.writer import Journal
from serve.metrics.counters import run_folder
from serve.metrics.scorer_metrics import Metrics
from serve.release.bundle_copies import COPIES
from serve.release.follower import Follower
from serve.release.validation_cache import ValidationCache
from serve.settings import Settings
from serve.traffic.shadow import LARGEST, Shadow

#: Seconds between two looks at the store at most: workers that see a change wait for the proof.
LOOK_EVERY = 0.1
#: Seconds for which rows are collected.
GATHER = 0.02
#: Messages that are received together: less than a millisecond of work, for which processes of
#: another scheduling group may have to wait.
AT_ONCE = 32
#: Seconds of rest for each second of work.
REST = 9
#: Seconds between two looks at whether the parent lives; seconds for what is left at a stop.
WAIT, LEFT = 0.5, 1.0
#: The name of the process in `ps` and `top` (Linux).
NAME = "tidegate-aside"


class Aside:
    """The work of the process; answered rows arrive at *offers*."""

    def __init__(
        self,
        settings: Settings,
        offers: socket.socket,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        metrics: Metrics | None = None,
    ) -> None:
        self._offers = offers
        self.proofs = ValidationCache(settings.proofs, core=settings.core == "auto")
        # A bundle that answers is loaded to be proven; only a shadow stays in memory.
        self.follower = Follower(
            settings.store,
            clock,
            self._prove,
            shadow=self.proofs.prove,
            prefix="aside: ",
            copies=settings.proofs / COPIES,
        )
        self.journal = Journal(
            settings.journal, clock, largest=settings.journal_segment_size, lasts=settings.journal_segment_seconds
        )
        metrics = metrics or Metrics(run_folder(), worker=False)
        metrics.watch(self.journal)
        self.shadow = Shadow(partial(self.journal.answers, kind=SHADOW), metrics.shadowed)

    def run(self, woken: int, stops: Callable[[], bool]) -> None:
        """Score what arrives until it *stops*; a signal makes the descriptor *woken* readable."""
        while not stops():
            select([self._offers.fileno(), woken], [], [], WAIT)
            # From here on it does not wake up for each row, which would cost the senders time.
            select([woken], [], [], GATHER)
            began = time.monotonic()
            while self._turn() and not stops():
                select([woken], [], [], REST * (time.monotonic() - began))
                began = time.monotonic()
        self.settle(LEFT)

    def settle(self, seconds: float) -> None:
        """Score what has arrived, for *seconds* at most."""
        until = time.monotonic() + seconds
        while self._turn() and time.monotonic() < until:
            pass

    def _turn(self) -> bool:
        """Receive some rows and score a few of those that wait. Returns whether there were any."""
        with suppress(BlockingIOError):
            for _ in range(AT_ONCE):
                if self.shadow.has_room:
                    self.shadow.take(self._offers.recv(LARGEST, socket.MSG_DONTWAIT))
        some = self.shadow.waiting > 0
        self.shadow.turn(self.follower.live.shadow)
        return some

    def close(self) -> None:
        """Stop following the store, and close the journal."""
        self.follower.stop()
        self.journal.close()

    def _prove(self, folder: Path, digest: str) -> Bundle:
        return replace(self.proofs.prove(folder, digest), engine=NoGraph())


def work(settings: Settings, offers: socket.socket, parent: int) -> None:
    """Prove and score until SIGTERM or the end of the process *parent*."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(NAME)
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    aside = Aside(settings, offers)
    aside.proofs.clear()
    aside.follower.follow(min(LOOK_EVERY, settings.follow_every))
    aside.journal.keep_rolling()
    _give_way()  # this thread only, not those started before
    aside.run(woken, lambda: bool(stopped) or os.getppid() != parent)
    aside.close()


def _give_way() -> None:
    """Run only on an idle CPU, and be the first to be killed when memory is short (Linux)."""
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
