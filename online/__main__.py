"""Update the correction of the live model from what was answered and which outcomes came in.

python -m online learn --store DIR --journal DIR|URL             every half minute, until it is stopped
python -m online learn --store DIR --journal DIR|URL --once      up to now, once
python -m online learn --store DIR --follow DIR                  take the corrections of another store

`python -m serve learn` is the same. Whether they change answers is decided by [online] in serve/live.toml.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.live_config import CORRECTIONS
from contracts.live_tables import OFF
from contracts.row_contract import read_time
from forge.closed_pipes import ignore_closed_pipes
from online.follow_store import Champion, StoreError, champion_of, copied, write
from online.hourly_steps import HourlySteps, content
from online.journal_reader import JournalError, JournalReader

OK, USAGE, FAILED = 0, 2, 8
#: Seconds between two lines of progress.
PROGRESS_SECONDS = 5.0


class Session:
    """What is kept from one look to the next."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._made_of: tuple[Any, ...] = ()
        self._steps: HourlySteps | None = None
        self._reader: JournalReader | None = None
        self._written: tuple[str, str] = ("", "")
        self._begun_at = datetime.min.replace(tzinfo=UTC)

    def look(self, now: datetime) -> str:
        """Read what is new, and write the correction if an hour is over; what was written, in words, or "".

        Raises `StoreError`, `JournalError` and OSError.
        """
        champion = champion_of(self._args.store)
        if champion.online.mode == OFF:
            return ""
        if self._args.follow:
            return self._copy(champion)
        steps = self._read(champion, now)
        if steps.hours.belated and now >= self._begun_at + timedelta(hours=1):
            _say(f"{steps.hours.belated:,} lines came after their hour was over: all is read again")
            self._made_of = ()
            steps = self._read(champion, now)
        made, until = now.strftime("%Y-%m-%dT%H:%M:%SZ"), steps.corrector.until
        if not until or self._written == (champion.version, until):
            return ""
        path = write(self._args.store, champion.version, content(steps, champion.version, made))
        self._written = champion.version, until
        found = steps.correction(champion.version, made)
        return f"{path}: {found.digest}, outcomes up to {until}, {found.state}: {found.why}"

    def _read(self, champion: Champion, now: datetime) -> HourlySteps:
        made_of = (champion.contract.target, champion.setting, champion.delay)
        if self._steps is None or self._reader is None or made_of != self._made_of:
            self._made_of, self._begun_at = made_of, now
            self._steps = HourlySteps(champion.contract, champion.setting, champion.delay)
            self._reader = JournalReader(self._args.journal, champion.setting.fields, self._args.since)
        steps, over = self._steps, now - timedelta(seconds=self._args.grace)
        shown, count = time.monotonic(), 0
        for portion in self._reader.portions():
            # Files begun from here on have no lines of earlier hours: the hours before are over.
            steps.close(min(portion.begun, over))
            add = steps.hours.add_answers if portion.kind == "answers" else steps.hours.add_outcomes
            for some in _lots(portion.lines):
                add(some, portion.begun)
                count += len(some)
                if time.monotonic() >= shown + PROGRESS_SECONDS:
                    shown = time.monotonic()
                    _say(f"{count:,} lines of the journal are read, up to {portion.begun:%Y-%m-%d %H:%M}")
        steps.close(over)
        return steps

    def _copy(self, champion: Champion) -> str:
        try:
            found = copied(self._args.follow, champion.version)
        except FileNotFoundError:
            return ""
        except ValueError as error:
            raise StoreError(f"the correction of {champion.version} in {self._args.follow}: {error}") from error
        path = self._args.store / CORRECTIONS / f"{champion.version}.json"
        if path.is_file() and path.read_bytes() == found:
            return ""
        return f"{write(self._args.store, champion.version, found)}: taken from {self._args.follow}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _parser().parse_args(arguments)
    if (args.journal is None) == (args.follow is None):
        print("error: expected --journal DIR, or --follow DIR", file=sys.stderr)
        return USAGE
    session = Session(args)
    if args.once:
        return _look(session, args.until or datetime.now(UTC))
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    problem = OK
    while not stopped.is_set() and args.parent in (None, os.getppid()):
        problem = _look(session, datetime.now(UTC))
        stopped.wait(args.every)
    return OK if problem == OK else FAILED


def _look(session: Session, now: datetime) -> int:
    try:
        written = session.look(now)
    except (StoreError, JournalError, OSError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return FAILED
    if written:
        print(written, flush=True)
    return OK


def _lots(lines: Iterable[Any], size: int = 10_000) -> Iterator[list[Any]]:
    lot: list[Any] = []
    for line in lines:
        lot.append(line)
        if len(lot) == size:
            yield lot
            lot = []
    yield lot


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _time(text: str) -> datetime:
    found = read_time(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, such as 2026-03-01T12:00:00Z")
    return found


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 86400")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m online", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    learn = commands.add_parser("learn", help="update the correction of the live model")
    learn.add_argument("--store", type=Path, required=True, help="the folder that the scorer follows")
    learn.add_argument("--journal", help="the journal: a folder, or a URL such as s3://bucket/journal")
    learn.add_argument("--follow", type=Path, help="another store, whose corrections are taken")
    learn.add_argument("--once", action="store_true", help="look once")
    learn.add_argument("--every", type=_seconds, default=30.0, help="seconds between two looks")
    learn.add_argument("--parent", type=int, help="end when the process with this number is no longer the parent")
    learn.add_argument("--grace", type=_seconds, default=300.0, help="seconds after which an hour counts as over")
    learn.add_argument("--since", type=_time, help="leave out files that were begun before")
    learn.add_argument("--until", type=_time, help="with --once: the time that counts as now")
    return parser


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
