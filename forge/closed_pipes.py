"""Writes to a closed standard output are dropped (`make status | head`)."""

from __future__ import annotations

import io
import sys
from typing import Any


def ignore_closed_pipes() -> None:
    """Drop what this process prints to a closed pipe, without an error.

    A landing must not stop half-way because its output is not read. The default action of SIGPIPE would end
    the process, also for a network connection that is closed.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.flush()
            raw = _Dropping(stream.fileno(), "w", closefd=False)
            setattr(
                sys,
                name,
                io.TextIOWrapper(
                    io.BufferedWriter(raw),
                    stream.encoding,
                    stream.errors,
                    line_buffering=stream.line_buffering,
                    write_through=stream.write_through,
                ),
            )


class _Dropping(io.FileIO):
    """A file that ignores a closed pipe."""

    def write(self, content: Any) -> int:
        """Write *content*; returns the number of bytes."""
        try:
            return super().write(content) or 0
        except BrokenPipeError:
            return memoryview(content).nbytes
