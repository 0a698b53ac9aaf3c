"""`python -m serve learn`, kept running by the supervisor: one process, whatever the number of workers.

It is a program and not a fork, so that neither its memory nor its failure concerns an answer. What it does is decided by
`[online]` in `live.toml`: with mode "off" it waits.
"""

from __future__ import annotations

import subprocess
import sys

from serve.log import log
from serve.settings import Settings

#: Seconds between two starts.
RESTART_INTERVAL = 30.0


def command(settings: Settings, parent: int) -> list[str]:
    """The command that computes corrections, or takes those of another store; empty for neither."""
    if settings.corrections_from:
        source = ["--follow", str(settings.corrections_from)]
    elif settings.corrections == "on":
        source = ["--journal", str(settings.journal)]
    else:
        return []
    start = [sys.executable, "-m", "online", "learn", "--store", str(settings.store)]
    return [*start, *source, "--parent", str(parent)]


class CorrectionsProcess:
    """The process of a *command*; none for an empty one."""

    def __init__(self, command: list[str], restart_interval: float = RESTART_INTERVAL) -> None:
        self._command, self._interval, self._not_before = command, restart_interval, 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def keep(self, now: float) -> None:
        """Start the process, or another one after it ended; *now* is the monotonic time."""
        if not self._command or now < self._not_before or (self._process and self._process.poll() is None):
            return
        if self._process:
            log(f"warning: serve learn ended with exit code {self._process.returncode}; another is started")
        self._not_before, self._process = now + self._interval, None
        try:
            # Its lines go to the log: the scorer's standard output holds the address.
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        except OSError as error:
            log(f"warning: serve learn cannot be started: {error.strerror}; it is tried again")

    def stop(self, seconds: float) -> None:
        """End the process, within so many *seconds*."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
