"""The journal: one line of JSON per answer, and per outcome that is told later; and what is counted.

The lines of a request are one write to a file opened for appending, before the answer leaves:
`kill -9` loses no answer that was given. After each write it is checked that the file was not deleted or
truncated meanwhile: if it was, the lines are written again to a new one, and earlier lines that went with
it are counted as lost. A crash of the operating system may lose the last seconds, unless every write
waits for the disk (*durable*). What is lost is counted and said, by `/ready`, `/metrics` and on stderr;
whether an answer that cannot be written leaves all the same is the *policy*.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from serve.segments import Segment, backlog

#: A file is closed, and the next begun, at this size, after so many seconds, and with the day.
LARGEST, LASTS = 64 * 2**20, 900
#: What a worker counted is a few short lines an hour: their files last so many times as long, for who
#: reads weeks of them from afar waits for each.
COUNTS, LONGER = "service", 4
#: What to do with an answer that cannot be kept: give it, or refuse it.
DROP: Literal["drop"] = "drop"
REFUSE: Literal["refuse"] = "refuse"
#: New files that are tried for one write, where somebody deletes them as fast.
TRIES = 3
#: A mapping, or a struct whose fields are a line's.
Line = Any

_encode = msgspec.json.Encoder().encode_lines


class Journal:
    """Writes to *folder*. Several threads and processes may write to one folder."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        policy: str = DROP,
        durable: bool = False,
        largest: int = LARGEST,
        lasts: float = LASTS,
    ) -> None:
        self.folder, self._clock, self.policy = folder, clock, policy
        self.lost, self.why, self.failing = 0, "", False
        self._durable, self._largest, self._lasts = durable, largest, lasts
        self._files: dict[str, Segment] = {}
        self._salt: bytes | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        #: What has lines of its own to keep: asked as often as it is looked for files that are due, and at the end.
        self.also: Callable[..., object] = lambda **_: None
        #: Called when lines are lost, or when the journal can be written again.
        self.changed: Callable[[], None] = lambda: None

    def answers(
        self, lines: Sequence[Line], private: Iterable[str], key: str, kind: str = "answers"
    ) -> bool:
        """Keep answers, or a shadow's in files of another *kind*; False if they are lost.

        *private* features are left out; a private *key* is kept as its hash.
        """
        return self._write(kind, lines, private, key)

    def outcomes(self, lines: Sequence[Line]) -> bool:
        """Keep outcomes; False if they are lost."""
        return self._write("outcomes", lines)

    def service(self, line: Line) -> bool:
        """Keep what was counted; False if it could not be, and is to come again: it is not lost."""
        return self._write(COUNTS, [line])

    def state(self) -> dict[str, Any]:
        """What was lost since the start and why, and what waits to be put away."""
        return {
            "lost": self.lost, "why": self.why, "failing": self.failing, "policy": self.policy,
            **backlog(self.folder),
        }  # fmt: skip

    def keep_rolling(self, every: float = 5.0) -> None:
        """Close from now on what is due even when nobody asks anything: it waits to be shipped."""
        self.also()  # what is counted from now on is the present champion's
        threading.Thread(target=self._roll, args=(every,), daemon=True).start()

    def close(self) -> None:
        """Close the files."""
        self._ended.set()
        self.also(last=True)
        with self._lock:
            for kind in list(self._files):
                self._end(kind)

    def roll(self) -> None:
        """Close the files that are due."""
        with self._lock:
            now = self._clock().astimezone(UTC)
            for kind, segment in list(self._files.items()):
                if not segment.stands(now) or segment.missing() is not None:
                    self._end(kind)

    def _roll(self, every: float) -> None:
        while not self._ended.wait(every):
            self.roll()
            self.also()

    def _write(
        self, kind: str, lines: Sequence[Line], private: Iterable[str] = (), key: str = ""
    ) -> bool:
        try:
            content = _spell(self._hidden(lines, private, key) if private else lines)
            with self._lock:
                self._append(kind, content, len(lines))
        except OSError as error:
            self._lose(0 if kind == COUNTS else len(lines), error)
            return False
        if self.failing:
            self._recover()
        return True

    def _append(self, kind: str, content: bytes, count: int) -> None:
        """Write *content* to a file that exists afterwards. Raises OSError."""
        for _ in range(TRIES):
            now = self._clock()
            segment = self._files.get(kind)
            if segment is None or segment.size >= self._largest or not segment.stands(now):
                segment = self._next(kind, now)
            segment.append(content)
            if segment.missing(count) is None:
                segment.lines += count
                return
            self._end(kind, count)
        raise OSError(errno.ENOENT, "each new file is deleted at once")

    def _next(self, kind: str, now: datetime) -> Segment:
        self._end(kind)  # first, for what comes next may fail on a full disk
        lasts = self._lasts * (LONGER if kind == COUNTS else 1)
        segment = Segment(self.folder, kind, now.astimezone(UTC), lasts, self._durable)
        self._files[kind] = segment
        return segment

    def _end(self, kind: str, fresh: int = 0) -> None:
        """Close the file of *kind*, if there is one. Lines that somebody deleted from it are lost."""
        segment = self._files.pop(kind, None)
        if segment is None:
            return
        gone = segment.missing(fresh)
        segment.close()
        if gone and kind != COUNTS:
            self.lost += gone
            self.why = f"{segment.path}: deleted or truncated while it was written"
            _say(f"the journal lost {gone:,} lines: {self.why}; a new file is begun")

    def _lose(self, count: int, error: OSError) -> None:
        why = f"{self.folder}: {error.strerror or error}"
        with self._lock:
            loud = not self.failing or self.why != why
            self.lost += count
            self.why, self.failing = why, True
            self.changed()
        if loud:
            fate = "answers are refused" if self.policy == REFUSE else "answers go out unkept"
            _say(f"the journal cannot be written, {fate}: {why}")

    def _recover(self) -> None:
        with self._lock:
            self.failing = False
            self.changed()
        _say(f"the journal is written again; lines lost so far: {self.lost:,}")

    def _hidden(self, lines: Sequence[Line], private: Iterable[str], key: str) -> list[Line]:
        hidden = frozenset(private)
        hash_ = self._hashed if key in hidden else str
        return [
            {**line, "row": _without(hidden, line["row"]), "key": hash_(line["key"])}
            if isinstance(line, Mapping)
            else replace(line, row=_without(hidden, line.row), key=hash_(line.key))
            for line in lines
        ]

    def _hashed(self, key: str) -> str:
        if self._salt is None:
            self._salt = _salt(self.folder)
        text = key.encode("utf-8", "surrogatepass")
        return "sha256:" + hashlib.sha256(self._salt + text).hexdigest()


def _spell(lines: Sequence[Line]) -> bytes:
    """Lines of JSON, each with its newline."""
    try:
        return _encode(lines)
    except UnicodeEncodeError:
        # A lone surrogate, which JSON can spell and UTF-8 cannot, is kept as it came.
        plain = msgspec.to_builtins(lines)
        return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in plain).encode()


def _without(hidden: frozenset[str], row: Any) -> Any:
    """The features of *row* that are not *hidden*."""
    if isinstance(row, msgspec.Struct):
        return replace(row, **_unset(type(row), hidden))
    return {name: value for name, value in row.items() if name not in hidden}


@lru_cache
def _unset(kind: type[msgspec.Struct], hidden: frozenset[str]) -> dict[str, UnsetType]:
    """What takes the *hidden* features out of a row of this kind."""
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return {field: UNSET for field, name in names if name in hidden}


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _salt(folder: Path) -> bytes:
    """The journal's salt, made once: whoever is first writes it, all read the same."""
    path = folder / "salt"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        work = folder / f".salt-{os.getpid()}-{secrets.token_hex(4)}"
        with os.fdopen(os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        try:
            os.link(work, path)  # fails where another was first
        except FileExistsError:
            pass
        finally:
            work.unlink()
    return path.read_bytes()
