"""The background process: validates bundles for the workers, and scores rows for a shadow.

No answer depends on it. If it becomes slow, grows, or crashes because of a challenger, the workers go on answering
and the supervisor starts another one. It follows the store independently. It scores for a shadow only when the
machine is idle, and sleeps nine times as long as it works: a container's CPU limit counts idle-priority work, too.
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
from serve.traffic.shadow import MAX_MESSAGE, Shadow

#: Seconds between two looks at the store at most: workers that see a change wait for its validation.
FOLLOW_INTERVAL = 0.1
#: Seconds for which rows are collected before they are scored together.
COLLECT_SECONDS = 0.02
#: Messages that are received in one step: less than a millisecond of work, since processes of another scheduling
#: group may have to wait for it.
MAX_RECEIVED = 32
#: Seconds of sleep for each second of work.
SLEEP_RATIO = 9
#: Seconds between two checks whether the supervisor lives, and seconds for the remaining rows at a stop.
CHECK_INTERVAL, STOP_SECONDS = 0.5, 1.0
#: The name of the process in `ps` and `top` (Linux).
NAME = "tidegate-bg"


class Background:
    """The work of the process; answered rows arrive at the socket *offers*."""

    def __init__(
        self,
        settings: Settings,
        offers: socket.socket,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        metrics: Metrics | None = None,
    ) -> None:
        self._offers = offers
        self.proofs = ValidationCache(settings.proofs, core=settings.core == "auto")
        # A bundle that serves answers is loaded only to be validated; only a shadow stays in memory.
        self.follower = Follower(
            settings.store,
            clock,
            self._prove,
            shadow=self.proofs.prove,
            prefix="background: ",
            copies=settings.proofs / COPIES,
        )
        self.journal = Journal(
            settings.journal, clock, largest=settings.journal_segment_size, lasts=settings.journal_segment_seconds
        )
        metrics = metrics or Metrics(run_folder(), worker=False)
        metrics.watch(self.journal)
        self.shadow = Shadow(partial(self.journal.answers, kind=SHADOW), metrics.shadowed)

    def run(self, woken: int, stops: Callable[[], bool]) -> None:
        """Score arriving rows until *stops* returns True; a signal makes the descriptor *woken* readable."""
        while not stops():
            select([self._offers.fileno(), woken], [], [], CHECK_INTERVAL)
            # Waking up for each row would cost the senders time.
            select([woken], [], [], COLLECT_SECONDS)
            began = time.monotonic()
            while self._turn() and not stops():
                select([woken], [], [], SLEEP_RATIO * (time.monotonic() - began))
                began = time.monotonic()
        self.settle(STOP_SECONDS)

    def settle(self, seconds: float) -> None:
        """Score the rows that have arrived, for *seconds* at most."""
        until = time.monotonic() + seconds
        while self._turn() and time.monotonic() < until:
            pass

    def _turn(self) -> bool:
        """Receive some rows and score a few of the waiting ones. Returns whether there were any."""
        with suppress(BlockingIOError):
            for _ in range(MAX_RECEIVED):
                if self.shadow.has_room:
                    self.shadow.take(self._offers.recv(MAX_MESSAGE, socket.MSG_DONTWAIT))
        some = self.shadow.waiting > 0
        self.shadow.turn(self.follower.live.shadow)
        return some

    def close(self) -> None:
        """Stop following the store, and close the journal."""
        self.follower.stop()
        self.journal.close()

    def _prove(self, folder: Path, digest: str) -> Bundle:
        return replace(self.proofs.prove(folder, digest), engine=NoGraph())


def run(settings: Settings, offers: socket.socket, parent: int) -> None:
    """Validate and score until SIGTERM or the end of the process *parent*."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(NAME)
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    background = Background(settings, offers)
    background.proofs.clear()
    background.follower.follow(min(FOLLOW_INTERVAL, settings.follow_every))
    background.journal.keep_rolling()
    _lower_priority()  # this thread only, not those started before
    background.run(woken, lambda: bool(stopped) or os.getppid() != parent)
    background.close()


def _lower_priority() -> None:
    """Run only on an idle CPU, and be the first process to be killed when memory is short (Linux)."""
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
