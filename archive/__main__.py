"""Archive a scorer's journal.

python -m archive ship --journal DIR --to URL [--every 60]    upload closed files as Parquet
python -m archive prune --journal DIR --days 90               delete old files
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from archive.retention import Pruned, prune
from forge.closed_pipes import ignore_closed_pipes

OK, USAGE, FAILED = 0, 2, 8
#: Packages that `ship` needs and the scorer's environment does not have.
ELSEWHERE = {"fsspec", "pyarrow"}
#: The largest values of --days and --every: a hundred years, and a day.
MAX_DAYS, MAX_SECONDS = 36_500, 86_400


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    args = _parser().parse_args(arguments)
    if problems := [*_problems(args)]:
        return _fail(problems, USAGE)
    return _ship(args) if args.command == "ship" else _prune(args)


def _ship(args: argparse.Namespace) -> int:
    try:
        shipping = import_module("archive.upload").Shipping(args.journal, args.to)
    except ModuleNotFoundError as error:
        if error.name not in ELSEWHERE:
            raise
        needs = f"ship needs {error.name}, which the scorer's environment does not have"
        return _fail([f"{needs}; type .venv/work/bin/python -m archive ship"], USAGE)
    except (ValueError, ImportError, OSError) as error:
        expected = "expected a URL such as s3://bucket/journal"
        return _fail([f"--to is {args.to!r}: {error}; {expected}"], USAGE)
    if args.every is None:
        return _ship_once(shipping, args.days)
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    _ship_once(shipping, args.days)
    while not stopped.wait(args.every):
        _ship_once(shipping, args.days)
    # The scorer closes its files at the same stop.
    return _ship_once(shipping, args.days)


def _ship_once(shipping: Any, days: int | None) -> int:
    found = shipping.once()
    if found.converted or found.sent or found.there:
        again = f" ({found.there} were there already)" if found.there else ""
        print(f"{found.converted} files made, {found.sent} sent{again}", flush=True)
    pruned = Pruned() if days is None else prune(shipping.folder, days, datetime.now(UTC))
    if pruned.deleted:
        print(f"{len(pruned.deleted)} deleted", flush=True)
    problems = found.problems + pruned.problems
    return _fail(problems) if problems else OK


def _prune(args: argparse.Namespace) -> int:
    found = prune(args.journal, args.days, datetime.now(UTC))
    for name in found.deleted:
        print(f"deleted {name}")
    for name in found.waiting:
        print(f"kept {name}: it is old, and not uploaded yet")
    print(f"{len(found.deleted)} deleted, {len(found.waiting)} wait to be shipped")
    return _fail(found.problems) if found.problems else OK


def _problems(args: argparse.Namespace) -> Iterator[str]:
    """Everything that is wrong with the options."""
    if not args.journal.is_dir():
        yield f"there is no journal at {args.journal}; the scorer's --journal names it"
    if args.days is not None and not 1 <= args.days <= MAX_DAYS:
        yield f"--days is {args.days}; expected 1 to {MAX_DAYS:,}"
    every = getattr(args, "every", None)
    if every is not None and not 0 < every <= MAX_SECONDS:
        yield f"--every is {every}; expected more than 0, and {MAX_SECONDS:,} at most"


def _fail(problems: Sequence[str], code: int = FAILED) -> int:
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr, flush=True)
    return code


def _parser() -> argparse.ArgumentParser:
    journal = argparse.ArgumentParser(add_help=False)
    journal.add_argument("--journal", type=Path, required=True, help="the scorer's journal")
    found = argparse.ArgumentParser("python -m archive")
    commands = found.add_subparsers(dest="command", required=True)
    text = "Convert the closed files of a journal to Parquet and upload them to a folder or bucket."
    ship = commands.add_parser("ship", parents=[journal], description=text)
    ship.add_argument("--to", required=True, metavar="URL", help="file://, s3://, … (fsspec)")
    ship.add_argument("--every", type=float, metavar="SECONDS", help="repeat (default: run once)")
    ship.add_argument("--days", type=int, help="delete uploaded files older than this (default: none)")
    text = "Delete the old days of a journal; a log in its folder lists what was deleted."
    prune_ = commands.add_parser("prune", parents=[journal], description=text)
    prune_.add_argument("--days", type=int, required=True, help="how many days to keep")
    return found


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
