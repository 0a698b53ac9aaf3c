"""`python -m serve ship`: closed segments become Parquet, and go to a folder or bucket elsewhere.

Each file at least once, and once there: its name is the segment's wherever it goes, so that sending
it again puts the same in its place. A marker beside the journal says what has arrived; killed anywhere,
the next run goes on from the markers. A server that is down is said, and tried again.

With `--every` it runs beside a scorer. Told to stop, it looks once more, for the scorer closes its files at
the same stop. With `--days` it also deletes what is older and has arrived, as `prune` does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec

from serve.parquet import convert
from serve.retention import marker, partitions, prune
from serve.segments import SHIPPED, STATE, segments

OK, USAGE, FAILED = 0, 2, 8
#: Here a file appears when all of it is there; elsewhere it gets its name when it is whole.
WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"}


@dataclass
class Round:
    """What one look at the journal came to."""

    converted: int = 0
    sent: int = 0
    there: int = 0  # arrived before, and the marker was lost
    deleted: int = 0
    problems: list[str] = field(default_factory=list)


class Shipping:
    """Sends what is closed in the journal *folder* to the URL *to*. Raises ValueError, ImportError."""

    def __init__(self, folder: Path, to: str) -> None:
        self.folder, self.to = folder, to.rstrip("/")
        self._files, self._root = fsspec.url_to_fs(self.to)
        protocol = self._files.protocol
        self._whole = bool(WHOLE & {*([protocol] if isinstance(protocol, str) else protocol)})

    def once(self) -> Round:
        """Look at the journal once: convert what is closed, send what has not arrived."""
        found, left = Round(), 0
        self._files.invalidate_cache()  # others may write there
        for segment in segments(self.folder):
            try:
                found.converted += len(convert(segment))
            except Exception as error:  # one that cannot be read must not hold up the others
                found.problems.append(f"{segment.name} stays as it is: {_words(error)}")
        for path in partitions(self.folder):
            mark = marker(self.folder, path)
            if _arrived(mark, self.to):
                continue
            try:
                again = self._send(path)
                _replace(mark, {"to": self.to, "bytes": path.stat().st_size})
            # Every kind of storage has errors of its own.
            except Exception as error:
                found.problems.append(f"{path.name} did not arrive: {_words(error)}")
                left += 1
                continue
            found.sent, found.there = found.sent + (not again), found.there + again
        with suppress(OSError):
            _replace(self.folder / SHIPPED / STATE, {"to": self.to, "left": left})
        return found

    def _send(self, path: Path) -> bool:
        """Put *path* there; True if it was there already, byte for byte as far as one can tell."""
        place = f"{self._root}/{path.relative_to(self.folder).as_posix()}"
        if self._is_there(path, place):
            return True
        if self._whole:
            self._files.put_file(str(path), place)
        else:
            parent, _, name = place.rpartition("/")
            self._files.makedirs(parent, exist_ok=True)
            work = f"{parent}/.{name}-work"
            self._files.put_file(str(path), work)
            self._files.mv(work, place)
        size = self._files.info(place)["size"]
        if size != path.stat().st_size:
            raise OSError(f"{path.stat().st_size:,} bytes were sent and {size:,} are there")
        return False

    def _is_there(self, path: Path, place: str) -> bool:
        try:
            there: dict[str, Any] = self._files.info(place)
        except FileNotFoundError:
            return False
        # An ETag is the MD5 of what was sent in one piece; of another kind, it is sent again.
        tag = str(there.get("ETag", "")).strip('"')
        return there["size"] == path.stat().st_size and tag == _md5(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Ship once, or every so many seconds until SIGTERM; returns the exit code."""
    asked = _parser().parse_args(arguments)
    if not asked.journal.is_dir():
        return _stop(f"there is no journal at {asked.journal}; the scorer's --journal names it")
    try:
        shipping = Shipping(asked.journal, asked.to)
    except (ValueError, ImportError, OSError) as error:
        return _stop(f"--to is {asked.to!r}: {error}; expected a URL such as s3://bucket/journal")
    if asked.days is not None and asked.days < 1:
        return _stop(f"--days is {asked.days}; expected 1 or more")

    def once() -> Round:
        found = shipping.once()
        if asked.days is not None:
            found.deleted = len(prune(asked.journal, asked.days, datetime.now(UTC)).deleted)
        return found

    if asked.every is None:
        return _tell(once())
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    return _every(asked.every, once, stopped)


def _every(seconds: float, once: Callable[[], Round], stopped: threading.Event) -> int:
    _tell(once())
    while not stopped.wait(seconds):
        _tell(once())
    return _tell(once())


def _tell(found: Round) -> int:
    if found.converted or found.sent or found.there:
        again = f" ({found.there} were there already)" if found.there else ""
        print(f"{found.converted} files made, {found.sent} sent{again}", flush=True)
    if found.deleted:
        print(f"{found.deleted} deleted", flush=True)
    for problem in found.problems:
        print(f"error: {problem}", file=sys.stderr, flush=True)
    return FAILED if found.problems else OK


def _arrived(mark: Path, to: str) -> bool:
    try:
        return bool(json.loads(mark.read_bytes())["to"] == to)
    except (OSError, ValueError, KeyError, TypeError):
        return False  # not sent yet, sent elsewhere, or a marker that a crash tore


def _replace(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.name}-{os.getpid()}")
    work.write_text(json.dumps(content) + "\n")
    work.replace(path)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _stop(words: str) -> int:
    print(f"error: {words}", file=sys.stderr)
    return USAGE


def _parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser("python -m serve ship", description=__doc__.split("\n")[0])
    found.add_argument("--journal", type=Path, required=True, help="the scorer's journal")
    found.add_argument("--to", required=True, metavar="URL", help="file://, s3://, … (fsspec)")
    found.add_argument(
        "--every", type=float, metavar="SECONDS", help="again and again (default: once)"
    )
    found.add_argument(
        "--days", type=int, help="delete what is older and has arrived (default: nothing)"
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
