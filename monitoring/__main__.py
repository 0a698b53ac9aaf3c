"""Watch what is live; tell the story.

python -m monitoring watch --journal DIR --out DIR    open, update or close the alert
python -m monitoring experiment --journal DIR         who wins; one issue, and a proposal when it is due
python -m monitoring site --journal DIR --watch DIR --out FILE
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from checks.live import Rollback
from checks.rules import ConfigurationError, read_rules
from forge import Forge, ForgeError, open_forge
from forge.__main__ import main as press
from forge.actions import output
from forge.live import LIVE, LiveError, moves, parse_live
from model.contract import Contract, ContractError
from monitoring.alerts import Told, assess, body, effect, title
from monitoring.baking import Alarm, decide
from monitoring.digest import digest
from monitoring.experiment.__main__ import run as run_experiment
from monitoring.influence import influence
from monitoring.journal import journal_at
from monitoring.labels import trust
from monitoring.look import look
from monitoring.service import ServiceError, observe
from monitoring.signals import by_series
from monitoring.site import page
from monitoring.story import champions, gather
from monitoring.upstream import likely_changes
from monitoring.window import EvidenceError, JournalError, read_reference, read_window

OK, USAGE, NO_WATCH = 0, 2, 5


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        asked.run(asked, open_forge(asked.forge))
    except ConfigurationError as error:
        return _stop(USAGE, error)
    except (
        ForgeError, LiveError, ContractError, EvidenceError, JournalError, ServiceError, OSError,
    ) as error:  # fmt: skip
        return _stop(NO_WATCH, f"could not watch: {error}")
    except KeyboardInterrupt:
        return _stop(130, "stopped; nothing was changed")
    return OK


def _watch(asked: argparse.Namespace, forge: Forge) -> None:
    """live.toml -> bundle's evidence; journal -> window; both -> signals -> the one alert."""
    limits = read_rules(asked.rules)
    rules = limits.monitoring
    live = parse_live(forge.read(LIVE) or "").champion
    if live is None:
        raise ForgeError("nothing is live, so there is nothing to watch")
    if any(asked.metrics) and _serves_badly(asked, forge, live.version, limits.rollback):
        return
    with tempfile.TemporaryDirectory() as work:
        forge.download(live.version, Path(work) / live.version)
        manifest = _manifest(Path(work) / live.version)
        contract = Contract.from_json(manifest["contract"])
        reference = read_reference(Path(work) / live.version, contract)
    until = pd.Timestamp(asked.today, tz="UTC") if asked.today else None
    with journal_at(asked.journal) as journal:
        window = read_window(
            journal, contract, live.version, rules.window_days, until, rules.min_rows
        )
    labelled = int(window.rows[contract.target.name].notna().sum())
    _say(f"{live.version}: {len(window.rows):,} rows answered, {labelled:,} outcomes known")
    signals, unknown, unjudged = look(
        window, reference, contract, manifest["data"]["categories"], rules, _say
    )
    situation = assess(signals, unknown, rules)
    upstream = [*map(str, likely_changes(window.rows, contract, manifest, limits, until))]
    told = Told(
        contract.name,
        live.version,
        len(window.rows),
        labelled,
        window.oddities,
        unjudged,
        upstream,
    )
    _write_run(asked.out, {
        "version": live.version,
        "state": situation.state,
        "why": situation.why,
        "signals": [signal.to_json() for signal in signals],
        "tier": situation.tier,
        "unknown": [[each.kind, each.why] for each in unknown],
        "upstream": upstream,
    })  # fmt: skip
    words = body(situation, signals, unknown, told)
    marker = f"watch:{contract.name}"
    if situation.state == "raised":
        alert = forge.alert(marker, title(situation, signals, told), words)
        _say(f"alert {alert.number} is open: {alert.title}")
        for line in effect(signals, situation, told):
            _say(f"  {line}")
    elif situation.state == "quiet":
        closed = forge.resolve(marker, f"{situation.why}.\n\n{words}")
        _say(
            f"alert {closed.number} is closed: {situation.why}"
            if closed
            else f"quiet: {situation.why}"
        )
    else:
        _say(f"no change: {situation.why}")
    for change in upstream:
        _say(f"likely changed upstream: {change}")
    for each in unknown:
        _say(f"{'not yet' if each.yet else 'could not be'} watched: {each.kind}: {each.why}")
    for each_metric in trust(signals):
        _say(f"the estimate of {each_metric}")
    if situation.state != "raised":  # else the alert tells it all
        _digest(forge, contract.name, digest(signals, influence(reference, contract), told))
    series = by_series(signals)
    last = [series[name][-1] for name in situation.lasting]
    _bake(asked, forge, limits.rollback, [
        Alarm(s.kind, live.version, f"{s.metric} {s.value:.3f} on {s.day}, usual {s.expected:.3f}") for s in last
    ])  # fmt: skip


def _digest(forge: Forge, model: str, week: tuple[str, str] | None) -> None:
    """One issue a week of what moved and harms nobody yet; it closes with a week where nothing did."""
    if week is None:
        return
    marker, (heading, words) = f"digest:{model}", week
    if heading:
        _say(f"digest {forge.alert(marker, heading, words).number}: {heading}")
    elif closed := forge.resolve(marker, words):
        _say(f"digest {closed.number} is closed: {words}")


