"""The scorer's section of BENCHMARKS.md: goals, table, chart, and method."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from bench.peers.goals import goals, table
from bench.peers.server_results import LEVELS, Results
from bench.peers.server_rounds import Measurement
from bench.scorer.load import generator
from bench.sections import put

CHART = "bench/chart.svg"
NOT_MEASURED = """\
- Absolute wall time: client, servers and other processes share two cores. Requests per second and latencies are orders of
  magnitude; CPU µs per request is reproducible.
- A network. All is loopback with keep-alive (gunicorn's sync workers close each connection, as they do by default).
- GPUs, large models, batching on the server's side: the model is a small gradient boosting, the row a small JSON object.
- The peers' extras: none of them validates against a contract, journals or counts scores here. Ours does all of it."""


def write(results: Results, path: Path, facts: Mapping[str, str]) -> None:
    """Put the section into the document at *path*."""
    lines = [
        "## The scorer",
        "",
        (
            "The default recipe's model, one row per request, validation, journal and metrics on. Written by"
            f" `{facts['command']}` on {facts['when']}."
        ),
        "",
        "### Goals",
        "",
        *table(goals(results)),
        "",
        "### Side by side",
        "",
        f"![CPU µs per request]({CHART})",
        "",
        *_servers(results),
        "",
        *_absent(results),
        "The floor: one `InferenceSession.run` alone takes "
        + "; ".join(_floor(results))
        + " (one thread, tensors ready; the lowest of three, before, between and after).",
        "",
        "### How",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        f"- load: {generator()}, one thread; each connection posts one of 1,000 holdout rows after the other",
        (
            "- CPU: user and system time of every process of the server, before and after, by the requests that were"
            " answered. Requests on their way at the end count as answered, and are waited for"
        ),
        (
            "- servers are all up, and take turns in rounds; a figure is the median of the rounds, in brackets the"
            " lowest and the highest"
        ),
        "- before anything is timed, each server's scores are compared with the scikit-learn pipeline's",
        (
            "- peers get two workers (Flask's four are its documentation's) and `OMP_NUM_THREADS=1`, which no server's"
            " guide says but scikit-learn's: else each row wakes a thread per core. Two are shown without it too"
        ),
        "",
        "### Not measured",
        "",
        NOT_MEASURED,
    ]
    put(path, "scorer", "\n".join(lines))


def machine() -> str:
    """Processor, cores, memory and kernel."""
    found = _field("/proc/cpuinfo", "model name"), _field("/proc/cpuinfo", "siblings")
    memory = int(_field("/proc/meminfo", "MemTotal").split()[0]) / 2**20
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return f"{found[0]}, {found[1]} cores, {memory:.0f} GiB, {system}, shared with others"


def _servers(results: Results) -> list[str]:
    levels = " | ".join(f"CPU µs, {level} conn." for level in LEVELS)
    lines = [
        f"| server | {levels} | requests/s, p50, p99 ms at 1 | at 8 | at 32 | memory, MB | n |",
        "|---|" + "---:|" * 8,
    ]
    for entrant in results.measured():
        taken = [results.of(entrant.name, level) for level in LEVELS]
        lines.append(
            f"| {entrant.title} | "
            + " | ".join(_range([m.cpu for m in each]) for each in taken)
            + " | "
            + " | ".join(_speed(each) for each in taken)
            + f" | {results.memory.get(entrant.name, 0):.0f}"
            + f" | {sum(m.answered for each in taken for m in each):,} |"
        )
    failed = sum(m.failed for m in results.taken)
    lines += ["", f"n: requests answered over all rounds; failed: {failed:,}. Memory: all processes (PSS)."]
    return lines


def _range(values: list[float]) -> str:
    if not values:
        return "no answer"
    return f"**{median(values):,.0f}** ({min(values):,.0f} to {max(values):,.0f})"


def _speed(taken: list[Measurement]) -> str:
    if not taken:
        return "none within the time"
    rate, p50, p99 = (median(getattr(m, name) for m in taken) for name in ("rate", "p50", "p99"))
    return f"{rate:,.0f}, {_milliseconds(p50)}, {_milliseconds(p99)}"


def _milliseconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _absent(results: Results) -> list[str]:
    lines = [f"- {name} was left out: {why}" for name, why in results.absent.items()]
    return [*lines, ""] if lines else []


def _floor(results: Results) -> list[str]:
    names = {"model": "the released graph", "core": "the faster core that is served"}
    found = []
    for name, figure in results.floor.items():
        which, count = name.split()
        found.append(f"{figure['cpu']:,.0f} CPU µs for {int(count):,} row(s) of {names[which]}")
    return found


def _field(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return "0"
