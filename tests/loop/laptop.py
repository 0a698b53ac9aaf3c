"""A laptop that runs the whole loop: each command in its own environment, as a person types it.

Nothing here knows the inside of a command: they are started as processes, and what they leave
(the forge's folder, the journal, the verdict) is read as anybody could.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from contracts.live_config import parse_live
from forge.opening import open_forge

ROOT = Path(__file__).parents[2]
PROMOTE, REJECT, HOLD = 0, 3, 4


class UnexpectedError(Exception):
    """A step ended otherwise than the story needs. The message has its output."""


class Laptop:
    """The loop's commands, with their state in *folder*. Ends its servers when the block ends."""

    def __init__(self, folder: Path, recipe: Path, show: Callable[[str], None]) -> None:
        self.folder, self.recipe, self.show = folder, recipe, show
        self.forge, self.journal = folder / "forge", folder / "journal"
        self.store, self.watched = folder / "store", folder / "watch"
        self.site = folder / "site"
        self._servers: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in reversed(self._servers):
            server.terminate()
        for server in self._servers:
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()

    def retrain(self, today: str, recipe: Path | None = None) -> None:
        """Train as of *today*, store the candidate, open or refresh the proposal."""
        original = {"ORIGINAL": str(self.recipe)}
        command = ["-m", "model", "retrain", "--today", today, "--recipe", str(recipe or self.recipe)]
        self._run("work", command, more=original)

    def gate(self, name: str, expect: int) -> dict[str, Any]:
        """Judge the proposal; returns the verdict, which must have the exit code *expect*."""
        out = self.folder / "gate" / name
        self._run("checks", ["-m", "checks", "gate", "--out", str(out)], expect)
        verdict: dict[str, Any] = json.loads((out / "verdict.json").read_text())
        return verdict

    def land(self, name: str, expect: int) -> str:
        """Merge and publish what the verdict allows; returns what was said."""
        verdict = self.folder / "gate" / name / "verdict.json"
        return self._run("work", ["-m", "forge", "land", "--verdict", str(verdict)], expect)

    def rollback(self, reason: str) -> str:
        """The older model serves again."""
        return self._run("work", ["-m", "forge", "rollback", "--reason", reason])

    def watch(self, today: str) -> str:
        """Look at the journal's days before *today*; open, update or close the alert."""
        watched = ["--journal", str(self.journal), "--out", str(self.watched), "--today", today]
        return self._run("work", ["-m", "monitoring", "watch", *watched])

    def write_site(self) -> Path:
        """The dashboard: one page."""
        found = ["--journal", str(self.journal), "--watch", str(self.watched), "--out", str(self.site)]
        self._run("work", ["-m", "monitoring", "site", *found])
        return self.site / "index.html"

    def start_serving(self) -> str:
        """Start the sync and the scorer; returns the scorer's host:port once a model is ready."""
        self._start("work", ["-m", "forge", "sync", "--store", str(self.store), "--every", "0.5"], "sync")
        ready = self.folder / "scorer.address"
        ready.unlink(missing_ok=True)
        places = ["--store", str(self.store), "--journal", str(self.journal)]
        self._start("serve", ["-m", "serve", *places, "--port", "0", "--ready-file", str(ready)], "scorer")
        wait_for(lambda: ready.is_file() and ready.read_text().strip(), 30, "the scorer does not start")
        address = ready.read_text().strip().removeprefix("http://")
        wait_for(lambda: self.ready(address).get("version"), 30, "no model becomes ready")
        return address

    def ready(self, address: str) -> dict[str, Any]:
        """What the scorer says on /ready."""
        try:
            with urllib.request.urlopen(f"http://{address}/ready", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            with error:
                return dict(json.load(error))

    def alerts(self) -> list[Any]:
        """The alerts in the forge that wake somebody: the weekly digest does not."""
        found = open_forge(str(self.forge)).alerts()
        return [alert for alert in found if not alert.marker.startswith("digest:")]

    def live(self) -> str:
        """The version that live.toml names on main."""
        champion = parse_live(open_forge(str(self.forge)).read("serve/live.toml") or "").champion
        return champion.version if champion else ""

    def _run(self, environment: str, command: list[str], expect: int = 0, more: dict[str, str] | None = None) -> str:
        process = self._popen(environment, command, subprocess.PIPE, more or {})
        assert process.stdout
        said = []
        try:
            for line in process.stdout:
                said.append(line)
                self.show(line.rstrip())
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            process.stdout.close()
        if code != expect:
            words = "".join(said)
            raise UnexpectedError(f"{' '.join(command)}: exit code {code}, expected {expect}\n{words}")
        return "".join(said)

    def _start(self, environment: str, command: list[str], name: str) -> None:
        with (self.folder / f"{name}.log").open("a") as log:
            self._servers.append(self._popen(environment, command, log, {}))

    def _popen(self, environment: str, command: list[str], out: Any, more: dict[str, str]) -> subprocess.Popen[str]:
        python = ROOT / ".venv" / environment / "bin/python"
        return subprocess.Popen(
            [str(python), *command],
            cwd=ROOT,
            env={**os.environ, "FORGE": str(self.forge), "PYTHONUNBUFFERED": "1", **more},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )


def wait_for(condition: Callable[[], object], seconds: float, otherwise: str) -> float:
    """Wait until *condition* holds; returns how long that took. Raises `UnexpectedError`."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise UnexpectedError(f"{otherwise} (waited {seconds:g} s)")
        time.sleep(0.05)
    return time.monotonic() - began


def environments_missing() -> list[str]:
    """The environments that are not installed."""
    return [name for name in ("serve", "work", "checks") if not (ROOT / ".venv" / name / "installed").is_file()]
