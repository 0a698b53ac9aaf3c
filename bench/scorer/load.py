"""Load on one address: by wrk if it is installed, else by a small Python client."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Load:
    """The results of a load; latencies in milliseconds."""

    answered: int
    seconds: float
    p50: float
    p99: float
    failed: int


def generator() -> str:
    """The load generator on this machine."""
    return "wrk" if shutil.which("wrk") else "bench/scorer/client.py (wrk is not installed)"


def drive(port: int, path: str, bodies: Path, connections: int, seconds: float) -> Load:
    """Post *bodies* in turn for *seconds*, one after the other on each of *connections*."""
    address = f"http://127.0.0.1:{port}{path}"
    if shutil.which("wrk"):
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--timeout",
            "10s",
            "-s",
            HERE / "drive.lua",
            address,
            "--",
            bodies,
        ]
    else:
        command = [sys.executable, HERE / "client.py", port, path, bodies, connections, seconds]
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    return Load(**json.loads(done.stdout.strip().splitlines()[-1]))
