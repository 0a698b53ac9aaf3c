"""Inject faults into the user's data, recipe and bundle, and report which of them the gate finds.

python -m drill make     in the training environment: a bundle per fault, and fifty clean ones
python -m drill judge    in the gate's environment: run the gate on each; writes drill.json
python -m drill peers    run Deepchecks' stock suites and Evidently's presets, too; writes BENCHMARKS.md

An interrupted run continues if recipe, day and code are the same.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from drill.console import say, stop
from drill.drill_digest import beside, identity
from drill.stored_json import read_json, write_json
from drill.workers import spread
from forge.closed_pipes import ignore_closed_pipes

FOLDER = Path("build/drill")
PEERS = ("deepchecks", "evidently")
SUBJECT, CASE, DRILL = "subject.json", "case.json", "drill.json"
OK, USAGE, NO_DRILL = 0, 2, 5


class DrillError(Exception):
    """There is no drill to continue. The message says why and what to type."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    from contracts.thresholds import ConfigurationError  # noqa: PLC0415 -- each environment has its own half

    args = _parser().parse_args(arguments)
    began = time.monotonic()
    try:
        {"make": _make, "judge": _judge, "peers": _peers}[args.command](args)
    except ConfigurationError as error:
        return stop(USAGE, error)
    except ModuleNotFoundError as error:
        return stop(NO_DRILL, f"{error}: see --help for which environment {args.command} is for")
    except (DrillError, OSError) as error:
        return stop(NO_DRILL, error)
    except KeyboardInterrupt:
        return stop(130, "interrupted; run the same command again to continue")
    say(f"{args.command}: {time.monotonic() - began:.0f} s")
    return OK


def _make(args: argparse.Namespace) -> None:
    from contracts.thresholds import read_rules  # noqa: PLC0415
    from drill import make  # noqa: PLC0415
    from drill.rounds import default_seed, rounds  # noqa: PLC0415
    from drill.thinned_recipe import ROWS  # noqa: PLC0415
    from model.train import RecipeError, read_recipe, training_window  # noqa: PLC0415

    rules = read_rules(args.rules)
    try:
        training_window(read_recipe(args.recipe), args.today or datetime.now(UTC).date())
    except RecipeError as error:
        raise DrillError(str(error)) from error
    before = read_json(args.out / SUBJECT) if (args.out / SUBJECT).is_file() else {}
    asked = [str(each) for each in (args.today, args.variants, args.faults, args.clean, args.sent, *args.only)]
    seed = args.seed
    if seed is None:
        unfinished = before.get("asked") == asked and not (args.out / DRILL).is_file()
        seed = before["seed"] if unfinished else default_seed(datetime.now(UTC))
    of = identity(seed, *asked, rules.export.parity, files=beside(args.recipe))
    if not _goes_on(args.out, of):
        shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True, exist_ok=True)
    drawn = list(rounds(args.recipe, args.today, rules.export.parity, seed, args.variants, sent=args.sent))
    wanted = make.cases_of(args.clean, args.only, args.faults, seed)
    run: dict[str, Any] = {
        "recipe": str(args.recipe),
        "today": ", ".join(sorted({str(each.subject.today) for each in drawn})),
        "rows": ROWS,
        "seed": seed,
        "asked": asked,
        "of": of,
        "cases": [f"{each.number}/{family}-{n}" for each in drawn for family, n in wanted],
    }
    write_json(args.out / SUBJECT, run)
    done = sum((args.out / each / CASE).is_file() for each in run["cases"])
    kept = f" ({done} are done by the interrupted run)" if done else ""
    many = len(run["cases"])
    say(f"making {many} candidates of {args.recipe} as of {run['today']}, seed {seed}{kept} ...")
    tasks = [(each, *case, args.out / str(each.number)) for each in drawn for case in wanted]
    unchanged = [task for task in tasks if task[1:3] == wanted[0]]
    for number, task in enumerate(unchanged, 1):  # the bundle of a round's rows is made once
        as_it_is = make.make(*task)
        _progress(number, many, as_it_is)
        if as_it_is.left_out:
            (task[3] / f"{task[1]}-{task[2]}" / CASE).unlink()  # tried again when the recipe is complete
            raise DrillError(
                f"no fault can be tried, as the unchanged recipe gives no candidate and champion: {as_it_is.left_out}"
            )
    others = [task for task in tasks if task[1:3] != wanted[0]]
    for number, case in enumerate(spread(make.make, others, make.lost), len(unchanged) + 1):
        _progress(number, many, case)


def _goes_on(out: Path, of: str) -> bool:
    """Whether *out* has an unfinished run of the same recipe, day and code."""
    before = read_json(out / SUBJECT) if (out / SUBJECT).is_file() else {}
    return before.get("of") == of and not (out / DRILL).is_file()


