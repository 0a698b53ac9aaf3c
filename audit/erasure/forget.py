"""Erases one key's rows: from journals, their uploaded copies, bundles' evidence and monitoring's cache.

Outcomes have no key. They are found by the ids of the key's answers, so they go first: an erasure that was interrupted finds
the rest when it is run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from audit.erasure.bundle_evidence import erase_rows, manifest_of, named_in
from audit.erasure.erased_key import ErasedKey, hashed
from audit.erasure.journal_files import ANSWERS, OUTCOMES, JournalFile, erase, ids_in, listed, table_of
from audit.erasure.receipts import COMPLETE, INCOMPLETE, Receipt, receipts
from contracts.live_config import BUNDLES
from serve.journal.segments import SHIPPED, STATE

#: How often all is looked through until a look finds nothing more: files may become Parquet, or be uploaded, meanwhile.
LOOKS = 10


@dataclass(frozen=True)
class Places:
    """Where rows are kept: the scorer's *journal*, the *shipped* copies of it, *stores*, *forges*, and *kept*, a cache.

    *unread* says which places cannot be looked through.
    """

    journal: Path
    shipped: Sequence[Path] = ()
    stores: Sequence[Path] = ()
    forges: Sequence[Path] = ()
    kept: Path | None = None
    unread: Sequence[str] = ()

    @property
    def journals(self) -> list[Path]:
        """The journal and its copies."""
        return [self.journal, *self.shipped]

    def bundles(self) -> list[Path]:
        """Every bundle: those of the forges first, from which a store is filled."""
        released = [each for forge in self.forges for each in sorted(forge.glob("releases/[!.]*/bundle"))]
        return released + [
            each for store in self.stores for each in sorted((store / BUNDLES).glob("[!.]*")) if each.is_dir()
        ]


def forget(key: str, places: Places, clock: Callable[[], datetime], *, dry: bool) -> Receipt:
    """Erase what is about *key*; only count it if *dry*. Running it again continues. The receipt is in the journal.

    Raises OSError if the receipt cannot be written. What else fails is in the receipt.
    """
    receipt = Receipt.begin(key, _now(clock))
    about = _about(key, places)
    if not dry:
        receipt.write(places.journal)
    for look in range(LOOKS):
        about, problems, found = _look(about, places, receipt, dry=dry)
        if dry or not found:
            break
        if look == LOOKS - 1:
            problems = [f"after {LOOKS} looks rows still came in; stop what sends them, and run it again"]
    receipt.ids = [hashed(receipt.salt_bytes, each) for each in sorted(about.ids)]
    problems += _bundles(about, places, receipt, dry=dry)
    problems += _cache(about, places, receipt, dry=dry)
    receipt.left = [*dict.fromkeys([*problems, *_elsewhere(places)])]
    receipt.state, receipt.until = INCOMPLETE if receipt.left else COMPLETE, _now(clock)
    if not dry:
        receipt.write(places.journal)
    return receipt


def _about(key: str, places: Places) -> ErasedKey:
    salts = [(each / "salt").read_bytes() for each in places.journals if (each / "salt").is_file()]
    earlier = [each for each in receipts(places.journal) if each.is_about(key)]
    return ErasedKey(key, salts, earlier=[(each.salt_bytes, frozenset(each.ids)) for each in earlier])


def _look(about: ErasedKey, places: Places, receipt: Receipt, *, dry: bool) -> tuple[ErasedKey, list[str], bool]:
    """Erase what is there now; whether there was anything, or the files changed meanwhile."""
    files, problems = _files(places), list[str]()
    ids: set[str] = set()
    for file in files:
        if file.kind in ANSWERS:
            with _noting(problems, file):
                ids.update(ids_in(file, about))
    about = replace(about, ids=about.ids | ids)
    if not dry:
        # The ids first: an interrupted erasure can be recognised.
        receipt.ids = [hashed(receipt.salt_bytes, each) for each in sorted(about.ids)]
        receipt.write(places.journal)
    found = False
    for file in sorted(files, key=lambda each: each.kind != OUTCOMES):
        with _noting(problems, file):
            if count := erase(file, about, dry=dry):
                found = True
                receipt.erased[str(file.path)] = receipt.erased.get(str(file.path), 0) + count
    if not dry:
        receipt.write(places.journal)
    return about, problems, found or _files(places) != files


def _files(places: Places) -> list[JournalFile]:
    return [file for journal in places.journals for file in listed(journal)]


@contextmanager
def _noting(problems: list[str], file: JournalFile) -> Iterator[None]:
    """Note an error of *file*."""
    try:
        yield
    except FileNotFoundError:
        pass  # it became Parquet; the next look finds that
    except OSError as error:
        problems.append(f"{file.path}: {error.strerror or error}")


def _bundles(about: ErasedKey, places: Places, receipt: Receipt, *, dry: bool) -> Iterator[str]:
    for bundle in places.bundles():
        try:
            manifest = manifest_of(bundle)
            counts, golden = erase_rows(bundle, manifest, about, receipt.at, dry=dry)
        except (OSError, ValueError) as error:
            yield f"{bundle}: {error}"
            continue
        for name, count in counts.items():
            receipt.erased[str(bundle / name)] = count
        if golden:
            yield f"{bundle}: {golden} golden rows are equal to rows of this key; without a key, they stay as long as the bundle"
        if named_in(manifest, about):
            yield f"{bundle}: the manifest names the key in an example, which its digest covers; it stays as long as the bundle"


def _cache(about: ErasedKey, places: Places, receipt: Receipt, *, dry: bool) -> Iterator[str]:
    """Delete the entries of monitoring's cache with the key or an id of it; they are read again from the journal."""
    if places.kept is None:
        return
    for path in sorted(places.kept.rglob("*.parquet")):
        try:
            if _has(path, about):
                receipt.erased[str(path)] = 1
                for each in (path.with_suffix(".json"), path) if not dry else ():
                    each.unlink(missing_ok=True)
        except OSError as error:
            yield f"{path}: {error}"


def _has(path: Path, about: ErasedKey) -> bool:
    texts = [column for column in table_of(path).columns if str(column.type).endswith("string")]
    return any(value in about.spelt or about.is_id(value) for column in texts for value in column.unique().to_pylist())


def _elsewhere(places: Places) -> Iterator[str]:
    """Copies that were not among the places."""
    yield from places.unread
    state = places.journal / SHIPPED / STATE
    if state.is_file() and not places.shipped:
        try:
            to = str(json.loads(state.read_bytes())["to"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            to = f"a place that {state} does not say ({error!r})"
        yield f"the journal was uploaded to {to}; name a folder with it: --shipped DIR"


def _now(clock: Callable[[], datetime]) -> str:
    return clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
