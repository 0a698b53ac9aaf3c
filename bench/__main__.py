"""Measure the scorer and its peers.

python -m bench                      the table in BENCHMARKS.md, in about ten minutes
python -m bench swaps                p99 under load, with 50 swaps of the model and without
python -m bench shadow               latency with and without a shadow model
python -m bench before --checkout D  the cost of an earlier checkout and of this one
python -m bench lists                the cost of a list of 1,000 rows and of a run of the model
python -m bench soak --minutes 5     soak test under full load with swaps and kills: lost rows, growth of memory

An interrupted run continues.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench import document
from bench.environments import versions_in
from bench.peers.entrant import Entrant
from bench.peers.goals import goals
from bench.peers.own_servers import OURS
from bench.peers.server_chart import draw
from bench.peers.server_peers import PEERS
from bench.peers.server_results import LEVELS, Results
from bench.peers.server_rounds import contestants, rounds
from bench.scorer import earlier_checkout as before
from bench.scorer import scorer_alone as single
from bench.scorer.benchmark_model import ROOT, SERVE, Subject, SubjectError
from bench.scorer.soak import Soak, soak
from bench.sections import put
from forge.closed_pipes import ignore_closed_pipes

OK, FOUND, USAGE = 0, 1, 2
FOLDER = ROOT / "build/bench"
LIBRARIES = ("onnxruntime", "granian", "flask", "numpy", "msgspec")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    args = _parser().parse_args(arguments)
    try:
        entrants = chosen(args.peers)
        alone = {"soak": _soak, "swaps": _swaps, "shadow": _shadow, "lists": _lists, "before": _before}
        if args.command in alone:
            return alone[args.command](args)
        _run(args, entrants)
    except (SubjectError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("interrupted; the next run continues", file=sys.stderr)
        return 130
    return OK


def chosen(peers: str) -> list[Entrant]:
    """The scorer, the floor, and the selected peers: all, none, or names."""
    known = {peer.name: peer for peer in PEERS}
    if peers in ("all", "none"):
        return [*OURS, *(PEERS if peers == "all" else ())]
    names = [name for name in peers.split(",") if name]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(f"--peers is {peers!r}; expected all, none, or some of {', '.join(known)}")
    return [*OURS, *(known[name] for name in names)]


def _run(args: argparse.Namespace, entrants: list[Entrant]) -> None:
    say("training the model (half a minute, unless it exists) ...")
    subject = Subject.make(FOLDER / "subject")
    folder, done = FOLDER / "run", _unfinished(args)
    say("one run of the model alone ...")
    floors = [single.floor(subject, args.seconds)]
    lists = single.lists(subject, folder, args.seconds)
    extra = {
        "lists": lists[f"{len(subject.rows):,} rows"]["ratio"],
        "ready": single.ready(subject, folder),
        "installed": single.installed(SERVE.parents[1]),
    }
    notes = {"installed": single.largest(SERVE.parents[1]), "lists": said_of_lists(lists)}
    say(notes["lists"])
    say(f"ready after {extra['ready']:.2f} s; installed {extra['installed']:.0f} MB")
    say(f"{len(entrants)} servers are started ...")
    with contestants(entrants, subject, folder, say) as (up, absent):
        taken = rounds(up, LEVELS, args.rounds, args.seconds, done, say)
        floors.append(single.floor(subject, args.seconds))
        memory = {one.entrant.name: one.memory() for one in up}
        for one in up:
            if one.entrant.name == "ours":
                extra["resident"] = single.resident(one)
                batch = single.batch(one, subject, args.seconds, args.rounds)
                notes["lists"] += f"; {batch / 1e3:.1f} ms as a request over HTTP"
    say("a shadow ...")
    shadows = single.shadows(subject, folder, say)
    extra["shadow"], notes["shadow"] = shadows.ratio, said_of_shadows(shadows)
    say(notes["shadow"])
    say("swaps ...")
    found = single.swaps(subject, folder)
    extra["swaps"] = found.ratio
    notes["swaps"] = said(found)
    say(notes["swaps"])
    floors.append(single.floor(subject, args.seconds))
    results = Results(entrants, taken, single.lowest(floors), extra, notes, memory, absent)
    _write(results, args)
    done.rename(done.with_name("last.jsonl"))


def _write(results: Results, args: argparse.Namespace) -> None:
    more = f" --peers {args.peers}" if args.peers != "all" else ""
    more += f" --seconds {args.seconds:g} --rounds {args.rounds}"
    ours = versions_in(SERVE, LIBRARIES)
    facts = {
        "command": f"python -m bench{more}",
        "when": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": document.machine(),
        "versions": f"Python {sys.version.split()[0]}, "
        + ", ".join(f"{name} {version}" for name, version in ours.items()),
        "peers": _versions_of(results.measured()),
    }
    (ROOT / document.CHART).write_text(draw(results))
    document.write(results, args.out, facts)
    say(f"{args.out} and {document.CHART} are written")
    for goal in goals(results):
        say(f"  {goal.row()}")


def _versions_of(measured: list[Entrant]) -> str:
    """The versions of the peers' packages in their environments."""
    found: dict[str, str] = {}
    for peer in measured:
        if peer.packages:
            names = [name.split("[")[0].split("=")[0] for name in peer.packages]
            found |= versions_in(FOLDER / "peers" / peer.name / "bin/python", names)
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def _unfinished(args: argparse.Namespace) -> Path:
    """The results of an interrupted run with the same settings; else an empty file."""
    path, settings = FOLDER / "unfinished.jsonl", FOLDER / "unfinished.settings"
    now = f"{args.seconds} {args.rounds}"
    if path.exists() and settings.is_file() and settings.read_text() == now:
        say("continuing the interrupted run")
        return path
    path.write_text("")
    settings.write_text(now)
    return path


