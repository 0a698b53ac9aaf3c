"""The progress of many tasks: how many are done, and about how long the others take. Pure."""

from __future__ import annotations


def progress(done: int, many: int, seconds: float, what: str) -> str:
    """A line such as "[ 3 of 30, about 2 min left] 2013-04-01"; *seconds* is the time since the first task began."""
    width = len(str(many))
    left = seconds / done * (many - done) if done else 0.0
    until = "" if done == many else f", about {shown(left)} left"
    return f"[{done:>{width}} of {many}{until}] {what}"


def shown(seconds: float) -> str:
    """A duration, such as 40 s or 3 min."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
