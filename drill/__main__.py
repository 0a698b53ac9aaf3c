"""Put faults into the user's own data, recipe and bundle, and see which the gate catches.

python -m drill make     in the environment that trains: a bundle per fault, and fifty clean ones
python -m drill judge    in the environment that judges: the real gate on each; drill.json
python -m drill peers    the same before Deepchecks' stock suites and Evidently's presets; BENCHMARKS.md
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, date, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from forge.streams import ignore_closed_pipes

for each in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # two processes share two cores
    os.environ.setdefault(each, "1")
for each in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):  # a hundred verdicts are nobody's summary
    os.environ.pop(each, None)

FOLDER = Path("build/drill")
WORKERS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    asked = _parser().parse_args(arguments)
    began = time.monotonic()
    {"make": _make, "judge": _judge, "peers": _peers}[asked.command](asked)
    _say(f"{asked.command}: {time.monotonic() - began:.0f} s")
    return 0


def _make(asked: argparse.Namespace) -> None:
    from checks.rules import read_rules  # noqa: PLC0415 -- each environment has its own half
    from drill import make  # noqa: PLC0415
    from drill.subject import ROWS, Subject  # noqa: PLC0415

    if not asked.keep:
        shutil.rmtree(asked.out, ignore_errors=True)
    asked.out.mkdir(parents=True, exist_ok=True)
    subject = Subject(asked.recipe, asked.today, read_rules(asked.rules).export.parity)
    wanted = make.asked(asked.clean, asked.only)
    _say(f"making {len(wanted)} candidates of {asked.recipe} as of {asked.today} ...")
    told = {"recipe": str(asked.recipe), "today": str(asked.today), "rows": ROWS, "cases": [f"{family}-{n}" for family, n in wanted]}  # fmt: skip
    (asked.out / "subject.json").write_text(json.dumps(told), encoding="utf-8")
    tasks = [(make.make, (subject, *each, asked.out)) for each in wanted]
    for done, case in enumerate(_spread(tasks), 1):
        _progress(done, len(tasks), case.name)


def _judge(asked: argparse.Namespace) -> None:
    from drill import score  # noqa: PLC0415

    _say("loading Deepchecks ...")
    import checks.suite  # noqa: F401, PLC0415 -- once, before the workers are forked

    told = _json(asked.out / "subject.json")
    as_it_is, *cases = (_json(asked.out / each / "case.json") for each in told.pop("cases"))
    left_out = [case for case in cases if case["left_out"]]
    usual = _usual(as_it_is, asked.rules)
    tasks = [(_one, (case, asked.rules, usual)) for case in cases if not case["left_out"]]
    found = []
    for done, each in enumerate(_spread(tasks), 1):
        found.append(each)
        clean = each["family"] == score.CLEAN
        words = f"{each['decision']:<8}{each['name']}" if clean else score.line(each)
        _progress(done, len(tasks), words)
    order = {case["name"]: number for number, case in enumerate(cases)}
    found.sort(key=lambda each: order[each["name"]])
    faults = [each for each in found if each["family"] != score.CLEAN]
    clean = [each for each in found if each["family"] == score.CLEAN]
    drill = {
        "format": 1, "when": f"{datetime.now(UTC):%Y-%m-%d}", **told, "machine": f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}",
        "usual": usual,
        "score": (counted := score.score(faults, clean)), "sentence": score.sentence(counted), "faults": faults, "clean": clean,
        "left_out": [{"name": case["name"], "why": case["left_out"]} for case in left_out],
    }  # fmt: skip
    (asked.out / "drill.json").write_text(json.dumps(drill, indent=1, ensure_ascii=False), encoding="utf-8")  # fmt: skip
    _say("")
    for each in faults:
        if not each["caught"] or each["beyond"]:
            _say(score.line(each))
    for each in clean:
        if each["decision"] not in ("PROMOTE", "HOLD"):
            _say(f"REJECTED though clean: {each['name']}: {each['said']}")
    for case in left_out:
        _say(f"does not apply: {case['name']}: {case['left_out']}")
    _say(f"{drill['sentence']}  ({asked.out / 'drill.json'})")


def _peers(asked: argparse.Namespace) -> None:
    from bench.sections import put  # noqa: PLC0415
    from drill import make, rivals, score  # noqa: PLC0415
    from model.train import read_recipe  # noqa: PLC0415

    cases = [make.read(asked.out / each / "case.json") for each in _json(asked.out / "subject.json")["cases"]]  # fmt: skip
    drill = _json(asked.out / "drill.json")
    contract = read_recipe(Path(drill["recipe"])).CONTRACT
    put(asked.document, "drill", score.markdown(drill, rivals.compare(cases, contract, asked.out)))
    _say(f"{asked.document} has it, side by side")


def _usual(as_it_is: dict[str, Any], rules: Path) -> tuple[str, ...]:
    """The rules that stop the candidate as it is, which nobody spoilt."""
    from drill import judge  # noqa: PLC0415

    if as_it_is["left_out"]:
        return ()
    answer = judge.judge(as_it_is, rules)
    _say(f"as it is: {answer.decision}: {answer.said}")
    return answer.by


def _one(case: dict[str, Any], rules: Path, usual: tuple[str, ...]) -> dict[str, Any]:
    from drill import judge  # noqa: PLC0415

    return judge.outcome(case, judge.judge(case, rules), usual)


def _spread(tasks: Sequence[tuple[Callable[..., Any], tuple[Any, ...]]]) -> Iterable[Any]:
    """Each task's answer as it comes, by two processes that share what is imported."""
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        waiting = [pool.submit(function, *given) for function, given in tasks]
        for done in as_completed(waiting):
            yield done.result()


def _progress(done: int, of: int, words: str) -> None:
    _say(f"[{done:>3} of {of}] {words}")


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _say(words: str) -> None:
    print(words, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m drill", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    make = commands.add_parser("make", help="a bundle per fault, and the clean ones")
    make.add_argument("--recipe", type=Path, default=Path(os.environ.get("RECIPE") or "model/recipe.py"))  # fmt: skip
    make.add_argument("--today", type=_day, default="", help="the day to train as of (YYYY-MM-DD)")
    make.add_argument("--clean", type=int, default=50, help="candidates with nothing wrong")
    make.add_argument("--only", nargs="+", default=(), help="parts of families' or faults' names")
    make.add_argument("--keep", action="store_true", help="go on where the last run stopped")
    judge = commands.add_parser("judge", help="the gate on each of them")
    peers = commands.add_parser("peers", help="the same before others, into BENCHMARKS.md")
    peers.add_argument("--document", type=Path, default=Path("BENCHMARKS.md"))
    for command in (make, judge, peers):
        command.add_argument("--out", type=Path, default=FOLDER)
        command.add_argument("--rules", type=Path, default=Path("checks/thresholds.toml"))
    return parser


def _day(text: str) -> date:
    return date.fromisoformat(text) if text else datetime.now(UTC).date()


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
