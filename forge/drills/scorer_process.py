"""A scorer of the drill: the real server, started in its environment on a free port of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from forge.interface import ForgeError

ROOT = Path(__file__).parents[2]
#: Variable with the path of the Python of the scorer's environment, where that is not .venv/serve.
VARIABLE = "TIDEGATE_SERVE_PYTHON"
#: Environment variables that the scorer gets: no token, and no setting of another scorer.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
#: Seconds to wait for a start, and for a version to answer.
PATIENCE, PAUSE = 60.0, 0.02


def interpreter() -> str:
    """The Python of the scorer's environment: the one that `VARIABLE` names, .venv/serve, or this one."""
    path = Path(os.environ.get(VARIABLE) or ROOT / ".venv/serve/bin/python")
    return str(path) if path.is_file() else sys.executable


class Scorer:
    """A running scorer. *requests* counts what it was asked, *failed* what it did not answer with 200."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.requests = self.failed = 0

    def ask(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to a *row*; {} if it is not one."""
        self.requests += 1
        try:
            self._connection.request("POST", "/score", json.dumps(row).encode(), {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            content = answer.read()
            if answer.status == 200:
                return dict(json.loads(content))
        except (OSError, HTTPException, ValueError):
            self._connection.close()
        self.failed += 1
        return {}

    def until(self, version: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask until *version* answers the *row*; returns that answer. Raises `ForgeError` after a minute."""
        end = time.monotonic() + PATIENCE
        last: Mapping[str, Any] = {}
        while time.monotonic() < end:
            last = self.ask(row)
            if last.get("version") == version:
                return last
            time.sleep(PAUSE)
        raise ForgeError(f"{version} did not answer within {PATIENCE:.0f} s; {last.get('version') or 'no version'} did")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def scorer(store: Path, folder: Path) -> Iterator[Scorer]:
    """A scorer that follows *store*, with its journal and log in *folder*. Raises `ForgeError` if it does not start."""
    ready, log = folder / "ready", folder / "scorer.log"
    words = ["-m", "serve", "--store", store, "--journal", folder / "journal", "--port", "0", "--ready-file", ready]
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [interpreter(), *map(str, words)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        running = None
        try:
            running = Scorer(_port(process, ready, log))
            yield running
        finally:
            if running:
                running.close()
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def explained(id_: str, store: Path, folder: Path) -> bool:
    """Whether `serve explain` computes the answer with the id again, from the journal that a scorer left in *folder*."""
    words = ["-m", "serve", "explain", id_, "--store", store, "--journal", folder / "journal"]
    done = subprocess.run([interpreter(), *map(str, words)], cwd=ROOT, capture_output=True, check=False)
    return done.returncode == 0


def _port(process: subprocess.Popen[bytes], ready: Path, log: Path) -> int:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if ready.is_file() and (text := ready.read_text(encoding="utf-8").strip()):
            return int(text.rpartition(":")[2])
        if process.poll() is not None:
            raise ForgeError(f"the scorer ended with {process.returncode}: {' '.join(log.read_text().split())[-300:]}")
        time.sleep(PAUSE)
    raise ForgeError(f"the scorer did not start within {PATIENCE:.0f} s: {' '.join(log.read_text().split())[-300:]}")
