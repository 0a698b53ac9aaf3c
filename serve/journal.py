"""The journal: one JSON line per answer and per outcome, for the monitoring to read.

A folder of files that only grow, `answers-<start>-<pid>.jsonl` and `outcomes-<start>-<pid>.jsonl`;
a file belongs to one process. Lines go to the kernel before the answer goes to the client, in one
`write(2)`, so a killed process loses none (a machine that loses power may: nothing waits for the
disk).

A journal that cannot be written never stops an answer: what is lost is counted, with the reason.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from model.contract import Contract

#: Bytes after which a new file is begun; so is one at midnight UTC.
FULL = 64 * 1024 * 1024
SALT = "salt"


class Entry(NamedTuple):
    """One answer: whose row, the moment it is about, its features, and what the model said."""

    id: str
    key: str
    time: datetime
    row: Mapping[str, Any]
    score: float | list[float]


class Outcome(NamedTuple):
    """What became of the row that was answered with this id."""

    id: str
    outcome: Any


@dataclass(frozen=True)
class Lost:
    """How many lines this process could not write since it began, and why the last of them."""

    lines: int = 0
    why: str | None = None


class Journal:
    """Appends to the files in *folder*, which is made when the first line is written.

    May be called from any thread. Private fields of the contract never come here in clear: features
    are left out, a key is stored as HMAC-SHA-256 under the folder's own salt, so that it still
    tells who is the same.
    """

    def __init__(self, folder: Path) -> None:
        self.lost = Lost()
        self._folder = folder
        self._answers, self._outcomes = _Lines(folder, "answers"), _Lines(folder, "outcomes")
        self._salt = b""
        self._writing = threading.Lock()

    def answers(
        self, at: datetime, version: str, arm: str, contract: Contract, entries: Sequence[Entry]
    ) -> bool:
        """Write down answers given *at* that moment; False if they are lost."""
        shown = [name for name in contract.feature_names if name not in contract.private]
        hidden = contract.key in contract.private
        return self._write(
            self._answers,
            at,
            len(entries),
            (
                {
                    "id": entry.id,
                    "at": stamp(at),
                    "version": version,
                    "arm": arm,
                    "key": self._pseudonym(entry.key) if hidden else entry.key,
                    "time": stamp(entry.time),
                    "row": {name: entry.row.get(name) for name in shown},
                    "score": entry.score,
                }
                for entry in entries
            ),
        )

    def outcomes(self, at: datetime, told: Sequence[Outcome]) -> bool:
        """Write down outcomes told *at* that moment; False if they are lost."""
        lines = ({"id": each.id, "at": stamp(at), "outcome": each.outcome} for each in told)
        return self._write(self._outcomes, at, len(told), lines)

    def close(self) -> None:
        """Close the files; a later line begins new ones."""
        with self._writing:
            self._answers.close()
            self._outcomes.close()

    def _write(
        self, file: _Lines, at: datetime, count: int, lines: Iterable[Mapping[str, Any]]
    ) -> bool:
        with self._writing:
            try:
                file.append(at, "".join(json.dumps(line) + "\n" for line in lines).encode())
            except OSError as error:
                why = error.strerror or str(error)
                where = f": {error.filename}" if error.filename else ""
                self.lost = Lost(self.lost.lines + count, why + where)
                return False
            return True

    def _pseudonym(self, key: str) -> str:
        if not self._salt:
            self._salt = read_salt(self._folder)
        return hmac.new(self._salt, key.encode("utf-8", "surrogatepass"), "sha256").hexdigest()


class _Lines:
    """One growing file, and the next one when it is full, a day old, or was taken away."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder, self._kind = folder, kind
        self._file: int | None = None
        self._day = ""

    def append(self, at: datetime, data: bytes) -> None:
        """Write all of *data*, or nothing of it and raise OSError."""
        file = self._open(at)
        written = 0
        try:
            while written < len(data):
                written += os.write(file, data[written:])
        except OSError:
            if written:
                self._take_back(file, written)
            raise

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self, at: datetime) -> int:
        day = at.date().isoformat()
        if self._file is not None:
            found = os.fstat(self._file)
            if found.st_nlink and found.st_size < FULL and day == self._day:
                return self._file
            self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{self._kind}-{at:%Y%m%dT%H%M%S%f}-{os.getpid()}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._folder / name, flags, 0o640)
        self._day = day
        return self._file

    def _take_back(self, file: int, written: int) -> None:
        # Half a line would swallow the first one that fits after it.
        try:
            os.ftruncate(file, os.fstat(file).st_size - written)
        except OSError:
            self.close()  # the next line begins a new file
            raise


def read_salt(folder: Path) -> bytes:
    """The folder's salt, made by whichever process asks first. Raises OSError."""
    path = folder / SALT
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        mine = folder / f".{SALT}-{os.getpid()}-{secrets.token_hex(4)}"
        file = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, secrets.token_hex(32).encode())
            os.fsync(file)
            os.link(mine, path)  # fails if another process was faster, and never replaces
        except FileExistsError:
            pass
        finally:
            os.close(file)
            mine.unlink()
    salt = path.read_bytes()
    if len(salt) != 64:
        raise OSError(0, "the salt of private keys is damaged; delete it to begin anew", str(path))
    return salt


def stamp(moment: datetime) -> str:
    """A moment in UTC as ISO 8601, to the millisecond: 2026-11-23T03:17:00.000Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
