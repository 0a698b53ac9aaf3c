"""The demo: the whole loop on the default recipe's real data, step by step.

    python -m tests.loop [--folder .demo]

Every step runs the command that a user would type. The flights, their delays and the drift are those of New York
in 2013.
"""

from __future__ import annotations

import argparse
import fcntl
import shlex
import shutil
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model.train import read_recipe
from tests.loop.laptop import PROMOTE, REJECT, ROOT, Laptop, UnexpectedError, environments_missing, wait_for
from tests.loop.website import Answers, Traffic, Website

RECIPE = ROOT / "model/recipe.py"
SHUFFLED = ROOT / "tests/recipes/shuffled.py"


class Narrator:
    """Prints the steps, each with the time since the start."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def chapter(self, number: int, words: str) -> None:
        """Begin a step."""
        print(f"\n{self._clock()}  ({number}) {words}", flush=True)

    def note(self, words: str) -> None:
        """What happened."""
        print(f"            {words}", flush=True)

    def show(self, line: str) -> None:
        """A line that a command printed."""
        print(f"          │ {line}", flush=True)

    def _clock(self) -> str:
        seconds = int(time.monotonic() - self.began)
        return f"[{seconds // 60}:{seconds % 60:02}]"


def run_demo(laptop: Laptop, narrator: Narrator) -> None:
    """The loop, from the first model to the rollback. Raises `UnexpectedError` where a step has another result."""
    recipe = read_recipe(laptop.recipe)

    def days(first: str, last: str) -> Any:
        """The flights from *first* up to *last*, not included."""
        return recipe.load(*(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (first, last)))

    narrator.chapter(
        1,
        "1 April 2013. The website sells flights from LaGuardia only. The first model is trained and passes the gate.",
    )
    laptop.retrain("2013-04-01")
    laptop.gate("first", PROMOTE)

    narrator.chapter(2, "The pull request is merged, the model released; the scorer starts and serves it.")
    laptop.land("first", PROMOTE)
    address = laptop.start_serving()
    first = laptop.live()
    website = Website(address, recipe.CONTRACT)
    narrator.note(f"{first} answers on http://{address}")

    narrator.chapter(3, "The first week of April: visitors are scored, their outcomes are reported.")
    quiet = website.send(days("2013-04-01", "2013-04-08"))
    narrator.note(expect_no_failure(quiet))
    narrator.note(f"{website.report_outcomes(quiet):,} outcomes reported")

    narrator.chapter(
        4, "From 8 April flights from Newark and Kennedy are sold too. Monitoring runs before any outcome is known."
    )
    drifting = website.send(days("2013-04-08", "2013-04-19"))
    narrator.note(expect_no_failure(drifting))
    laptop.watch("2013-04-19")
    opened = expect_alerts(laptop, "open")
    narrator.note("The next run, ten days later, updates the same incident.")
    later = website.send(days("2013-04-19", "2013-04-29"))
    narrator.note(expect_no_failure(later))
    reported = website.report_outcomes(drifting) + website.report_outcomes(later)
    narrator.note(f"{reported:,} more outcomes are known now")
    laptop.watch("2013-04-29")
    if [alert.number for alert in expect_alerts(laptop, "open")] != [alert.number for alert in opened]:
        raise UnexpectedError("a second alert was opened")

    narrator.chapter(
        5, "29 April: the model is retrained. Visitors are scored while the gate runs and the model is swapped."
    )
    traffic = Traffic(website, days("2013-04-29", "2013-05-01"), pause=0.1)
    laptop.retrain("2013-04-29")
    laptop.gate("second", PROMOTE)
    landed = time.monotonic()
    laptop.land("second", PROMOTE)
    second = laptop.live()
    wait_for(lambda: traffic.answers.versions[second] >= 50, 60, "no swap")
    swapped = traffic.end()
    narrator.note(expect_no_failure(swapped))
    narrator.note(f"{second} answered its first request {swapped.first_seen[second] - landed:.1f} s after `land` began")

    narrator.chapter(6, "A week with the new model: all signals are back within their control limits.")
    back = website.send(days("2013-04-30", "2013-05-07"))
    narrator.note(expect_no_failure(back))
    narrator.note(f"{website.report_outcomes(swapped) + website.report_outcomes(back):,} outcomes reported")
    laptop.watch("2013-05-07")
    expect_alerts(laptop, "closed")

    narrator.chapter(7, "A bad candidate: an upstream join is wrong, so the labels are shuffled.")
    laptop.retrain("2013-05-07", SHUFFLED)
    laptop.gate("shuffled", REJECT)
    laptop.land("shuffled", REJECT)
    if laptop.live() != second:
        raise UnexpectedError("the bad candidate went live")

    narrator.chapter(8, "Rollback: one command, and the earlier model serves again.")
    traffic = Traffic(website, days("2013-05-07", "2013-05-08"))
    pressed = time.monotonic()
    laptop.rollback("the demo's on-call engineer does not trust it")
    wait_for(lambda: laptop.ready(address).get("version") == first, 30, "no rollback")
    narrator.note(f"{first} serves again {time.monotonic() - pressed:.1f} s after the command began")
    narrator.note(expect_no_failure(traffic.end()))
    laptop.write_site()


def expect_no_failure(answers: Answers) -> str:
    """The summary of *answers*, every one of which must be good."""
    if answers.failed:
        raise UnexpectedError(f"{len(answers.failed)} requests failed, the first: {answers.failed[0]}")
    return answers.summary()


def expect_alerts(laptop: Laptop, state: str) -> list[Any]:
    """The one alert there is, which must be *state* (open or closed)."""
    found = laptop.alerts()
    if [alert.state for alert in found] != [state]:
        said = ", ".join(f"{alert.title} ({alert.state})" for alert in found) or "no alert"
        raise UnexpectedError(f"expected one alert, {state}; there is {said}")
    return found


def main() -> int:
    """Run the demo in its folder; returns the exit code."""
    parser = argparse.ArgumentParser("python -m tests.loop", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="folder for everything that the demo writes")
    folder: Path = parser.parse_args().folder.resolve()
    missing = environments_missing()
    if missing:
        print(f"error: not installed: {', '.join(missing)}; type: make setup", file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    narrator = Narrator()
    # However it is stopped, its servers stop too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"error: a demo is running in {folder}; wait for it, or give this one --folder", file=sys.stderr)
            return 2
        sweep(folder)
        try:
            with Laptop(folder, RECIPE, narrator.show) as laptop:
                run_demo(laptop, narrator)
        except UnexpectedError as error:
            print(f"\nerror: a step had another result than expected: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"\nstopped; the results so far are in {folder}", file=sys.stderr)
            return 130
    print(closing(laptop, narrator))
    return 0


def sweep(folder: Path) -> None:
    """Remove what an earlier demo left in *folder*: only what a demo makes."""
    for name in ("forge", "journal", "store", "watch", "gate", "site"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("sync.log", "scorer.log", "scorer.address"):
        (folder / name).unlink(missing_ok=True)


def closing(laptop: Laptop, narrator: Narrator) -> str:
    """What happened, and where to look."""
    seconds = int(time.monotonic() - narrator.began)
    return f"""
Done in {seconds // 60}:{seconds % 60:02}. A model was trained, passed the gate, was released and served. Its data drifted, and
monitoring opened an incident before any outcome was known. A better model replaced it without a failed request, a bad
one was rejected, a rollback took seconds, and the incident was resolved by itself.

Look at
  {laptop.site / "index.html"}  the dashboard: what served when, control charts, incidents, verdicts
  {laptop.folder / "gate/second/report.md"}  the report that a reviewer reads
  {laptop.folder / "gate/shuffled/report.md"}  why the bad candidate was rejected
  {laptop.forge / "alerts"}  the incident, from open to resolved
and type  FORGE={shlex.quote(str(laptop.forge))} make status
"""


if __name__ == "__main__":
    sys.exit(main())
