"""What served at a time and why, why an answer has its score, and the erasure of one key's rows.

python -m audit at 2026-11-03T14:05 --store DIR --journal DIR [--id ID]     what served then
python -m audit explain ID --store DIR --journal DIR                        why an answer has its score
python -m audit forget KEY --journal DIR [--store DIR] [--shipped DIR]      erase what is about one key

`python -m serve at`, `explain` and `forget` are the same.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from audit.answer_spans import NAMES, answered
from audit.asked_time import read_asked
from audit.erasure.receipts import receipts
from audit.explanation import ExplainError, Explanation, Load, explained
from audit.journal_lines import files, lines, unread
from audit.moment import described
from audit.repository_record import Record
from bundles.bundle import Bundle
from bundles.manifest import BundleError
from contracts.live_config import BUNDLES, LIVE
from contracts.row_contract import read_time
from forge.closed_pipes import ignore_closed_pipes
from forge.interface import GITHUB, Forge, ForgeError
from forge.local.git_repository import Repository

OK, DIFFERS, USAGE = 0, 1, 2
#: The limits of the gate, in the repository.
LIMITS = "checks/thresholds.toml"
#: The changes of a file that GitHub shows.
SHOWN = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 1 if a score is not what is computed again, 2 if the question cannot be answered."""
    args = _parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    try:
        if not args.journal.is_dir():
            raise ExplainError(f"there is no journal at {args.journal}; the scorer's --journal names it")
        text, equal = {"at": _at, "explain": _explain, "forget": _forget}[args.command](args)
    except (ExplainError, OSError) as error:
        print(f"error: {error}")
        return USAGE
    print(text)
    return OK if equal else DIFFERS


def _explain(args: argparse.Namespace) -> tuple[str, bool]:
    with _bundles(args) as load:
        found = explained(args.id, args.store, args.journal, load)
    return found.text, found.equal


def _at(args: argparse.Namespace) -> tuple[str, bool]:
    found: Explanation | None = None
    if args.id:
        with _bundles(args) as load:
            found = explained(args.id, args.store, args.journal, load)
    elif args.time is None:
        raise ExplainError("name a time, such as 2026-11-03T14:05, or an answer with --id")
    time = args.time or str(found.answer.get("at")) if found else args.time
    asked = read_asked(time)
    if asked is None:
        raise ExplainError(
            f"{time!r} is not a time; expected one such as 2026-11-03T14:05, 2026-11-03T14:05+01:00 or"
            " '2026-11-03 14:05 Europe/Vienna'"
        )
    every = chain(files(args.journal, "answers", NAMES), files(args.journal, "shadow", NAMES))
    corrections = [line for line in lines(args.journal, "corrections") if read_time(str(line.get("at")))]
    unknown = [why] if (why := unread(args.journal).removeprefix("; ")) else []
    unknown += [
        f"{count:,} line{' of the journal was' if count == 1 else 's of the journal were'} erased on request at {each.at}"
        for each in receipts(args.journal)
        if (count := each.lines_of(args.journal))
    ]
    found_then = answered(every, asked.when)
    text = described(asked, datetime.now(UTC), found_then, corrections, _record(args.forge), unknown)
    if found:
        text += ["", *found.text.splitlines()]
    return "\n".join(text), found.equal if found else True


def _forget(args: argparse.Namespace) -> tuple[str, bool]:
    """Erase a key's rows; not equal if something is left."""
    key = sys.stdin.readline().rstrip("\n") if args.key == "-" else args.key
    if not key:
        raise ExplainError("the key is empty; expected the value of the contract's key field, or - to read it")
    try:
        from audit.erasure.forget import Places, forget  # noqa: PLC0415  # needs pyarrow
    except ModuleNotFoundError as error:
        raise ExplainError(f"this needs {error.name}; type: .venv/work/bin/python -m audit forget …") from error
    if missing := [str(each) for each in (*args.shipped, *args.store) if not each.is_dir()]:
        raise ExplainError(f"there is no folder {', '.join(missing)}")
    places = Places(args.journal, args.shipped, args.store, [Path(args.forge)], args.kept, [*_unread_bundles(args)])
    receipt = forget(key, places, lambda: datetime.now(UTC), dry=args.dry_run)
    verb = "would erase" if args.dry_run else "erased"
    text = [f"{verb} {count:,} in {place}" for place, count in receipt.erased.items()] or [
        "nothing about this key is kept"
    ]
    text += [f"left: {each}" for each in receipt.left]
    text += [] if args.dry_run else [f"receipt: {receipt.path(args.journal)}, {receipt.state}"]
    return "\n".join(text), not receipt.left


