"""The shadow: a challenger that scores what others answered, in a process of its own.

A worker offers each answer to a socket and goes on: it never waits, and what finds no room there is
dropped and counted (`Offers`). The process aside takes them from the other end, scores them a few
at a time, and keeps what it finds beside the answers, with their ids, in files of its own: it was
told to nobody. How it differs from what was told is counted (`Shadow`).
"""

from __future__ import annotations

import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from serve.answers import Answer
from serve.arms import Arm
from serve.live import SHADOW

#: Rows that may wait; rows that are sent at once, and scored.
MOST, CHUNK, FEW = 10_000, 32, 16
#: Bytes that may be on their way, if the system allows so many.
ROOM = 4 * 2**20
#: Takes lines, the private fields and the key's name; says whether the lines were kept.
Keep = Callable[[Sequence[Mapping[str, Any]], Iterable[str], str], bool]
#: Is told of a version what becomes of its rows.
Counted = Callable[[str, Mapping[str, float]], None]


class Told(msgspec.Struct, array_like=True, gc=False):
    """A row as it came, and what of its answer a shadow's line repeats or is compared with."""

    id: str
    at: str
    key: str
    time: str
    score: float | list[float]
    row: dict[str, Any]


class Offered(msgspec.Struct, array_like=True):
    """Rows that were answered, for the shadow of a version."""

    version: str
    rows: list[Told]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Offered).decode


class Offers:
    """A worker's end: what is offered is on its way at once, or dropped."""

    def __init__(self, to: socket.socket) -> None:
        to.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        self._to = to
        self.offered = self.dropped = 0
        self.counted: Counted = lambda _, __: None

    def offer(self, arm: Arm, answers: Sequence[Answer], rows: Sequence[Mapping[str, Any]]) -> None:
        """Have *rows*, which got *answers*, scored some time or never. Neither waits nor raises."""
        told = [
            Told(a.id, a.at, a.key, a.time, a.score, row)  # type: ignore[arg-type]
            for a, row in zip(answers, rows, strict=True)
        ]
        dropped = 0
        for start in range(0, len(told), CHUNK):
            some = told[start : start + CHUNK]
            try:
                self._to.send(_encode(Offered(arm.bundle.version, some)), socket.MSG_DONTWAIT)
            except Exception:  # no room, nobody there, or a value that cannot be sent
                dropped += len(some)
        self.offered += len(told) - dropped
        if dropped:
            self.dropped += dropped
            self.counted(arm.bundle.version, {"dropped": dropped})

    def state(self) -> dict[str, int]:
        """How many rows this worker offered, and how many it had to drop."""
        return {"offered": self.offered, "dropped": self.dropped}


class Shadow:
    """The other end: scores what was offered, and hands it to *keep*. Of one thread."""

    def __init__(self, keep: Keep, counted: Counted, most: int = MOST) -> None:
        self._keep, self._counted, self._most = keep, counted, most
        self._waiting: deque[tuple[str, Told]] = deque()
        self._why = ""

    @property
    def waiting(self) -> int:
        """Rows that wait."""
        return len(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether more may wait; else what is sent stays on its way, until there is no room there."""
        return len(self._waiting) < self._most

    def take(self, message: bytes) -> None:
        """Have what `Offers` sent wait its turn."""
        offered = _decode(message)
        self._waiting.extend((offered.version, told) for told in offered.rows)

    def turn(self, arm: Arm | None) -> None:
        """Score a few of the rows that wait, with *arm*; those for another one are dropped."""
        if not self._waiting:
            return
        version = self._waiting[0][0]
        chunk: list[Told] = []
        while self._waiting and self._waiting[0][0] == version and len(chunk) < FEW:
            chunk.append(self._waiting.popleft()[1])
        if arm is None or arm.bundle.version != version:
            self._counted(version, {"dropped": len(chunk)})
            return
        try:
            rows, scores = _score(arm, chunk)
            differs = _differs(arm, chunk, scores)
            if not self._keep(_lines(arm, chunk, rows, scores), arm.private, arm.rows.key):
                raise OSError("the journal cannot be written")
        except Exception as error:  # whatever a challenger does is news about the challenger
            self._counted(version, {"failed": len(chunk)})
            self._say(f"{version}: {type(error).__name__}: {error}")
        else:
            self._counted(version, {"scored": len(chunk), **differs})

    def _say(self, why: str) -> None:
        if why != self._why:
            print(f"shadow failed: {why}", file=sys.stderr, flush=True)
        self._why = why


def _score(arm: Arm, chunk: Sequence[Told]) -> tuple[list[Mapping[str, Any]], NDArray[Any]]:
    """The rows as *arm* reads them, and its scores: (n,), or (n, classes)."""
    rows = [arm.read(told.row) for told in chunk]
    scores = arm.bundle.score(rows)
    if not np.isfinite(scores).all():
        raise ArithmeticError("it gave a score that is not finite")
    return rows, scores


def _lines(
    arm: Arm, chunk: Sequence[Told], rows: Sequence[Mapping[str, Any]], scores: NDArray[Any]
) -> list[dict[str, Any]]:
    names = arm.bundle.contract.feature_names
    return [
        {
            "id": told.id,
            "at": told.at,
            "version": arm.bundle.version,
            "arm": SHADOW,
            "key": told.key,
            "time": told.time,
            "row": {name: row.get(name) for name in names},
            "score": score,
        }
        for told, row, score in zip(chunk, rows, scores.tolist(), strict=True)
    ]


def _differs(arm: Arm, chunk: Sequence[Told], scores: NDArray[Any]) -> dict[str, float]:
    """Of how many rows the label is another, and the sum of the scores' distances.

    Between probabilities by class that is the total variation, half of the absolute differences.
    """
    told = np.asarray([each.score for each in chunk])
    apart = np.abs(told - scores)
    if scores.ndim == 2:
        others = told.argmax(axis=1) != scores.argmax(axis=1)
        return {"disagreed": int(others.sum()), "difference": float(apart.sum()) / 2}
    found = {"difference": float(apart.sum())}
    if arm.rows.task != "regression":
        found["disagreed"] = int(((told >= 0.5) != (scores >= 0.5)).sum())
    return found
