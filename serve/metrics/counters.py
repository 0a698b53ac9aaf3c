"""What each process of a run counts, in a file that outlives it; and the sums over all processes.

The files have the format of prometheus_client's multiprocess mode. Its value class is not used: that
takes one folder per process from the environment at import, names a file after the process id (one
more for each restart), and lets a file grow by holes, where a full disk ends the process with SIGBUS.
Here a file is numbered, locked by its process, taken over by the next one, and allocated whole.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import shutil
import struct
import threading
import weakref
from collections.abc import Collection, Iterator, MutableMapping
from contextlib import suppress
from itertools import count
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from serve.log import log

#: Names the folder of the run, here as in prometheus_client. The parent sets it, its workers read it.
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
#: In the journal's folder.
FOLDER = ".metrics"
#: Bytes of a file: the scores of some 600 versions, which is a release a day for more than a year.
SIZE = 2**21
#: Bytes in front of the first entry.
_HEADER = 8
_UNREADABLE = (OSError, ValueError, RuntimeError, struct.error)


class Counters:
    """The numbers of this process in a file of *folder*; in memory without one, or if that fails.

    `values[place]` is a number; whoever changes it holds `lock`. Numbers called as one of *gauges*
    describe a process, and are left out when it has ended. All others go on where the process that had
    the file before stopped. `why` is the reason for counting in memory.
    """

    def __init__(self, folder: Path | None, gauges: Collection[str] = ()) -> None:
        self.lock, self.why = threading.Lock(), ""
        self._folder, self._gauges, self._places = folder, gauges, dict[str, int]()
        try:
            file, path = _take(folder) if folder else _in_memory()
        except OSError as error:
            self.why = error.strerror or str(error)
            file, path = _in_memory()
        self._path, self._file, self._used = path, MmapedDict(str(path)), _HEADER
        for key, _, _, at in MmapedDict.read_all_values_from_file(str(path)):
            self._places[key] = at // 8
            self._used += _size(key)
        # MmapedDict packs both numbers of an entry at each change, for 0.6 µs; this takes 0.05.
        mapped = mmap.mmap(file, SIZE)
        self.values: memoryview[float] = memoryview(mapped).cast("d")
        #: Lets the file go, as the end of the process does; the counters in it stay.
        self.close = weakref.finalize(self, _close, self.values, mapped, self._file, file)
        self.close.atexit = False

    def places(self, keys: Collection[str]) -> list[int] | None:
        """Where the numbers called *keys* are; None if there is not room in the file for all of them."""
        with self.lock:
            new = [key for key in keys if key not in self._places]
            if self._used + sum(map(_size, new)) > SIZE:
                return None
            for key in new:
                # This makes the entry, whose number is 16 bytes before its end.
                self._file.read_value(key)
                self._used += _size(key)
                self._places[key] = self._used // 8 - 2
            return [self._places[key] for key in keys]

    def own_keys(self) -> list[str]:
        """What this process has numbers for."""
        return [*self._places]

    def sums(self) -> dict[str, float]:
        """Every number over all processes: counters of those that ended, too."""
        with self.lock:
            found = {key: self.values[place] for key, place in self._places.items()}
        for path in self._others():
            with suppress(*_UNREADABLE):
                entries = [*MmapedDict.read_all_values_from_file(str(path))]
                alive = is_held(path)
                for key, value, *_ in entries:
                    if alive or key not in self._gauges:
                        found[key] = found.get(key, 0.0) + value
        return found

    def total(self, key: str) -> float:
        """The sum of one number: quick for those that each process makes first."""
        found = self.values[self._places[key]]
        for path in self._others():
            with suppress(*_UNREADABLE):
                entries = MmapedDict.read_all_values_from_file(str(path))
                value = next((value for name, value, *_ in entries if name == key), 0.0)
                if key not in self._gauges or is_held(path):
                    found += value
        return found

    def _others(self) -> Iterator[Path]:
        if self._folder is not None and not self.why:
            yield from (path for path in self._folder.glob("*.db") if path != self._path)


def _take(folder: Path) -> tuple[int, Path]:
    """The first file of *folder* that no process has, locked and all of it allocated."""
    for number in count():
        path = folder / f"{number}.db"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(file, 0, SIZE)
        except BlockingIOError:
            os.close(file)
        except OSError:
            path.unlink()  # a part of it would take the room that the journal has left
            os.close(file)
            raise
        else:
            return file, path
    raise AssertionError  # there is always another number


def _in_memory() -> tuple[int, Path]:
    file = os.memfd_create("metrics")
    os.truncate(file, SIZE)
    return file, Path(f"/proc/self/fd/{file}")


def _close(values: memoryview[float], mapped: mmap.mmap, entries: MmapedDict, file: int) -> None:
    values.release()
    mapped.close()
    entries.close()
    os.close(file)


def _size(key: str) -> int:
    """Bytes that MmapedDict takes for *key*, with its padding to a multiple of 8."""
    return (len(key) + 4) // 8 * 8 + 24


def is_held(path: Path) -> bool:
    """Whether a process has locked the file at *path*. Raises OSError if the file does not exist."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def begin_run(journal: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Make the folder of a run in *journal*, and name it in *environment*; remove those of ended runs.

    The calling process, with its children, holds a lock on it. If it cannot be made, that is said.
    """
    place = journal / FOLDER
    environment.pop(VARIABLE, None)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with (place / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _remove_ended(place)
            folder = place / f"{os.getpid()}-{secrets.token_hex(4)}"
            folder.mkdir()
            held = os.open(folder / "run", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            fcntl.flock(held, fcntl.LOCK_EX)  # until the last process that inherits it ends
    except OSError as error:
        say_why(error.strerror or str(error))
    else:
        environment[VARIABLE] = str(folder)


def say_why(why: str) -> None:
    """Say why workers count in memory."""
    log(f"metrics: {why}; each worker counts for itself")


def run_folder() -> Path | None:
    """The folder of the run that this process belongs to; None without one."""
    found = os.environ.get(VARIABLE)
    return Path(found) if found else None


def _remove_ended(place: Path) -> None:
    for path in place.iterdir():
        if path.is_dir():
            marker = path / "run"
            if not marker.exists() or not is_held(marker):
                shutil.rmtree(path, ignore_errors=True)
        elif path.name != "lock":
            path.unlink(missing_ok=True)
