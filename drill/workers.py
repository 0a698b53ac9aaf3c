"""Run tasks in processes that share imported modules."""

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
    """Each task's result, as they are done.

    A killed process (for lack of memory, for example) breaks its pool. Remaining tasks are then run one at a time, and
    the result of one that kills its process again is *lost*, called with the task.
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
    """A pool whose processes ignore interruptions; the parent waits only for tasks that have begun."""
    ignore = (signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(workers, get_context("fork"), signal.signal, ignore)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