def _serves_badly(asked: argparse.Namespace, forge: Forge, version: str, rules: Rollback) -> bool:
    """Whether the scorers' errors or latency put the champion before back; one alert tells them."""
    alarms = observe([*filter(None, asked.metrics)], asked.metrics_seconds, version, rules)
    words = "".join(f"- {each.kind}: {each.words}\n" for each in alarms)
    if alarms:
        kinds = " and ".join(each.kind for each in alarms)
        number = forge.alert("service", f"Scorers: {kinds} beyond limits", words).number
        _say(f"alert {number} is open: {'; '.join(each.words for each in alarms)}")
    elif forge.resolve("service", "Errors and latency are within their limits again.\n"):
        _say("the scorers' alert is closed: errors and latency are within their limits")
    return _bake(asked, forge, rules, alarms)


def _bake(
    asked: argparse.Namespace, forge: Forge, rules: Rollback, alarms: Sequence[Alarm]
) -> bool:
    """Press the button if a new version's *alarms* call for it; in a workflow, a job presses it."""
    told = [(at, slot.version if slot else "") for at, slot in moves(forge.history(LIVE))]
    decision = decide(alarms, told, datetime.now(UTC), rules)
    if alarms:
        _say(f"{'rolling back' if decision.goes_back else 'no rollback'}: {decision.why}")
    if decision.goes_back:
        output("rollback", "true")
        output("reason", decision.why)
        if not os.environ.get("GITHUB_ACTIONS"):
            words = ["rollback", "--forge", asked.forge, "--reason", decision.why]
            if press(words):
                raise ForgeError("the rollback failed, as said above; the next run tries it again")
    return decision.goes_back


def _site(asked: argparse.Namespace, forge: Forge) -> None:
    """Forge, journal and the watch's runs -> the page."""
    history = forge.history("serve/live.toml")
    manifests = {version: forge.manifest(version) for version in sorted(champions(history))}
    told: dict[str, Any] = {
        "history": history,
        "releases": forge.releases(),
        "proposals": forge.proposals(),
        "alerts": forge.alerts(),
    }
    least = read_rules(asked.rules).monitoring.min_rows
    with journal_at(asked.journal) as journal:
        _replace(asked.out, page(gather(told, manifests, journal, asked.watch, least)))
    _say(f"page: {asked.out}")


def _manifest(bundle: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((bundle / "manifest.json").read_bytes())
    except (OSError, ValueError) as error:
        raise EvidenceError(f"{bundle.name} has no manifest that can be read: {error}") from error
    if not isinstance(manifest, dict) or not manifest.keys() >= {"contract", "data"}:
        raise EvidenceError(f"the manifest of {bundle.name} lacks its contract or its data")
    return manifest


def _write_run(folder: Path, run: dict[str, Any]) -> None:
    numbers = [path.stem.removeprefix("watch-") for path in folder.glob("watch-*.json")]
    number = 1 + max((int(each) for each in numbers if each.isdecimal()), default=0)
    _replace(folder / f"watch-{number:04}.json", json.dumps(run, indent=1) + "\n")


def _replace(path: Path, text: str) -> None:
    """Write *text* to *path*, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with work.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m monitoring", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    watch = commands.add_parser(
        "watch", help="look at the journal; open, update or close the alert"
    )
    watch.add_argument(
        "--today",
        type=_day,
        metavar="YYYY-MM-DD",
        help="look at the days before this one (default: the newest row)",
    )
    watch.add_argument(
        "--out", type=Path, required=True, help="folder to keep the run's signals in"
    )
    watch.add_argument(
        "--metrics", action="append", default=[], metavar="URL",
        help="a scorer's /metrics, for errors and latency; may be repeated",
    )  # fmt: skip
    watch.add_argument("--metrics-seconds", type=float, default=30, metavar="SECONDS")
    watch.set_defaults(run=_watch)
    experiment = commands.add_parser("experiment", help="say who wins, and propose what is due")
    experiment.add_argument(
        "--today", type=_day, metavar="YYYY-MM-DD", help="count the days before (default: today)"
    )
    experiment.set_defaults(run=run_experiment)
    site = commands.add_parser("site", help="write the page that tells the story")
    site.add_argument("--watch", type=Path, required=True, help="folder with the runs of the watch")
    site.add_argument("--out", type=Path, required=True, help="the page, one HTML file")
    site.set_defaults(run=_site)
    for command in commands.choices.values():
        command.add_argument(
            "--journal", required=True, help="the scorer's journal: a folder, or a URL for fsspec"
        )
        command.add_argument(
            "--forge", default=os.environ.get("FORGE") or ".forge", help="the forge's folder"
        )
        command.add_argument("--rules", type=Path, default=Path("checks/thresholds.toml"))
    return parser


def _day(text: str) -> date | None:
    # A workflow's input that was left empty arrives as "".
    return date.fromisoformat(text) if text else None


def _say(words: str) -> None:
    print(words, flush=True)


def _stop(code: int, why: object) -> int:
    print(f"error: {why}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
