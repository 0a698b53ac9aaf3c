"""The journal: one line of JSON per answer, and per outcome that is told later.

A line is one write to a file opened for appending, before the answer leaves: `kill -9` loses no
answer that was given. (The operating system's crash may: there is no fsync per line.) A folder that
cannot be written never fails an answer; what is lost is counted, and `/ready` says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

#: A file is closed, and the next begun, at this size or with the day.
LARGEST = 64 * 2**20


class Journal:
    """Writes to *folder*. Several threads and processes may write to one folder."""

    def __init__(
        self, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.folder, self._clock = folder, clock
        self.lost, self.why = 0, ""
        self._files: dict[str, _Segment] = {}
        self._salt: bytes | None = None
        self._lock = threading.Lock()

    def answers(self, lines: Sequence[Mapping[str, Any]], private: Iterable[str], key: str) -> bool:
        """Keep answers; False if they are lost.

        *private* features are left out; a private *key* is kept as its hash.
        """
        hidden = set(private)

        def kept() -> list[Mapping[str, Any]]:
            if not hidden:
                return list(lines)
            return [
                {
                    **line,
                    "row": {
                        name: value for name, value in line["row"].items() if name not in hidden
                    },
                    "key": self._hashed(line["key"]) if key in hidden else line["key"],
                }
                for line in lines
            ]

        return self._write("answers", len(lines), kept)

    def outcomes(self, lines: Sequence[Mapping[str, Any]]) -> bool:
        """Keep outcomes; False if they are lost."""
        return self._write("outcomes", len(lines), lambda: lines)

    def state(self) -> dict[str, Any]:
        """How many lines were lost since the start, and why the last was."""
        return {"lost": self.lost, "why": self.why}

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            for segment in self._files.values():
                segment.close()
            self._files.clear()

    def _write(
        self, kind: str, count: int, lines: Callable[[], Sequence[Mapping[str, Any]]]
    ) -> bool:
        with self._lock:
            try:
                text = "".join(
                    json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
                    for line in lines()
                )
                self._segment(kind).append(text.encode())
            except OSError as error:
                self.lost += count
                self.why = f"{self.folder}: {error.strerror or error}"
                return False
            return True

    def _segment(self, kind: str) -> _Segment:
        now = self._clock().astimezone(UTC)
        segment = self._files.get(kind)
        if segment and (segment.day != now.date() or segment.size >= LARGEST or segment.is_gone()):
            del self._files[kind]  # first, for what comes next may fail on a full disk
            segment.close()
            segment = None
        if segment is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{kind}-{now:%Y%m%dT%H%M%S%f}-{os.getpid()}.jsonl"
            segment = self._files[kind] = _Segment(path, now)
        return segment

    def _hashed(self, key: str) -> str:
        if self._salt is None:
            self._salt = _salt(self.folder)
        return "sha256:" + hashlib.sha256(self._salt + key.encode()).hexdigest()


class _Segment:
    """One file of the journal."""

    def __init__(self, path: Path, now: datetime) -> None:
        self.day, self.size, self._torn = now.date(), 0, False
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def append(self, content: bytes) -> None:
        """Write all of *content*, or raise OSError; a torn line never runs into the next."""
        if self._torn:
            content = b"\n" + content
        rest = content
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        finally:
            if len(rest) < len(content):
                self._torn = bool(rest)
            self.size += len(content) - len(rest)

    def is_gone(self) -> bool:
        """Whether somebody deleted the file, so that lines would go nowhere."""
        return os.fstat(self._file).st_nlink == 0

    def close(self) -> None:
        os.close(self._file)


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
