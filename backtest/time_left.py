"""The progress of many tasks: how many are done, and about how long the others take. Pure."""

from __future__ import annotations

from collections.abc import Sequence

#: The pace is that of so many tasks that were done last: what an earlier run stored is done at once.
RECENT_TASKS = 6


def progress(times: Sequence[float], many: int, what: str) -> str:
    """A line such as "[ 3 of 30, about 2 min left] 2013-04-01"; *times* are when tasks were done, in seconds from the start."""
    done, width = len(times), len(str(many))
    since = [0.0, *times][-RECENT_TASKS - 1 :]
    left = (since[-1] - since[0]) / (len(since) - 1) * (many - done)
    until = "" if done == many else f", about {shown(left)} left"
    return f"[{done:>{width}} of {many}{until}] {what}"


def shown(seconds: float) -> str:
    """A duration, such as 40 s or 3 min."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
