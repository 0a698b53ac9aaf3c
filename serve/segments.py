"""The journal's files: segments, each written by one process, each open or closed.

A writer holds a lock (flock) on its segment: a segment that can be locked is closed, whether its
writer rolled on or was killed, in this container or the next. `answers-20260301T120000000000-1f….jsonl`
says what is in it and since when; its name is nowhere else, so the files made from it are too.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

#: How long a writer goes by what it saw last of the folder.
LOOK = timedelta(seconds=1)
#: Bytes that are read at once of a file that somebody truncated.
CHUNK = 2**20
SUFFIX = ".jsonl"
#: In the journal: the folder of what says that a file was shipped, and how many wait to be.
SHIPPED, STATE = ".shipped", "state.json"


class Segment:
    """A file that this process appends to. *lines* counts those that were acknowledged."""

    def __init__(self, folder: Path, kind: str, now: datetime, lasts: float, durable: bool) -> None:
        self.size, self.lines, self._torn, self._began = 0, 0, False, now
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        self._ends = min(now + timedelta(seconds=lasts), midnight)
        self._file, self.path = _begin(folder, f"{kind}-{now:%Y%m%dT%H%M%S%f}", durable)
        self._since, self._until = now, min(now + LOOK, self._ends)

    def append(self, content: bytes) -> None:
        """Write all of *content*, or raise OSError; a torn line never runs into the next."""
        if not self._torn:
            written = os.write(self._file, content)
            self.size += written
            if written == len(content):
                return
            self._torn, content = True, content[written:]
        else:
            content = b"\n" + content
        while content:
            written = os.write(self._file, content)
            self.size += written
            content = content[written:]
        self._torn = False

    def stands(self, now: datetime) -> bool:
        """Whether the next line still belongs here; every `LOOK`, whether the file is still in its place."""
        # A clock that was set back makes it look, too.
        if self._since <= now < self._until:
            return True
        if not self._began <= now < self._ends or not self._is_in_place():
            return False
        self._since, self._until = now, min(now + LOOK, self._ends)
        return True

    def missing(self, fresh: int = 0) -> int | None:
        """How many of `lines` are in no file any more; None if none is.

        *fresh* lines were appended and are not in `lines` yet. To be asked after each write: one to a
        deleted file is no error.
        """
        found = os.fstat(self._file)
        if found.st_nlink == 0:
            return self.lines
        if found.st_size >= self.size:
            return None
        return max(0, self.lines + fresh - _newlines(self._file))

    def _is_in_place(self) -> bool:
        """Whether the path leads to the file: a folder may be renamed, or another be mounted over it."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._file))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # a folder that may not be looked into: the file can still be written
            return True

    def close(self) -> None:
        """Let go of the file: from now on it is closed to everybody."""
        os.close(self._file)


def kind_of(path: Path) -> str:
    """What lines a segment, or what was made from it, has: answers, outcomes, shadow, service."""
    return path.name.partition("-")[0]


def segments(folder: Path) -> list[Path]:
    """Every segment in *folder*, open or closed, in order of name."""
    return sorted(folder.glob(f"*-*{SUFFIX}"))


@contextmanager
def closed(path: Path) -> Iterator[bool]:
    """Whether the segment *path* is closed; if so, nobody else has it in hand meanwhile."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _lock(file) and os.fstat(file).st_nlink > 0
    finally:
        os.close(file)


def backlog(folder: Path) -> dict[str, int]:
    """How many segments are in *folder*, open ones among them, and their bytes; what is unshipped.

    The last is what `ship` could not send when it last tried; nothing, if it never was asked to.
    """
    count = size = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX):
                with suppress(FileNotFoundError):
                    size += entry.stat().st_size
                    count += 1
    found = {"segments": count, "bytes": size}
    with suppress(OSError, ValueError, KeyError):
        found["unshipped"] = int(json.loads((folder / SHIPPED / STATE).read_bytes())["left"])
    return found


def sync_folder(folder: Path) -> None:
    """Make names that came to *folder* outlast a crash of the system."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _newlines(file: int) -> int:
    count = place = 0
    while content := os.pread(file, CHUNK, place):
        count, place = count + content.count(b"\n"), place + len(content)
    return count


def _begin(folder: Path, stem: str, durable: bool) -> tuple[int, Path]:
    """A new file in *folder*, locked, and its path. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    how = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    if durable:
        how |= os.O_DSYNC  # a write returns when it is on the disk
    while True:
        path = folder / f"{stem}-{secrets.token_hex(4)}{SUFFIX}"
        file = os.open(path, how, 0o640)
        try:
            # Between the two lines whoever ships may have taken the empty file for a closed one.
            if _lock_if_possible(file) and os.fstat(file).st_nlink > 0:
                if durable:
                    sync_folder(folder)
                return file, path
        except OSError:
            os.close(file)
            raise
        os.close(file)


def _lock_if_possible(file: int) -> bool:
    try:
        return _lock(file)
    except OSError as error:
        # Some network file systems know no locks: the journal is kept, `ship` will say it cannot tell.
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            return True
        raise


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