def _judge(args: argparse.Namespace) -> None:
    run = _run(args.out)
    names = run.pop("cases")
    undone = [each for each in names if not (args.out / each / CASE).is_file()]
    if undone:
        raise DrillError(
            f"{len(undone)} of {len(names)} cases do not exist yet; run the same `python -m drill make` again"
        )
    from contracts.thresholds import read_rules  # noqa: PLC0415

    read_rules(args.rules)
    say("loading Deepchecks ...")
    from drill import case_outcome, judge, score  # noqa: PLC0415 -- once, before the workers are forked
    from drill.harm_score import harm_score, harm_sentence, harm_table, missed_lines  # noqa: PLC0415

    read = {each: read_json(args.out / each / CASE) for each in names}
    of = identity(run.pop("of"), files=[args.rules])
    first = {each.split("/")[0]: each for each in reversed(names)}  # a round begins with the unchanged candidate
    unchanged = {number: read.pop(name) for number, name in first.items()}
    usual = {number: judge.judge(case, args.rules, of) for number, case in unchanged.items()}
    for each in usual.values():
        say(f"unchanged candidate: {each.decision}: {each.said}")
    cases = [(usual[name.split("/")[0]].by, case) for name, case in read.items()]
    left_out = [case for _, case in cases if case["left_out"]]
    tasks = [(case, args.rules, by, of) for by, case in cases if not case["left_out"]]
    found = []
    for done, each in enumerate(spread(_one, tasks, _ended), 1):
        found.append(each)
        clean = each["family"] == score.CLEAN
        words = f"{each['decision']:<8}{each['name']}" if clean else score.line(each)
        say(f"[{done:>3} of {len(tasks)}] {words}")
    order = {case["name"]: number for number, (_, case) in enumerate(cases)}
    found.sort(key=lambda each: order[each["name"]])
    faults = [each for each in found if each["family"] != score.CLEAN]
    clean = [each for each in found if each["family"] == score.CLEAN]
    drill = {
        "format": 1,
        "when": f"{datetime.now(UTC):%Y-%m-%d}",
        **run,
        "machine": f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}",
        "usual": sorted({rule for each in usual.values() for rule in each.by}),
        "score": (counted := score.score(faults, clean, left_out)),
        "sentence": score.sentence(counted),
        "unchanged": [case_outcome.outcome(unchanged[number], each) for number, each in usual.items()],
        "faults": faults,
        "clean": clean,
        "left_out": [{"name": case["name"], "family": case["family"], "why": case["left_out"]} for case in left_out],
    }
    drill["harm"] = harm_sentence(harm_score(drill))
    write_json(args.out / DRILL, drill)
    say("")
    for line in (*score.summary(drill), *missed_lines(drill), *harm_table({args.out.name: drill})):
        say(line)
    say(f"{drill['sentence']}.  ({args.out / DRILL})")
    say(f"{drill['harm']}. To repeat: SEED={drill['seed']}")


def _peers(args: argparse.Namespace) -> None:
    from bench.sections import put  # noqa: PLC0415
    from drill import make  # noqa: PLC0415
    from drill import peer_suites as rivals  # noqa: PLC0415
    from drill.drill_section import markdown  # noqa: PLC0415
    from model.train import read_recipe  # noqa: PLC0415

    drills, found = {}, {}
    for out in args.out:
        cases = {each: make.read(out / each / CASE) for each in _run(out)["cases"]}
        if not (out / DRILL).is_file():
            raise DrillError(f"the cases are not judged yet; run: python -m drill judge --out {out}")
        drill = read_json(out / DRILL)
        name = Path(drill["recipe"]).stem
        drills[name], contract = drill, read_recipe(Path(drill["recipe"])).CONTRACT
        if args.peers:
            found[name] = rivals.compare(cases, contract, out, args.peers)
    put(args.document, "drill", markdown(drills, found))
    say(f"{args.document} has the comparison")


def _one(case: dict[str, Any], rules: Path, usual: tuple[str, ...], of: str) -> dict[str, Any]:
    from drill import case_outcome, judge  # noqa: PLC0415

    return case_outcome.outcome(case, judge.judge(case, rules, of), usual)


def _ended(case: dict[str, Any], _: Path, usual: tuple[str, ...], *__: str) -> dict[str, Any]:
    from drill import case_outcome, judge  # noqa: PLC0415

    why = "the process that judged it was killed, possibly for lack of memory"
    return case_outcome.outcome(case, judge.crashed(why), usual)


def _run(out: Path) -> dict[str, Any]:
    """The run's description, written by `make`."""
    if not (out / SUBJECT).is_file():
        raise DrillError(f"there is no drill in {out}; run: python -m drill make")
    found: dict[str, Any] = read_json(out / SUBJECT)
    return found


def _progress(done: int, of: int, case: Any) -> None:
    why = f": does not apply: {case.left_out}" if case.left_out else ""
    say(f"[{done:>3} of {of}] {case.name}{why}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m drill", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    make = commands.add_parser("make", help="a bundle per fault, and the clean ones")
    make.add_argument(
        "--recipe", type=Path, default=Path(os.environ.get("RECIPE") or "model/recipe.py"), help="the recipe's file"
    )
    make.add_argument(
        "--today", type=_day, default=None, help="the day to train as of (YYYY-MM-DD); without it, drawn by the seed"
    )
    make.add_argument("--clean", type=int, default=50, help="number of clean candidates")
    make.add_argument("--seed", type=int, help="of the variants; without it, one by date and commit")
    make.add_argument("--variants", type=int, default=1, help="number of variants of each fault")
    make.add_argument("--faults", type=int, help="number of faults, drawn by the seed; without it, all")
    make.add_argument("--sent", action="store_true", help="with a journal of the rows that were sent to the scorer")
    make.add_argument("--only", nargs="+", default=(), help="only faults with these texts in their family or name")
    judge = commands.add_parser("judge", help="run the gate on each of them")
    peers = commands.add_parser("peers", help="run the peers' suites, and write BENCHMARKS.md")
    peers.add_argument(
        "--document", type=Path, default=Path("BENCHMARKS.md"), help="the document whose section is written"
    )
    peers.add_argument("--out", type=Path, nargs="+", default=[FOLDER], help="the folders of the drills to compare")
    peers.add_argument(
        "--peers",
        nargs="*",
        choices=PEERS,
        default=PEERS,
        help="those to run; without a name none, and the section has the gate alone",
    )
    for command in (make, judge):
        command.add_argument("--out", type=Path, default=FOLDER, help="the drill's folder")
    for command in (make, judge, peers):
        command.add_argument(
            "--rules", type=Path, default=Path("checks/thresholds.toml"), help="the limits: a thresholds.toml"
        )
    return parser


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
