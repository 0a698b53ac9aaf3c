"""Inject faults into the user's data, recipe and bundle, and report which of them the gate finds.

python -m drill make     in the training environment: a bundle per fault, and fifty clean ones
python -m drill judge    in the gate's environment: run the gate on each; writes drill.json
python -m drill peers    run Deepchecks' stock suites and Evidently's presets, too; writes BENCHMARKS.md

An interrupted run continues if recipe, day and code are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from drill.drill_digest import beside, identity
from drill.workers import spread
from forge.closed_pipes import ignore_closed_pipes

for each in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # two processes share two cores
    os.environ.setdefault(each, "1")
for each in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):  # not a hundred verdicts in the job's summary
    os.environ.pop(each, None)

FOLDER = Path("build/drill")
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
        return _stop(USAGE, error)
    except ModuleNotFoundError as error:
        return _stop(NO_DRILL, f"{error}: see --help for which environment {args.command} is for")
    except (DrillError, OSError) as error:
        return _stop(NO_DRILL, error)
    except KeyboardInterrupt:
        return _stop(130, "interrupted; run the same command again to continue")
    _say(f"{args.command}: {time.monotonic() - began:.0f} s")
    return OK


def _make(args: argparse.Namespace) -> None:
    from contracts.thresholds import read_rules  # noqa: PLC0415
    from drill import make  # noqa: PLC0415
    from drill.thinned_recipe import ROWS, Subject  # noqa: PLC0415
    from model.train import RecipeError, read_recipe, training_window  # noqa: PLC0415

    rules = read_rules(args.rules)
    try:
        training_window(read_recipe(args.recipe), args.today)
    except RecipeError as error:
        raise DrillError(str(error)) from error
    of = identity(args.today, rules.export.parity, files=beside(args.recipe))
    if not _goes_on(args.out, of):
        shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True, exist_ok=True)
    subject = Subject(args.recipe, args.today, rules.export.parity)
    wanted = make.cases_of(args.clean, args.only)
    run: dict[str, Any] = {
        "recipe": str(args.recipe),
        "today": str(args.today),
        "rows": ROWS,
        "of": of,
        "cases": [f"{family}-{n}" for family, n in wanted],
    }
    (args.out / SUBJECT).write_text(json.dumps(run), encoding="utf-8")
    done = sum((args.out / each / CASE).is_file() for each in run["cases"])
    kept = f" ({done} are done by the interrupted run)" if done else ""
    _say(f"making {len(wanted)} candidates of {args.recipe} as of {args.today}{kept} ...")
    first, *others = ((subject, *each, args.out) for each in wanted)
    as_it_is = make.make(*first)
    _progress(1, len(wanted), as_it_is)
    if as_it_is.left_out:
        (args.out / run["cases"][0] / CASE).unlink()  # tried again when the recipe is complete
        raise DrillError(
            f"no fault can be tried, as the unchanged recipe gives no candidate and champion: {as_it_is.left_out}"
        )
    for number, case in enumerate(spread(make.make, others, make.lost), 2):
        _progress(number, len(wanted), case)


def _goes_on(out: Path, of: str) -> bool:
    """Whether *out* has an unfinished run of the same recipe, day and code."""
    before = _json(out / SUBJECT) if (out / SUBJECT).is_file() else {}
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
    _say("loading Deepchecks ...")
    from drill import judge, score  # noqa: PLC0415 -- once, before the workers are forked

    as_it_is, *cases = (_json(args.out / each / CASE) for each in names)
    left_out = [case for case in cases if case["left_out"]]
    of = identity(run.pop("of"), files=[args.rules])
    usual = judge.judge(as_it_is, args.rules, of)
    _say(f"unchanged candidate: {usual.decision}: {usual.said}")
    tasks = [(case, args.rules, usual.by, of) for case in cases if not case["left_out"]]
    found = []
    for done, each in enumerate(spread(_one, tasks, _ended), 1):
        found.append(each)
        clean = each["family"] == score.CLEAN
        words = f"{each['decision']:<8}{each['name']}" if clean else score.line(each)
        _say(f"[{done:>3} of {len(tasks)}] {words}")
    order = {case["name"]: number for number, case in enumerate(cases)}
    found.sort(key=lambda each: order[each["name"]])
    faults = [each for each in found if each["family"] != score.CLEAN]
    clean = [each for each in found if each["family"] == score.CLEAN]
    drill = {
        "format": 1,
        "when": f"{datetime.now(UTC):%Y-%m-%d}",
        **run,
        "machine": f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}",
        "usual": usual.by,
        "score": (counted := score.score(faults, clean, left_out)),
        "sentence": score.sentence(counted),
        "faults": faults,
        "clean": clean,
        "left_out": [{"name": case["name"], "family": case["family"], "why": case["left_out"]} for case in left_out],
    }
    (args.out / DRILL).write_text(
        json.dumps(drill, indent=1, ensure_ascii=False), encoding="utf-8", errors="backslashreplace"
    )
    _say("")
    for line in score.summary(drill):
        _say(line)
    _say(f"{drill['sentence']}  ({args.out / DRILL})")


def _peers(args: argparse.Namespace) -> None:
    from bench.sections import put  # noqa: PLC0415
    from drill import make, score  # noqa: PLC0415
    from drill import peer_suites as rivals  # noqa: PLC0415
    from model.train import read_recipe  # noqa: PLC0415

    cases = [make.read(args.out / each / CASE) for each in _run(args.out)["cases"]]
    if not (args.out / DRILL).is_file():
        raise DrillError("the cases are not judged yet; run: python -m drill judge")
    drill = _json(args.out / DRILL)
    contract = read_recipe(Path(drill["recipe"])).CONTRACT
    put(args.document, "drill", score.markdown(drill, rivals.compare(cases, contract, args.out)))
    _say(f"{args.document} has the comparison")


def _one(case: dict[str, Any], rules: Path, usual: tuple[str, ...], of: str) -> dict[str, Any]:
    from drill import judge  # noqa: PLC0415

    return judge.outcome(case, judge.judge(case, rules, of), usual)


def _ended(case: dict[str, Any], _: Path, usual: tuple[str, ...], *__: str) -> dict[str, Any]:
    from drill import judge  # noqa: PLC0415

    why = "the process that judged it was killed, possibly for lack of memory"
    return judge.outcome(case, judge.crashed(why), usual)


def _run(out: Path) -> dict[str, Any]:
    """The run's description, written by `make`."""
    if not (out / SUBJECT).is_file():
        raise DrillError(f"there is no drill in {out}; run: python -m drill make")
    found: dict[str, Any] = _json(out / SUBJECT)
    return found


