"""The shadow: a challenger that scores what others answered, off the request's path.

An answer is offered and not waited for: one daemon thread scores what waits, a few rows at a time
and with pauses, since whoever computes in Python holds up the answers of this process. No more than
`MOST` rows wait; others are dropped and counted. What a shadow scores is kept beside the answers,
with their ids, in files of its own: it was told to nobody. How it differs from what was told is
counted.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from serve.answers import Answer
from serve.arms import Arm
from serve.live import SHADOW

#: Rows that may wait.
MOST = 10_000
#: Seconds for which rows come together, so that most answers meet no shadow at all; rows that are
#: scored at once, and seconds in between.
GATHER, CHUNK, PAUSE = 0.05, 32, 0.001
#: For each second at work it rests so many: however slow a challenger is, it gets a tenth of the time.
REST = 9
#: Seconds without a row after which there is time for other things.
IDLE = 5.0
#: Takes lines, the private fields and the key's name; says whether the lines were kept.
Keep = Callable[[Sequence[Mapping[str, Any]], Iterable[str], str], bool]


class _Waiting(NamedTuple):
    """A row that was answered, and whose shadow is to score it."""

    arm: Arm
    answer: Answer
    row: Mapping[str, Any]


class Shadow:
    """Scores what is offered when there is time, and hands it to *keep*; calls *idle* in between."""

    def __init__(
        self, keep: Keep, idle: Callable[[], None] = lambda: None, most: int = MOST
    ) -> None:
        self._keep, self._idle, self._most = keep, idle, most
        self.scored = self.dropped = self.failed = 0
        self.why = ""
        #: Told of each version what becomes of its rows.
        self.counted: Callable[[str, Mapping[str, float]], None] = lambda _, __: None
        self._waiting: deque[_Waiting] = deque()
        self._in_hand = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def offer(self, arm: Arm, answers: Sequence[Answer], rows: Sequence[Mapping[str, Any]]) -> None:
        """Score *rows*, which got *answers*, later or never. Neither waits nor raises."""
        with self._changed:
            room = self._most - len(self._waiting) if self._runs() else 0
            pairs = zip(answers[:room], rows, strict=False)
            self._waiting.extend(_Waiting(arm, answer, row) for answer, row in pairs)
            dropped = max(0, len(answers) - room)
            self.dropped += dropped
            self._changed.notify_all()
        if dropped:
            self.counted(arm.bundle.version, {"dropped": dropped})

    def wait(self, seconds: float) -> bool:
        """Wait until everything offered is scored; False if *seconds* did not suffice."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._in_hand), seconds)

    def state(self) -> dict[str, Any]:
        """How many rows were scored, wait, were dropped and failed, and why the last failed."""
        return {
            "scored": self.scored,
            "waiting": len(self._waiting) + self._in_hand,
            "dropped": self.dropped,
            "failed": self.failed,
            "why": self.why,
        }

    def _runs(self) -> bool:
        # Not before the first row: the thread must be of the worker, not of what forked it.
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=SHADOW, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                self.why = str(error)
                return False
            self._thread = thread
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                some = self._changed.wait_for(lambda: bool(self._waiting), IDLE)
            if not some:
                with suppress(OSError):
                    self._idle()
                continue
            time.sleep(GATHER)
            while self._waiting:
                began = time.perf_counter()
                self._turn()
                time.sleep(max(PAUSE, REST * (time.perf_counter() - began)))

    def _turn(self) -> None:
        # In a function of its own: what waits for rows must hold no bundle that may be gone by now.
        with self._changed:
            arm = self._waiting[0].arm
            chunk: list[_Waiting] = []
            while self._waiting and self._waiting[0].arm is arm and len(chunk) < CHUNK:
                chunk.append(self._waiting.popleft())
            self._in_hand = len(chunk)
        version = arm.bundle.version
        try:
            rows, scores = _score(arm, chunk)
            differs = _differs(arm, chunk, scores)
            if not self._keep(_lines(arm, chunk, rows, scores), arm.private, arm.rows.key):
                raise OSError("the journal cannot be written")
        except Exception as error:
            # Whatever a challenger does is news about the challenger, and harms no answer.
            self._fail(len(chunk), f"{version}: {type(error).__name__}: {error}")
            self.counted(version, {"failed": len(chunk)})
        else:
            self.scored += len(chunk)
            self.counted(version, {"scored": len(chunk), **differs})
        with self._changed:
            self._in_hand = 0
            self._changed.notify_all()

    def _fail(self, rows: int, why: str) -> None:
        self.failed += rows
        if why != self.why:
            print(f"shadow failed: {why}", file=sys.stderr, flush=True)
        self.why = why


def _score(arm: Arm, chunk: Sequence[_Waiting]) -> tuple[list[Mapping[str, Any]], NDArray[Any]]:
    """The rows as *arm* reads them, and its scores: (n,), or (n, classes)."""
    rows = [arm.read(waiting.row) for waiting in chunk]
    scores = arm.bundle.score(rows)
    if not np.isfinite(scores).all():
        raise ArithmeticError("it gave a score that is not finite")
    return rows, scores


def _lines(
    arm: Arm, chunk: Sequence[_Waiting], rows: Sequence[Mapping[str, Any]], scores: NDArray[Any]
) -> list[dict[str, Any]]:
    names = arm.bundle.contract.feature_names
    return [
        {
            **waiting.answer.line(),
            "version": arm.bundle.version,
            "arm": SHADOW,
            "row": {name: row.get(name) for name in names},
            "score": score,
        }
        for waiting, row, score in zip(chunk, rows, scores.tolist(), strict=True)
    ]


def _differs(arm: Arm, chunk: Sequence[_Waiting], scores: NDArray[Any]) -> dict[str, float]:
    """Of how many rows the label is another, and the sum of the scores' distances.

    Between probabilities by class that is the total variation, half of the absolute differences.
    """
    told = np.asarray([waiting.answer.score for waiting in chunk])
    apart = np.abs(told - scores)
    if scores.ndim == 2:
        others = told.argmax(axis=1) != scores.argmax(axis=1)
        return {"disagreed": int(others.sum()), "difference": float(apart.sum()) / 2}
    found = {"difference": float(apart.sum())}
    if arm.rows.task != "regression":
        found["disagreed"] = int(((told >= 0.5) != (scores >= 0.5)).sum())
    return found