def _unread_bundles(args: argparse.Namespace) -> Iterator[str]:
    if args.forge.startswith(GITHUB):
        yield (
            f"the releases of {args.forge} were not looked through, and their files never change; delete those that were"
            " made with rows of this key, once they are not live"
        )
    elif not args.store and not Path(args.forge).is_dir():
        yield f"no bundles were looked through: there is no forge at {args.forge}; name one with --forge, or --store"


@contextmanager
def _bundles(args: argparse.Namespace) -> Iterator[Load]:
    """Loads bundles from the store, or else from the forge, by way of a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="audit-") as work:
        yield partial(_bundle, args, Path(work))


def _bundle(args: argparse.Namespace, work: Path, version: str) -> Bundle:
    place = args.store / BUNDLES / version
    if not place.is_dir():
        try:
            _forge(args.forge).download(version, work / version)
        except ForgeError as error:
            raise BundleError(f"{place} is not there, nor is a copy on the forge: {error}") from error
        place = work / version
    return Bundle.load(place)


def _record(where: str) -> Record:
    """What the repository at *where* has. Does not raise: what is not at hand is noted."""
    notes: list[str] = []

    def tried(what: str, read: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        try:
            return read()
        except ForgeError as error:
            notes.append(f"{what}: {error}")
            return ()

    if (Path(where) / ".git").exists():
        clone = Repository(Path(where))
        notes.append(
            f"verdicts and pull requests: {where} is a clone, which has neither; pass --forge github:OWNER/NAME"
        )
        history, limits = (tried(path, partial(clone.history, path)) for path in (LIVE, LIMITS))
        return Record(history, limits, notes=tuple(notes))
    try:
        forge = _forge(where)
    except ForgeError as error:
        return Record(notes=(f"the repository: {error}",))
    history = tried(LIVE, lambda: forge.history(LIVE))
    if where.startswith(GITHUB) and len(history) >= SHOWN:
        notes.append(f"{LIVE} before its newest {SHOWN} changes, which GitHub shows")
    return Record(
        history,
        tried(LIMITS, lambda: forge.history(LIMITS)),
        tried("releases", forge.releases),
        tried("pull requests", forge.proposals),
        tried("incidents", forge.alerts),
        tuple(notes),
    )


def _forge(where: str) -> Forge:
    if not where.startswith(GITHUB) and not (Path(where) / "repo").is_dir():
        raise ForgeError(f"there is no forge at {where}; pass --forge with a folder, a clone or github:OWNER/NAME")
    from forge.opening import open_forge  # noqa: PLC0415  # needs requests, which only GitHub needs

    return open_forge(where)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--store", type=Path, required=True, help="folder with live.toml and bundles/")
    shared.add_argument("--journal", type=Path, required=True, help="folder of the journal")
    where = os.environ.get("FORGE") or ".forge"
    shared.add_argument(
        "--forge", default=where, help="a forge's folder, a clone of the repository, or github:OWNER/NAME"
    )
    found = argparse.ArgumentParser("python -m audit")
    commands = found.add_subparsers(dest="command", required=True)
    text = "what served at a time, and why"
    at = commands.add_parser("at", parents=[shared], description=text, help=text)
    at.add_argument(
        "time", nargs="?", help="such as 2026-11-03T14:05 (UTC), with +01:00 or a zone's name; default: that of --id"
    )
    at.add_argument("--id", help="an answer, which is computed again")
    text = "why an answer has its score"
    explain = commands.add_parser("explain", parents=[shared], description=text, help=text)
    explain.add_argument("id", help="the id of the answer")
    _add_forget(commands)
    return found


def _add_forget(commands: Any) -> None:
    text = "erase what is about one key, on request"
    forget = commands.add_parser("forget", description=text, help=text)
    forget.add_argument("key", help="the key, or - to read it from standard input")
    forget.add_argument(
        "--journal", type=Path, required=True, help="folder of the journal; the receipt is written there"
    )
    forget.add_argument(
        "--shipped", type=Path, action="append", default=[], help="folder with the uploaded copy; may be repeated"
    )
    forget.add_argument("--store", type=Path, action="append", default=[], help="store of a scorer; may be repeated")
    forget.add_argument(
        "--forge", default=os.environ.get("FORGE") or ".forge", help="a forge's folder; what is on GitHub stays there"
    )
    forget.add_argument("--kept", type=Path, default=Path("build/kept"), help="monitoring's folder of closed days")
    forget.add_argument("--dry-run", action="store_true", help="only say what would be erased")


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
