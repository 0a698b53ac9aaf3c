"""A worker's application, made in its own process: a session's threads do not survive a fork."""

from __future__ import annotations

import gc
import os
import threading
import time
from multiprocessing.util import Finalize
from typing import Any

from serve.app import create_app
from serve.front import Front
from serve.scorer import Scorer
from serve.settings import Settings

LOOK_EVERY = 0.5


def application(settings: Settings, stopping: Any) -> Front:
    """The application of a worker, as granian calls it; not ready while *stopping* holds something."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    app = create_app(
        settings.store,
        settings.journal,
        settings=settings,
        follow_every=settings.follow_every,
        stopping=lambda: bool(stopping.value),
    )
    # What stands now stands until the end: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    scorer: Scorer = app.extensions["tidegate"]
    Finalize(None, scorer.close, exitpriority=10)  # when granian is through with the last request
    return Front(
        app.wsgi_app,
        settings.largest_body,
        settings.body_timeout,
        settings.threads,
        inline=settings.journal_fsync == "off",
    )


def _end_with(parent: int) -> None:
    # A parent killed by force stops nobody: its workers would go on, and keep the port.
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    os._exit(1)
