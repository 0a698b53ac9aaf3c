"""A server in a separate process group, and its CPU time and memory by the kernel."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
TICK = 1.01 / TICKS
PAGE = os.sysconf("SC_PAGE_SIZE")


class ServerError(Exception):
    """A server did not start, or gives wrong answers. The message has the end of its log."""


class Server:
    """Runs *command* until `stop`; every process of its session counts as the server's."""

    def __init__(
        self, command: Sequence[str | Path], folder: Path, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log, self.began = log, time.perf_counter()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, port: int, path: str, body: bytes | None, seconds: float = 60) -> float:
        """Seconds from the start until *path* answers 200. Raises `ServerError`."""
        while time.perf_counter() - self.began < seconds:
            if self.process.poll() is not None:
                raise ServerError(f"it ended with {self.process.returncode}: {self.said()}")
            try:
                if ask(port, path, body)[0] == 200:
                    return time.perf_counter() - self.began
            except (OSError, HTTPException):
                pass
            time.sleep(0.005)
        raise ServerError(f"no answer within {seconds:.0f} s: {self.said()}")

    def pids(self) -> list[int]:
        """All living descendants of the first process."""
        return list(self._stats())

    def children(self) -> list[int]:
        """The children of the first process, oldest first: a server's workers."""
        return sorted(pid for pid, fields in _processes() if int(fields[1]) == self.process.pid)

    def cpu(self) -> float:
        """Seconds of processor time, user's and system's, of all processes together."""
        ours = self._stats().values()
        return sum(int(fields[11]) + int(fields[12]) for fields in ours) / TICKS

    def settled(self, seconds: float = 15) -> float:
        """`cpu` when it no longer grows: abandoned requests may still be processed."""
        end, before = time.perf_counter() + seconds, self.cpu()
        while time.perf_counter() < end:
            time.sleep(0.2)
            now = self.cpu()
            if now - before <= TICK:
                return now
            before = now
        return before

    def stop(self, patience: float = 5) -> None:
        """End all processes: terminate the first, and kill what is left after *patience* seconds."""
        ours = set(self.pids())
        if self.process.poll() is None:
            self.process.terminate()
        end = time.perf_counter() + patience
        while ours & _living() and time.perf_counter() < end:
            self.process.poll()
            time.sleep(0.02)
        for pid in ours & _living():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(5)
        while ours & _living() and time.perf_counter() < end + 5:
            time.sleep(0.02)

    def _stats(self) -> dict[int, list[str]]:
        """Whether it belongs to the server: by its session or an ancestor, as some servers start workers in another session."""
        found: dict[int, list[str]] = {}
        for pid, fields in sorted(_processes()):  # parents mostly come before their children
            parent, session = int(fields[1]), int(fields[3])
            if self.process.pid in (session, pid) or parent in found:
                found[pid] = fields
        return found

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-600:]


def memory(pid: int) -> float:
    """The memory of *pid* in MB, shared pages included; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6
    except OSError:
        return 0.0


def share(pid: int) -> float:
    """The memory of *pid* in MB, with its part of shared pages; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


def free_port() -> int:
    """A free port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def ask(port: int, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and body of one request."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request("POST" if body else "GET", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _living() -> set[int]:
    return {pid for pid, _ in _processes()}


def _processes() -> list[tuple[int, list[str]]]:
    """pid -> the fields of its stat after the name (state, parent, group, session, …)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX":
            found.append((int(folder.name), fields))
    return found
