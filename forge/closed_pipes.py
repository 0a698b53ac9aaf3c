"""A command's standard output, whose reader may leave before the command is done (`make status | head`)."""

from __future__ import annotations

import io
import sys
from typing import Any


def ignore_closed_pipes() -> None:
    """From now on what this process prints into a closed pipe is dropped, and raises nothing.

    The command goes on to its end, with its own exit code: a landing must not stop half-way because
    nobody reads what it prints. For SIGPIPE's default, which would end the process, the same pipe and
    a peer that hangs up are one.
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
    """A file that takes all it is given, whether or not anything reads the other end."""

    def write(self, content: Any) -> int:
        """The number of bytes taken."""
        try:
            return super().write(content) or 0
        except BrokenPipeError:
            return memoryview(content).nbytes
