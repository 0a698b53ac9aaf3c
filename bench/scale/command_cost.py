"""The cost of a command: time and memory."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_began = time.monotonic()


@dataclass(frozen=True)
class Run:
    """The cost of one run of a command: wall and CPU seconds, peak memory in GB."""

    seconds: float
    processor: float
    memory: float
    output: str


def cost(command: Sequence[str]) -> Run:
    """Run a *command*. Raises RuntimeError if it fails."""
    began = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        output = (run.stdout.read() if run.stdout else b"").decode()
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        raise RuntimeError(f"it failed:\n{output[-2000:]}")
    seconds = time.monotonic() - began
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e9, output)


def say(words: str) -> None:
    """A line of progress."""
    seconds = int(time.monotonic() - _began)
    print(f"[{seconds // 60}:{seconds % 60:02}] {words}", flush=True)
