"""The journal: a line of JSON for each answer, each outcome, and the counts of each worker.

The lines of a request are appended with one write before the answer is sent, so that `kill -9` loses no answer that a
client received. After each write the file is checked: if it was deleted or truncated, the lines are written again to
a new file, and earlier lines that are gone are counted as lost. A crash of the operating system may lose the last
seconds, unless every write waits for the disk (*durable*). `/ready`, `/metrics` and stderr report losses. The *policy*
says whether an answer that could not be written is sent.
"""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from serve.journal.private_fields import PrivateFields
from serve.journal.segments import Segment, backlog
from serve.log import log

#: Bytes and seconds after which another file is begun; so it is at midnight (UTC).
MAX_SEGMENT_BYTES, MAX_SEGMENT_SECONDS = 64 * 2**20, 900
#: The kind of file with the counts of workers: a few short lines an hour, so a file is used longer by this factor.
COUNTS, COUNTS_FACTOR = "service", 4
#: The kind of file with the online corrections that were applied.
CORRECTIONS = "corrections"
#: The policy that refuses a request whose answer cannot be written; "drop" sends the answer.
REFUSE = "refuse"
#: New files that are tried for one write if other processes delete them.
TRIES = 10

#: A line: a mapping, or a struct.
Line = Any
_encode = msgspec.json.Encoder().encode_lines


class Journal:
    """Writes the journal in *folder*. Several threads and processes may write to one folder."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        policy: str = "drop",
        durable: bool = False,
        largest: int = MAX_SEGMENT_BYTES,
        lasts: float = MAX_SEGMENT_SECONDS,
    ) -> None:
        self.folder, self._clock, self.policy = folder, clock, policy
        self.lost, self.why, self.failing = 0, "", False
        self._durable, self._largest, self._lasts = durable, largest, lasts
        self._files: dict[str, Segment] = {}
        self._private = PrivateFields(folder)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        #: Called at the start, every few seconds, and with `last=True` at the end, to write further lines.
        self.also: Callable[..., object] = lambda **_: None
        #: Called when lines were lost, or when the journal can be written again.
        self.changed: Callable[[], None] = lambda: None

    def answers(self, lines: Sequence[Line], private: Iterable[str], key: str, kind: str = "answers") -> bool:
        """Write answers, or those of a shadow to files of another *kind*; False if they are lost.

        *private* features are left out; if the field *key* is private, its hash is written.
        """
        return self._write(kind, lines, frozenset(private), key)

    def outcomes(self, lines: Sequence[Line]) -> bool:
        """Write outcomes; False if they are lost."""
        return self._write("outcomes", lines)

    def correction(self, line: Line) -> bool:
        """Write an online correction that is about to be used; False if it is lost."""
        return self._write(CORRECTIONS, [line])

    def service(self, line: Line) -> bool:
        """Write a worker's counts. If this fails (False), they are not lost: the next line has them."""
        return self._write(COUNTS, [line])

    def state(self) -> dict[str, Any]:
        """The lines lost since the start and why, and the files that wait to be uploaded."""
        return {
            "lost": self.lost,
            "why": self.why,
            "failing": self.failing,
            "policy": self.policy,
            **backlog(self.folder),
        }

    def keep_rolling(self, every: float = 5.0) -> None:
        """Start a thread that closes files in time even without requests, so that they are uploaded."""

        def keep() -> None:
            while not self._ended.wait(every):
                self.roll()
                self.also()

        self.also()  # counts from now on belong to the present champion
        threading.Thread(target=keep, daemon=True).start()

    def roll(self) -> None:
        """Close files that are due to be closed, deleted or truncated."""
        with self._lock:
            now = self._clock().astimezone(UTC)
            for kind, segment in [*self._files.items()]:
                if not (segment.is_current(now) and segment.is_whole()):
                    self._end(kind)

    def close(self) -> None:
        """Close all files."""
        self._ended.set()
        self.also(last=True)
        with self._lock:
            for kind in [*self._files]:
                self._end(kind)

    def _write(self, kind: str, lines: Sequence[Line], private: frozenset[str] = frozenset(), key: str = "") -> bool:
        try:
            content = _spell(self._private.without(lines, private, key) if private else lines)
            with self._lock:
                self._append(kind, content, len(lines))
        except OSError as error:
            self._fail(0 if kind == COUNTS else len(lines), error)
            return False
        if self.failing:
            with self._lock:
                self.failing = False
                self.changed()
            log(f"the journal is written again; lines lost so far: {self.lost:,}")
        return True

    def _append(self, kind: str, content: bytes, count: int) -> None:
        """Write *content* to a file that still exists afterwards. Raises OSError."""
        failure = OSError(errno.ENOENT, "each new file is deleted at once")
        for _ in range(TRIES):
            now = self._clock()
            segment = self._files.get(kind)
            try:
                if not segment or segment.size >= self._largest or not segment.is_current(now):
                    segment = self._next(kind, now)
            except FileNotFoundError as error:  # the folder was deleted before the file was made
                failure = error
                continue
            segment.append(content)
            if segment.is_whole():
                segment.lines += count
                return
            self._end(kind, count)
        raise failure

    def _next(self, kind: str, now: datetime) -> Segment:
        self._end(kind)  # first, since the rest may fail on a full disk
        lasts = self._lasts * (COUNTS_FACTOR if kind == COUNTS else 1)
        segment = Segment(self.folder, kind, now.astimezone(UTC), lasts, self._durable)
        self._files[kind] = segment
        return segment

    def _end(self, kind: str, unacknowledged: int = 0) -> None:
        """Close the file of *kind*, if there is one, and count the lines that are missing from it."""
        segment = self._files.pop(kind, None)
        if segment is None:
            return
        missing = 0 if kind == COUNTS else segment.missing(unacknowledged)
        segment.close()
        if missing:
            self.lost += missing
            self.why = f"{segment.path}: deleted or truncated while it was written"
            self.changed()
            log(f"the journal lost {missing:,} lines: {self.why}; a new file is begun")

    def _fail(self, count: int, error: OSError) -> None:
        why = f"{self.folder}: {error.strerror or error}"
        with self._lock:
            reported = self.failing and self.why == why
            self.lost += count
            self.why, self.failing = why, True
            self.changed()
        if not reported:
            effect = "answers are refused" if self.policy == REFUSE else "answers are sent without a record"
            log(f"the journal cannot be written, {effect}: {why}")


def _spell(lines: Sequence[Line]) -> bytes:
    """The *lines* as JSON, each ending with a newline."""
    try:
        return _encode(lines)
    except UnicodeEncodeError:  # a lone surrogate, which JSON can express and UTF-8 cannot
        plain = msgspec.to_builtins(lines)
        return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in plain).encode()
