"""The cost of a change of the scorer: an earlier checkout and this one, measured alternately in one run.

git worktree add ../before COMMIT && make -C ../before .venv/serve/installed
python -m bench before --checkout ../before
"""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench import document
from bench.peers.server_process import Server, free_port
from bench.scorer.benchmark_model import ROOT, Subject
from bench.scorer.load import drive, generator

#: Requests under way at once; turns of each server; seconds of a turn.
LEVELS, TURNS, SECONDS = (1, 8, 32), 9, 1.0
Found = dict[int, dict[str, list[float]]]


def measure(subject: Subject, checkout: Path) -> Found:
    """CPU µs per request of the server's processes, by number of connections and checkout."""
    found: Found = {level: {"before": [], "now": []} for level in LEVELS}
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        store = subject.store(folder / "store").folder
        bodies = folder / "bodies"
        bodies.write_text("\n".join(json.dumps(row) for row in subject.rows))
        servers: dict[str, tuple[Server, int]] = {}
        try:
            for name, tree in (("before", checkout), ("now", ROOT)):
                port = free_port()
                python = tree / ".venv/serve/bin/python"
                journal = folder / f"journal-{name}"
                command: list[str | Path] = [python, "-m", "serve", "--store", store]
                command += ["--journal", journal, "--port", str(port), "--connections", "1000"]
                server = Server(command, tree, folder / f"{name}.log")
                servers[name] = server, port
                server.wait(port, "/score", json.dumps(subject.rows[0]).encode())
            for _ in range(TURNS):
                for level in LEVELS:
                    for name, (server, port) in servers.items():
                        began = server.settled()
                        load = drive(port, "/score", bodies, level, SECONDS)
                        spent = server.settled() - began
                        found[level][name].append(spent * 1e6 / (load.answered + level))
        finally:
            for server, _ in servers.values():
                server.stop()
    return found


def section(found: Found, commit: str) -> str:
    """The figures as a part of BENCHMARKS.md."""
    rows = [
        f"| {level} | {_figure(each['before'])} | {_figure(each['now'])} | {_ratio(each):.2f} |"
        for level, each in found.items()
    ]
    lines = [
        "## What the HTTP server cost: granian in place of the project's own",
        "",
        (
            f"CPU µs a request of the server's processes, one worker, one row a request: `{commit}`, the last"
            " commit with a server of the project's own, and this one, in turn in one run. Median, and lowest"
            " to highest; the ratio is the median of those of turns beside each other."
        ),
        "",
        "| connections | before | now | now over before |",
        "|---|---|---|---|",
        *rows,
        "",
        (
            f"`python -m bench before --checkout FOLDER`, {datetime.now(UTC):%Y-%m-%d}, {document.machine()};"
            f" {TURNS} turns of {SECONDS:g} s each, load by {generator()} on the same machine. Not measured:"
            " a network, other machines, more workers."
        ),
    ]
    return "\n".join(lines)


def _ratio(each: dict[str, list[float]]) -> float:
    """The median of the ratios of turns beside each other."""
    return median(now / then for then, now in zip(each["before"], each["now"], strict=True))


def _figure(values: list[float]) -> str:
    return f"{median(values):.0f} ({min(values):.0f} to {max(values):.0f})"
