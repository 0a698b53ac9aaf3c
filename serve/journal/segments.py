"""Segment files of the journal: each is written by one process, and is open or closed.

A writer holds a lock (flock) on its open segment. A segment that can be locked is closed: its writer opened another
one, or was killed, in this container or in an earlier one. A name such as `answers-20260301T120000000000-1f….jsonl`
has the kind of the lines and the time at which the file was created. It is unique, so files made from a segment are
named after it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

#: How long a writer assumes that its file was not moved.
PATH_CHECK = timedelta(seconds=1)
#: Bytes read at a time from a truncated file.
CHUNK = 2**20
SUFFIX = ".jsonl"
#: The folder of upload markers in the journal, and in it a file with the number of waiting files.
SHIPPED, STATE = ".shipped", "state.json"


class Segment:
    """A file to which this process appends. `lines` is the number of acknowledged lines."""

    def __init__(self, folder: Path, kind: str, now: datetime, lasts: float, durable: bool) -> None:
        self.size, self.lines, self._torn = 0, 0, False
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        self._began, self._looked = now, now
        self._ends = min(now + timedelta(seconds=lasts), midnight)
        self._file, self.path = _create(folder, f"{kind}-{now:%Y%m%dT%H%M%S%f}", durable)

    def append(self, content: bytes) -> None:
        """Write all of *content*, or raise OSError. After an incomplete line, the next one begins on a new line."""
        if self._torn:
            content = b"\n" + content
        while content:
            written = os.write(self._file, content)
            self.size += written
            content = content[written:]
            self._torn = bool(content)

    def is_current(self, now: datetime) -> bool:
        """Whether the next line belongs into this file, by time and, once every `PATH_CHECK`, by the file at its path."""
        if not self._began <= now < self._ends:  # false, too, if the clock was set back
            return False
        if self._looked <= now < self._looked + PATH_CHECK:
            return True
        self._looked = now
        try:  # the folder may have been renamed, or another one mounted in its place
            return os.path.samestat(self.path.stat(), os.fstat(self._file))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # no permission to read the folder: the file can still be written
            return True

    def is_whole(self) -> bool:
        """Whether everything that was written is in the file. Check it after a write, which succeeds on a deleted file, too."""
        try:
            found = os.fstat(self._file)
        except OSError:  # another client of a network file system deleted it (ESTALE)
            return False
        return found.st_nlink > 0 and found.st_size >= self.size

    def missing(self, unacknowledged: int = 0) -> int:
        """The number of acknowledged lines that are lost; *unacknowledged* further lines were written after them."""
        if self.is_whole():
            return 0
        count = place = 0
        try:
            if os.fstat(self._file).st_nlink == 0:
                return self.lines
            while content := os.pread(self._file, CHUNK, place):
                count, place = count + content.count(b"\n"), place + len(content)
        except OSError:
            return self.lines
        return max(0, self.lines + unacknowledged - count)

    def close(self) -> None:
        """Close the file and release its lock, so that the segment counts as closed."""
        os.close(self._file)


def backlog(folder: Path) -> dict[str, int]:
    """The number of segments in *folder*, their bytes, and the files that the last upload left, if there was one."""
    sizes = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX):
                with suppress(FileNotFoundError):
                    sizes.append(entry.stat().st_size)
    found = {"segments": len(sizes), "bytes": sum(sizes)}
    with suppress(OSError, ValueError, KeyError, TypeError):
        found["unshipped"] = int(json.loads((folder / SHIPPED / STATE).read_bytes())["left"])
    return found


def sync_folder(folder: Path) -> None:
    """Write the directory entries of *folder* to the disk (fsync)."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _create(folder: Path, stem: str, durable: bool) -> tuple[int, Path]:
    """Create and lock a file in *folder*; returns its descriptor and path. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    if durable:
        flags |= os.O_DSYNC  # a write returns after the data is on the disk
    while True:
        path = folder / f"{stem}-{secrets.token_hex(4)}{SUFFIX}"
        file = os.open(path, flags, 0o640)
        try:
            # `ship` may have converted the empty file before it was locked.
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
        return lock(file)
    except OSError as error:
        # Some network file systems have no locks. The journal is still written, and `ship` reports the error.
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            return True
        raise


def lock(file: int) -> bool:
    """Lock *file*; False if another process has locked it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
