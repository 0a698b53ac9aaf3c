"""The shadow: a challenger that scores the rows that the champion answered, in the background process.

A worker sends each answered row to a socket without waiting (`Offers`). Rows for which the socket's buffer is full
are dropped and counted. The background process receives the rows, scores a few at a time, and writes the scores to
the shadow's journal files under the ids of the answers (`Shadow`). It also counts how far they differ.
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
MAX_WAITING, CHUNK, BATCH = 10_000, 32, 16
#: Bytes of the socket's buffer, if the system allows so many; bytes of the largest message.
BUFFER, MAX_MESSAGE = 4 * 2**20, 2**20
#: Called with lines, the private fields and the key's name; returns whether the lines were written.
Keep = Callable[[Sequence[Answer], Iterable[str], str], bool]
#: Called with a version and counts of its rows, by what happened to them.
Counted = Callable[[str, Mapping[str, float]], None]


class AnsweredRow(msgspec.Struct, array_like=True, gc=False):
    """A row as received, the fields of its answer that the shadow repeats, and the model's score without a correction."""

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
    """Sends answered rows to the background process; a worker's end of the socket."""

    def __init__(self, to: socket.socket) -> None:
        to.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        self._to = to
        self.offered = self.dropped = 0
        self.counted: Counted = lambda _, __: None

    def offer(self, variant: Variant, answers: Sequence[Answer], rows: Sequence[Mapping[str, Any]]) -> None:
        """Send *rows* and their *answers*, or drop them. It never waits and never raises."""
        answered = [
            AnsweredRow(a.id, a.at, a.key, a.time, a.model_score, row)  # type: ignore[arg-type]
            for a, row in zip(answers, rows, strict=True)
        ]
        version, dropped = variant.bundle.version, 0
        for start in range(0, len(answered), CHUNK):
            chunk = answered[start : start + CHUNK]
            try:
                message = _encode(Message(version, chunk))
                if len(message) > MAX_MESSAGE:
                    raise ValueError("the receiver would get only a part of it")
                self._to.send(message, socket.MSG_DONTWAIT)
            except Exception:  # too large, buffer full, no process, or a value that cannot be encoded
                dropped += len(chunk)
        self.offered += len(answered) - dropped
        if dropped:
            self.dropped += dropped
            self.counted(version, {"dropped": dropped})

    def state(self) -> dict[str, int]:
        """How many rows this worker sent, and how many it dropped."""
        return {"offered": self.offered, "dropped": self.dropped}


class Shadow:
    """Scores the received rows and passes the lines to *keep*. Used by one thread."""

    def __init__(self, keep: Keep, counted: Counted, most: int = MAX_WAITING) -> None:
        self._keep, self._counted, self._most = keep, counted, most
        self._waiting: deque[tuple[str, AnsweredRow]] = deque()
        self._logged = ""

    @property
    def waiting(self) -> int:
        """How many rows wait."""
        return len(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether more rows may wait; if not, they stay in the socket until its buffer is full."""
        return len(self._waiting) < self._most

    def take(self, message: bytes) -> None:
        """Add the rows of a message from `Offers` to the waiting ones."""
        received = _decode(message)
        self._waiting.extend((received.version, row) for row in received.rows)

    def turn(self, variant: Variant | None) -> None:
        """Score a few of the waiting rows with *variant*; rows for another version are dropped."""
        if not self._waiting:
            return
        version = self._waiting[0][0]
        chunk: list[AnsweredRow] = []
        while self._waiting and self._waiting[0][0] == version and len(chunk) < BATCH:
            chunk.append(self._waiting.popleft()[1])
        if variant is None or variant.bundle.version != version:
            self._counted(version, {"dropped": len(chunk)})
            return
        try:
            rows = [variant.read(each.row) for each in chunk]
            scores = variant.bundle.score(rows)
            if not np.isfinite(scores).all():
                raise ArithmeticError("a score is not finite")
            differences = _differences(variant, chunk, scores)
            if not self._keep(_lines(variant, chunk, rows, scores), variant.private, variant.rows.key):
                raise OSError("the journal cannot be written")
        except Exception as error:  # every error counts as a failure of the challenger
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
