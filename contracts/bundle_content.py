"""A bundle's content: its digests, by which live.toml and releases name it, and its files. The standard library alone."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Fields of a manifest that are not part of its digest: the bundle's name, and the build's time and author.
UNSIGNED = ("version", "digest", "build")
#: Bytes of the largest manifest.
MAX_MANIFEST_BYTES = 64 * 2**20
#: The file of the evaluation model in bundles of format 2, whose `model.onnx` is the release model.
EVALUATION = "evidence/evaluation.onnx"
#: Parts of the evidence where outcomes come late: rows of the holdout's time without an outcome, all later rows, and the
#: outcomes that came so late that an earlier holdout may have lacked them.
UNKNOWN, LATER, LATE = "unknown", "later", "late"
#: Beside the evidence, the digests of files from which rows were erased on request. It is not in the manifest.
ERASED = "evidence/erased.json"
#: Begins the columns of the later rows with the probability of each class, with which the release model was trained.
EXPECTED = "expected_"


def sha256(content: bytes) -> str:
    """`sha256:` and the digest of *content*."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def content_digest(manifest: Mapping[str, Any]) -> str:
    """The digest of a *manifest*'s content without `UNSIGNED`; it includes the files' digests, so it covers the bundle."""
    content = {key: value for key, value in manifest.items() if key not in UNSIGNED}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode())


def trained_until(manifest: Mapping[str, Any]) -> str:
    """The time of the newest row that the served model was trained on, as in a bundle's *manifest*.

    The evaluation model's is `data.train.end`; they are equal in a bundle with one model.
    """
    return str(manifest.get("release", manifest["data"]["train"])["end"])


def erased_digests(folder: Path) -> dict[str, Any]:
    """By name, the files in the bundle *folder* from which rows were erased: their digests since (`now`), and how many rows.

    Only rows of the evidence are erased, and nothing that is served or scored. Raises OSError for a damaged record.
    """
    try:
        found = json.loads(read_regular(folder / ERASED, MAX_MANIFEST_BYTES))
        return {name: each for name, each in found.items() if _is_erased(name, each)}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, AttributeError, RecursionError) as error:
        raise OSError(errno.EINVAL, "it is not a record of erased rows", str(folder / ERASED)) from error


def _is_erased(name: str, entry: Any) -> bool:
    is_rows = name.startswith("evidence/") and name.endswith(".parquet")
    return (
        is_rows
        and isinstance(entry, dict)
        and isinstance(entry.get("now"), list)
        and isinstance(entry.get("rows"), int)
    )


def read_regular(path: Path, most: int | None = None) -> bytes:
    """The content of the regular file at *path*, of at most *most* bytes. Raises OSError, with why.

    A FIFO or a device in its place does not block.
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        with open(number, "rb", closefd=False) as file:
            content = file.read() if most is None else file.read(most + 1)
    finally:
        os.close(number)
    if most is not None and len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes", str(path))
    return content
