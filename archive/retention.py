"""Deletes the old files of a journal, and lists them in its `deleted.log`.

Once a journal has been uploaded (`archive.upload`), only files that have arrived are deleted: each has a
marker in the folder `.shipped`. Delete that folder to stop waiting for uploads.
"""

from __future__ import annotations

import errno
import json
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from archive.closed_segments import closed, segments
from serve.journal.segments import SHIPPED

LOG = "deleted.log"


@dataclass
class Pruned:
    """Names, relative to the journal, of what was deleted and of what is old and not uploaded; errors."""

    deleted: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def partitions(folder: Path) -> list[Path]:
    """Every Parquet file of the journal in *folder*."""
    found = folder.glob("day=[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]/kind=*/*.parquet")
    return sorted(path for path in found if not path.name.startswith("."))


def marker(folder: Path, path: Path) -> Path:
    """The file that says that *path*, of the journal in *folder*, was uploaded."""
    return folder / SHIPPED / path.relative_to(folder)


def prune(folder: Path, days: int, now: datetime) -> Pruned:
    """Delete from the journal in *folder* the days before the last *days*; what fails is in `problems`."""
    found = Pruned()
    first = now.astimezone(UTC).date() - timedelta(days=days)
    shipped = (folder / SHIPPED).is_dir()
    for path in (*partitions(folder), *segments(folder)):
        name = path.relative_to(folder).as_posix()
        try:
            # An open segment stays: it is being written to.
            with closed(path) if path.parent == folder else nullcontext(True) as ours:
                if not ours or (day := _day(folder, path)) >= first:
                    continue
                if shipped and not marker(folder, path).exists():
                    found.waiting.append(name)
                else:
                    _delete(folder, path, day, now)
                    found.deleted.append(name)
        except OSError as error:
            found.problems.append(f"{name} cannot be deleted: {error}")
    return found


def _day(folder: Path, path: Path) -> date:
    """The day of a Parquet file; of a segment, that of its last line."""
    if path.parent == folder:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    return date.fromisoformat(path.parts[-3].removeprefix("day="))


def _delete(folder: Path, path: Path, day: date, now: datetime) -> None:
    entry = (
        json.dumps(
            {
                "at": now.astimezone(UTC).isoformat(),
                "file": path.relative_to(folder).as_posix(),
                "day": day.isoformat(),
                "bytes": path.stat().st_size,
            }
        )
        + "\n"
    )
    try:
        _log(folder, entry)  # before it is deleted, so that a kill leaves no deletion out
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        path.unlink()  # makes room for the entry, of which a part may have been written
        _log(folder, "\n" + entry)
    path.unlink(missing_ok=True)
    if path.parent == folder:
        return
    marker(folder, path).unlink(missing_ok=True)
    for emptied in (path, marker(folder, path)):
        with suppress(OSError):  # other files are left in the folder
            emptied.parent.rmdir()
            emptied.parent.parent.rmdir()


def _log(folder: Path, text: str) -> None:
    with (folder / LOG).open("a") as log:
        log.write(text)