def _soak(args: argparse.Namespace) -> int:
    subject = Subject.make(FOLDER / "subject")
    with tempfile.TemporaryDirectory() as work:
        found = soak(Soak(Path(work), subject.bundles, subject.rows[:100], args.minutes * 60), say)
    for line in found.lines():
        say(line)
    return FOUND if found.problems() else OK


def _swaps(_: argparse.Namespace) -> int:
    found = single.swaps(Subject.make(FOLDER / "subject"), FOLDER / "run")
    say(f"{found.ratio:.2f} times: {said(found)}")
    return FOUND if found.failed else OK


def _shadow(_: argparse.Namespace) -> int:
    found = single.shadows(Subject.make(FOLDER / "subject"), FOLDER / "run", say)
    say(f"{found.ratio:.2f} times: {said_of_shadows(found)}")
    return OK


def _lists(args: argparse.Namespace) -> int:
    found = single.lists(Subject.make(FOLDER / "subject"), FOLDER / "run", args.seconds)
    for name, figures in found.items():
        say(f"{name}: {figures['ratio']:.2f} times; {said_of_list(figures)}")
    return OK


def _before(args: argparse.Namespace) -> int:
    python = args.checkout and args.checkout / ".venv/serve/bin/python"
    if not python or not python.exists():
        raise ValueError(
            f"--checkout is {str(args.checkout)!r}; expected a checkout of an earlier commit with"
            " its environment: git worktree add ../before COMMIT && make -C ../before .venv/serve/installed"
        )
    commit = subprocess.run(
        ["git", "-C", args.checkout, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    words = before.section(before.measure(Subject.make(FOLDER / "subject"), args.checkout.resolve()), commit)
    say(words)
    put(args.out, "before", words)
    return OK


def said_of_lists(found: dict[str, dict[str, float]]) -> str:
    """The cost of a list and of a run of its rows, as text."""
    return said_of_list(next(iter(found.values()))) + ", JSON, validation, journal and metrics"


def said_of_list(figures: dict[str, float]) -> str:
    """The cost of a call and of a run, as text."""
    return f"{figures['ours'] / 1e3:.2f} ms over {figures['run'] / 1e3:.2f} ms of CPU"


def said_of_shadows(found: single.Shadows) -> str:
    """The effect of a shadow on latency, as text."""
    both = (found.with_one, found.without)
    p50, p99 = ([median(getattr(m, what) for m in each) for each in both] for what in ("p50", "p99"))
    return (
        f"p50 {p50[0]:.2f} ms with, {p50[1]:.2f} without; p99 {p99[0]:.1f} with, {p99[1]:.1f} without:"
        f" medians of {len(found.without)} turns of a second each"
    )


def said(found: single.Swaps) -> str:
    """The effect of swaps on latency, as text."""
    with_some, without = (median(load.p99 for load in each) for each in (found.swapping, found.quiet))
    answered = sum(load.answered for load in found.swapping)
    return (
        f"p99 {with_some:.1f} ms with {found.swaps} swaps, {without:.1f} without: medians of"
        f" {len(found.quiet)} turns of each; {answered:,} answered, {found.failed} failed"
    )


def say(words: str) -> None:
    """A line of progress."""
    print(words, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "command", nargs="?", default="run", choices=("run", "swaps", "shadow", "lists", "soak", "before")
    )
    parser.add_argument("--peers", default="all", help="all, none, or names with commas between")
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement (default: 2)")
    parser.add_argument("--checkout", type=Path, help="an earlier commit, for the command before")
    parser.add_argument("--rounds", type=int, default=3, help="(default: 3)")
    parser.add_argument("--minutes", type=float, default=5, help="of the soak (default: 5)")
    parser.add_argument("--out", type=Path, default=ROOT / "BENCHMARKS.md")
    return parser


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
