"""A journal that lies elsewhere, brought here to be read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec

from monitoring.window import JournalError


@contextmanager
def journal_at(where: str) -> Iterator[Path]:
    """The journal at *where* as a folder: a folder itself, or any URL that fsspec can open.

    What a URL names is copied to a folder that is gone afterwards. Raises `JournalError` if it
    cannot be reached.
    """
    if "://" not in where:
        yield Path(where)
        return
    with tempfile.TemporaryDirectory() as work:
        try:
            files, path = fsspec.url_to_fs(where)
            for name in files.glob(f"{path.rstrip('/')}/*.jsonl"):
                files.get_file(name, str(Path(work) / Path(name).name))
        except (OSError, ValueError, ImportError) as error:
            raise JournalError(f"the journal at {where} cannot be read: {error}") from error
        yield Path(work)
