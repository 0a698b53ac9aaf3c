"""The shadow: a challenger that scores rows that the champion answered, in a process aside.

A worker sends each answered row to a socket without waiting; what finds no room there is dropped and
counted (`Offers`). The process aside receives the rows, scores a few at a time, and writes the scores to
journal files of the shadow, with the ids of the answers. How far they differ from the answers is counted
(`Shadow`).
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from contracts.live_tables import SHADOW
from serve.log import log
from serve.scoring.answer_lines import Answer
from serve.traffic.split import Variant

#: Rows that may wait; rows in a message; rows that are scored together.
MOST, CHUNK, FEW = 10_000, 32, 16
#: Bytes of the socket's buffer, if the system allows so many; bytes of the largest message.
ROOM, LARGEST = 4 * 2**20, 2**20
#: Takes lines, the private fields and the key's name; returns whether the lines were written.
Keep = Callable[[Sequence[Answer], Iterable[str], str], bool]
#: Takes a version and what became of its rows: counts by name.
Counted = Callable[[str, Mapping[str, float]], None]


class AnsweredRow(msgspec.Struct, array_like=True, gc=False):
    """A row as it came, with what the shadow's line repeats of its answer, and the model's score, without a correction."""

    id: str
    at: str
    key: str
    time: str
    score: float | list[float]
    row: dict[str, Any]


class Message(msgspec.Struct, array_like=True):
    """Answered rows for the shadow of a version."""

    version: str
    rows: list[AnsweredRow]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


class Offers:
    """A worker's end of the socket."""

    def __init__(self, to: socket.socket) -> None:
        to.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        self._to = to
        self.offered = self.dropped = 0
        self.counted: Counted = lambda _, __: None

    def offer(self, variant: Variant, answers: Sequence[Answer], rows: Sequence[Mapping[str, Any]]) -> None:
        """Send *rows*, which got *answers*, or drop them. Neither waits nor raises."""
        answered = [
            AnsweredRow(a.id, a.at, a.key, a.time, a.model_score, row)  # type: ignore[arg-type]
            for a, row in zip(answers, rows, strict=True)
        ]
        version, dropped = variant.bundle.version, 0
        for start in range(0, len(answered), CHUNK):
            chunk = answered[start : start + CHUNK]
            try:
                message = _encode(Message(version, chunk))
                if len(message) > LARGEST:
                    raise ValueError("the other end would receive only a part of it")
                self._to.send(message, socket.MSG_DONTWAIT)
            except Exception:  # too large, no room, no process, or a value that cannot be encoded
                dropped += len(chunk)
        self.offered += len(answered) - dropped
        if dropped:
            self.dropped += dropped
            self.counted(version, {"dropped": dropped})

    def state(self) -> dict[str, int]:
        """How many rows this worker sent, and how many it dropped."""
        return {"offered": self.offered, "dropped": self.dropped}


class Shadow:
    """The other end: scores rows and gives the lines to *keep*. Used by one thread."""

    def __init__(self, keep: Keep, counted: Counted, most: int = MOST) -> None:
        self._keep, self._counted, self._most = keep, counted, most
        self._waiting: deque[tuple[str, AnsweredRow]] = deque()
        self._logged = ""

    @property
    def waiting(self) -> int:
        """How many rows wait."""
        return len(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether more rows may wait; if not, they are left in the socket until that is full."""
        return len(self._waiting) < self._most

    def take(self, message: bytes) -> None:
        """Add the rows of a message that `Offers` sent to those that wait."""
        received = _decode(message)
        self._waiting.extend((received.version, row) for row in received.rows)

    def turn(self, variant: Variant | None) -> None:
        """Score a few of the rows that wait with *variant*; rows for another version are dropped."""
        if not self._waiting:
            return
        version = self._waiting[0][0]
        chunk: list[AnsweredRow] = []
        while self._waiting and self._waiting[0][0] == version and len(chunk) < FEW:
            chunk.append(self._waiting.popleft()[1])
        if variant is None or variant.bundle.version != version:
            self._counted(version, {"dropped": len(chunk)})
            return
        try:
            rows = [variant.read(each.row) for each in chunk]
            scores = variant.bundle.score(rows)
            if not np.isfinite(scores).all():
                raise ArithmeticError("it gave a score that is not finite")
            differences = _differences(variant, chunk, scores)
            if not self._keep(_lines(variant, chunk, rows, scores), variant.private, variant.rows.key):
                raise OSError("the journal cannot be written")
        except Exception as error:  # whatever is wrong with a challenger is counted as its failure
            self._counted(version, {"failed": len(chunk)})
            why = f"{version}: {type(error).__name__}: {error}"
            if why != self._logged:
                log(f"shadow failed: {why}")
            self._logged = why
        else:
            self._counted(version, {"scored": len(chunk), **differences})


def _lines(
    variant: Variant, chunk: Sequence[AnsweredRow], rows: Sequence[Mapping[str, Any]], scores: NDArray[Any]
) -> list[Answer]:
    """The journal's lines for *rows*, which are *chunk* as *variant* reads it."""
    names, version = variant.bundle.contract.feature_names, variant.bundle.version
    return [
        Answer(each.id, each.at, version, SHADOW, each.key, each.time, {name: row.get(name) for name in names}, score)
        for each, row, score in zip(chunk, rows, scores.tolist(), strict=True)
    ]


def _differences(variant: Variant, chunk: Sequence[AnsweredRow], scores: NDArray[Any]) -> dict[str, float]:
    """In how many rows the predicted label differs, and the sum of the distances of the scores.

    Between probabilities by class, the distance is the total variation: half of the absolute
    differences.
    """
    answered = np.asarray([each.score for each in chunk])
    apart = np.abs(answered - scores)
    if scores.ndim == 2:
        disagreed = answered.argmax(axis=1) != scores.argmax(axis=1)
        return {"disagreed": int(disagreed.sum()), "difference": float(apart.sum()) / 2}
    found = {"difference": float(apart.sum())}
    if variant.rows.task != "regression":
        found["disagreed"] = int(((answered >= 0.5) != (scores >= 0.5)).sum())
    return found