def _progress(done: int, of: int, case: Any) -> None:
    why = f": does not apply: {case.left_out}" if case.left_out else ""
    _say(f"[{done:>3} of {of}] {case.name}{why}")


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _say(words: str) -> None:
    print(words, flush=True)


def _stop(code: int, why: object) -> int:
    print(f"error: {why}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m drill", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    make = commands.add_parser("make", help="a bundle per fault, and the clean ones")
    make.add_argument(
        "--recipe", type=Path, default=Path(os.environ.get("RECIPE") or "model/recipe.py"), help="the recipe's file"
    )
    make.add_argument("--today", type=_day, default="", help="the day to train as of (YYYY-MM-DD)")
    make.add_argument("--clean", type=int, default=50, help="number of clean candidates")
    make.add_argument("--only", nargs="+", default=(), help="only faults with these texts in their family or name")
    judge = commands.add_parser("judge", help="run the gate on each of them")
    peers = commands.add_parser("peers", help="run the peers' suites, and write BENCHMARKS.md")
    peers.add_argument(
        "--document", type=Path, default=Path("BENCHMARKS.md"), help="the document whose section is written"
    )
    for command in (make, judge, peers):
        command.add_argument("--out", type=Path, default=FOLDER, help="the drill's folder")
        command.add_argument(
            "--rules", type=Path, default=Path("checks/thresholds.toml"), help="the limits: a thresholds.toml"
        )
    return parser


def _day(text: str) -> date:
    return date.fromisoformat(text) if text else datetime.now(UTC).date()


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
