"""Tasks, spread over processes that share what is imported."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

WORKERS = 2
Task = tuple[Any, ...]


def spread(work: Callable[..., Any], tasks: Sequence[Task], lost: Callable[..., Any]) -> Iterator[Any]:
    """Each task's result as it comes.

    A process that is killed, for want of memory for instance, takes its pool with it: what was not
    done by then is done one task at a time, and one that ends its process again has the result of
    *lost*, which is called with the task as well.
    """
    undone: list[Task] = []
    with _pool(WORKERS) as pool:
        waiting: dict[Future[Any], Task] = {}
        for task in tasks:
            try:
                waiting[pool.submit(work, *task)] = task
            except BrokenProcessPool:
                undone.append(task)
        for done in as_completed(waiting):
            try:
                result = done.result()
            except BrokenProcessPool:
                undone.append(waiting[done])
                continue
            yield result
    for task in undone:
        with _pool(1) as pool:
            try:
                result = pool.submit(work, *task).result()
            except BrokenProcessPool:
                result = lost(*task)
        yield result


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that leave an interruption to their parent, which waits for no task but those begun."""
    ignore = (signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(workers, get_context("fork"), signal.signal, ignore)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
