"""Reads a whole regular file, of a limited size; a FIFO or a device in its place blocks nothing."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_regular(path: Path, most: int | None = None) -> bytes:
    """The content of the regular file at *path*, of at most *most* bytes. Raises OSError, with why."""
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
