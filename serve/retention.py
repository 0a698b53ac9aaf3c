"""`python -m serve prune`: what is older than so many days is deleted, and a log says what it was.

Where the journal is shipped, nothing goes that has not arrived: `ship` leaves a marker for each file.
Delete the folder `.shipped` to go back to a journal that stays at home.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from serve.segments import SHIPPED, closed, segments

OK, USAGE = 0, 2
LOG = "deleted.log"


@dataclass
class Pruned:
    """What was deleted, by its path in the journal, and what is old and stays."""

    deleted: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


def partitions(folder: Path) -> list[Path]:
    """Every Parquet file of the journal in *folder*."""
    days = "day=[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
    found = folder.glob(f"{days}/kind=*/*.parquet")
    return sorted(path for path in found if not path.name.startswith("."))


def marker(folder: Path, path: Path) -> Path:
    """What says of a Parquet file of the journal in *folder* that it arrived elsewhere."""
    return folder / SHIPPED / path.relative_to(folder)


def prune(folder: Path, days: int, now: datetime) -> Pruned:
    """Delete from the journal in *folder* the days before the last *days*."""
    found = Pruned()
    first = (now.astimezone(UTC) - timedelta(days=days)).date()
    shipped = (folder / SHIPPED).is_dir()
    for path in partitions(folder):
        day = date.fromisoformat(path.parts[-3].removeprefix("day="))
        if day >= first:
            continue
        if shipped and not marker(folder, path).exists():
            found.waiting.append(_name(folder, path))
            continue
        _delete(folder, path, day, now)
        found.deleted.append(_name(folder, path))
        marker(folder, path).unlink(missing_ok=True)
        for empty in (path, marker(folder, path)):
            with suppress(OSError):  # others lie there still
                empty.parent.rmdir()
                empty.parent.parent.rmdir()
    for path in segments(folder):
        with closed(path) as ours:
            # Its newest line is of this day; one that is open is being written to.
            if ours and (day := _written(path)) < first:
                if shipped:
                    found.waiting.append(path.name)
                    continue
                _delete(folder, path, day, now)
                found.deleted.append(path.name)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Prune once; returns the exit code."""
    asked = _parser().parse_args(arguments)
    if not asked.journal.is_dir() or asked.days < 1:
        what = (
            f"there is no journal at {asked.journal}; the scorer's --journal names it"
            if asked.days >= 1
            else f"--days is {asked.days}; expected 1 or more"
        )
        print(f"error: {what}", file=sys.stderr)
        return USAGE
    found = prune(asked.journal, asked.days, datetime.now(UTC))
    for name in found.deleted:
        print(f"deleted {name}")
    for name in found.waiting:
        print(f"kept {name}: it is old, and has not arrived where the journal is shipped to")
    print(f"{len(found.deleted)} deleted, {len(found.waiting)} wait to be shipped")
    return OK


def _delete(folder: Path, path: Path, day: date, now: datetime) -> None:
    told = {
        "at": now.astimezone(UTC).isoformat(), "file": _name(folder, path),
        "day": day.isoformat(), "bytes": path.stat().st_size,
    }  # fmt: skip
    with (folder / LOG).open("a") as log:  # first: what is gone is told in any case
        log.write(json.dumps(told) + "\n")
    path.unlink()


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _written(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()


def _parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser("python -m serve prune", description=__doc__.split("\n")[0])
    found.add_argument("--journal", type=Path, required=True, help="the scorer's journal")
    found.add_argument("--days", type=int, required=True, help="how many days stay")
    return found


if __name__ == "__main__":
    sys.exit(main())
