"""What the commands of the drill share: their environment, output and errors.

It is imported before NumPy, which reads the number of threads once.
"""

from __future__ import annotations

import os
import sys

for each in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # two processes share two cores
    os.environ.setdefault(each, "1")
for each in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):  # not a hundred verdicts in the job's summary
    os.environ.pop(each, None)


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


def stop(code: int, why: object) -> int:
    """Print *why* the command stops; returns its exit code."""
    print(f"error: {why}", file=sys.stderr)
    return code
