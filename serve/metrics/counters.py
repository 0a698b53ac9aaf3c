"""Counters of each process of a run, in memory-mapped files, and their sums over all processes.

The files have the format of prometheus_client's multiprocess mode. Its value class is not used, because it reads the
folder from the environment at import, names a file after the process id (another file after each restart), and
extends a file without allocating it, so that a full disk ends the process with SIGBUS. Here a file is numbered,
locked by its process, reused by the next process, and allocated completely.
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

#: The environment variable with the folder of the run, as in prometheus_client. The supervisor sets it for its workers.
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
#: A folder in the journal's folder.
FOLDER = ".metrics"
#: Bytes of a file: enough for the scores of about 600 versions, more than a year of daily releases.
SIZE = 2**21
#: Bytes before the first entry.
_HEADER = 8
_UNREADABLE = (OSError, ValueError, RuntimeError, struct.error)


class Counters:
    """The counters of this process, in a file in *folder*, or in memory without a folder or if the file cannot be made.

    `values[place]` is a counter; hold `lock` to change it. *gauges* are names of numbers that describe a process:
    they are left out of sums after it has ended. All others continue from the process that used the file before.
    `why` is the reason for counting in memory.
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
        # MmapedDict packs both numbers of an entry at each change, which takes 0.6 µs; this takes 0.05 µs.
        mapped = mmap.mmap(file, SIZE)
        self.values: memoryview[float] = memoryview(mapped).cast("d")
        #: Releases the file, as the end of the process does; its counters are kept.
        self.close = weakref.finalize(self, _close, self.values, mapped, self._file, file)
        self.close.atexit = False

    def places(self, keys: Collection[str]) -> list[int] | None:
        """The places of the counters *keys* in `values`; None if the file has no room for all of them."""
        with self.lock:
            new = [key for key in keys if key not in self._places]
            if self._used + sum(map(_size, new)) > SIZE:
                return None
            for key in new:
                # This creates the entry; its number is 16 bytes before its end.
                self._file.read_value(key)
                self._used += _size(key)
                self._places[key] = self._used // 8 - 2
            return [self._places[key] for key in keys]

    def own_keys(self) -> list[str]:
        """The keys of the counters of this process."""
        return [*self._places]

    def sums(self) -> dict[str, float]:
        """The sum of each counter over all processes, ended ones included."""
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
        """The sum of one counter over all processes. It is fast for counters that each process creates first."""
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
    """Lock and allocate the first file in *folder* that no process uses."""
    for number in count():
        path = folder / f"{number}.db"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(file, 0, SIZE)
        except BlockingIOError:
            os.close(file)
        except OSError:
            path.unlink()  # a partly allocated file would take disk space from the journal
            os.close(file)
            raise
        else:
            return file, path
    raise AssertionError  # unreachable: `count` does not end


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
    """Bytes of the entry of *key* in MmapedDict, padded to a multiple of 8."""
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
    """Create the folder of a run in *journal*, set `VARIABLE` in *environment*, and remove the folders of ended runs.

    The calling process and its children hold a lock on the folder. If it cannot be created, the reason is logged.
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
            fcntl.flock(held, fcntl.LOCK_EX)  # released when the last process that inherited it ends
    except OSError as error:
        log_reason(error.strerror or str(error))
    else:
        environment[VARIABLE] = str(folder)


def log_reason(why: str) -> None:
    """Log why workers count in memory."""
    log(f"metrics: {why}; each worker counts for itself")


def run_folder() -> Path | None:
    """The folder of the run of this process; None if there is none."""
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
